"""Instruments at work: every sound of a song is made once and put wherever it is played.

Shapes: C audio channels (1 or 2 for a sound, 2 for a track), N samples.
"""

import zlib
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from stemsplit.training.synth.bends import warped
from stemsplit.training.synth.kits import KITS, hit
from stemsplit.training.synth.sampled import KEYS, lacks, longest_release, sampled_hit, sampled_note
from stemsplit.training.synth.score import Bend, Note, Stroke
from stemsplit.training.synth.signals import SAMPLE_RATE, Signal, decay, faded, samples, tilted
from stemsplit.training.synth.sounds import DEFAULTS, SAMPLED, SAMPLED_KITS, SOUNDS
from stemsplit.training.synth.sources import find
from stemsplit.training.synth.tables import Split, between, chance, choose, rows_of
from stemsplit.training.synth.theory import frequency
from stemsplit.training.synth.tones import make_note

_VELOCITIES = 5  # steps of loudness that sounds are made for
_TAKES = 4  # sounds of a drum at a step of loudness, which its strokes use in turn
_STROKE_DB = 0.7  # deviation of the level of strokes
_DETUNE_CENTS = 3.0  # deviation of instruments from the tuning of their song
_BODY = 2.5  # semitones; deviation of the body of sampled instruments from how it was recorded
_SKIN = 1.2  # semitones; deviation of sampled drums from how they were tuned
_DAMPED = 0.35  # share of sampled drums that are
_DAMPED_SECONDS = (0.15, 1.5)  # until they have fallen by 60 dB
_LONGEST_STROKE = 4.1  # seconds
_CHOKE = 0.03  # seconds that a hi-hat takes to close
_PANS = {"hat": -0.35, "open": -0.35, "ride": 0.45, "crash": -0.5, "splash": 0.3, "tom high": -0.4,
         "tom": 0.05, "tom low": 0.45, "shaker": 0.5, "tambourine": -0.5, "cowbell": 0.3,
         "conga": 0.35, "rim": 0.1, "clap": 0.0}  # fmt: skip
_LEVELS = {"kick": 0.85, "snare": 0.95, "clap": 0.6, "rim": 0.5, "hat": 0.36, "open": 0.38,
           "ride": 0.36, "crash": 0.55, "splash": 0.4, "shaker": 0.2, "tambourine": 0.25,
           "cowbell": 0.25, "conga": 0.5}  # fmt: skip


@dataclass
class Drummer:
    """A kit, some drums of which may be of another kit."""

    kit_of: dict[str, str]
    """Drum to kit; "" is the one of all others."""

    seed: int
    """Of the drums and of how they are hit."""

    width: float
    """0 is a kit in the middle, 1 spread as far as it goes."""

    balance: dict[str, float]
    """Levels of the drums beside each other."""

    _sounds: dict[tuple[str, int, int], Signal] = field(default_factory=dict)

    def play(self, strokes: Sequence[Stroke], start: float, num_samples: int) -> Signal:
        """The track (2, num_samples) from `start` seconds on; strokes are in the order of time."""
        track = np.zeros((2, num_samples), dtype=np.float32)
        hats = [stroke.start for stroke in strokes if stroke.drum in ("hat", "open")]
        for stroke in strokes:
            sound = self._sound(stroke.drum, stroke.velocity, stroke.number % _TAKES)
            own = np.random.default_rng([self._base(stroke.drum), stroke.number])
            level = self.balance[stroke.drum] * 10 ** (own.normal(0, _STROKE_DB) / 20)
            after = bisect_right(hats, stroke.start + _CHOKE)
            if stroke.drum == "open" and after < len(hats):
                sound = choked(sound, hats[after] - stroke.start)
            side = _PANS.get(stroke.drum, 0.0) * self.width
            place(track, sound * np.float32(level), stroke.start - start, side)
        return track

    def _base(self, drum: str) -> int:
        return self.seed ^ zlib.crc32(drum.encode())

    def _sound(self, drum: str, velocity: float, take: int) -> Signal:
        step = max(1, round(velocity * _VELOCITIES))
        key = (drum, step, take)
        if key not in self._sounds:
            kit, base = self.kit_of.get(drum, self.kit_of[""]), self._base(drum)
            again = np.random.default_rng([base, step, take])
            hard = step / _VELOCITIES
            if kit in SAMPLED_KITS:
                all_alike = np.random.default_rng(base)
                hard = min(1.0, hard * again.uniform(0.93, 1.05))
                tuning = float(all_alike.normal(0, _SKIN) + again.normal(0, 0.06))
                row, is_other = SAMPLED_KITS[kit], base % 4 == 0
                made = sampled_hit(row, drum, hard, tuning=tuning, other=is_other)
                if chance(all_alike, _DAMPED):
                    made = made * decay(made.shape[-1], between(all_alike, _DAMPED_SECONDS))
            else:
                # One drawing of the drum for all of its takes, which differ in their noise.
                made = hit(np.random.default_rng(base), again, KITS[kit], drum, hard)[None]
            self._sounds[key] = tilted(made, float(again.normal(0, 0.06)))
        return self._sounds[key]


