"""Blocks parked on disk until the level of the whole song is known."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import torch
from torch import Tensor


def as_bytes(samples: Tensor) -> memoryview:
    """The memory of a contiguous tensor on the CPU, without a copy."""
    return samples.numpy().reshape(-1).view("B").data


class BlockSpool:
    """A sequence of blocks (C, n) in a nameless temporary file, which vanishes with the program.

    Args:
        folder: where to put the file; that of the results, which must have room for them anyway.
        channels: C of every block.

    Raises:
        OSError: the file cannot be made.
    """

    def __init__(self, folder: Path, channels: int) -> None:
        self._channels = channels
        self._lengths: list[int] = []
        self._file = tempfile.TemporaryFile(  # noqa: SIM115 - closed by `close`
            dir=folder, prefix=".stemsplit-", buffering=0
        )

    def append(self, block: Tensor) -> None:
        """Add a block (C, n) of float32.

        Raises:
            OSError: the disk is full.
        """
        data = as_bytes(block.contiguous())
        while data:
            data = data[self._file.write(data) :]
        self._lengths.append(block.shape[-1])

    def blocks(self) -> Iterator[Tensor]:
        """The blocks as they were added, from the first one."""
        self._file.seek(0)
        for length in self._lengths:
            block = torch.empty(self._channels, length)
            view = as_bytes(block)
            while view:
                count = self._file.readinto(view)
                if not count:
                    raise OSError("a temporary file has lost its end")
                view = view[count:]
            yield block

    def close(self) -> None:
        """Remove the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
