"""Attention blocks and residual convolutions, on maps (B, D, T, F).

TSA is attention along time, within a bin; FSA is attention along frequency, within a frame.

Shapes: B batch, D features, T frames, F bins, N tokens.

Source: Yao et al. 2025, EURASIP J. Adv. Signal Process. 2025:39, doi 10.1186/s13634-025-01249-0,
sections 3.2 and 3.3, and what each class says.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stemsplit.layers.attention import MultiHeadAttention
from stemsplit.layers.recompute import call
from stemsplit.layers.transformer import FeedForward, TransformerLayer
from stemsplit.models.tfswa.config import TfswaConfig
from stemsplit.models.tfswa.window_attention import AlongFrequency, AlongTime, InWindows


class CrossBlock(nn.Module):
    """TSA and FSA side by side, cross attention from one to the other, then windows.

    What went through FSA asks, what went through TSA answers. They do so along time: a bin has far
    fewer frames than a frame has bins, which at full resolution makes it the cheap direction. Every
    part is added to what came in, so that a block whose last linear maps are zero does nothing.
    """

    def __init__(self, features: int, config: TfswaConfig, *, shifted: bool) -> None:
        super().__init__()
        self.time = _layer(features, config, AlongTime(_attention(features, config)))
        self.frequency = _layer(features, config, AlongFrequency(_attention(features, config)))
        self.norm_query = nn.LayerNorm(features)
        self.norm_memory = nn.LayerNorm(features)
        self.cross = AlongTime(_attention(features, config))
        self.window = _windows(features, config, shifted=shifted)

    def forward(self, x: Tensor) -> Tensor:
        """A map of the same shape (B, D, T, F)."""
        x = x.permute(0, 2, 3, 1)
        by_time, by_frequency = self.time(x), self.frequency(x)
        found = self.cross(self.norm_query(by_frequency), self.norm_memory(by_time))
        y: Tensor = self.window(by_frequency + found)
        return y.permute(0, 3, 1, 2)


class SerialBlock(nn.Module):
    """TSA, then FSA, then a pair of plain and shifted windows whose result is added.

    The module of the paper (3.3, Fig. 3a); its ablations (Table 2) leave out what is not among the
    `parts`. Not stated there and chosen here: a feed-forward ratio (the variants take 2, which
    meets the paper's number of parameters), a shift by half a window, and no sharing of attention
    across the border of the map.
    """

    def __init__(self, features: int, config: TfswaConfig, *, shifted: bool) -> None:
        """Build the module; `shifted` has no say, it always holds both kinds of windows."""
        del shifted
        super().__init__()
        along_time = AlongTime(_attention(features, config))
        along_frequency = AlongFrequency(_attention(features, config))
        parts = config.parts
        self.time = _SequenceLayer(features, config, along_time) if "time" in parts else None
        self.frequency = (
            _SequenceLayer(features, config, along_frequency) if "frequency" in parts else None
        )
        windows = (_windows(features, config, shifted=shifted) for shifted in (False, True))
        self.windows = nn.Sequential(*windows) if "windows" in parts else None

    def forward(self, x: Tensor) -> Tensor:
        """A map of the same shape (B, D, T, F)."""
        x = x.permute(0, 2, 3, 1)
        if self.time is not None:
            x = self.time(x)
        if self.frequency is not None:
            x = self.frequency(x)
        if self.windows is not None:
            x = x + self.windows(x)
        return x.permute(0, 3, 1, 2)


class MultiScaleBlock(nn.Module):
    """Blocks side by side, each on a share of the features at a pooling of its own.

    At a pooling of 4 the same window reaches four times as far along both axes, and attention over
    whole axes costs a sixty-fourth. A 1x1 convolution joins what the paths found; that is added.
    """

    def __init__(self, features: int, config: TfswaConfig, *, shifted: bool) -> None:
        super().__init__()
        self.scales = config.scales
        self.checkpointing = config.checkpointing
        share = features // len(config.scales)
        self.paths = nn.ModuleList(
            BLOCKS[config.block](share, config, shifted=shifted) for _ in config.scales
        )
        self.fuse = nn.Conv2d(features, features, 1, bias=False)
        self.norm = nn.BatchNorm2d(features)

    def forward(self, x: Tensor) -> Tensor:
        """A map of the same shape (B, D, T, F), whatever T and F."""
        shares = x.chunk(len(self.scales), dim=1)
        found = [
            call(path, _pool(share, scale), recompute=self.checkpointing and self.training)
            for path, share, scale in zip(self.paths, shares, self.scales, strict=True)
        ]
        size = x.shape[2:]
        joined = torch.cat([_resize(part, size) for part in found], dim=1)
        y: Tensor = x + self.norm(self.fuse(joined))
        return y


BLOCKS: dict[str, type[CrossBlock] | type[SerialBlock]] = {
    "cross": CrossBlock,
    "serial": SerialBlock,
}


class ResidualConv(nn.Module):
    """Two convolutions behind one batch norm, and a 1x1 convolution past them.

    Source: Yao et al. 2025, 3.2, Fig. 2; the 1x1 convolution is in every one of them, also where
    the channels stay, since that meets the paper's number of parameters.
    """

    def __init__(self, before: int, after: int, *, checkpointing: bool = False) -> None:
        super().__init__()
        self.checkpointing = checkpointing
        self.norm = nn.BatchNorm2d(before)
        self.conv_in = nn.Conv2d(before, after, 3, padding=1)
        self.conv_out = nn.Conv2d(after, after, 3, padding=1)
        self.shortcut = nn.Conv2d(before, after, 1)

    def forward(self, x: Tensor) -> Tensor:
        """A map (B, after, T, F) of a map (B, before, T, F)."""
        recompute = self.checkpointing and self.training
        y: Tensor = self.shortcut(x) + call(self._branch, self.norm(x), recompute=recompute)
        return y

    def _branch(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv_out(F.gelu(self.conv_in(x)))
        return y


class StageLayers(nn.Module):
    """The residual convolutions and attention blocks of one stage."""

    def __init__(
        self, before: int, after: int, config: TfswaConfig, *, convs: int, blocks: int
    ) -> None:
        """Build them.

        Args:
            before: features coming in.
            after: features going out; the first convolution changes them.
            config: all else.
            convs: residual convolutions.
            blocks: attention blocks; every second one shifts its windows.
        """
        super().__init__()
        self.checkpointing = config.checkpointing
        self.convs = nn.Sequential(
            *(
                ResidualConv(after if index else before, after, checkpointing=config.checkpointing)
                for index in range(convs)
            )
        )
        kind = BLOCKS[config.block] if config.scales == (1,) else MultiScaleBlock
        self.blocks = nn.ModuleList(
            kind(after, config, shifted=index % 2 == 1) for index in range(blocks)
        )

    def forward(self, x: Tensor) -> Tensor:
        """A map (B, after, T, F) of a map (B, before, T, F)."""
        x = self.convs(x)
        for block in self.blocks:
            # A multi-scale block holds a batch norm, so it recomputes its paths itself.
            whole = not isinstance(block, MultiScaleBlock)
            x = call(block, x, recompute=whole and self.checkpointing and self.training)
        return x


class _SequenceLayer(nn.Module):
    """Norm, attention, and a feed-forward network that is added (paper 3.3.1, Fig. 3b).

    Neither text nor figure shows a residual connection around the attention.
    """

    def __init__(self, features: int, config: TfswaConfig, attention: nn.Module) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(features)
        self.attention = attention
        self.feedforward = FeedForward(features, int(config.mlp_ratio * features))

    def forward(self, x: Tensor) -> Tensor:
        x = self.attention(self.norm(x))
        y: Tensor = x + self.feedforward(x)
        return y


def _attention(features: int, config: TfswaConfig) -> MultiHeadAttention:
    return MultiHeadAttention(features, config.heads)


def _layer(features: int, config: TfswaConfig, attention: nn.Module) -> TransformerLayer:
    return TransformerLayer(features, attention, int(config.mlp_ratio * features))


def _windows(features: int, config: TfswaConfig, *, shifted: bool) -> TransformerLayer:
    attention = InWindows(
        _attention(features, config),
        features,
        config.window,
        shifted=shifted,
        positions=config.window_positions,
    )
    return _layer(features, config, attention)


def _pool(x: Tensor, scale: int) -> Tensor:
    if scale == 1:
        return x
    return F.avg_pool2d(x, scale, ceil_mode=True, count_include_pad=False)


def _resize(x: Tensor, size: torch.Size) -> Tensor:
    if x.shape[2:] == size:
        return x
    return F.interpolate(x, size=size, mode="bilinear", align_corners=False)