def draw_drummer(draw: np.random.Generator, kinds: Sequence[str], split: Split) -> Drummer:
    """Draw a kit of one of the kinds, with some drums of another."""
    kind = choose(draw, kinds)
    made = [name for name, row in rows_of(KITS, split).items() if row.kind == kind]
    real = [
        name
        for name, sampled in rows_of(SAMPLED_KITS, split).items()
        if kind in sampled.families and find(sampled.font) is not None
    ]
    main = choose(draw, real) if real and draw.random() < 0.72 else choose(draw, made)
    kit_of = {"": main}
    if main in SAMPLED_KITS:
        missing = [drum for drum in KEYS if lacks(SAMPLED_KITS[main], drum)]
        kit_of |= dict.fromkeys(missing, choose(draw, made))
    for drums in (("kick",), ("snare", "clap"), ("hat", "open"), ("shaker", "tambourine")):
        if draw.random() < (0.12 if kind == "acoustic" else 0.4):
            other = choose(draw, [*made, *real])
            kit_of |= dict.fromkeys(drums, other)
    balance = {
        drum: _LEVELS.get(drum, 0.7) * float(10 ** (draw.normal(0, 2.2) / 20))
        for drum in (*_LEVELS, "tom", "tom high", "tom low")
    }
    return Drummer(kit_of, int(draw.integers(1 << 31)), float(draw.uniform(0.1, 1.2)), balance)


@dataclass
class Player:
    """An instrument with one sound."""

    sound: str
    values: dict[str, float]
    seed: int
    width: float
    tuning: float = 0.0
    """Semitones above an A of 440 Hz."""

    body: int = 0
    """Of a sampled sound, see `sampled_note`."""

    _notes: dict[tuple[int, int, int], Signal] = field(default_factory=dict)
    _bent: dict[tuple[int, int, int, Bend], Signal] = field(default_factory=dict)

    @property
    def ring_seconds(self) -> float:
        """How long a note may be heard after its end."""
        if self.sound in SAMPLED:
            return longest_release(SAMPLED[self.sound].families[0])
        return self.values.get("release", 0.1)

    def play(self, notes: Sequence[Note], start: float, num_samples: int) -> Signal:
        """The track (2, num_samples) from `start` seconds on."""
        track = np.zeros((2, num_samples), dtype=np.float32)
        for note in notes:
            side = float(np.clip((note.pitch - 60) / 30, -1, 1)) * self.width
            place(track, self._note(note), note.start - start, side)
        return track

    def _note(self, note: Note) -> Signal:
        length = max(1, round(np.log2(max(note.seconds, 0.05) / 0.05) * 4))
        step = max(1, round(note.velocity * _VELOCITIES))
        key = (note.pitch, length, step)
        if key not in self._notes:
            self._notes[key] = self._made(*key)
        if note.bend is None:
            return self._notes[key]
        if (*key, note.bend) not in self._bent:
            self._bent[*key, note.bend] = warped(self._notes[key], note.bend)
        return self._bent[*key, note.bend]

    def _made(self, pitch: int, length: int, step: int) -> Signal:
        seconds, velocity = min(8.0, 0.05 * 2 ** (length / 4)), step / _VELOCITIES
        if self.sound in SAMPLED:
            return sampled_note(
                SAMPLED[self.sound],
                pitch=pitch,
                seconds=seconds,
                velocity=velocity,
                tuning=self.tuning,
                body=self.body,
            )
        made = make_note(
            np.random.default_rng([self.seed, pitch, length, step]),
            SOUNDS[self.sound].engine,
            self.values,
            frequency=frequency(pitch + self.tuning),
            seconds=seconds,
            velocity=velocity,
        )
        return made[None]


