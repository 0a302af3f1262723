"""How near an estimate is to its reference, in dB.

Pure functions of two tensors on any device, with any leading dimensions: a trainer calls them on
batches, an evaluation on whole songs. Sums run in float64 where the device has it.

Shapes: S stems, C audio channels, N samples, W windows; `...` are any leading dimensions.
"""

import torch
from torch import Tensor

_MDX_EPSILON = 1e-7  # of the challenge's definition, in squared full scale


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
    signal = energy(reference) + _MDX_EPSILON
    error = energy(reference, estimate) + _MDX_EPSILON
    return 10 * torch.log10(signal / error)


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
    exact = _exact_dtype(reference)
    s, e = reference.flatten(-2).to(exact), estimate.flatten(-2).to(exact)
    factor = (s * e).sum(-1) / s.square().sum(-1)
    target = factor.unsqueeze(-1) * s
    return decibels(target.square().sum(-1), (target - e).square().sum(-1))


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
        leaves out what `silent_windows` finds.

    Source: as `bss_eval`; Y. Luo and J. Yu, "Music Source Separation with Band-split RNN",
    IEEE/ACM TASLP 31 (2023), section IV-B, for cSDR.
    """
    hop = hop_samples or window_samples
    signal, error = [], []
    for start in window_starts(reference.shape[-1], window_samples, hop):
        stretch = slice(start, start + window_samples)
        signal.append(energy(reference[..., stretch]))
        error.append(energy(reference[..., stretch], estimate[..., stretch]))
    return decibels(torch.stack(signal, -1), torch.stack(error, -1))


def silent_windows(
    signals: Tensor, *, window_samples: int, hop_samples: int | None = None
) -> Tensor:
    """Windows that BSS Eval gives no value, since one of the signals is silent in them.

    Silent means, as in museval, that the sum of the channels is zero at every sample.

    Args:
        signals: (..., S, C, N) references, or estimates.
        window_samples: length of a window.
        hop_samples: distance between windows; None takes the length of a window.

    Returns:
        (..., W) bool: whether any of the S signals is silent.

    Source: museval 0.4.1, `metrics.bss_eval` and `_any_source_silent`.
    """
    hop = hop_samples or window_samples
    starts = window_starts(signals.shape[-1], window_samples, hop)
    rows = [
        ~signals[..., start : start + window_samples].sum(-2).any(-1).all(-1) for start in starts
    ]
    return torch.stack(rows, -1)


def window_starts(num_samples: int, window_samples: int, hop_samples: int) -> range:
    """First samples of the windows of a signal, at least one; the rest at the end is left out.

    Source: museval 0.4.1, `metrics.Framing`.
    """
    if window_samples >= num_samples:
        return range(1)
    return range(0, num_samples - window_samples + 1, hop_samples)


def energy(signal: Tensor, subtracted: Tensor | None = None) -> Tensor:
    """Sum of squares of (..., C, N) over channels and samples, of a difference if two are given."""
    exact = _exact_dtype(signal)
    signal = signal.to(exact)
    if subtracted is not None:
        signal = signal - subtracted.to(exact)
    return signal.square().sum((-2, -1))


def decibels(signal: Tensor, noise: Tensor) -> Tensor:
    """10 log10(signal / noise): infinite without noise, NaN where there is neither."""
    return 10 * torch.log10(signal / noise)


def _exact_dtype(signal: Tensor) -> torch.dtype:
    return torch.float32 if signal.device.type == "mps" else torch.float64  # MPS has no float64
