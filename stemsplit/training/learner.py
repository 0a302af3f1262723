"""One step of training, and all that changes with it.

Shapes: B batch, S stems, C audio channels, N samples.
"""

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.amp.grad_scaler import GradScaler

from stemsplit.errors import TrainingError
from stemsplit.separation.device import autocast
from stemsplit.training.distributed import Processes, inner, summing_alone
from stemsplit.training.ema import WeightAverage
from stemsplit.training.hearing import Hearing
from stemsplit.training.optimizers import set_learning_rate
from stemsplit.training.seeds import hash_of
from stemsplit.training.tasks import Task


@dataclass(frozen=True)
class StepReport:
    """What came of a step; means over all processes."""

    loss: float
    terms: dict[str, float]
    """Every term of the loss, and the loss of every stem."""

    gradient_norm: float
    learning_rate: float


@dataclass
class Learner:
    """A network and what changes it."""

    network: nn.Module
    """Wrapped or not, see `stemsplit.training.distributed`."""

    optimizer: torch.optim.Optimizer
    rate: Callable[[int, int], float]
    """Step, and how often the rate has fallen for want of progress, to learning rate."""

    loaded_scale: Callable[[int], float]
    """Step to what the rate of weights that another model gave is multiplied by."""

    task: Task

    device: torch.device
    processes: Processes
    hearing: Hearing
    step_averages: Mapping[str, WeightAverage] = field(default_factory=dict)
    """Averaged weights, updated at every step."""

    epoch_averages: Mapping[str, WeightAverage] = field(default_factory=dict)
    """Averaged weights, updated by whoever counts epochs."""

    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    accumulation_steps: int = 1
    clip_norm: float | None = None
    num_drops: int = 0
    """How often the rate has fallen for want of progress."""

    def __post_init__(self) -> None:
        self.scaler = GradScaler(self.device.type, enabled=self.precision == "fp16")

    def learn(self, excerpts: Tensor, step: int) -> StepReport:
        """Take one step.

        Args:
            excerpts: this process's stems and rest (B, S + 1, C, N).
            step: its number; the same number repeats the same augmentation.

        Raises:
            TrainingError: the loss or a gradient is not finite; the weights are as they were.
        """
        _set_training(self.network)
        rate = self.rate(step, self.num_drops)
        set_learning_rate(self.optimizer, rate, loaded_scale=self.loaded_scale(step))
        batch = self.hearing.batch(excerpts, step)
        self.optimizer.zero_grad(set_to_none=True)
        parts = self.accumulation_steps
        totals: dict[str, Tensor] = {}
        generator = torch.Generator().manual_seed(
            hash_of((self.hearing.seed, step, self.processes.rank))
        )
        for number, part in enumerate(batch.parts(parts), start=1):
            with summing_alone(self.network) if number < parts else nullcontext():
                with autocast(self.device, self.precision):
                    loss, terms = self.task.loss(self.network, part, generator)
                torch.autograd.backward(self.scaler.scale(loss / parts))
            for name, value in {"loss": loss, **terms}.items():
                totals[name] = totals.get(name, 0) + value.detach() / parts
        self.scaler.unscale_(self.optimizer)
        norm = self._clip()
        # The scaler of fp16 leaves out such a step by itself, and lowers its scale.
        if self.precision != "fp16" and not torch.isfinite(norm):
            raise TrainingError(f"the norm of the gradients is {norm.item()}.")
        self.scaler.step(self.optimizer)
        self.scaler.update()
        for average in self.step_averages.values():
            average.update()
        means = {name: self.processes.mean(value).item() for name, value in totals.items()}
        return StepReport(
            loss=means.pop("loss"),
            terms=means,
            gradient_norm=norm.item(),
            learning_rate=rate,
        )

    @property
    def averages(self) -> dict[str, WeightAverage]:
        """All averaged weights by name."""
        return {**self.step_averages, **self.epoch_averages}

    def state(self) -> dict[str, Any]:
        """Everything of it that a training state holds."""
        return {
            "network": inner(self.network).state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "averages": {name: one.state_dict() for name, one in self.averages.items()},
            "scaler": self.scaler.state_dict(),
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Go back to what `state` gave."""
        inner(self.network).load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        for name, one in self.averages.items():
            one.load_state_dict(state["averages"][name])
        self.scaler.load_state_dict(state["scaler"])

    def _clip(self) -> Tensor:
        limit = torch.inf if self.clip_norm is None else self.clip_norm
        return nn.utils.clip_grad_norm_(self.network.parameters(), limit)


def _set_training(network: nn.Module) -> None:
    """Let a network learn, but for the statistics of norms whose weights are frozen."""
    network.train()
    for module in network.modules():
        weights = list(module.parameters(recurse=False))
        is_frozen = bool(weights) and not any(weight.requires_grad for weight in weights)
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and is_frozen:
            module.eval()
