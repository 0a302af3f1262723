"""What happens during an evaluation, as plain data. Imports no torch."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class EvaluationStarted:
    """What will be done."""

    data: str
    """Name, split and size of the set, in words."""
    candidates: tuple[str, ...]
    num_tracks: int
    num_waiting: int
    """Tracks of all candidates that have no scores from an earlier run."""


@dataclass(frozen=True, kw_only=True)
class TrackAdvanced:
    """How far the tracks that are under way are."""

    candidate: str
    track: str
    fraction: float
    """Finished share of the whole evaluation, from 0 to 1."""
    remaining_seconds: float | None
    """None before anything can be said."""


@dataclass(frozen=True, kw_only=True)
class TrackScored:
    """A track has its scores, and they are kept."""

    candidate: str
    track: str
    values: Mapping[str, float]
    """Stem to the metric of the table."""
    num_done: int
    num_waiting: int
    remaining_seconds: float | None


@dataclass(frozen=True, kw_only=True)
class TrackFailed:
    """A track cannot be scored; the rest goes on."""

    candidate: str
    track: str
    reason: str


EvaluationEvent = EvaluationStarted | TrackAdvanced | TrackScored | TrackFailed
EvaluationSink = Callable[[EvaluationEvent], None]
