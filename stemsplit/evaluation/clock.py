"""How far an evaluation is, and how long the rest will take. Imports no torch."""

import threading
import time
from collections.abc import Mapping

from stemsplit.evaluation.events import (
    EvaluationEvent,
    EvaluationSink,
    TrackAdvanced,
    TrackFailed,
    TrackScored,
)


class EvaluationClock:
    """Counts finished tracks of all candidates, and tells how long the rest will take."""

    def __init__(self, num_waiting: int, on_event: EvaluationSink) -> None:
        """Begin to count.

        Args:
            num_waiting: tracks to do, of all candidates.
            on_event: told everything, from several threads but one at a time.
        """
        self.num_waiting = num_waiting
        self._on_event = on_event
        self._lock = threading.RLock()
        self._began = time.perf_counter()
        self._num_done = 0
        self._parts: dict[tuple[str, str], float] = {}

    def tell(self, event: EvaluationEvent) -> None:
        """Pass an event on."""
        with self._lock:
            self._on_event(event)

    def advance(self, candidate: str, track: str, part: float) -> None:
        """A share of the work on a track is done."""
        with self._lock:
            self._parts[candidate, track] = part
            fraction = (self._num_done + sum(self._parts.values())) / max(1, self.num_waiting)
            self._on_event(
                TrackAdvanced(
                    candidate=candidate,
                    track=track,
                    fraction=min(1.0, fraction),
                    remaining_seconds=self._remaining(fraction),
                )
            )

    def scored(self, candidate: str, track: str, values: Mapping[str, float]) -> None:
        """A track has its scores."""
        with self._lock:
            self._finish(candidate, track)
            self._on_event(
                TrackScored(
                    candidate=candidate,
                    track=track,
                    values=values,
                    num_done=self._num_done,
                    num_waiting=self.num_waiting,
                    remaining_seconds=self._remaining(self._num_done / self.num_waiting),
                )
            )

    def failed(self, candidate: str, track: str, reason: str) -> None:
        """A track cannot be scored."""
        with self._lock:
            self._finish(candidate, track)
            self._on_event(TrackFailed(candidate=candidate, track=track, reason=reason))

    def _finish(self, candidate: str, track: str) -> None:
        self._parts.pop((candidate, track), None)
        self._num_done += 1

    def _remaining(self, fraction: float) -> float | None:
        if fraction <= 0:
            return None
        return (time.perf_counter() - self._began) * (1 - fraction) / fraction
