"""A stretch of a signal that is read once, forwards, and looked at through windows.

Shapes: C audio channels, N samples.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from stemsplit.errors import DecodeError


class SignalWindow:
    """The part of a streamed signal that is still needed.

    Outside the signal, before sample 0 and from `num_samples` on, there is silence.
    """

    def __init__(self, blocks: Iterator[Tensor], num_samples: int) -> None:
        """Look at a signal.

        Args:
            blocks: the signal in consecutive pieces (C, n).
            num_samples: its whole length, known beforehand.
        """
        self._blocks = blocks
        self._num_samples = num_samples
        self._start = 0  # sample that `_held` begins with
        self._held: Tensor | None = None

    def take(self, start: int, stop: int) -> Tensor:
        """The samples (C, stop - start); `start` must not lie before what was dropped.

        Raises:
            DecodeError: the blocks end before `num_samples`.
        """
        first, last = max(0, start), min(stop, self._num_samples)
        held = self._read_until(max(0, last))
        inside = held[:, max(0, first - self._start) : max(0, last - self._start)]
        if inside.shape[-1] == stop - start:
            return inside
        left = min(first - start, stop - start)
        return torch.nn.functional.pad(inside, (left, stop - start - left - inside.shape[-1]))

    def drop(self, before: int) -> None:
        """Forget the samples before `before`."""
        if self._held is not None and before > self._start:
            self._held = self._held[:, before - self._start :].clone()
            self._start = before

    def _read_until(self, stop: int) -> Tensor:
        pieces = [] if self._held is None else [self._held]
        end = self._start + sum(piece.shape[-1] for piece in pieces)
        while end < stop or not pieces:
            block = next(self._blocks, None)
            if block is None:
                raise DecodeError(
                    f"The audio ended at sample {end} on the second reading, but had "
                    f"{self._num_samples} samples on the first: the file changed meanwhile."
                )
            pieces.append(block)
            end += block.shape[-1]
        self._held = pieces[0] if len(pieces) == 1 else torch.cat(pieces, dim=-1)
        return self._held
