"""Mean and deviation of a whole track, gathered in one reading.

The reference normalises every track by them and published weights expect it, so a song is read
twice: once for its statistics and once to be separated.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

_FLOOR = 1e-8  # keeps silence from being divided by zero


@dataclass
class TrackStatistics:
    """Running mean and deviation of the mono mix of a track.

    Source: demucs/api.py 4.1.0, `Separator.separate_tensor`; here block by block in float64, after
    Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm" (1979), section 2.
    """

    num_samples: int = 0
    """Samples seen so far."""

    mean: float = 0.0
    """Mean of the average over the channels."""

    _squares: float = 0.0

    def update(self, block: Tensor) -> None:
        """Take in the next block (C, N)."""
        added = block.shape[-1]
        if not added:
            return
        mono = block.to(torch.float64).mean(dim=0)
        mean = float(mono.mean())
        squares = float((mono - mean).square().sum())
        total = self.num_samples + added
        delta = mean - self.mean
        self._squares += squares + delta * delta * self.num_samples * added / total
        self.mean += delta * added / total
        self.num_samples = total

    def scaled_to(self, num_samples: int) -> "TrackStatistics":
        """The same mean and deviation for another number of samples: an excerpt of the track."""
        squares = (self.std - _FLOOR) ** 2 * max(0, num_samples - 1)
        return TrackStatistics(num_samples, self.mean, squares)

    @property
    def std(self) -> float:
        """Sample standard deviation plus the reference's floor of 1e-8."""
        if self.num_samples < 2:
            return _FLOOR
        return math.sqrt(self._squares / (self.num_samples - 1)) + _FLOOR
