"""References and estimates side by side, in blocks that can be asked for again and again.

Scores need two passes over a track: filters first, then windows. What is passed over is either in
memory or on disk; in both cases only a few windows are worked on at a time.

Shapes: S stems, C audio channels, N samples, K windows; references come before estimates.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

_BLOCK_SAMPLES = 1 << 16  # of tensors that are in memory anyway; larger ones leave the caches


class Signals(Protocol):
    """The references and estimates of a track."""

    def __iter__(self) -> Iterator[Tensor]:
        """Begin anew.

        Yields:
            Consecutive blocks (2, S, C, n).
        """


@dataclass(frozen=True)
class SignalsInMemory:
    """References and estimates that are tensors (C, N) of one shape.

    Blocks lie where the references do.
    """

    references: Sequence[Tensor]
    """True stems."""

    estimates: Sequence[Tensor]
    """In the same order."""

    def __iter__(self) -> Iterator[Tensor]:
        device = self.references[0].device
        for start in range(0, self.references[0].shape[-1], _BLOCK_SAMPLES):
            stretch = slice(start, start + _BLOCK_SAMPLES)
            references = torch.stack([signal[:, stretch] for signal in self.references])
            estimates = torch.stack([signal[:, stretch] for signal in self.estimates])
            yield torch.stack([references, estimates.to(device)])


def cut_windows(
    blocks: Iterator[Tensor], *, window_samples: int, hop_samples: int, at_once: int = 1
) -> Iterator[Tensor]:
    """Cut a stream of blocks into windows.

    Only whole windows count; a signal shorter than one window is one window.

    Args:
        blocks: consecutive blocks (..., n).
        window_samples: length of a window.
        hop_samples: distance between the beginnings of two windows; may exceed the length.
        at_once: windows that are given together where there are so many.

    Yields:
        (K, ..., window_samples) with K from 1; the one window of a short signal is as long as it.

    Source: museval 0.4.1, `metrics.Framing`.
    """
    held: list[Tensor] = []  # joined only when there is enough: joining copies
    length = 0
    skipped = 0  # samples between two windows that have yet to come
    is_first = True
    enough = window_samples + (at_once - 1) * hop_samples
    for block in blocks:
        begin = min(skipped, block.shape[-1])
        skipped -= begin
        held.append(block[..., begin:])
        length += block.shape[-1] - begin
        if length >= enough:
            joined = torch.cat(held, -1)
            count = (length - window_samples) // hop_samples + 1
            yield _windows(joined, count, window_samples, hop_samples)
            is_first = False
            held = [joined[..., count * hop_samples :]]
            skipped = max(count * hop_samples - length, 0)
            length = held[0].shape[-1]
    if length >= window_samples:
        count = (length - window_samples) // hop_samples + 1
        yield _windows(torch.cat(held, -1), count, window_samples, hop_samples)
    elif is_first and length:
        yield torch.cat(held, -1).unsqueeze(0)


def _windows(held: Tensor, count: int, window: int, hop: int) -> Tensor:
    cut = held[..., : (count - 1) * hop + window].unfold(-1, window, hop)  # (..., K, window)
    return cut.movedim(-2, 0)
