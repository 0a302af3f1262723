"""Short-time Fourier transform and its inverse, on two frame grids.

`stft` is the grid of the hybrid networks. The signal is padded so that a signal of N samples has
exactly ceil(N / hop_length) frames, frame k being centred at sample (k + 0.5) * hop_length. That is
where stacked strided convolutions put their outputs too, which lets spectrogram and waveform
branches be added to each other. The Nyquist bin is left out, so the number of bins is a power of
two.

`centered_stft` keeps all bins and centres frame k at sample k * hop_length; it can be inverted
everywhere, the first and the last sample included.

Shapes: B batch, S stems, C audio channels, N samples, F bins, T frames.
"""

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from stemsplit.dsp.padding import reflect_pad

_WITHOUT_COMPLEX = ("mps", "xpu")  # these devices lack parts of complex arithmetic


def stft(signal: Tensor, n_fft: int, hop_length: int, *, legacy: bool = False) -> Tensor:
    """Spectrogram of a signal on the symmetric frame grid.

    The frames at the borders see mirrored audio, so the outermost 1.5 hops (for n_fft / 4) do not
    survive the round trip exactly.

    Args:
        signal: (B, C, N), of any floating type; half precision is raised to float32.
        n_fft: length of a frame in samples, an even multiple of `hop_length`.
        hop_length: samples from frame to frame, even.
        legacy: fill the borders with zeros instead, as the first trained hybrid networks expect.

    Returns:
        Complex (B, C, F, T) with F = n_fft / 2 and T = ceil(N / hop_length). It stays on the CPU
        when the signal's device cannot hold complex numbers.

    Raises:
        ValueError: n_fft is not an even multiple of an even hop_length.

    Source: demucs/hdemucs.py 4.1.0, `HDemucs._spec`; here for every even ratio n_fft / hop_length.
    """
    margin = _margin_samples(n_fft, hop_length)
    num_samples = signal.shape[-1]
    frames = math.ceil(num_samples / hop_length)
    signal = _at_least_float32(_off_accelerator(signal))
    right = margin + frames * hop_length - num_samples
    signal = F.pad(signal, (margin, right)) if legacy else reflect_pad(signal, margin, right)
    spectrum = torch.stft(
        signal.flatten(0, -2),
        n_fft,
        hop_length,
        window=_window(n_fft, signal),
        normalized=True,
        center=True,
        pad_mode="reflect",
        return_complex=True,
    )
    spectrum = torch.unflatten(spectrum, 0, signal.shape[:-1])
    dropped = n_fft // hop_length // 2
    return spectrum[..., :-1, dropped : dropped + frames]


def istft(spectrum: Tensor, hop_length: int, num_samples: int, *, legacy: bool = False) -> Tensor:
    """Signal of a spectrogram made by `stft`.

    Args:
        spectrum: complex (*, F, T) with T = ceil(num_samples / hop_length).
        hop_length: as given to `stft`.
        num_samples: N, the length of the signal.
        legacy: as given to `stft`. The result is then late by the margin that was put in front of
            the signal: networks trained this way have learnt to make up for it.

    Returns:
        Real (*, N), on the device of `spectrum`.

    Source: demucs/hdemucs.py 4.1.0, `HDemucs._ispec`.
    """
    rows = _off_accelerator(spectrum).transpose(-2, -1)
    return _invert(rows, hop_length, num_samples, legacy=legacy).to(spectrum.device)


def channels_to_signal(
    channels: Tensor, hop_length: int, num_samples: int, *, legacy: bool = False
) -> Tensor:
    """Signal of a spectrogram laid out as by `complex_to_channels`.

    Args:
        channels: real (*, 2C, F, T); half precision is raised to float32.
        hop_length: see `istft`.
        num_samples: see `istft`.
        legacy: see `istft`.

    Returns:
        Real (*, C, N), on the device of `channels`.
    """
    parts = torch.unflatten(_at_least_float32(_off_accelerator(channels)), -3, (-1, 2))
    # Turned while the numbers are real, and contiguous before they become complex: faster than both
    # at once, above all in what `torch.compile` makes of it.
    rows = torch.complex(*parts.transpose(-2, -1).contiguous().unbind(-3))
    return _invert(rows, hop_length, num_samples, legacy=legacy).to(channels.device)


