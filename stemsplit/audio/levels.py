"""Levels: peaks, the gain that stems share, and rounding to integers.

Shapes: C audio channels, N samples. Full scale is 1.
"""

import math

import numpy as np
import torch
from torch import Tensor

_BIT_DEPTHS = (16, 24)
_PADDING_BITS = 8  # 24 bits travel in the upper part of 32
_HEADROOM_STEPS = 2  # quantiser steps below full scale, room for dither and rounding


def peak(block: Tensor) -> float:
    """Largest absolute sample of a block; NaN if one of them is NaN."""
    if not block.numel():
        return 0.0
    low, high = torch.aminmax(block)
    return max(-float(low), float(high)) if low <= high else math.nan


def shared_gain(highest_peak: float, bit_depth: int | None) -> float:
    """The factor for all stems of a song that brings its highest peak to full scale.

    Args:
        highest_peak: the largest peak of all stems.
        bit_depth: of the integers to be written; None for a lossy format.

    Returns:
        1 where nothing exceeds full scale, else below 1.
    """
    if highest_peak <= 1.0:
        return 1.0
    ceiling = 1.0 if bit_depth is None else 1.0 - _HEADROOM_STEPS * 2.0 ** (1 - bit_depth)
    return ceiling / highest_peak


def to_db(factor: float) -> float:
    """A factor in decibels; minus infinity for 0."""
    return 20.0 * math.log10(factor) if factor > 0 else -math.inf


class Quantiser:
    """Rounds floating-point samples to 16 or 24 bits; what exceeds full scale is clamped.

    16 bits are dithered: triangular noise of one step to either side makes the rounding error
    independent of the music (no distortion of fades and reverb tails). A sample that already sits
    on a step, such as digital silence, has no rounding error and is left alone, so that 16-bit
    audio passes through unchanged. 24 bits are rounded plainly: their steps lie below any
    converter's noise.

    The result does not depend on how the signal is cut into blocks.

    Args:
        bit_depth: 16 or 24.
        seed: of the noise; stems that are summed should have different ones.

    Source: S. P. Lipshitz, R. A. Wannamaker and J. Vanderkooy, "Quantization and Dither: A
    Theoretical Survey", J. Audio Eng. Soc. 40 (1992), section 5.
    """

    def __init__(self, bit_depth: int, seed: int = 0) -> None:
        if bit_depth not in _BIT_DEPTHS:
            raise ValueError(f"bit depth must be 16 or 24, got {bit_depth}")
        self._bit_depth = bit_depth
        self._random = np.random.Generator(np.random.SFC64(seed))

    def __call__(self, block: Tensor) -> Tensor:
        """Round a block (C, N) with C of 1 or 2.

        Returns:
            (N, C), int16, or int32 with the 24 bits on top.
        """
        full_scale = 1 << (self._bit_depth - 1)
        # float32 holds 24-bit steps exactly, and multiplying by a power of two is exact.
        steps = block.t().contiguous() * full_scale
        rounded = steps.round()
        if self._bit_depth == 16:
            dithered = (steps + self._triangular_noise(*steps.shape)).round_()
            rounded = torch.where(rounded == steps, steps, dithered)
        rounded.clamp_(-full_scale, full_scale - 1)
        if self._bit_depth == 16:
            return rounded.to(torch.int16)
        return rounded.to(torch.int32).mul_(1 << _PADDING_BITS)

    def _triangular_noise(self, num_samples: int, channels: int) -> Tensor:
        """The difference of two uniform numbers per sample, (N, C), from -1 to 1."""
        drawn = self._random.integers(0, 2**64, size=num_samples, dtype=np.uint64)
        uniform = torch.from_numpy(drawn.view(np.int16)).view(-1, 4).to(torch.float32)
        return (uniform[:, :channels] - uniform[:, 2 : 2 + channels]) * 2.0**-16
