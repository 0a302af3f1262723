"""How near an estimate is to its reference, in dB.

Pure functions of two tensors on any device, with any leading dimensions: a trainer calls them on
batches, an evaluation on whole songs or, through `Sums`, on songs that come in blocks. Sums run in
float64 where the device has it.

Shapes: S stems, C audio channels, N samples, W windows; `...` are any leading dimensions.
"""

from typing import NamedTuple, Self

import torch
from torch import Tensor

_MDX_EPSILON = 1e-7  # of the challenge's definition, in squared full scale


class Sums(NamedTuple):
    """What uSDR and SI-SDR are made of; adding those of two blocks gives those of both."""

    signal: Tensor
    """Sum of s^2 over channels and samples, s being the reference."""

    estimate: Tensor
    """Sum of e^2, e being the estimate."""

    error: Tensor
    """Sum of (e - s)^2."""

    common: Tensor
    """Sum of (e - s) s."""

    @classmethod
    def of(cls, reference: Tensor, estimate: Tensor) -> Self:
        """The sums, each (...), of two signals (..., C, N)."""
        exact = _exact_dtype(reference)
        s, e = reference.to(exact), estimate.to(exact)
        error = e - s
        return cls(_inner(s, s), _inner(e, e), _inner(error, error), _inner(error, s))

    def usdr(self) -> Tensor:
        """See `usdr`."""
        return decibels(self.signal + _MDX_EPSILON, self.error + _MDX_EPSILON)

    def si_sdr(self) -> Tensor:
        """See `si_sdr`."""
        # With e = s + d, the fitted level is 1 + <d, s> / |s|^2, and what is left of e is d without
        # its projection on s: both are exact for an estimate that equals its reference.
        factor = 1 + self.common / self.signal
        rest = (self.error - self.common.square() / self.signal).clamp(min=0)
        value = decibels(factor.square() * self.signal, rest)
        return torch.where(self.estimate > 0, value, torch.nan)


def usdr(reference: Tensor, estimate: Tensor) -> Tensor:
    """SDR of a whole song as the MDX challenge defines it; training logs call it nSDR.

    10 log10((sum s^2 + e) / (sum (s - ŝ)^2 + e)) over all channels and samples with e = 1e-7: a
    silent reference has a value, and no distortion is forgiven.

    Args:
        reference: (..., C, N) true stems.
        estimate: (..., C, N).

    Returns:
        (...) dB.

    Source: Y. Mitsufuji et al., "Music Demixing Challenge 2021", Frontiers in Signal Processing 1
    (2022), equation 2; called uSDR by Y. Luo and J. Yu, "Music Source Separation with Band-split
    RNN", IEEE/ACM TASLP 31 (2023), section IV-B.
    """
    return Sums.of(reference, estimate).usdr()


def si_sdr(reference: Tensor, estimate: Tensor) -> Tensor:
    """Scale-invariant SDR of a whole song: a wrong level costs nothing.

    10 log10(|a s|^2 / |a s - ŝ|^2) with the factor a = <ŝ, s> / |s|^2 that fits best, one for all
    channels. Means are not removed.

    Args:
        reference: (..., C, N) true stems.
        estimate: (..., C, N).

    Returns:
        (...) dB; NaN where the reference or the estimate is silent.

    Source: J. Le Roux, S. Wisdom, H. Erdogan, J. R. Hershey, "SDR - half-baked or well done?",
    ICASSP 2019, equations 3 and 4.
    """
    return Sums.of(reference, estimate).si_sdr()


def windowed_sdr(
    reference: Tensor, estimate: Tensor, *, window_samples: int, hop_samples: int | None = None
) -> Tensor:
    """SDR of every window: 10 log10(sum s^2 / sum (s - ŝ)^2) over its channels and samples.

    This is the SDR of BSS Eval v4, and with windows of one second the cSDR, which is the median of
    these values. Only whole windows count; a signal shorter than one window is one window.

    Args:
        reference: (..., C, N) true stems.
        estimate: (..., C, N).
        window_samples: length of a window.
        hop_samples: distance between windows; None takes the length of a window.

    Returns:
        (..., W) dB: infinite where the estimate is exact, NaN where both are silent. museval also
        leaves out the windows in which `any_silent` finds a stem of the track.

    Source: as `stemsplit.evaluation.bss`; for cSDR Y. Luo and J. Yu, "Music Source Separation
    with Band-split RNN", IEEE/ACM TASLP 31 (2023), section IV-B.
    """
    window = min(window_samples, reference.shape[-1])
    hop = hop_samples or window_samples
    values = []
    for start in range(0, reference.shape[-1] - window + 1, hop):
        stretch = slice(start, start + window)
        error = energy(reference[..., stretch], estimate[..., stretch])
        values.append(decibels(energy(reference[..., stretch]), error))
    return torch.stack(values, -1)


def any_silent(signals: Tensor) -> Tensor:
    """Whether any of some signals is silent, which leaves a window without a value.

    Silent means, as in museval, that the sum of the channels is zero at every sample.

    Args:
        signals: (..., S, C, N) all references and estimates of a window.

    Returns:
        (...) bool.

    Source: museval 0.4.1, `metrics._any_source_silent`.
    """
    return ~signals.sum(-2).any(-1).all(-1)


def energy(signal: Tensor, subtracted: Tensor | None = None) -> Tensor:
    """Sum of squares of (..., C, N) over channels and samples, of a difference if two are given."""
    exact = _exact_dtype(signal)
    signal = signal.to(exact)
    if subtracted is not None:
        signal = signal - subtracted.to(exact)
    return _inner(signal, signal)


def decibels(signal: Tensor, noise: Tensor) -> Tensor:
    """10 log10(signal / noise): infinite without noise, NaN where there is neither."""
    return 10 * torch.log10(signal / noise)


def _inner(first: Tensor, second: Tensor) -> Tensor:
    """Inner product over channels and samples; ten times as fast as a product that is summed."""
    return torch.einsum("...n,...n->...", first.flatten(-2), second.flatten(-2))


def _exact_dtype(signal: Tensor) -> torch.dtype:
    return torch.float32 if signal.device.type == "mps" else torch.float64  # MPS has no float64
