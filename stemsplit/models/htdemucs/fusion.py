"""Making one of several resolutions, of their features and of their waveforms.

Shapes: B batch, R resolutions, S stems, C audio channels, N samples, D features, F bins, T frames.

Source: the research variants of Hybrid Transformer Demucs, github.com/piusssss/demucs_learn, as its
author describes them; what was changed is in the summaries of the variants.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stemsplit.models.htdemucs.config import FusionConfig

_STRIDE = 8  # samples of a filtered waveform that come out at a time


class ResolutionMixer(nn.Module):
    """Brings the features of all resolutions to the grid of one, and takes them back."""

    def __init__(self, num_resolutions: int) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.zeros(num_resolutions))

    def join(self, spectra: Sequence[Tensor]) -> Tensor:
        """The weighted mean on the grid of the middle resolution.

        Frames of all resolutions are centred half a hop off the start, and bins cover the same
        band, so that interpolation between half-pixel centres lines them up.

        Args:
            spectra: R features (B, D, F, T), each on its own grid.

        Returns:
            (B, D, F, T) on the grid of number R // 2.
        """
        grid = spectra[len(spectra) // 2].shape[2:]
        resized = torch.stack([_resize(x, grid) for x in spectra])  # (R, B, D, F, T)
        return torch.einsum("r,r...->...", self.logits.softmax(dim=0).to(resized.dtype), resized)

    def split(self, joined: Tensor, spectra: Sequence[Tensor]) -> list[Tensor]:
        """Give every resolution its share of what became of the mean.

        Args:
            joined: (B, D, F, T) on the grid of the mean.
            spectra: what was joined. The lower the weight of a resolution, the more of it stays.

        Returns:
            R features, each on its own grid.
        """
        weights = self.logits.softmax(dim=0)
        return [
            weight * _resize(joined, x.shape[2:]) + (1 - weight) * x
            for weight, x in zip(weights, spectra, strict=True)
        ]


class SoftmaxFusion(nn.Module):
    """A weighted mean over resolutions, with weights per stem that sum to 1."""

    def __init__(
        self, num_stems: int, channels: int, num_resolutions: int, _: FusionConfig
    ) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.zeros(num_stems, num_resolutions))

    def forward(self, waves: Tensor) -> Tensor:
        """Stems (B, S, C, N) of what the resolutions found (B, R, S, C, N)."""
        return torch.einsum("sr,brscn->bscn", self.logits.softmax(dim=1), waves)


class ConvolutionFusion(nn.Module):
    """Filters over resolutions and time, per stem. At first they are the mean.

    Two channels out are too few to keep a processor busy. So a stride of many samples is taken, and
    the samples in between are channels of their own, made with shifted copies of the filters: an
    eighth of the time on a CPU.
    """

    def __init__(
        self, num_stems: int, channels: int, num_resolutions: int, config: FusionConfig
    ) -> None:
        """Build the filters.

        Args:
            num_stems: S, each filtered by itself.
            channels: C, which are mixed.
            num_resolutions: R.
            config: has the length of the filters.
        """
        super().__init__()
        self.conv = nn.Conv2d(
            num_stems * channels,
            num_stems * channels,
            (num_resolutions, config.taps),
            padding=(0, config.taps // 2),
            groups=num_stems,
        )
        with torch.no_grad():
            weight = torch.unflatten(self.conv.weight.zero_(), 0, (num_stems, channels))
            for channel in range(channels):
                weight[:, channel, channel, :, config.taps // 2] = 1 / num_resolutions
            assert self.conv.bias is not None
            self.conv.bias.zero_()

    def forward(self, waves: Tensor) -> Tensor:
        """Stems (B, S, C, N) of what the resolutions found (B, R, S, C, N)."""
        (num_stems, channels), num_samples = waves.shape[2:4], waves.shape[-1]
        filters = self.conv.weight.flatten(1, 2)  # (S * C, C * R, taps)
        shifted = torch.stack(
            [F.pad(filters, (shift, _STRIDE - 1 - shift)) for shift in range(_STRIDE)], dim=1
        ).flatten(0, 1)
        x = waves.movedim(1, 3).flatten(1, 3)  # (B, S * C * R, N)
        margin = filters.shape[-1] // 2
        x = F.pad(x, (margin, margin + -num_samples % _STRIDE))
        y = F.conv1d(x, shifted, stride=_STRIDE, groups=num_stems)
        y = torch.unflatten(y, 1, (num_stems, channels, _STRIDE))  # (B, S, C, shift, N / stride)
        y = y.transpose(-2, -1).flatten(-2)[..., :num_samples]
        assert self.conv.bias is not None
        return y + torch.unflatten(self.conv.bias, 0, (num_stems, channels))[..., None]


class NetworkFusion(nn.Module):
    """A small U-Net over resolutions and time that corrects the mean over resolutions."""

    def __init__(
        self, num_stems: int, channels: int, num_resolutions: int, config: FusionConfig
    ) -> None:
        """Build the network.

        Args:
            num_stems: S.
            channels: C.
            num_resolutions: R, of which the first convolution makes one.
            config: has the length of the filters and the features of the levels.
        """
        super().__init__()
        widths = (num_stems * channels, *config.widths)
        self.encoder = nn.ModuleList()
        self.decoder = nn.ModuleList()
        height = num_resolutions
        for before, after in pairwise(widths):
            kernel, padding = (height, config.taps), (0, config.taps // 2)
            self.encoder.append(nn.Conv2d(before, after, kernel, padding=padding))
            self.decoder.append(nn.Conv2d(after, before, (1, config.taps), padding=padding))
            height = 1

    def forward(self, waves: Tensor) -> Tensor:
        """Stems (B, S, C, N) of what the resolutions found (B, R, S, C, N)."""
        y = waves.flatten(2, 3).transpose(1, 2)  # (B, S * C, R, N)
        skips = []
        for conv in self.encoder:
            y = F.gelu(conv(y))
            skips.append(y)
        for index in reversed(range(len(self.decoder))):
            # The innermost level has nothing below it that could be added.
            y = self.decoder[index](y if y is skips[index] else y + skips[index])
            y = F.gelu(y) if index else y
        return waves.mean(dim=1) + torch.unflatten(y[:, :, 0], 1, waves.shape[2:4])


FUSIONS: dict[str, type[SoftmaxFusion | ConvolutionFusion | NetworkFusion]] = {
    "softmax": SoftmaxFusion,
    "convolution": ConvolutionFusion,
    "network": NetworkFusion,
}


def _resize(x: Tensor, grid: Sequence[int]) -> Tensor:
    if tuple(x.shape[2:]) == tuple(grid):
        return x
    return F.interpolate(x, tuple(grid), mode="bilinear", align_corners=False)
