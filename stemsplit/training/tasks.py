"""What a network is trained for: to separate, or first to fill holes."""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Generator, Tensor, nn

from stemsplit.errors import TrainingError
from stemsplit.training.distributed import inner
from stemsplit.training.hearing import Batch
from stemsplit.training.losses import Objective
from stemsplit.training.pretrain import Reconstruction


class Task(Protocol):
    """Makes a loss of what a network makes of a batch."""

    def loss(
        self, network: nn.Module, batch: Batch, generator: Generator
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss of a batch.

        Args:
            network: that is trained; called under the caller's autocast.
            batch: what it hears, and what that is made of.
            generator: of the CPU, for what the task draws.

        Returns:
            The loss, and what it is made of, without gradients.

        Raises:
            TrainingError: it is not finite.
        """


@dataclass(frozen=True)
class Separate:
    """Find the stems."""

    objective: Objective
    stems: tuple[str, ...]
    """Their names."""

    def loss(
        self, network: nn.Module, batch: Batch, generator: Generator
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """See `Task`; adds the loss of every stem."""
        estimates = network(batch.mix)
        with torch.autocast(batch.mix.device.type, enabled=False):
            values = self.objective(estimates.float(), batch.stems, batch.rest)
        return values.total, {**values.terms, **dict(zip(self.stems, values.stems, strict=True))}


class Reconstruct:
    """Fill holes in the spectrogram of the mix; the network is a `Reconstruction`."""

    def loss(
        self, network: nn.Module, batch: Batch, generator: Generator
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """See `Task`; the stems do not count."""
        wrapped, mix = inner(network), batch.mix
        assert isinstance(wrapped, Reconstruction)
        holes = wrapped.draw_holes(mix.shape[0], mix.shape[-1], generator)
        loss: Tensor = network(mix, holes)
        if not loss.isfinite():
            raise TrainingError("the difference inside the holes is not finite.")
        return loss, {}


def separator_of(network: nn.Module) -> nn.Module:
    """The network that separates, out of what was wrapped around it to train it."""
    wrapped = inner(network)
    return wrapped.network if isinstance(wrapped, Reconstruction) else wrapped
