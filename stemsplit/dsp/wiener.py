"""Multichannel Wiener filtering of magnitude estimates by expectation maximisation.

Every stem is modelled, per bin and frame, as a Gaussian over the audio channels: a power spectral
density times a spatial covariance that is constant over time. Given the present estimates both are
re-estimated (E), then the mix is filtered with the gains they imply (M).

Shapes: S stems, C audio channels, F bins, T frames.

Source: open-unmix 1.2, `openunmix/filtering.py` (Uhlich et al. 2017, Duong et al. 2010, Nugraha et
al. 2016); here on complex tensors. One deviation: bins in which the mix is exactly zero keep
their value, where the original sets them to 1 by accident (its `atan2` works in place).
"""

import torch
from torch import Tensor

_EPS = 1e-10  # energy of the white noise that keeps covariances invertible
_SCALE = 10.0  # the mix is brought below this magnitude, for the numbers' sake
_BLOCK_FRAMES = 300  # the filter is fitted to so many frames at a time


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
        estimates = _expectation_maximization(estimates, mix)
    return estimates[:num_stems] * scale


def _expectation_maximization(estimates: Tensor, mix: Tensor) -> Tensor:
    """One round on complex (S, C, F, T) and (C, F, T)."""
    power = (estimates.abs() ** 2).mean(dim=1)  # (S, F, T)
    outer = torch.einsum("scft,sdft->sfcd", estimates, estimates.conj())
    spatial = outer / (_EPS + power.sum(dim=-1))[..., None, None]  # (S, F, C, C)
    channels = mix.shape[0]
    noise = _EPS**0.5 * torch.eye(channels, dtype=mix.dtype, device=mix.device)
    model = torch.einsum("sft,sfcd->ftcd", power.to(mix.dtype), spatial) + noise
    whitened = torch.einsum("ftcd,dft->cft", _inverse(model), mix)
    return power[:, None] * torch.einsum("sfcd,dft->scft", spatial, whitened)


def _inverse(matrices: Tensor) -> Tensor:
    """Inverse of (..., C, C) for C of 1 or 2, in closed form."""
    if matrices.shape[-1] == 1:
        return 1 / matrices
    a, b = matrices[..., 0, 0], matrices[..., 0, 1]
    c, d = matrices[..., 1, 0], matrices[..., 1, 1]
    adjugate = torch.stack([torch.stack([d, -b], dim=-1), torch.stack([-c, a], dim=-1)], dim=-2)
    return adjugate / (a * d - b * c)[..., None, None]
