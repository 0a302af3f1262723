"""Join overlapping segments in constant memory.

Shapes: S stems, C audio channels, N samples.
"""

import torch
from torch import Tensor

from stemsplit.dsp.windows import triangle
from stemsplit.errors import SegmentOrderError
from stemsplit.separation.plan import SegmentPlan


class OverlapAdd:
    """The weighted sum of a plan's segments, handed out as soon as it is final.

    Holds what lies between the last sample handed out and the end of the newest segment.

    Source: demucs/apply.py 4.1.0, `apply_model`; here streaming instead of whole-track.
    """

    def __init__(self, plan: SegmentPlan, *, num_stems: int, channels: int) -> None:
        """Prepare to join the segments of `plan`.

        Args:
            plan: where each segment lies.
            num_stems: S of every estimate.
            channels: C of every estimate.
        """
        self._plan = plan
        self._window = triangle(plan.segment_samples)
        self._num_done = 0
        self._position = -plan.lead_samples  # of the buffers' first column
        self._sum = torch.zeros(num_stems, channels, 0)
        self._weight = torch.zeros(0)

    @property
    def num_done(self) -> int:
        """Segments added so far."""
        return self._num_done

    @property
    def complete_until(self) -> int:
        """The sample before which the sum is final."""
        return max(0, self._plan.complete_until(self._num_done))

    def add(self, estimate: Tensor) -> None:
        """Add the next segment's estimate (S, C, N), N being the planned number of samples.

        Raises:
            SegmentOrderError: there is no further segment, or it has another length.
        """
        if self._num_done >= len(self._plan):
            raise SegmentOrderError("More segments came than were planned.")
        segment = self._plan[self._num_done]
        if estimate.shape[-1] != segment.num_samples:
            raise SegmentOrderError(
                f"Segment {self._num_done} has {estimate.shape[-1]} samples, "
                f"but {segment.num_samples} were planned."
            )
        self._grow(segment.stop - self._position)
        first = segment.start - self._position
        weight = self._window[: segment.num_samples]
        self._sum[..., first : first + segment.num_samples].add_(estimate * weight)
        self._weight[first : first + segment.num_samples].add_(weight)
        self._num_done += 1

    def pop(self, stop: int) -> Tensor:
        """The sum (S, C, N) from the last sample handed out up to `stop`, divided by its weights.

        Args:
            stop: at most `complete_until`.

        Raises:
            SegmentOrderError: `stop` is not final yet.
        """
        if stop > self.complete_until:
            raise SegmentOrderError(
                f"Samples up to {stop} were asked for, but only {self.complete_until} are final."
            )
        if stop <= max(0, self._position):
            return self._sum[..., :0]
        first = max(0, -self._position)  # drops the silence that a shift put before the signal
        last = stop - self._position
        piece = self._sum[..., first:last] / self._weight[first:last]
        self._sum = self._sum[..., last:].clone()
        self._weight = self._weight[last:].clone()
        self._position += last
        return piece

    def _grow(self, num_samples: int) -> None:
        missing = num_samples - self._weight.shape[-1]
        if missing > 0:
            self._sum = torch.nn.functional.pad(self._sum, (0, missing))
            self._weight = torch.nn.functional.pad(self._weight, (0, missing))
