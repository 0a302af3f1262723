"""How fast a training is now, without what came once."""

import time
from collections import deque
from dataclasses import dataclass

_WINDOW_SECONDS = 60.0


@dataclass(frozen=True)
class _Step:
    seconds: float
    audio_seconds: float


class Pace:
    """The time of recent steps.

    The first step sets things up (processes that read, a compiled network), and counts only as long
    as there is no other.
    """

    def __init__(self) -> None:
        self._first: _Step | None = None
        self._recent: deque[_Step] = deque()
        self._began = time.monotonic()

    @property
    def is_settled(self) -> bool:
        """Whether a step is known that set nothing up."""
        return bool(self._recent)

    @property
    def step_seconds(self) -> float:
        """Time of a step; 0 before the first."""
        steps = self._steps()
        return sum(step.seconds for step in steps) / max(1, len(steps))

    @property
    def audio_per_second(self) -> float:
        """Seconds of music learnt from per second; 0 before the first step."""
        steps = self._steps()
        seconds = max(sum(step.seconds for step in steps), 1e-9)
        return sum(step.audio_seconds for step in steps) / seconds

    def begin(self) -> None:
        """Steps follow that set things up anew."""
        self._first = None
        self._recent.clear()
        self.go_on()

    def go_on(self) -> None:
        """The next step begins now; what was done since the last one does not count."""
        self._began = time.monotonic()

    def step(self, audio_seconds: float) -> None:
        """A step is done.

        Args:
            audio_seconds: music learnt from.
        """
        done = _Step(time.monotonic() - self._began, audio_seconds)
        if self._first is None:
            self._first = done
            return
        self._recent.append(done)
        total = sum(step.seconds for step in self._recent)
        while total - self._recent[0].seconds >= _WINDOW_SECONDS:
            total -= self._recent.popleft().seconds

    def _steps(self) -> list[_Step]:
        if self._recent:
            return list(self._recent)
        return [] if self._first is None else [self._first]
