"""What a network hears at a step: the excerpts of this process, changed as the recipe says.

Shapes: B batch, S stems, C audio channels, N samples.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from stemsplit.errors import ConfigError
from stemsplit.training.augment import Augmentation
from stemsplit.training.distributed import Processes
from stemsplit.training.seeds import hash_of


@dataclass(frozen=True)
class Batch:
    """What a step learns from."""

    mix: Tensor
    """(B, C, N), which the network hears."""

    stems: Tensor
    """(B, S, C, N)."""

    rest: Tensor
    """(B, C, N): what else is in the songs. Without masks, the mix is all of it together."""

    def parts(self, number: int) -> Iterator[Self]:
        """The batch cut into so many parts of one size."""
        signals = (self.mix, self.stems, self.rest)
        for part in zip(*(signal.chunk(number) for signal in signals), strict=True):
            yield type(self)(*part)


@dataclass(frozen=True)
class Hearing:
    """Makes batches of excerpts; the number of a step decides how they are changed."""

    augmentation: Augmentation
    seed: int
    device: torch.device
    processes: Processes

    def check_shares(self, batch_size: int) -> None:
        """Check that a batch is the same however processes share it.

        Args:
            batch_size: excerpts of a step, over all processes.

        Raises:
            ConfigError: the part of a process is not made of whole groups.
        """
        world, group_size = self.processes.world, self.augmentation.group_size
        share = batch_size // world
        if world > 1 and share % group_size and self.augmentation.has_changes:
            raise ConfigError(
                f"batch_size {batch_size} gives each of {world} processes {share} excerpts, which "
                f"are no whole groups of augment.group_size={group_size}: set batch_size to a "
                f"multiple of {world * group_size}, or augment.group_size to a divisor of {share}."
            )

    def batch(self, excerpts: Tensor, step: int) -> Batch:
        """The batch that the network hears at a step.

        Args:
            excerpts: this process's stems and rest (B, S + 1, C, N).
            step: its number; the same number repeats the same changes.
        """
        excerpts = excerpts.to(self.device, non_blocking=True)
        groups = -(-excerpts.shape[0] // self.augmentation.group_size)
        # Groups are numbered over all processes, so that a batch is the same however it is shared.
        first = self.processes.rank * groups
        seeds = [hash_of((self.seed, step, first + group)) for group in range(groups)]
        heard, stems = self.augmentation.prepare(excerpts, seeds)
        return Batch(mix=heard, stems=stems[:, :-1], rest=stems[:, -1])