def draw_player(
    draw: np.random.Generator,
    family: str,
    split: Split,
    *,
    width: float = 0.3,
    tuning: float = 0.0,
) -> Player:
    """Draw a sound of a family; of any other instrument where the split has none of it.

    Args:
        draw: of the sound and of what the instrument is off the tuning.
        family: as the rows of the sounds have it.
        split: of the song.
        width: how far low and high notes may be apart, to the left and right.
        tuning: of the song, in semitones above an A of 440 Hz.
    """
    made = [name for name, row in rows_of(SOUNDS, split).items() if family in row.families]
    real = [
        name
        for name, row in rows_of(SAMPLED, split).items()
        if family in row.families and find(row.font) is not None
    ]
    if not made and not real:
        made = [n for n, row in rows_of(SOUNDS, split).items() if "piano" in row.families]
    use_real = bool(real) and (not made or draw.random() < 0.6)
    name = choose(draw, real if use_real else made)
    values = {} if name in SAMPLED else draw_values(draw, name)
    own = float(draw.normal(0, _DETUNE_CENTS)) / 100
    side = float(draw.uniform(0, width))
    body = round(float(np.clip(draw.normal(0, _BODY), -6, 6)))
    return Player(name, values, int(draw.integers(1 << 31)), side, tuning + own, body)


def draw_values(draw: np.random.Generator, name: str) -> dict[str, float]:
    """What a song uses of the ranges of a synthesised sound."""
    sound = SOUNDS[name]
    ranges = {**DEFAULTS[sound.engine], **sound.ranges}
    return {field_name: between(draw, limits) for field_name, limits in ranges.items()}


def place(track: Signal, sound: Signal, start: float, side: float) -> None:
    """Add a sound (C, n) to a track (2, N), between left (-1) and right (1).

    What lies before the beginning or after the end of the track is left out.
    """
    first = round(start * SAMPLE_RATE)
    skipped = max(0, -first)
    count = min(sound.shape[-1], track.shape[-1] - first) - skipped
    if count <= 0:
        return
    piece = sound[:, skipped : skipped + count]
    angle = (side + 1) * np.pi / 4
    gains = np.float32(2**0.5) * np.array([[np.cos(angle)], [np.sin(angle)]], dtype=np.float32)
    first = max(0, first)
    track[:, first : first + count] += piece * gains


def choked(sound: Signal, seconds: float) -> Signal:
    """A sound (C, N) that is stopped after a time."""
    return faded(sound[:, : samples(seconds + _CHOKE)].copy(), _CHOKE)


def within(
    notes: Sequence[Note], start: float, seconds: float, *, ring_seconds: float = 0.0
) -> list[Note]:
    """The notes that can be heard in a stretch, if they ring for so long after their end."""
    # Notes are made in steps of length, up to a tenth longer than asked for.
    ends = ((note, note.start + 1.1 * note.seconds + ring_seconds) for note in notes)
    return [n for n, end in ends if n.start < start + seconds and end > start]


def strokes_within(strokes: Sequence[Stroke], start: float, seconds: float) -> list[Stroke]:
    """The strokes that can be heard in a stretch."""
    return [s for s in strokes if start - _LONGEST_STROKE < s.start < start + seconds]
