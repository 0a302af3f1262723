"""Which tokens of a map attend to each other: those of a bin, of a frame, or of a window.

Every class takes an attention of tokens (B, N, D) and applies it to maps (B, T, F, D).

Shapes: B batch, T frames, F bins, D features, N tokens.
"""

import torch
from torch import Tensor, nn

from stemsplit.layers.attention import MultiHeadAttention


class AlongTime(nn.Module):
    """Attention among the frames of a bin."""

    def __init__(self, attend: MultiHeadAttention) -> None:
        super().__init__()
        self.attend = attend

    def forward(self, x: Tensor, memory: Tensor | None = None) -> Tensor:
        """A map of the same shape (B, T, F, D).

        Args:
            x: the map that asks.
            memory: a map (B, T, F, D) whose bins answer; None for the bins of `x` themselves.
        """
        batch, _, bins, _ = x.shape
        asking, *answering = (
            part.transpose(1, 2).flatten(0, 1) for part in (x, memory) if part is not None
        )
        y = self.attend(asking, *answering)
        return torch.unflatten(y, 0, (batch, bins)).transpose(1, 2)


class AlongFrequency(nn.Module):
    """Attention among the bins of a frame."""

    def __init__(self, attend: MultiHeadAttention) -> None:
        super().__init__()
        self.attend = attend

    def forward(self, x: Tensor) -> Tensor:
        """A map of the same shape (B, T, F, D)."""
        return torch.unflatten(self.attend(x.flatten(0, 1)), 0, x.shape[:2])


class InWindows(nn.Module):
    """Attention within windows of frames and bins.

    Shifted windows leave narrower ones at the borders of the map: half a window at the start, what
    is left at the end. Attending within these gives the same as rolling the map and masking what is
    not neighbours, without a mask. A map of any size is covered in this way, and an axis not longer
    than a window is one window, shifted or not.

    Source: Liu et al. 2021, arXiv:2103.14030, 3.2; Yao et al. 2025, doi 10.1186/s13634-025-01249-0,
    3.3, Fig. 7. The learnt embedding of the place inside a window is ours: without one, attention
    does not know what lies where.
    """

    def __init__(
        self,
        attend: MultiHeadAttention,
        features: int,
        window: tuple[int, int],
        *,
        shifted: bool,
        positions: bool,
    ) -> None:
        """Let `attend` work in windows.

        Args:
            attend: what every window goes through.
            features: D.
            window: frames and bins.
            shifted: move the windows by half their size along both axes.
            positions: learn an embedding of the place inside the window.
        """
        super().__init__()
        self.attend = attend
        self.window = window
        self.shift = (window[0] // 2, window[1] // 2) if shifted else (0, 0)
        self.positions = nn.Parameter(torch.zeros(*window, features)) if positions else None
        if self.positions is not None:
            nn.init.trunc_normal_(self.positions, std=0.02)

    def forward(self, x: Tensor) -> Tensor:
        """A map of the same shape (B, T, F, D)."""
        by_time = strips(x.shape[1], self.window[0], self.shift[0])
        by_bin = strips(x.shape[2], self.window[1], self.shift[1])
        rows = []
        for start, stop, frames, first_frame in by_time:
            row = [
                self._attend(x[:, start:stop, left:right], (frames, bins), (first_frame, first_bin))
                for left, right, bins, first_bin in by_bin
            ]
            rows.append(torch.cat(row, dim=2))
        return torch.cat(rows, dim=1)

    def _attend(self, x: Tensor, window: tuple[int, int], first: tuple[int, int]) -> Tensor:
        """Cut a part of the map into whole windows; `first` is their place in the full window."""
        (frames, bins), (batch, length, width, _) = window, x.shape
        grid = (batch, length // frames, width // bins)
        tokens = torch.unflatten(torch.unflatten(x, 2, (grid[2], bins)), 1, (grid[1], frames))
        tokens = tokens.transpose(2, 3).flatten(3, 4).flatten(0, 2)  # (windows, frames * bins, D)
        if self.positions is not None:
            here = self.positions[first[0] : first[0] + frames, first[1] : first[1] + bins]
            tokens = tokens + here.flatten(0, 1)
        y = torch.unflatten(torch.unflatten(self.attend(tokens), 1, window), 0, grid)
        return y.transpose(2, 3).flatten(3, 4).flatten(1, 2)


def strips(length: int, window: int, shift: int) -> list[tuple[int, int, int, int]]:
    """Cut an axis into stretches of equal windows.

    Args:
        length: positions on the axis.
        window: positions of a full window.
        shift: width of the first window; 0 for a full one.

    Returns:
        Of every stretch, in order: where it starts and stops, how wide its windows are, and at
        which place of a full window they begin.
    """
    if length <= window:
        return [(0, length, length, 0)]
    end = shift + (length - shift) // window * window
    cuts = [
        (0, shift, shift, window - shift),
        (shift, end, window, 0),
        (end, length, length - end, 0),
    ]
    return [cut for cut in cuts if cut[1] > cut[0]]
