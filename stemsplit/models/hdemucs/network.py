"""Hybrid Demucs: one U-Net over waveform and spectrogram (version 3).

Shapes: B batch, S stems, C audio channels, N samples, F bins, T frames.

Source: Défossez 2021, arXiv:2111.03600; demucs/hdemucs.py 4.1.0. Left out is the network without a
waveform branch, of which no weights were published.
"""

import torch
from torch import Tensor, nn

from stemsplit.dsp.stft import channels_to_complex, complex_to_channels, istft, stft
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
        )
        if config.rescale:
            rescale_convolutions(self, config.rescale)

    def forward(self, mix: Tensor) -> Tensor:
        """Stems (B, S, C, N) of a mix (B, C, N), for every N from 1 up."""
        config = self.config
        num_stems, num_samples = len(config.stems), mix.shape[-1]
        spectrum = stft(mix, config.n_fft, config.hop_length, legacy=config.legacy_framing)
        x, mean, deviation = standardize(self._features(spectrum).to(mix.device))
        wave, wave_mean, wave_deviation = standardize(mix.float())

        _, _, skips = self.unet.encode(x, wave)
        x, wave = self.unet.decode(None, None, skips)  # only the skip connections go in

        x = torch.unflatten(x.float() * deviation + mean, 1, (num_stems, -1))
        wave = torch.unflatten(wave.float() * wave_deviation + wave_mean, 1, (num_stems, -1))
        stems = istft(
            self._filter(x, spectrum), config.hop_length, num_samples, legacy=config.legacy_framing
        )
        return (stems.to(mix.device) + wave).to(mix.dtype)

    def _features(self, spectrum: Tensor) -> Tensor:
        if self.config.spectrum == "complex":
            return complex_to_channels(spectrum)
        return spectrum.abs()

    def _filter(self, x: Tensor, mix: Tensor) -> Tensor:
        """Complex stems (B, S, C, F, T) from prediction (B, S, D, F, T) and mix (B, C, F, T)."""
        if self.config.spectrum == "complex":
            return channels_to_complex(x)
        magnitudes = x.to(mix.device)
        if self.config.spectrum == "magnitude":
            return magnitudes * (mix / (_EPS + mix.abs()))[:, None]
        return torch.stack(
            [
                wiener_filter(
                    item,
                    mix_item,
                    iterations=self.config.wiener_iterations,
                    residual=self.config.wiener_residual,
                )
                for item, mix_item in zip(magnitudes, mix, strict=True)
            ]
        )
