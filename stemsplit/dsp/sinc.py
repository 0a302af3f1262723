"""Doubling and halving the sample rate with a windowed sinc filter.

Shapes: N samples, * any leading axes.

Source: julius 0.2.8, `resample_frac` (J. O. Smith's algorithm), reduced to the factor 2.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

_ZEROS = 24  # zero crossings of the sinc that the filter keeps on each side
_ROLLOFF = 0.945  # cut-off as a share of the lower Nyquist frequency
_BLOCK_STEPS = 16  # steps computed by one convolution


def double_rate(signal: Tensor) -> Tensor:
    """A signal (*, N) at twice its sample rate: (*, 2N)."""
    return _resample(signal, _filters(1, 2, signal), stride=1)[..., : 2 * signal.shape[-1]]


def halve_rate(signal: Tensor) -> Tensor:
    """A signal (*, N) at half its sample rate: (*, floor(N / 2))."""
    return _resample(signal, _filters(2, 1, signal), stride=2)[..., : signal.shape[-1] // 2]


def _filters(old_rate: int, new_rate: int, like: Tensor) -> Tensor:
    """One filter per phase of the new rate: (new_rate, taps)."""
    rate = _ROLLOFF * min(old_rate, new_rate)
    width = math.ceil(_ZEROS * old_rate / rate)
    offsets = torch.arange(-width, width + old_rate, dtype=torch.float32) / old_rate
    phases = torch.arange(new_rate, dtype=torch.float32)[:, None] / new_rate
    time = ((offsets - phases) * rate).clamp(-_ZEROS, _ZEROS)
    filters = torch.sinc(time) * torch.cos(time * (math.pi / 2 / _ZEROS)) ** 2
    filters = filters / filters.sum(dim=-1, keepdim=True)  # a constant stays what it is
    return filters.to(like)


def _resample(signal: Tensor, filters: Tensor, *, stride: int) -> Tensor:
    """Filter at every `stride`-th sample, with one output per phase, and with some to spare."""
    taps = filters.shape[1]
    width = (taps - stride) // 2
    # The same filters at several steps are the channels of one convolution: many times faster.
    block = torch.cat(
        [
            F.pad(filters, (step * stride, (_BLOCK_STEPS - 1 - step) * stride))
            for step in range(_BLOCK_STEPS)
        ]
    )
    flat = signal.reshape(-1, 1, signal.shape[-1])
    padded = F.pad(flat, (width, width + _BLOCK_STEPS * stride), mode="replicate")
    steps = F.conv1d(padded, block[:, None], stride=_BLOCK_STEPS * stride)
    return steps.transpose(1, 2).reshape(*signal.shape[:-1], -1)
