"""Working through the bins of a spectrogram some at a time.

On a CPU, intermediate results of a few bins stay in its cache. That is far faster than one go over
all bins, whose results are too large for it, and it takes less memory.

Shapes: B batch, D features, F bins, T frames.
"""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from stemsplit.layers.levels import Level

_CACHED_VALUES = 2**19  # numbers of one result that fit into the cache beside others


def map_bins(
    function: Callable[[Tensor], Tensor], x: Tensor, *, context: int, whole: bool = False
) -> Tensor:
    """Apply a function to some bins at a time.

    Args:
        function: maps (B, D, F, T) to (B, D', F, T), every bin from at most `context` neighbours
            on each side, with zeros beyond the first and the last bin.
        x: (B, D, F, T).
        context: neighbours that a bin depends on.
        whole: take all bins at once after all.

    Returns:
        What `function` gives for all of `x`.
    """
    parts = []
    for start, stop in _pieces(x, whole=whole):
        first, last = max(0, start - context), min(x.shape[2], stop + context)
        parts.append(function(x[:, :, first:last])[:, :, start - first : stop - first])
    return torch.cat(parts, dim=2)


def expand_bins(
    function: Callable[[Tensor], Tensor], x: Tensor, level: Level, *, whole: bool = False
) -> Tensor:
    """Apply a transposed convolution over bins to some of them at a time.

    Args:
        function: maps (B, D, F, T) to (B, D', (F - 1) * stride + kernel, T).
        x: (B, D, F, T).
        level: kernel and stride of the convolution, and the bins to leave out at both ends.
        whole: take all bins at once after all.

    Returns:
        What `function` gives for all of `x`, (B, D', F * stride, T) with the usual padding.
    """
    stride, bins = level.stride, x.shape[2]
    before = (level.kernel - 1) // stride  # bins that reach into the result of the next one
    end = (bins - 1) * stride + level.kernel - level.padding
    parts = []
    for start, stop in _pieces(x, whole=whole):
        first = max(0, start - before)
        # What this piece has to give, which for short pieces at the ends may be nothing.
        low = max(start * stride, level.padding)
        high = end if stop == bins else min(stop * stride, end)
        if low < high:
            part = function(x[:, :, first:stop])
            parts.append(part[:, :, low - first * stride : high - first * stride])
    return torch.cat(parts, dim=2)


def _pieces(x: Tensor, *, whole: bool) -> Iterator[tuple[int, int]]:
    bins = x.shape[2]
    # A compiled network decides by itself, and the number of pieces would tie it to a length.
    whole = whole or x.device.type != "cpu" or torch.compiler.is_compiling()
    size = bins if whole else max(1, _CACHED_VALUES // (x.numel() // bins))
    for start in range(0, bins, size):
        yield start, min(bins, start + size)
