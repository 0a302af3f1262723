"""The U-Nets: maps of real numbers in, masks or magnitudes out.

They hold no Fourier transform and no complex number, and can be run, counted and exported alone.
`torch.export` keeps the number of frames open, if it may be taken as a multiple of
`frame_multiple` times a window, three of these at least.

Shapes: B batch, D features, T frames (a multiple of `frame_multiple`), F bins of a band.

Source: what each class says.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stemsplit.layers.norms import ChannelNorm
from stemsplit.models.tfswa.blocks import StageLayers
from stemsplit.models.tfswa.config import TfswaConfig

_STEM_KERNEL = 7


class Tower(nn.Module):
    """What both kinds of U-Net do with their parts."""

    config: TfswaConfig
    encoder: nn.ModuleList
    downs: nn.ModuleList
    bottleneck: nn.Module
    ups: nn.ModuleList
    joins: nn.ModuleList
    decoder: nn.ModuleList

    def forward(self, features: Tensor) -> Tensor:
        """Predict.

        Args:
            features: (B, in_channels, T, F).

        Returns:
            (B, out_channels, T, F), stem by stem: masks from 0 to 1, or magnitudes from 0 up.
        """
        x = self._enter(features)
        skips = []
        for stage, down in zip(self.encoder, self.downs, strict=True):
            x = stage(x)
            skips.append(x)
            x = down(x)
        x = self.bottleneck(x)
        for stage, up, join in zip(
            reversed(self.decoder), reversed(self.ups), reversed(self.joins), strict=True
        ):
            x = stage(join(up(x), skips.pop()))
        return self._squash(self._leave(x).float())  # a mask in bfloat16 would be audible

    def _enter(self, features: Tensor) -> Tensor:
        return features

    def _leave(self, x: Tensor) -> Tensor:
        return x

    def _squash(self, x: Tensor) -> Tensor:
        if self.config.output == "sigmoid":
            return x.sigmoid()
        if self.config.output == "magnitude":
            return F.softplus(x)
        num_stems = len(self.config.stems)
        return torch.unflatten(x, 1, (num_stems, -1)).softmax(dim=1).flatten(1, 2)


class StridedTower(Tower):
    """A convolution to enter, strided convolutions down, transposed ones up, skips that are added.

    A skip goes through a 1x1 convolution and a batch norm before it is added. The decoder mirrors
    the encoder: the blocks behind the addition are what fuses both by attention. Beside the
    spectrogram the network is shown where on the axis every bin lies, because attention along
    frequency cannot tell; no weight depends on the number of bins, so that the length of the STFT
    can change in training.
    """

    def __init__(self, config: TfswaConfig) -> None:
        super().__init__()
        self.config = config
        widths = [stage.channels for stage in config.stages]
        self.enter = nn.Conv2d(
            config.in_channels + 1, widths[0], _STEM_KERNEL, padding=_STEM_KERNEL // 2
        )
        stages = [
            [
                StageLayers(
                    stage.channels, stage.channels, config, convs=stage.convs, blocks=stage.blocks
                )
                for stage in config.stages
            ]
            for _ in range(2)
        ]
        *encoder, self.bottleneck = stages[0]
        self.encoder = nn.ModuleList(encoder)
        self.decoder = nn.ModuleList(stages[1][:-1])
        separable = config.tower == "separable"
        pairs = list(pairwise(widths))
        self.downs = nn.ModuleList(_down(fine, coarse, separable) for fine, coarse in pairs)
        self.ups = nn.ModuleList(_up(coarse, fine, separable) for fine, coarse in pairs)
        self.joins = nn.ModuleList(_AddSkip(width) for width in widths[:-1])
        self.norm = ChannelNorm(widths[0])  # keeps the masks from saturating early
        self.leave = nn.Conv2d(widths[0], config.out_channels, 1)

    def _enter(self, features: Tensor) -> Tensor:
        batch, _, frames, bins = features.shape
        place = torch.linspace(-1, 1, bins, device=features.device, dtype=features.dtype)
        place = place.expand(batch, 1, frames, bins)
        y: Tensor = self.enter(torch.cat([features, place], dim=1))
        return y

    def _leave(self, x: Tensor) -> Tensor:
        y: Tensor = self.leave(self.norm(x))
        return y


class PooledTower(Tower):
    """Residual convolutions, average pooling down, bilinear up-sampling, concatenated skips.

    Source: Yao et al. 2025, doi 10.1186/s13634-025-01249-0, 3.2, Fig. 1. A decoder stage gives out
    the features of the next finer one, the last decoder stage gives out the prediction. The paper
    does not state how predictions are kept from being negative: here it is a softplus, which other
    than a rectifier learns everywhere.
    """

    def __init__(self, config: TfswaConfig) -> None:
        super().__init__()
        self.config = config
        *outer, bottleneck = config.stages
        widths = [config.in_channels, *(stage.channels for stage in outer)]
        afters = [config.out_channels, *(stage.channels for stage in outer[:-1])]
        self.encoder = nn.ModuleList(
            StageLayers(width, stage.channels, config, convs=stage.convs, blocks=stage.blocks)
            for width, stage in zip(widths, outer, strict=False)
        )
        self.bottleneck = StageLayers(
            widths[-1],
            bottleneck.channels,
            config,
            convs=bottleneck.convs,
            blocks=bottleneck.blocks,
        )
        deeper = [*(stage.channels for stage in outer[:-1]), bottleneck.channels]
        self.decoder = nn.ModuleList(
            StageLayers(
                stage.channels + below, after, config, convs=stage.convs, blocks=stage.blocks
            )
            for stage, below, after in zip(outer, deeper, afters, strict=True)
        )
        self.downs = nn.ModuleList(nn.AvgPool2d(2) for _ in outer)
        self.ups = nn.ModuleList(
            nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False) for _ in outer
        )
        self.joins = nn.ModuleList(_ConcatenateSkip() for _ in outer)


TOWERS: dict[str, type[StridedTower] | type[PooledTower]] = {
    "strided": StridedTower,
    "separable": StridedTower,
    "pooled": PooledTower,
}


class _AddSkip(nn.Module):
    def __init__(self, features: int) -> None:
        super().__init__()
        self.match = nn.Conv2d(features, features, 1, bias=False)
        self.norm = nn.BatchNorm2d(features)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        y: Tensor = x + self.norm(self.match(skip))
        return y


class _ConcatenateSkip(nn.Module):
    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        return torch.cat([x, skip], dim=1)


def _down(before: int, after: int, separable: bool) -> nn.Module:
    if not separable:
        return nn.Conv2d(before, after, 4, stride=2, padding=1)
    return nn.Sequential(
        nn.Conv2d(before, before, 4, stride=2, padding=1, groups=before),
        nn.Conv2d(before, after, 1),
    )


def _up(before: int, after: int, separable: bool) -> nn.Module:
    if not separable:
        return nn.ConvTranspose2d(before, after, 4, stride=2, padding=1)
    return nn.Sequential(
        nn.Conv2d(before, after, 1),
        nn.ConvTranspose2d(after, after, 4, stride=2, padding=1, groups=after),
    )
