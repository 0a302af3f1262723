"""Padding and trimming along the last axis.

Shapes: N samples, * any leading axes.
"""

from torch import Tensor
from torch.nn import functional as F


def reflect_pad(signal: Tensor, left: int, right: int) -> Tensor:
    """Mirror a signal at both ends, for every length from 1 up.

    A mirror can only show what is there: where the signal is too short, zeros fill the outermost
    part first, so that the rest can be mirrored.

    Args:
        signal: (*, N) with two or three axes.
        left: samples to add before the signal.
        right: samples to add after it.

    Returns:
        (*, left + N + right), with `signal` unchanged in its middle.

    Source: demucs/hdemucs.py 4.1.0, `pad1d`.
    """
    lacking = max(left, right) - signal.shape[-1] + 1
    if lacking > 0:
        zeros_right = min(right, lacking)
        zeros_left = lacking - zeros_right
        signal = F.pad(signal, (zeros_left, zeros_right))
        left, right = left - zeros_left, right - zeros_right
    return F.pad(signal, (left, right), mode="reflect")


def center_trim(signal: Tensor, num_samples: int) -> Tensor:
    """The middle `num_samples` of a signal (*, N); of an odd surplus the right side loses more."""
    start = (signal.shape[-1] - num_samples) // 2
    return signal[..., start : start + num_samples]
