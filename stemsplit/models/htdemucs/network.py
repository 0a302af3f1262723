"""Hybrid Transformer Demucs (version 4).

Shapes: B batch, S stems, C audio channels, N samples, D features, F bins, T frames.

Source: Rouard et al. 2023, arXiv:2211.08553; demucs/htdemucs.py 4.1.0. The spectrogram branch
always sees and predicts real and imaginary parts.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stemsplit.dsp.stft import channels_to_signal, complex_to_channels, stft
from stemsplit.layers.conv import rescale_convolutions
from stemsplit.layers.hybrid import HybridUNet
from stemsplit.layers.norms import standardize
from stemsplit.models.htdemucs.config import HTDemucsConfig
from stemsplit.models.htdemucs.cross_transformer import CrossTransformer


class HTDemucs(nn.Module):
    """The hybrid network with a transformer."""

    def __init__(self, config: HTDemucsConfig) -> None:
        super().__init__()
        self.config = config
        num_stems = len(config.stems)
        self.unet = HybridUNet(
            config.levels,
            config.time_levels,
            num_bins=config.num_bins,
            spectrum_channels=(2 * config.channels, 2 * config.channels * num_stems),
            wave_channels=(config.channels, config.channels * num_stems),
            embedding_weight=config.embedding_weight,
            embedding_scale=config.embedding_scale,
            embedding_smooth=config.embedding_smooth,
        )
        if config.rescale:
            rescale_convolutions(self, config.rescale)
        # What follows keeps its initial weights: the rescaling is for the U-Net.
        bottom, width = config.levels[-1].channels, config.bottom_channels
        if width:
            self.upsampler = nn.Conv1d(bottom, width, 1)
            self.downsampler = nn.Conv1d(width, bottom, 1)
            self.time_upsampler = nn.Conv1d(bottom, width, 1)
            self.time_downsampler = nn.Conv1d(width, bottom, 1)
        if config.transformer is not None:
            self.transformer = CrossTransformer(config.width, config.transformer)

    def forward(self, mix: Tensor) -> Tensor:
        """Stems (B, S, C, N) of a mix (B, C, N), for every N from 1 up.

        With `pad_to_segment`, outside of training, N is at most `segment_samples`.

        Raises:
            ValueError: the mix is longer than the network can take.
        """
        config = self.config
        num_stems, num_samples = len(config.stems), mix.shape[-1]
        padded = self._pad(mix)
        spectrum = stft(padded, config.n_fft, config.hop_length)
        x, mean, deviation = standardize(complex_to_channels(spectrum).to(mix.device))
        wave, wave_mean, wave_deviation = standardize(padded.float())

        x, wave, skips = self.unet.encode(x, wave)
        x, wave = self._transform(x, wave)
        x, wave = self.unet.decode(x, wave, skips)

        wave = torch.unflatten(wave.float() * wave_deviation + wave_mean, 1, (num_stems, -1))
        # One stem at a time: the inverse transform takes several times the memory of its input.
        stems = [
            channels_to_signal(part.float() * deviation + mean, config.hop_length, padded.shape[-1])
            for part in x.chunk(num_stems, dim=1)
        ]
        return (torch.stack(stems, dim=1) + wave)[..., :num_samples].to(mix.dtype)

    def _pad(self, mix: Tensor) -> Tensor:
        if self.training or not self.config.pad_to_segment:
            return mix
        missing = self.config.segment_samples - mix.shape[-1]
        if missing < 0:
            raise ValueError(
                f"the mix has {mix.shape[-1]} samples, the network takes at most "
                f"{self.config.segment_samples}."
            )
        return F.pad(mix, (0, missing))

    def _transform(self, x: Tensor, wave: Tensor) -> tuple[Tensor, Tensor]:
        if self.config.transformer is None:
            return x, wave
        if not self.config.bottom_channels:
            x, wave = self.transformer(x, wave)
            return x, wave
        bins = x.shape[2:]
        x = torch.unflatten(self.upsampler(x.flatten(2)), 2, bins)
        x, wave = self.transformer(x, self.time_upsampler(wave))
        x = torch.unflatten(self.downsampler(x.flatten(2)), 2, bins)
        return x, self.time_downsampler(wave)
