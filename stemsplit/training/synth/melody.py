"""Vocal lines: phrases of syllables on notes, with rests, harmonies, doubles and calls."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from stemsplit.training.synth.form import Bar, Frame, Section
from stemsplit.training.synth.score import Hand, Note
from stemsplit.training.synth.tables import chance, choose


@dataclass(frozen=True)
class Phrase:
    """What is sung in one breath."""

    notes: tuple[Note, ...]
    """In the order of time, one per syllable."""

    words: int
    """Number that the words are drawn with; equal numbers have equal words."""

    kind: str = "sung"
    """sung, rap or hum."""

    @property
    def start(self) -> float:
        """In seconds."""
        return self.notes[0].start

    @property
    def end(self) -> float:
        """In seconds."""
        return self.notes[-1].start + self.notes[-1].seconds


@dataclass(frozen=True)
class VocalLine:
    """What one singer of several sings."""

    role: str
    """lead, double, harmony, choir or calls."""

    phrases: tuple[Phrase, ...]
    voice: int
    """0 is the lead's; others are different people."""


def write_vocals(
    draw: np.random.Generator, frame: Frame, way: str, centre: float
) -> list[VocalLine]:
    """All vocal lines of a song.

    Args:
        draw: of the melodies.
        frame: the song.
        way: of singing, as `styles.Style.singing` has it.
        centre: middle of the singer's range.
    """
    if way == "none":
        return _calls(draw, frame, centre) if chance(draw, 0.3) else []
    if way == "choir":
        return [
            _choir(draw, frame, centre, low, voice)
            for voice, low in enumerate((-9, -3, 0, 4), start=1)
        ]
    lead = _lead(draw, frame, way, centre)
    if not lead:
        return []
    lines = [VocalLine("lead", tuple(lead), 0)]
    loud = [p for p in lead if _section_of(frame, p).name in ("chorus", "build", "bridge")]
    if loud and chance(draw, 0.45):
        takes = lead if chance(draw, 0.25) else loud
        lines += [VocalLine("double", tuple(takes), 0) for _ in range(choose(draw, (1, 1, 2)))]
    sung = [p for p in loud if p.kind == "sung"]
    if sung and chance(draw, 0.5):
        for steps in choose(draw, ((2,), (2,), (-3,), (2, -3), (2, 4), (5,))):
            moved = tuple(_harmony(frame, phrase, steps) for phrase in sung)
            lines.append(VocalLine("harmony", moved, 0 if chance(draw, 0.5) else abs(steps)))
    if chance(draw, 0.3):
        lines.append(_choir(draw, frame, centre, choose(draw, (-5, 3)), 7, only="chorus"))
        lines.append(_choir(draw, frame, centre, choose(draw, (0, 8)), 8, only="chorus"))
    return lines + (_calls(draw, frame, centre) if chance(draw, 0.35) else [])


def transposed(line: VocalLine, centre: float) -> VocalLine:
    """A line in the octave that is nearest to the middle of a singer's range."""
    pitches = [note.pitch for phrase in line.phrases for note in phrase.notes]
    if not pitches:
        return line
    up = 12 * round((centre - float(np.mean(pitches))) / 12)
    phrases = (
        replace(p, notes=tuple(replace(note, pitch=note.pitch + up) for note in p.notes))
        for p in line.phrases
    )
    return replace(line, phrases=tuple(phrases)) if up else line


def _lead(draw: np.random.Generator, frame: Frame, way: str, centre: float) -> list[Phrase]:
    hand = Hand(draw, frame.style)
    numbers = {name: int(draw.integers(1 << 30)) for name in ("verse", "chorus", "bridge")}
    density = float(draw.uniform(0.7, 1.3)) * (1.0 if frame.bpm < 110 else 0.75)
    raps_chorus = way == "rap" and chance(draw, 0.4)
    phrases: list[Phrase] = []
    for first in range(0, len(frame.bars) - 1, 2):
        bars = frame.bars[first : first + 2]
        section = bars[0].section
        if not section.has_voice or (section.name == "chorus") != (
            bars[1].section.name == "chorus"
        ):
            continue
        name = section.name if section.name in numbers else "verse"
        # The same motif comes again every other phrase, so that a tune can be recognised.
        place = bars[0].index // 2 % (2 if name == "chorus" else 4)
        motif = np.random.default_rng([numbers[name], place % 2 if name == "chorus" else place])
        if chance(motif, 0.1):
            continue
        raps = way == "rap" and (name != "chorus" or raps_chorus)
        lift = 3.5 if name == "chorus" else 0.0
        soft = 0.55 if way == "soft" else 0.95 if way == "belted" else 0.75
        level = soft * (1.08 if name == "chorus" else 0.92)
        notes = (
            _rap(motif, bars, hand, centre - 6, level)
            if raps
            else _tune(motif, frame, bars, hand, centre + lift, density, level)
        )
        if len(notes) > 1:
            words = int(draw.integers(1 << 30)) if name != "chorus" else numbers[name] + place
            phrases.append(Phrase(tuple(notes), words, "rap" if raps else "sung"))
    return phrases


