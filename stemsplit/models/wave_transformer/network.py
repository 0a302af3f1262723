"""Separation of waveforms by convolutions around a transformer.

The plan: encoder levels of convolution, GELU and layer norm; a learnt encoding of positions; a
transformer; decoder levels that mirror the encoder, with a skip from every encoder level.

Shapes: B batch, S stems, C audio channels, N samples, D features, T tokens.

Source: Stoller et al. 2018, arXiv:1806.03185, and Défossez et al. 2019, arXiv:1911.13254, for
U-Nets over the waveform; Vaswani et al. 2017, arXiv:1706.03762, for the transformer.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stemsplit.layers.attention import MultiHeadAttention
from stemsplit.layers.norms import ChannelNorm, standardize
from stemsplit.layers.recompute import call
from stemsplit.layers.transformer import TransformerLayer
from stemsplit.models.wave_transformer.config import WaveTransformerConfig


class WaveTransformer(nn.Module):
    """The waveform U-Net with a transformer as its bottleneck.

    The layer norms of the levels take the loudness out of the features, so the mix itself is the
    outermost skip: the last projection sees it beside the features.
    """

    def __init__(self, config: WaveTransformerConfig) -> None:
        super().__init__()
        self.config = config
        befores = (config.channels, *config.widths[:-1])
        afters = (config.widths[0], *config.widths[:-1])
        self.encoder = nn.ModuleList(
            _EncoderLevel(before, width, config)
            for before, width in zip(befores, config.widths, strict=True)
        )
        self.transformer = _Bottleneck(config)
        self.decoder = nn.ModuleList(
            _DecoderLevel(width, after, config)
            for width, after in zip(config.widths, afters, strict=True)
        )
        self.project = nn.Conv1d(
            config.widths[0] + config.channels, len(config.stems) * config.channels, 1
        )

    def forward(self, mix: Tensor) -> Tensor:
        """Stems (B, S, C, N) of a mix (B, C, N), for every N from 1 up."""
        x, mean, deviation = standardize(mix.float())
        skips = [x]
        for level in self.encoder:
            x = level(x)
            skips.append(x)
        x = self.transformer(x)
        for level in reversed(self.decoder):
            x = level(x + skips.pop(), skips[-1].shape[-1])
        x = self.project(torch.cat([x, skips[0].to(x.dtype)], dim=1)).float()
        stems = torch.unflatten(x, 1, (len(self.config.stems), -1))
        return (stems * deviation[:, None] + mean[:, None]).to(mix.dtype)


class _EncoderLevel(nn.Module):
    """Strided convolution, GELU, layer norm: (B, before, N) to (B, after, ceil(N / stride))."""

    def __init__(self, before: int, after: int, config: WaveTransformerConfig) -> None:
        super().__init__()
        self.stride = config.stride
        self.margin = (config.kernel - config.stride) // 2
        self.conv = nn.Conv1d(before, after, config.kernel, config.stride)
        self.norm = ChannelNorm(after)

    def forward(self, x: Tensor) -> Tensor:
        missing = -x.shape[-1] % self.stride
        x = F.pad(x, (self.margin, self.margin + missing))
        y: Tensor = self.norm(F.gelu(self.conv(x)))
        return y


class _DecoderLevel(nn.Module):
    """Transposed convolution, GELU, layer norm, and the length of the finer level."""

    def __init__(self, before: int, after: int, config: WaveTransformerConfig) -> None:
        super().__init__()
        self.align = config.align
        margin = (config.kernel - config.stride) // 2
        self.conv = nn.ConvTranspose1d(before, after, config.kernel, config.stride, padding=margin)
        self.norm = ChannelNorm(after)

    def forward(self, x: Tensor, length: int) -> Tensor:
        x = self.norm(F.gelu(self.conv(x)))  # (B, after, N * stride), at least `length` long
        if self.align == "crop" or x.shape[-1] == length:
            return x[..., :length]
        return F.interpolate(x, size=length, mode="linear", align_corners=False)


class _Bottleneck(nn.Module):
    """Transformer over the tokens (B, D, T), told where they are.

    The first T rows of the table are added to the tokens. A sequence longer than the table gets a
    table stretched linearly to its length; segments of a separation are never so long.
    """

    def __init__(self, config: WaveTransformerConfig) -> None:
        super().__init__()
        width = config.widths[-1]
        self.checkpointing = config.checkpointing
        self.positions = nn.Parameter(torch.empty(config.positions, width))
        nn.init.trunc_normal_(self.positions, std=0.02)
        self.dropout = nn.Dropout(config.dropout)
        self.layers = nn.ModuleList(
            TransformerLayer(
                width,
                MultiHeadAttention(width, config.heads, dropout=config.dropout),
                config.hidden,
                dropout=config.dropout,
            )
            for _ in range(config.layers)
        )
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.dropout(x.transpose(1, 2) + self._encoding(x.shape[-1]))
        for layer in self.layers:
            tokens = call(layer, tokens, recompute=self.checkpointing and self.training)
        y: Tensor = self.norm(tokens)
        return y.transpose(1, 2)

    def _encoding(self, num_tokens: int) -> Tensor:
        if num_tokens <= self.positions.shape[0]:
            return self.positions[:num_tokens]
        table = self.positions.T[None]
        return F.interpolate(table, size=num_tokens, mode="linear", align_corners=True)[0].T
