"""Holes in what the network hears: stripes of the spectrogram of the mix, along time or frequency.

Shapes: B batch, C audio channels, N samples, F bins, T frames.

Source: D. S. Park et al., "SpecAugment", 2019, without its warping of time.
"""

import math

import torch
from torch import Generator, Tensor

from stemsplit.dsp.stft import centered_istft, centered_stft
from stemsplit.training.augment_recipe import MaskSection


class Stripes:
    """Silences a band of frequencies, a stretch of time, or both, the same in all channels.

    Args:
        section: of the recipe.
        sample_rate: of the mix, in Hz.
    """

    def __init__(self, section: MaskSection, sample_rate: int) -> None:
        self._section = section
        self._max_bins = round(section.max_hz * section.n_fft / sample_rate)
        self._max_frames = round(section.max_seconds * sample_rate / section.hop_length)

    def __call__(self, mix: Tensor, generator: Generator) -> Tensor:
        """A mix (B, C, N) with holes; excerpts that get none come back untouched."""
        section, (batch, _, length) = self._section, mix.shape
        bins, frames = section.n_fft // 2 + 1, math.ceil(length / section.hop_length) + 1
        band = _stripe(batch, bins, self._max_bins, section.frequency_probability, generator)
        stretch = _stripe(batch, frames, self._max_frames, section.time_probability, generator)
        holes = band[:, None, :, None] | stretch[:, None, None, :]  # (B, 1, F, T)
        touched = holes.flatten(1).any(dim=1)
        if not touched.any():
            return mix
        spectrum = centered_stft(mix, section.n_fft, section.hop_length)
        spectrum = spectrum.masked_fill(holes.to(spectrum.device), 0)
        signal = centered_istft(spectrum, section.hop_length, length)
        return torch.where(touched[:, None, None].to(mix.device), signal.to(mix), mix)


def _stripe(batch: int, length: int, most: int, probability: float, generator: Generator) -> Tensor:
    """Where a stripe of up to `most` of `length` places lies: (B, length), true inside."""
    chosen = torch.rand(batch, 1, generator=generator) < probability
    widths = (torch.rand(batch, 1, generator=generator) * (min(most, length) + 1)).long()
    starts = (torch.rand(batch, 1, generator=generator) * (length - widths + 1)).long()
    places = torch.arange(length)[None]
    return chosen & (places >= starts) & (places < starts + widths)
