"""From a recipe to what is trained: the phases, the network, the learner."""

from collections.abc import Container
from dataclasses import dataclass
from functools import partial

import torch
from torch import nn

from stemsplit.models.base import ModelConfig
from stemsplit.models.custom import NamedNetwork
from stemsplit.models.registry import build_network
from stemsplit.training.augment import Augmentation
from stemsplit.training.compiling import compiled
from stemsplit.training.distributed import Processes
from stemsplit.training.ema import WeightAverage
from stemsplit.training.hearing import Hearing
from stemsplit.training.learner import Learner
from stemsplit.training.losses import Features, Objective
from stemsplit.training.optimizers import build_optimizer
from stemsplit.training.phases import Phase, plan_phases
from stemsplit.training.pretrain import Reconstruction
from stemsplit.training.recipe import TrainingRecipe
from stemsplit.training.run_identity import run_hash
from stemsplit.training.schedules import learning_rate
from stemsplit.training.tasks import Reconstruct, Separate, Task


@dataclass(frozen=True)
class TrainingPlan:
    """What a recipe comes to."""

    recipe: TrainingRecipe
    phases: tuple[Phase, ...]

    @property
    def network(self) -> NamedNetwork:
        """The network in its final form, which is validated and kept."""
        return self.phases[-1].network

    @property
    def architecture(self) -> str:
        """Of the network, as the registry has it."""
        return self.network.architecture

    @property
    def config(self) -> ModelConfig:
        """Of the network in its final form."""
        return self.network.config

    @property
    def total_steps(self) -> int:
        """Steps of all epochs."""
        return self.recipe.epochs * self.recipe.steps_per_epoch

    @property
    def run_hash(self) -> str:
        """See `stemsplit.training.run_identity.run_hash`."""
        return run_hash(self.recipe, self.architecture, self.config)

    def steps(self, phase: Phase) -> range:
        """The steps of a phase."""
        per_epoch = self.recipe.steps_per_epoch
        return range(phase.first_epoch * per_epoch, phase.end_epoch * per_epoch)

    def first_excerpt(self, phase: Phase) -> int:
        """Number of the first excerpt of a phase; the phases before used those below."""
        before = self.phases[: self.phases.index(phase)]
        return sum(len(self.steps(one)) * one.batch_size for one in before)


def plan_training(recipe: TrainingRecipe) -> TrainingPlan:
    """Check everything about a recipe that can be checked without data.

    Raises:
        UnknownModelError: there is no such network.
        ConfigError: something does not fit together.
    """
    return TrainingPlan(recipe, plan_phases(recipe))


def check_shares(plan: TrainingPlan, processes: Processes) -> None:
    """Check that processes can share the batches of all phases.

    Raises:
        ConfigError: the parts are not equal, or not made of whole groups.
    """
    hearing = build_hearing(plan, torch.device("cpu"), processes)
    for phase in plan.phases:
        processes.check_batch(phase.batch_size, plan.recipe.accumulation_steps)
        hearing.check_shares(phase.batch_size)


def build_initial(plan: TrainingPlan) -> nn.Module:
    """The network with its initial weights, which the recipe's seed decides."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(plan.recipe.seed)
        return build_network(plan.architecture, plan.config)


def as_trained(plan: TrainingPlan, network: nn.Module) -> nn.Module:
    """A network with what its task adds to it."""
    recipe = plan.recipe
    if recipe.task == "separate":
        return network
    return Reconstruction(network, recipe.pretrain, num_stems=len(plan.config.stems))


def build_hearing(plan: TrainingPlan, device: torch.device, processes: Processes) -> Hearing:
    """What makes the batches of all phases."""
    recipe = plan.recipe
    augmentation = Augmentation(recipe.augment, plan.config.sample_rate)
    return Hearing(augmentation, recipe.seed, device, processes)


def build_learner(
    plan: TrainingPlan,
    phase: Phase,
    network: nn.Module,
    *,
    device: torch.device,
    processes: Processes,
    loaded: Container[str] = (),
    features: Features | None = None,
) -> Learner:
    """All that a step needs.

    Args:
        plan: of the training.
        phase: of which steps are taken.
        network: built from the configuration of the phase; moved to the device.
        device: where to train.
        processes: that train together.
        loaded: names of parameters that another model gave.
        features: what a perceptual loss compares.

    Raises:
        ConfigError: the recipe names weights that the network does not have.
    """
    recipe = plan.recipe
    stems = plan.config.stems
    task: Task
    if recipe.task == "reconstruct":
        task = Reconstruct()
    else:
        task = Separate(Objective(recipe.loss, num_stems=len(stems), features=features), stems)
    network = as_trained(plan, network).to(device)
    if recipe.channels_last:
        network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = build_optimizer(
        recipe.optim,
        network,
        freeze=recipe.start.freeze,
        loaded=loaded,
        prefix="network." if isinstance(network, Reconstruction) else "",
    )
    trained = compiled(network) if recipe.compile else network
    return Learner(
        network=processes.wrap(trained, device),
        optimizer=optimizer,
        rate=partial(
            learning_rate,
            section=recipe.schedule,
            lr=recipe.optim.lr,
            total_steps=plan.total_steps,
            steps_per_epoch=recipe.steps_per_epoch,
            rewarm=(plan.steps(phase).start, phase.rewarm_steps),
        ),
        loaded_scale=partial(_loaded_scale, recipe=recipe),
        task=task,
        hearing=build_hearing(plan, device, processes),
        step_averages={
            f"mean over steps, {decay:g}": WeightAverage(network, decay)
            for decay in recipe.ema.steps
        },
        epoch_averages={
            f"mean over epochs, {decay:g}": WeightAverage(network, decay)
            for decay in recipe.ema.epochs
        },
        device=device,
        processes=processes,
        precision=recipe.precision,
        accumulation_steps=recipe.accumulation_steps,
        clip_norm=recipe.optim.clip_norm,
    )


def _loaded_scale(step: int, recipe: TrainingRecipe) -> float:
    """What the learning rate of loaded weights is multiplied by at a step."""
    start = recipe.start
    is_early = step < start.loaded_lr_epochs * recipe.steps_per_epoch
    return start.loaded_lr_scale if is_early else 1.0
