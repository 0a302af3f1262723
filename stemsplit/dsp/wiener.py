"""Multichannel Wiener filtering of estimated stems by expectation maximisation.

Every stem is modelled, per bin and frame, as a Gaussian over the audio channels: a power spectral
density times a spatial covariance that is constant over time. Given the present estimates both are
re-estimated (E), then the mix is filtered with the gains they imply (M).

Shapes: S stems, C audio channels, N samples, F bins, T frames.

Source: open-unmix 1.2, `openunmix/filtering.py` (Uhlich et al. 2017, Duong et al. 2010, Nugraha et
al. 2016); here on complex tensors. One deviation: bins in which the mix is exactly zero keep
their value, where the original sets them to 1 by accident (its `atan2` works in place).
"""

import torch
from torch import Tensor

from stemsplit.dsp.stft import centered_istft, centered_stft

_EPS = 1e-10  # energy of the white noise that keeps covariances invertible
_SCALE = 10.0  # the mix is brought below this magnitude, for the numbers' sake
_BLOCK_FRAMES = 300  # the filter is fitted to so many frames at a time
_N_FFT, _HOP = 8192, 2048  # samples; the grid on which waveforms are filtered
_RELATIVE_NOISE = 1e-4  # energy of that noise for waveforms, as a share of the bin's own
_FLOOR = 1e-15  # energy that keeps silence from being divided by; its square is no zero
_SILENCE = 1e-8  # root mean square; a mix below it is not brought to 1 to be filtered


def wiener_filter(
    magnitudes: Tensor, mix: Tensor, *, iterations: int, residual: bool = False
) -> Tensor:
    """Complex estimates from magnitude estimates and the complex mix.

    Args:
        magnitudes: (S, C, F, T), not negative.
        mix: complex (C, F, T); with iterations C is 1 or 2.
        iterations: rounds of expectation maximisation; 0 gives every magnitude the mix's phase.
        residual: let what the stems leave of the mix take part as one more stem; it is not
            returned. Makes no difference without iterations.

    Returns:
        Complex (S, C, F, T).
    """
    blocks = [
        _filter_block(some, part, iterations=iterations, residual=residual)
        for some, part in zip(
            torch.split(magnitudes, _BLOCK_FRAMES, dim=-1),
            torch.split(mix, _BLOCK_FRAMES, dim=-1),
            strict=True,
        )
    ]
    return torch.cat(blocks, dim=-1)


def wiener_refine(stems: Tensor, mix: Tensor) -> Tensor:
    """Waveforms of stems after one round of expectation maximisation that begins with them.

    What lies in the mix where a stem has nothing is taken from it, be it in another bin or
    elsewhere between left and right. The stems then sum to the mix.

    Args:
        stems: (S, C, N), float32.
        mix: (C, N); C is 1 or 2.

    Returns:
        (S, C, N), on the device of `stems`.
    """
    level = mix.square().mean().sqrt().clamp(min=_SILENCE)
    spectra = centered_stft(torch.cat([mix[None], stems]) / level, _N_FFT, _HOP)
    blocks = [
        _expectation_maximization(part[1:], part[0], relative_noise=_RELATIVE_NOISE)
        for part in torch.split(spectra, _BLOCK_FRAMES, dim=-1)
    ]
    refined = centered_istft(torch.cat(blocks, dim=-1), _HOP, stems.shape[-1])
    return refined.to(stems.device) * level


def _filter_block(magnitudes: Tensor, mix: Tensor, *, iterations: int, residual: bool) -> Tensor:
    num_stems = magnitudes.shape[0]
    estimates = torch.polar(torch.ones_like(mix.real), mix.angle()) * magnitudes
    if iterations == 0:
        return estimates
    if residual:
        estimates = torch.cat([estimates, (mix - estimates.sum(dim=0))[None]])
    scale = (mix.abs().max() / _SCALE).clamp(min=1.0)
    mix, estimates = mix / scale, estimates / scale
    for _ in range(iterations):
        estimates = _expectation_maximization(estimates, mix, noise=_EPS**0.5)
    return estimates[:num_stems] * scale


def _expectation_maximization(
    estimates: Tensor, mix: Tensor, *, noise: float = 0.0, relative_noise: float = 0.0
) -> Tensor:
    """One round on complex (S, C, F, T) and (C, F, T)."""
    power = estimates.abs().square().mean(dim=1)  # (S, F, T)
    outer = torch.einsum("scft,sdft->sfcd", estimates, estimates.conj())
    spatial = outer / (_EPS + power.sum(dim=-1))[..., None, None]  # (S, F, C, C)
    added = noise + relative_noise * power.sum(dim=0) + _FLOOR
    whitened = _whitened(torch.einsum("sfcd,sft->cdft", spatial, power.to(mix.dtype)), added, mix)
    return power[:, None] * torch.einsum("sfcd,dft->scft", spatial, whitened)


def _whitened(model: Tensor, noise: Tensor, mix: Tensor) -> Tensor:
    """The mix (C, F, T) times the inverse of covariances (C, C, F, T) with noise (F, T) in them.

    In closed form: C is 1 or 2.
    """
    if len(mix) == 1:
        return mix / (model[0] + noise)
    a, d = model[0, 0] + noise, model[1, 1] + noise
    b, c = model[0, 1], model[1, 0]
    (x, y), determinant = mix, a * d - b * c
    return torch.stack([d * x - b * y, a * y - c * x]) / determinant
