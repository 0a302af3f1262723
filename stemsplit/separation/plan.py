"""Where the segments of a signal lie: pure arithmetic, without torch and without I/O.

Positions are sample indices of the signal at the model's rate; 0 is its first sample. A plan may
begin before 0, in the silence that a random shift puts there.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from stemsplit.errors import ConfigError

MAX_SHIFT_SECONDS = 0.5  # as the reference: half a second of random shift at most


@dataclass(frozen=True)
class Segment:
    """One stretch of the signal that one forward pass is to predict."""

    start: int
    """First sample; negative inside the silence of a shift."""

    num_samples: int
    """Samples it contributes to the result."""

    @property
    def stop(self) -> int:
        """The sample after its last one."""
        return self.start + self.num_samples

    def window(self, valid_length: int) -> tuple[int, int]:
        """The stretch to hand to the network: the segment in the middle of `valid_length` samples.

        Args:
            valid_length: samples the network wants, at least `num_samples`.

        Returns:
            First sample and the one after the last; both may lie outside the signal, where the
            signal is taken to be silent.

        Source: demucs/apply.py 4.1.0, `TensorChunk.padded`.
        """
        start = self.start - (valid_length - self.num_samples) // 2
        return start, start + valid_length


@dataclass(frozen=True)
class SegmentPlan:
    """Every segment of one pass over a signal.

    Source: demucs/apply.py 4.1.0, `apply_model`, the `split` and `shifts` branches.
    """

    num_samples: int
    """Length of the signal."""

    segment_samples: int
    """Longest segment."""

    overlap: float = 0.25
    """Share of a segment that overlaps the next."""

    lead_samples: int = 0
    """Silence before the signal: the random shift."""

    def __post_init__(self) -> None:
        if self.stride_samples < 1:
            raise ConfigError(
                f"--overlap {self.overlap} leaves no step between segments of "
                f"{self.segment_samples} samples: lower the overlap or lengthen --segment."
            )

    @cached_property
    def stride_samples(self) -> int:
        """Distance between the starts of neighbouring segments."""
        return int((1 - self.overlap) * self.segment_samples)

    def __len__(self) -> int:
        return len(range(-self.lead_samples, self.num_samples, self.stride_samples))

    def __getitem__(self, index: int) -> Segment:
        if not 0 <= index < len(self):
            raise IndexError(index)
        start = index * self.stride_samples - self.lead_samples
        return Segment(start, min(self.segment_samples, self.num_samples - start))

    def __iter__(self) -> Iterator[Segment]:
        return (self[index] for index in range(len(self)))

    def complete_until(self, num_done: int) -> int:
        """The sample before which nothing changes any more once `num_done` segments are in."""
        return self[num_done].start if num_done < len(self) else self.num_samples


def draw_leads(shifts: int, sample_rate: int, *, seed: int, salt: str = "") -> tuple[int, ...]:
    """The silence to put before the signal in each of the shifted passes, in samples.

    Args:
        shifts: how many random shifts; 0 gives a single pass without one.
        sample_rate: of the signal, in Hz.
        seed: the same seed gives the same shifts.
        salt: makes the networks of an ensemble differ, whichever of them run.
    """
    if not shifts:
        return (0,)
    longest = int(MAX_SHIFT_SECONDS * sample_rate)
    generator = random.Random(f"{seed}:{salt}")  # a string seeds alike in every process
    return tuple(longest - generator.randint(0, longest) for _ in range(shifts))
