"""What musicians play: notes and strokes in seconds."""

from dataclasses import dataclass, field

import numpy as np

from stemsplit.training.synth.form import Bar
from stemsplit.training.synth.styles import Style


@dataclass(frozen=True)
class Bend:
    """How the pitch of a note moves."""

    slide: float = 0.0
    """Semitones between where it begins and its pitch."""

    slide_seconds: float = 0.1
    vibrato_cents: float = 0.0
    vibrato_hz: float = 5.5


@dataclass(frozen=True)
class Note:
    """A tone."""

    start: float
    seconds: float
    pitch: int
    velocity: float
    """0 to 1."""

    bend: Bend | None = None


@dataclass(frozen=True)
class Stroke:
    """A drum that is hit."""

    start: float
    drum: str
    velocity: float
    number: int = 0
    """Among the strokes of this drum in the song."""


@dataclass
class Part:
    """An instrument with what it plays."""

    role: str
    sound: str
    """Name of a row of the sounds."""

    notes: list[Note] = field(default_factory=list)


class Hand:
    """Puts notes where a player would: near the beat, as hard as the song asks.

    Args:
        draw: of the deviations.
        style: how loose the playing is.
    """

    def __init__(self, draw: np.random.Generator, style: Style) -> None:
        self._draw = draw
        self._spread = float(draw.uniform(*style.loose))
        self._lag = float(draw.normal(0, self._spread / 2))
        self._even = float(draw.uniform(0.02, 0.1))

    def time(self, bar: Bar, step: float) -> float:
        """When a step is really played."""
        late = self._lag + float(self._draw.normal(0, self._spread / 2))
        return max(0.0, bar.at(step) + late)

    def force(self, bar: Bar, level: float) -> float:
        """How hard, at a level of the part; louder sections are played harder."""
        energy = 0.75 + 0.3 * bar.section.energy
        played = level * energy + float(self._draw.normal(0, self._even))
        return min(1.0, max(0.05, played))
