"""Embeddings of positions.

Shapes: F bins, T frames, N positions, D features.
"""

import math

import torch
from torch import Tensor, nn


class ScaledEmbedding(nn.Module):
    """A learnt table whose entries are stored small and read out large.

    That makes an optimiser with steps of fixed size learn it `scale` times faster.
    """

    def __init__(self, num: int, features: int, *, scale: float, smooth: bool) -> None:
        """Make a table of `num` rows.

        Args:
            num: rows.
            features: D.
            scale: what is read is this many times what is stored.
            smooth: start with rows that change little from one to the next.
        """
        super().__init__()
        self.embedding = nn.Embedding(num, features)
        self.scale = scale
        with torch.no_grad():
            weight = self.embedding.weight
            if smooth:
                # Sums of k independent rows deviate by sqrt(k).
                steps = torch.arange(1, num + 1, device=weight.device).sqrt()
                weight.copy_(weight.cumsum(dim=0) / steps[:, None])
            weight /= scale

    def forward(self, num: int) -> Tensor:
        """The first `num` rows (num, D)."""
        return self.embedding.weight[:num] * self.scale


def sine_1d(num: int, features: int, *, max_period: float, device: torch.device) -> Tensor:
    """Fixed encoding (num, D) of positions: first all cosines, then all sines.

    Args:
        num: positions.
        features: D, even and at least 4.
        max_period: the slowest wave takes 2 pi times this many positions.
        device: where the result lives.

    Source: demucs/transformer.py 4.1.0, `create_sin_embedding`.
    """
    half = features // 2
    position = torch.arange(num, device=device, dtype=torch.float32)[:, None]
    rate = torch.arange(half, device=device, dtype=torch.float32) / (half - 1)
    phase = position / max_period**rate
    return torch.cat([phase.cos(), phase.sin()], dim=-1)


def sine_2d(
    bins: int, frames: int, features: int, *, max_period: float, device: torch.device
) -> Tensor:
    """Fixed encoding (T, F, D) of frame (first half of D) and bin (second half).

    In each half sines and cosines alternate.

    Args:
        bins: F.
        frames: T.
        features: D, a multiple of 4.
        max_period: the slowest wave takes almost 2 pi times this many positions.
        device: where the result lives.

    Source: demucs/transformer.py 4.1.0, `create_2d_sin_embedding`.
    """
    half = features // 2
    exponents = torch.arange(0, half, 2, device=device, dtype=torch.float32) / half
    rates = torch.exp(exponents * -math.log(max_period))

    def encode(num: int) -> Tensor:
        phase = torch.arange(num, device=device, dtype=torch.float32)[:, None] * rates
        return torch.stack([phase.sin(), phase.cos()], dim=-1).flatten(1)  # (num, D / 2)

    by_frame = encode(frames)[:, None].expand(-1, bins, -1)
    by_bin = encode(bins)[None].expand(frames, -1, -1)
    return torch.cat([by_frame, by_bin], dim=-1)
