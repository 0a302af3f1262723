"""Keys, scales and chords. Pitches are MIDI note numbers; 60 is middle C, 69 is 440 Hz."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

SCALES: dict[str, tuple[int, ...]] = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
    "lydian": (0, 2, 4, 6, 7, 9, 11),
    "phrygian": (0, 1, 3, 5, 7, 8, 10),
    "harmonic minor": (0, 2, 3, 5, 7, 8, 11),
}

PROGRESSIONS: dict[str, tuple[tuple[int, ...], ...]] = {  # degrees of the scale, 0 the first
    "pop": ((0, 4, 5, 3), (5, 3, 0, 4), (0, 5, 3, 4), (3, 0, 4, 5), (0, 3, 5, 4), (0, 3, 0, 4)),
    "minor pop": ((0, 5, 2, 6), (0, 3, 5, 6), (0, 6, 5, 6), (5, 6, 0, 0), (0, 2, 6, 3)),
    "blues": ((0, 0, 0, 0, 3, 3, 0, 0, 4, 3, 0, 4), (0, 3, 0, 0, 3, 3, 0, 0, 4, 4, 0, 0)),
    "jazz": ((1, 4, 0, 0), (0, 5, 1, 4), (2, 5, 1, 4), (1, 4, 2, 5), (3, 6, 2, 5, 1, 4, 0, 0)),
    "modal": ((0, 0, 6, 6), (0, 6, 3, 0), (0, 0, 3, 3), (0, 6, 0, 6), (0, 1, 0, 1)),
    "static": ((0, 0, 0, 0), (0, 0, 5, 6), (0, 0, 0, 6)),
    "folk": ((0, 3, 0, 4), (0, 4, 3, 0), (0, 0, 3, 0, 4, 3, 0, 4), (0, 5, 3, 4)),
    "dark": ((0, 1, 0, 6), (0, 5, 4, 0), (0, 3, 1, 0), (0, 5, 3, 1)),
}

_TUNING_CENTS = 12.0  # deviation of songs from an A of 440 Hz
_EXACT = 0.2  # share of songs without any

NOTE_NAMES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")


@dataclass(frozen=True)
class Key:
    """A tonic and a scale."""

    tonic: int
    """Pitch class, 0 to 11; 0 is C."""

    mode: str

    @property
    def scale(self) -> tuple[int, ...]:
        """Semitones above the tonic."""
        return SCALES[self.mode]

    @property
    def name(self) -> str:
        """As people write it."""
        return f"{NOTE_NAMES[self.tonic]} {self.mode}"

    def pitch(self, degree: int, octave: int = 4) -> int:
        """The pitch of a degree of the scale; 7 is the first one an octave up."""
        octaves, step = divmod(degree, len(self.scale))
        return 12 * (octave + 1 + octaves) + self.tonic + self.scale[step]

    def nearest(self, pitch: float) -> int:
        """The pitch of the scale that is nearest."""
        among = [p for p in range(int(pitch) - 3, int(pitch) + 5) if self.has(p)]
        return min(among, key=lambda found: abs(found - pitch))

    def has(self, pitch: int) -> bool:
        """Whether a pitch is in the scale."""
        return (pitch - self.tonic) % 12 in self.scale

    def step(self, pitch: int, steps: int) -> int:
        """The pitch some steps of the scale above or below one of the scale."""
        place = min(bisect_left(self._ladder, pitch), len(self._ladder) - 1)
        below = place > 0 and pitch - self._ladder[place - 1] <= self._ladder[place] - pitch
        place += steps - 1 if below else steps
        return self._ladder[min(max(place, 0), len(self._ladder) - 1)]

    @cached_property
    def _ladder(self) -> tuple[int, ...]:
        """All pitches of the scale that instruments and singers reach."""
        return tuple(p for p in range(12, 120) if self.has(p))


@dataclass(frozen=True)
class Chord:
    """Pitch classes over a root."""

    root: int
    """Pitch class."""

    intervals: tuple[int, ...]
    """Semitones above the root, the root's own 0 first."""

    @property
    def classes(self) -> tuple[int, ...]:
        """Pitch classes, the root first."""
        return tuple((self.root + step) % 12 for step in self.intervals)

    def root_near(self, pitch: float) -> int:
        """The root in the octave nearest to a pitch."""
        return _near(self.root, pitch)

    def tone_near(self, pitch: float) -> int:
        """The chord tone nearest to a pitch."""
        return min((_near(c, pitch) for c in self.classes), key=lambda found: abs(found - pitch))


def _near(pitch_class: int, pitch: float) -> int:
    return pitch_class + 12 * round((pitch - pitch_class) / 12)


def chord_on(key: Key, degree: int, *, sevenths: bool, power: bool = False) -> Chord:
    """The chord of the scale on one of its degrees."""
    root = key.pitch(degree)
    steps = (0, 4) if power else (0, 2, 4, 6) if sevenths else (0, 2, 4)
    return Chord(root % 12, tuple(key.pitch(degree + step) - root for step in steps))


def voicing(chord: Chord, centre: float, previous: Sequence[int] | None) -> tuple[int, ...]:
    """The tones of a chord around a pitch, moving little from the chord before."""
    target = centre if not previous else 0.7 * float(np.mean(previous)) + 0.3 * centre
    tones = sorted({_near(c, target + 3 * i - 4) for i, c in enumerate(chord.classes)})
    return tuple(tones)


def draw_tuning(draw: np.random.Generator) -> float:
    """How many semitones a song is above an A of 440 Hz, which some songs keep to exactly."""
    cents = float(np.clip(draw.normal(0, _TUNING_CENTS), -50, 50))
    return 0.0 if draw.random() < _EXACT else cents / 100


def frequency(pitch: float) -> float:
    """In Hz."""
    return float(440 * 2 ** ((pitch - 69) / 12))