def _tune(
    motif: np.random.Generator,
    frame: Frame,
    bars: Sequence[Bar],
    hand: Hand,
    centre: float,
    density: float,
    level: float,
) -> list[Note]:
    notes: list[Note] = []
    pitch = bars[0].chord.tone_near(centre + motif.normal(0, 2.5))
    step = choose(motif, (0, 0, 0, 2, 2, 4, 6))
    total = sum(bar.steps for bar in bars)
    last = total - choose(motif, (2, 4, 6, 8, 8))
    pace = choose(motif, ((1, 2, 2, 2, 3), (2, 2, 2, 4, 4), (2, 4, 4, 6), (1, 1, 2, 2, 4)))
    while step < last:
        length = max(1, round(choose(motif, pace) / density))
        bar, place = (bars[0], step) if step < bars[0].steps else (bars[1], step - bars[0].steps)
        held = length if step + length < last else choose(motif, (4, 6, 8))
        seconds = held * bar.step * motif.uniform(0.8, 1.0)
        tied = chance(motif, 0.08)
        if not chance(motif, 0.08):
            force = hand.force(bar, level * (1 + 0.01 * (pitch - centre)))
            notes.append(Note(hand.time(bar, place), max(0.1, seconds), pitch, force))
        step += length
        move = choose(motif, (-2, -1, -1, -1, 0, 0, 1, 1, 1, 2, -3, 4))
        move += -1 if pitch > centre + 6 else 1 if pitch < centre - 6 else 0
        pitch = frame.key.step(pitch, move) if not tied else pitch
        if place % 4 == 0 and chance(motif, 0.6):
            pitch = bar.chord.tone_near(pitch)
    return _apart(notes)


def _rap(
    motif: np.random.Generator, bars: Sequence[Bar], hand: Hand, centre: float, level: float
) -> list[Note]:
    notes = []
    fast = chance(motif, 0.25)
    rest = chance(motif, 0.5)
    for number, bar in enumerate(bars):
        for step in range(bar.steps):
            is_end = number == 1 and step > bar.steps - choose(motif, (3, 4, 6)) and rest
            if is_end or not chance(motif, 0.85 if step % 2 == 0 or fast else 0.3):
                continue
            # Rhymes and the ends of lines are spoken higher or lower.
            pitch = centre + (3 if step % 8 == 4 else 0) + motif.normal(0, 1.3)
            force = hand.force(bar, level + (0.1 if step % 4 == 0 else -0.05))
            notes.append(Note(hand.time(bar, step), bar.step * 1.1, round(pitch), force))
    return _apart(notes)


def _harmony(frame: Frame, phrase: Phrase, steps: int) -> Phrase:
    notes = tuple(
        replace(note, pitch=frame.key.step(note.pitch, steps), velocity=note.velocity * 0.85)
        for note in phrase.notes
    )
    return replace(phrase, notes=notes)


def _choir(
    draw: np.random.Generator, frame: Frame, centre: float, offset: int, voice: int, only: str = ""
) -> VocalLine:
    """Held chord tones on open vowels."""
    hand = Hand(draw, frame.style)
    phrases = []
    words = int(draw.integers(1 << 30))
    pitch = round(centre) + offset
    for bar in frame.bars:
        if not bar.section.has_voice or (only and bar.section.name != only):
            continue
        pitch = bar.chord.tone_near(0.8 * pitch + 0.2 * (centre + offset))
        note = Note(hand.time(bar, 0), bar.seconds * 0.97, pitch, hand.force(bar, 0.6))
        phrases.append(Phrase((note,), words + bar.index % 2, "hum"))
    return VocalLine("choir", tuple(phrases), voice)


def _calls(draw: np.random.Generator, frame: Frame, centre: float) -> list[VocalLine]:
    """Short shouts and runs in the gaps."""
    hand = Hand(draw, frame.style)
    phrases = []
    for bar in frame.bars:
        if not chance(draw, 0.12):
            continue
        first = choose(draw, (4, 8, 10, 12)) % bar.steps
        pitch = bar.chord.tone_near(centre + draw.uniform(0, 8))
        notes = []
        for place in range(choose(draw, (1, 1, 2, 4))):
            start = hand.time(bar, first + place)
            seconds = bar.step * choose(draw, (1, 2, 5))
            notes.append(Note(start, seconds, pitch, hand.force(bar, 0.8)))
            pitch = frame.key.step(pitch, choose(draw, (-1, -2, 1)))
        phrases.append(Phrase(tuple(_apart(notes)), int(draw.integers(1 << 30)),
                              choose(draw, ("sung", "rap"))))  # fmt: skip
    return [VocalLine("calls", tuple(phrases), choose(draw, (0, 5)))] if phrases else []


def _apart(notes: list[Note]) -> list[Note]:
    """Notes of which none begins before the one before it has ended."""
    found = []
    for note, after in zip(notes, [*notes[1:], None], strict=True):
        if after is None:
            found.append(note)
        elif after.start > note.start + 0.05:
            found.append(replace(note, seconds=min(note.seconds, after.start - note.start)))
    return found


def _section_of(frame: Frame, phrase: Phrase) -> Section:
    at = next((b for b in frame.bars if b.start + b.seconds > phrase.start), frame.bars[-1])
    return at.section