def centered_stft(signal: Tensor, n_fft: int, hop_length: int) -> Tensor:
    """Spectrogram with all bins, of a signal mirrored at its ends.

    Args:
        signal: (B, C, N), of any floating type; half precision is raised to float32.
        n_fft: length of a frame in samples, even and at least twice `hop_length`.
        hop_length: samples from frame to frame.

    Returns:
        Complex (B, C, F, T) with F = n_fft / 2 + 1 and T = ceil(N / hop_length) + 1. It stays on
        the CPU when the signal's device cannot hold complex numbers.

    Raises:
        ValueError: n_fft is odd or less than twice hop_length.
    """
    if n_fft % 2 or n_fft < 2 * hop_length:
        raise ValueError(
            f"n_fft must be even and at least twice hop_length, got {n_fft} and {hop_length}."
        )
    signal = _at_least_float32(_off_accelerator(signal))
    signal = F.pad(signal, (0, -signal.shape[-1] % hop_length))
    padded = reflect_pad(signal, n_fft // 2, n_fft // 2)
    spectrum = torch.stft(
        padded.flatten(0, -2),
        n_fft,
        hop_length,
        window=_window(n_fft, padded),
        normalized=True,
        center=False,
        return_complex=True,
    )
    return torch.unflatten(spectrum, 0, padded.shape[:-1])


def centered_istft(spectrum: Tensor, hop_length: int, num_samples: int) -> Tensor:
    """Signal of a spectrogram made by `centered_stft`; an unchanged one gives the signal back.

    Args:
        spectrum: complex (*, F, T) with T = ceil(num_samples / hop_length) + 1.
        hop_length: as given to `centered_stft`.
        num_samples: N, the length of the signal.

    Returns:
        Real (*, N), on the device of `spectrum`.
    """
    n_fft = 2 * (spectrum.shape[-2] - 1)
    signal = torch.istft(
        spectrum.flatten(0, -3),
        n_fft,
        hop_length,
        window=_window(n_fft, spectrum.real),
        normalized=True,
        center=True,
        length=num_samples,
    )
    return torch.unflatten(signal, 0, spectrum.shape[:-2])


def complex_to_channels(spectrum: Tensor) -> Tensor:
    """Real (B, 2C, F, T) of a complex (B, C, F, T), channel by channel real before imaginary."""
    return torch.view_as_real(spectrum).permute(0, 1, 4, 2, 3).flatten(1, 2)


def _invert(rows: Tensor, hop_length: int, num_samples: int, *, legacy: bool) -> Tensor:
    """Signal (*, N) of complex frames (*, T, F)."""
    num_frames, bins = rows.shape[-2:]
    ratio = 2 * bins // hop_length
    window = _window(2 * bins, rows.real)
    # The Nyquist bin, which is missing, counts as zero.
    frames = torch.fft.irfft(rows, n=2 * bins, norm="ortho") * window
    # The frames that `stft` dropped count as silent ones.
    overlap = _overlap_add((window**2).expand(num_frames + ratio, -1), hop_length)
    start = 0 if legacy else _margin_samples(2 * bins, hop_length)
    overlap = overlap[ratio // 2 * hop_length :]
    signal = _overlap_add(frames, hop_length)[..., start : start + num_samples]
    return signal / overlap[start : start + num_samples]


class _OverlapAdd(torch.autograd.Function):
    """Add frames (*, T, n) at every `hop_length` samples: (*, (T - 1) * hop_length + n).

    Its gradient is a view of what comes in; that of the sum as it is computed here would be as many
    copies as frames overlap.
    """

    @staticmethod
    def forward(ctx: Any, frames: Tensor, hop_length: int) -> Tensor:
        ctx.frame_length, ctx.hop_length = frames.shape[-1], hop_length
        parts = torch.unflatten(frames, -1, (-1, hop_length))
        num_frames, ratio = parts.shape[-3:-1]
        signal = parts.new_zeros((*parts.shape[:-3], num_frames + ratio - 1, hop_length))
        for index in range(ratio):
            signal[..., index : index + num_frames, :] += parts[..., index, :]
        return signal.flatten(-2)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return grad.unfold(-1, ctx.frame_length, ctx.hop_length), None


def _overlap_add(frames: Tensor, hop_length: int) -> Tensor:
    """Add frames (*, T, n), n a multiple of `hop_length`, at their places."""
    signal: Tensor = _OverlapAdd.apply(frames, hop_length)  # type: ignore[no-untyped-call]
    return signal


def _margin_samples(n_fft: int, hop_length: int) -> int:
    ratio = n_fft // hop_length
    if n_fft % hop_length or ratio % 2 or hop_length % 2:
        raise ValueError(
            f"n_fft must be an even multiple of an even hop_length, got {n_fft} and {hop_length}."
        )
    return hop_length // 2 * (ratio - 1)


def _window(n_fft: int, like: Tensor) -> Tensor:
    return torch.hann_window(n_fft, dtype=like.dtype, device=like.device)


def _off_accelerator(values: Tensor) -> Tensor:
    return values.cpu() if values.device.type in _WITHOUT_COMPLEX else values


def _at_least_float32(values: Tensor) -> Tensor:
    return values.float() if values.dtype in (torch.float16, torch.bfloat16) else values
