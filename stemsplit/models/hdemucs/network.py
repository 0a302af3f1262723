"""Hybrid Demucs: one U-Net over waveform and spectrogram (version 3).

Shapes: B batch, S stems, C audio channels, N samples, F bins, T frames.

Source: Défossez 2021, arXiv:2111.03600; demucs/hdemucs.py 4.1.0. Left out is the network without a
waveform branch, of which no weights were published.
"""

import torch
from torch import Tensor, nn

from stemsplit.dsp.stft import channels_to_signal, complex_to_channels, istft, stft
from stemsplit.dsp.wiener import wiener_filter
from stemsplit.layers.conv import rescale_convolutions
from stemsplit.layers.hybrid import HybridUNet
from stemsplit.layers.norms import standardize
from stemsplit.models.hdemucs.config import HDemucsConfig

_EPS = 1e-8


class HDemucs(nn.Module):
    """The hybrid network."""

    def __init__(self, config: HDemucsConfig) -> None:
        super().__init__()
        self.config = config
        parts = 2 if config.spectrum == "complex" else 1
        num_stems = len(config.stems)
        self.unet = HybridUNet(
            config.levels,
            config.time_levels,
            num_bins=config.num_bins,
            spectrum_channels=(config.channels * parts, config.channels * parts * num_stems),
            wave_channels=(config.channels, config.channels * num_stems),
            embedding_weight=config.embedding_weight,
            embedding_scale=config.embedding_scale,
            embedding_smooth=config.embedding_smooth,
            checkpointing=config.checkpointing,
        )
        if config.rescale:
            rescale_convolutions(self, config.rescale)

    def forward(self, mix: Tensor) -> Tensor:
        """Stems (B, S, C, N) of a mix (B, C, N), for every N from 1 up."""
        config = self.config
        num_stems, num_samples = len(config.stems), mix.shape[-1]
        (grid,) = config.resolutions
        wave = mix.float()
        spectrum = stft(wave, grid.n_fft, grid.hop_length, legacy=config.legacy_framing)
        x, mean, deviation = standardize(self._features(spectrum).to(mix.device))
        wave, wave_mean, wave_deviation = standardize(wave)

        _, _, trails = self.unet.encode([x], wave)
        (x,), wave = self.unet.decode(None, None, trails)  # only the skip connections go in

        wave = torch.unflatten(wave.float() * wave_deviation + wave_mean, 1, (num_stems, -1))
        stems = self._signals(x.float() * deviation + mean, spectrum, num_samples)
        return (stems + wave).to(mix.dtype)

    def _features(self, spectrum: Tensor) -> Tensor:
        if self.config.spectrum == "complex":
            return complex_to_channels(spectrum)
        return spectrum.abs()

    def _signals(self, x: Tensor, mix: Tensor, num_samples: int) -> Tensor:
        """Stems (B, S, C, N) from the prediction (B, D, F, T) and the mix (B, C, F, T)."""
        hop_length, legacy = self.config.resolutions[0].hop_length, self.config.legacy_framing
        num_stems = len(self.config.stems)
        if self.config.spectrum == "complex":
            # One stem at a time: the inverse transform takes several times the memory of its input.
            stems = [
                channels_to_signal(part, hop_length, num_samples, legacy=legacy)
                for part in x.chunk(num_stems, dim=1)
            ]
            return torch.stack(stems, dim=1)
        magnitudes = torch.unflatten(x, 1, (num_stems, -1)).to(mix.device)
        spectra = self._filter(magnitudes, mix)
        return istft(spectra, hop_length, num_samples, legacy=legacy).to(x.device)

    def _filter(self, magnitudes: Tensor, mix: Tensor) -> Tensor:
        """Complex stems (B, S, C, F, T) from their magnitudes and the mix (B, C, F, T)."""
        if self.config.spectrum == "magnitude":
            return magnitudes * (mix / (_EPS + mix.abs()))[:, None]
        iterations, residual = self.config.wiener_iterations, self.config.wiener_residual
        items = [
            wiener_filter(item, mix_item, iterations=iterations, residual=residual)
            for item, mix_item in zip(magnitudes, mix, strict=True)
        ]
        return torch.stack(items)
