"""The frame of a song: tempo, key, sections, bars and chords."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stemsplit.training.synth.grooves import GROOVES, Groove
from stemsplit.training.synth.styles import STYLES, Style
from stemsplit.training.synth.tables import Split, between, chance, choose, rows_of
from stemsplit.training.synth.theory import PROGRESSIONS, Chord, Key, chord_on, draw_tuning

_FORMS = (
    ("intro", "verse", "chorus", "verse", "chorus", "bridge", "chorus", "outro"),
    ("intro", "verse", "verse", "chorus", "verse", "chorus", "solo", "chorus", "outro"),
    ("chorus", "verse", "chorus", "verse", "bridge", "chorus", "chorus"),
    ("intro", "verse", "chorus", "break", "verse", "chorus", "break", "chorus", "outro"),
    ("verse", "verse", "bridge", "verse", "solo", "bridge", "verse", "outro"),
    ("intro", "build", "chorus", "verse", "build", "chorus", "break", "chorus"),
)

_ENERGY = {
    "intro": (0.2, 0.6),
    "verse": (0.4, 0.7),
    "build": (0.5, 0.8),
    "chorus": (0.8, 1.0),
    "bridge": (0.4, 0.8),
    "solo": (0.6, 1.0),
    "break": (0.1, 0.5),
    "outro": (0.2, 0.7),
}

_SUNG = {
    "intro": 0.15,
    "verse": 0.95,
    "build": 0.6,
    "chorus": 0.97,
    "bridge": 0.8,
    "solo": 0.1,
    "break": 0.35,
    "outro": 0.4,
}  # the share of sections with a singer


@dataclass(frozen=True)
class Section:
    """A stretch of a song."""

    name: str
    energy: float
    """0 to 1."""

    has_voice: bool
    has_drums: bool
    has_bass: bool
    layers: int
    """How many of the other instruments play."""

    groove: Groove
    progression: tuple[int, ...]


@dataclass(frozen=True)
class Bar:
    """A bar with its place in time."""

    start: float
    """In seconds."""

    step: float
    """Seconds of a sixteenth, or of an eighth of a triplet feel."""

    steps: int
    swing: float
    section: Section
    index: int
    """Within the section."""

    count: int
    """Bars of the section."""

    chord: Chord
    chord_after: Chord

    def at(self, step: float) -> float:
        """The time of a step."""
        late = self.swing if int(step) % 2 == 1 and self.steps == 16 else 0.0
        return self.start + (step + late) * self.step

    @property
    def seconds(self) -> float:
        """Its length."""
        return self.steps * self.step

    @property
    def is_last(self) -> bool:
        """Whether the section ends with it."""
        return self.index == self.count - 1


@dataclass(frozen=True)
class Frame:
    """What all instruments of a song agree on."""

    style_name: str
    style: Style
    key: Key
    bpm: float
    bars: tuple[Bar, ...]
    tuning: float
    """Semitones that everybody is above an A of 440 Hz."""

    @property
    def seconds(self) -> float:
        """Length of the song."""
        return self.bars[-1].start + self.bars[-1].seconds


def make_frame(draw: np.random.Generator, split: Split) -> Frame:
    """Draw style, key, tempo and form of a song of two to five minutes."""
    styles = rows_of(STYLES, split)
    name = choose(draw, list(styles))
    style = styles[name]
    key = Key(int(draw.integers(12)), choose(draw, style.modes))
    bpm = between(draw, style.bpm)
    grooves = [GROOVES[groove] for groove in style.grooves]
    first = choose(draw, grooves)
    grooves = [g for g in grooves if (g.steps, g.beat) == (first.steps, first.beat)]
    step = 60 / bpm / first.beat
    sections = _sections(draw, style, grooves)
    has_sevenths = chance(draw, style.sevenths)
    has_power = "distorted" in style.roles[:2] and chance(draw, 0.5)
    swing = between(draw, style.swing)
    drift = between(draw, (0, 0.012)) if style.loose[1] > 0.005 else 0.0
    bars: list[Bar] = []
    start = 0.0
    for section, count in sections:
        chords = [
            chord_on(key, degree, sevenths=has_sevenths, power=has_power)
            for degree in section.progression
        ]
        for index in range(count):
            here = step * (1 + drift * float(np.sin(len(bars) / 7)))
            chord, after = (chords[(index + more) % len(chords)] for more in (0, 1))
            bars.append(Bar(start, here, first.steps, swing, section, index, count, chord, after))
            start += first.steps * here
    return Frame(name, style, key, bpm, tuple(bars), draw_tuning(draw))


def _sections(
    draw: np.random.Generator, style: Style, grooves: Sequence[Groove]
) -> list[tuple[Section, int]]:
    harmony = choose(draw, style.harmony)
    has_drums = not chance(draw, style.no_drums)
    made: dict[str, Section] = {}
    found = []
    for name in choose(draw, _FORMS):
        if name not in made or chance(draw, 0.15):
            made[name] = _section(draw, name, harmony, grooves, has_drums=has_drums)
        bars = 12 if len(made[name].progression) == 12 else choose(draw, (4, 8, 8, 8, 8, 16))
        found.append((made[name], min(bars, 8) if name in ("intro", "break", "outro") else bars))
    return found


def _section(
    draw: np.random.Generator,
    name: str,
    harmony: str,
    grooves: Sequence[Groove],
    *,
    has_drums: bool,
) -> Section:
    energy = between(draw, _ENERGY[name])
    return Section(
        name=name,
        energy=energy,
        has_voice=chance(draw, _SUNG[name]),
        has_drums=has_drums and chance(draw, 0.55 + 0.45 * min(1, energy * 1.8)),
        has_bass=chance(draw, 0.5 + 0.5 * min(1, energy * 1.8)),
        layers=1 + int(energy * draw.uniform(1, 4.5)),
        groove=choose(draw, grooves),
        progression=choose(draw, PROGRESSIONS[harmony]),
    )
