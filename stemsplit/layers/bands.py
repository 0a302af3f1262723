"""Levels whose weights differ from one band of bins to the next.

The bins are cut into bands, each with a level of its own. With equal weights in all bands the
result is that of one level over all bins: in the encoder neighbouring bands share the bins that the
kernels of both need, in the decoder their overlapping outputs are added.

Shapes: B batch, D features, F bins, T frames.

Source: demucs/hdemucs.py 4.1.0, `MultiWrap`.
"""

import dataclasses
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stemsplit.layers.conv import ACTIVATIONS, DecoderLevel, EncoderLevel, add_skip
from stemsplit.layers.levels import Level


class BandedEncoderLevel(nn.Module):
    """The encoder side of a level over bins, with weights of its own for every band."""

    def __init__(self, in_channels: int, level: Level) -> None:
        super().__init__()
        self.level = level
        unpadded = dataclasses.replace(level, padding=0, bands=())
        self.bands = nn.ModuleList(
            EncoderLevel(in_channels, unpadded, over_bins=True) for _ in range(len(level.bands) + 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Encode (B, D, F, T) to (B, channels, F / stride, T)."""
        padding = self.level.padding
        padded = F.pad(x, (0, 0, padding, padding))
        windows = zip(self.bands, self._windows(x.shape[2]), strict=True)
        return torch.cat([band(padded[:, :, start:stop]) for band, (start, stop) in windows], dim=2)

    def _windows(self, num_bins: int) -> list[tuple[int, int]]:
        """Bins of the padded input that every band reads; neighbours share kernel - stride."""
        kernel, stride, padding = self.level.kernel, self.level.stride, self.level.padding
        windows = []
        start = 0
        for share in self.level.bands:
            wanted = round(num_bins * share) + padding - start
            steps = round((wanted - kernel) / stride + 1)
            windows.append((start, start + (steps - 1) * stride + kernel))
            start += steps * stride
        return [*windows, (start, num_bins + 2 * padding)]


class BandedDecoderLevel(nn.Module):
    """The decoder side of a level over bins, with weights of its own for every band."""

    def __init__(self, level: Level, out_channels: int, *, is_last: bool) -> None:
        super().__init__()
        self.level = level
        self.is_last = is_last
        uncropped = dataclasses.replace(level, padding=0, bands=())
        self.bands = nn.ModuleList(
            DecoderLevel(uncropped, out_channels, over_bins=True, is_last=True, is_band=True)
            for _ in range(len(level.bands) + 1)
        )

    def forward(
        self, x: Tensor | None, skip: Tensor, length: int | None = None
    ) -> tuple[Tensor, None]:
        """Decode (B, channels, F, T) to (B, out_channels, F * stride, T).

        Takes and returns what `DecoderLevel` does; `length` has no say in bins, and no branch
        splits off here.
        """
        y = add_skip(x, skip)
        num_bins = y.shape[2]
        cuts = [0, *(round(num_bins * share) for share in self.level.bands), num_bins]
        overlap = self.level.kernel - self.level.stride
        parts: list[Tensor] = []
        for band, (start, stop) in zip(self.bands, pairwise(cuts), strict=True):
            assert isinstance(band, DecoderLevel)
            part, _ = band(None, y[:, :, start:stop])
            if parts:
                # Both neighbours have added their bias to the bins they share.
                assert band.conv_tr.bias is not None
                shared = part[:, :, :overlap] - band.conv_tr.bias[:, None, None]
                parts[-1], before = parts[-1].tensor_split([-overlap], dim=2)
                parts.append(before + shared)
                part = part[:, :, overlap:]
            parts.append(part)
        parts[0] = parts[0][:, :, self.level.padding :]
        parts[-1] = parts[-1][:, :, : parts[-1].shape[2] - self.level.padding]
        if not self.is_last:
            parts = [ACTIVATIONS[self.level.activation](part) for part in parts]
        return torch.cat(parts, dim=2), None
