"""Which tokens of a map attend to each other: those of a bin, of a frame, or of a window.

Shapes: B batch, T frames, F bins, D features, N tokens.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from stemsplit.layers.transformer import TransformerLayer


def along_time(layer: Callable[..., Tensor], x: Tensor, *memory: Tensor) -> Tensor:
    """Apply a layer for tokens (B, N, D) to a map (B, T, F, D), the tokens being a bin's frames.

    Args:
        layer: takes tokens, and as many more tokens as there are further maps.
        x: the map.
        memory: further maps (B, T, F, D) that the layer wants to see, cut in the same way.
    """
    batch, _, bins, _ = x.shape
    y = layer(*(part.transpose(1, 2).flatten(0, 1) for part in (x, *memory)))
    return torch.unflatten(y, 0, (batch, bins)).transpose(1, 2)


def along_frequency(layer: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Apply a layer for tokens (B, N, D) to a map (B, T, F, D), the tokens being a frame's bins."""
    return torch.unflatten(layer(x.flatten(0, 1)), 0, x.shape[:2])


class WindowLayer(nn.Module):
    """A transformer layer whose tokens attend within their window of a map.

    Shifted windows leave narrower ones at the borders of the map: half a window at the start, what
    is left at the end. Attending within these gives the same as rolling the map and masking what is
    not neighbours, without a mask. A map of any size is covered in this way, and an axis not longer
    than a window is one window, shifted or not.

    Source: Liu et al. 2021, arXiv:2103.14030, 3.2; Yao et al. 2025, doi 10.1186/s13634-025-01249-0,
    3.3.3, Fig. 7. The learnt embedding of the place inside a window is ours: without one,
    attention does not know what lies where.
    """

    def __init__(
        self,
        layer: TransformerLayer,
        features: int,
        window: tuple[int, int],
        *,
        shifted: bool,
        positions: bool,
    ) -> None:
        """Let `layer` work in windows.

        Args:
            layer: what every window goes through.
            features: D.
            window: frames and bins.
            shifted: move the windows by half their size along both axes.
            positions: learn an embedding of the place inside the window.
        """
        super().__init__()
        self.layer = layer
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
        positions = None
        if self.positions is not None:
            here = self.positions[first[0] : first[0] + frames, first[1] : first[1] + bins]
            positions = here.flatten(0, 1)
        y: Tensor = self.layer(tokens, positions)
        y = torch.unflatten(torch.unflatten(y, 1, window), 0, grid)
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
