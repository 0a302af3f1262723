"""Demucs: separation of waveforms by a U-Net (version 2, and version 3 in the time domain).

Shapes: B batch, S stems, C audio channels, N samples, D features.

Source: Défossez et al. 2019, arXiv:1911.13254; demucs/demucs.py 4.1.0.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stemsplit.dsp.padding import center_trim
from stemsplit.dsp.sinc import double_rate, halve_rate
from stemsplit.layers.conv import DecoderLevel, EncoderLevel, rescale_convolutions
from stemsplit.layers.dconv import BidirectionalLSTM
from stemsplit.layers.norms import standardize
from stemsplit.models.demucs.config import DemucsConfig


class Demucs(nn.Module):
    """The waveform U-Net."""

    def __init__(self, config: DemucsConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = nn.ModuleList()
        self.decoder = nn.ModuleList()
        before, after = config.channels, config.channels * len(config.stems)
        for index, level in enumerate(config.levels):
            is_last = index == 0
            self.encoder.append(EncoderLevel(before, level, over_bins=False, pad_to_stride=False))
            self.decoder.append(
                DecoderLevel(level, after, over_bins=False, is_last=is_last, norm_out=not is_last)
            )
            before = after = level.channels
        self.lstm = BidirectionalLSTM(before, config.lstm_layers) if config.lstm_layers else None
        if config.rescale:
            rescale_convolutions(self, config.rescale)

    def forward(self, mix: Tensor) -> Tensor:
        """Stems (B, S, C, N) of a mix (B, C, N), for every N from 1 up."""
        num_samples = mix.shape[-1]
        x, mean, deviation = self._normalize(mix.float())
        missing = self.config.valid_length(num_samples) - num_samples
        x = F.pad(x, (missing // 2, missing - missing // 2))
        if self.config.resample:
            x = double_rate(x)
        x = self._separate(x).float()
        if self.config.resample:
            x = halve_rate(x)
        x = center_trim(x * deviation + mean, num_samples)
        return torch.unflatten(x, 1, (-1, self.config.channels)).to(mix.dtype)

    def _separate(self, x: Tensor) -> Tensor:
        skips = []
        for level in self.encoder:
            x = level(x)
            skips.append(x)
        if self.lstm is not None:
            x = self.lstm(x)
        for level in reversed(self.decoder):
            skip = skips.pop()
            x, _ = level(x, center_trim(skip, x.shape[-1]))
        return x

    def _normalize(self, mix: Tensor) -> tuple[Tensor, Tensor | float, Tensor | float]:
        if not self.config.normalize:
            return mix, 0.0, 1.0
        # Statistics are those of the mono mix, so that channels keep their balance.
        _, mean, deviation = standardize(mix.mean(dim=1, keepdim=True))
        return (mix - mean) / (1e-5 + deviation), mean, deviation
