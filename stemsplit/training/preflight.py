"""What a run will take, found out by real steps before the first."""

import copy
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from stemsplit.separation.estimate import free_disk_bytes, peak_memory_bytes
from stemsplit.training.corpus import Corpus
from stemsplit.training.events import Preflight
from stemsplit.training.learner import Learner
from stemsplit.training.randomness import random_state, set_random_state
from stemsplit.training.setup import TrainingPlan

_FLOAT_BYTES = 4
_MOMENTS = 2  # of Adam, per weight
_STATES = 2  # that are kept


def preflight(
    plan: TrainingPlan,
    corpus: Corpus,
    learner: Learner,
    excerpts: Tensor,
    *,
    steps_left: int,
    folder: Path,
) -> Preflight:
    """Take two steps from the same weights, time the second one, and take them back.

    The first one also sets up what later steps find ready: memory, plans of transforms, and a
    compiled network.

    Args:
        plan: of the run.
        corpus: its songs.
        learner: is afterwards as it was before.
        excerpts: what the steps hear.
        steps_left: of the phase.
        folder: where the run writes; need not be there yet.

    Raises:
        TrainingError: a step fails.
    """
    held = copy.deepcopy(learner.state())
    random = random_state(learner.device)
    if learner.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(learner.device)
    seconds = 0.0
    for _ in range(2):
        began = time.perf_counter()
        learner.learn(excerpts, 0)
        seconds = time.perf_counter() - began
        learner.load(held)
        set_random_state(random, learner.device)
    config = plan.config
    return Preflight(
        network=plan.network.name,
        parameters=_num_parameters(learner),
        training_songs=sum(len(part.songs) for part in corpus.training),
        training_hours=corpus.training_samples / config.sample_rate / 3600,
        validation_songs=len(corpus.validation),
        device=str(learner.device),
        step_seconds=seconds,
        epoch_seconds=seconds * plan.recipe.steps_per_epoch,
        total_seconds=seconds * steps_left,
        memory_bytes=_peak_memory(learner.device),
        disk_bytes=_disk_bytes(plan, learner),
        free_bytes=free_disk_bytes(folder),
    )


def whole_run(phases: Sequence[Preflight]) -> Preflight:
    """What all phases take together: their time, and the memory of the one that takes most.

    Args:
        phases: those that are left, in their order; one at least. A step is that of the first.
    """
    memory = [one.memory_bytes for one in phases if one.memory_bytes is not None]
    return replace(
        phases[0],
        total_seconds=sum(one.total_seconds for one in phases),
        memory_bytes=max(memory, default=None),
    )


def _num_parameters(learner: Learner) -> int:
    return sum(parameter.numel() for parameter in learner.network.parameters())


def _disk_bytes(plan: TrainingPlan, learner: Learner) -> int:
    weights = _num_parameters(learner) * _FLOAT_BYTES
    state = (1 + _MOMENTS + len(learner.averages)) * weights
    return _STATES * state + (1 + plan.recipe.validation.keep_best) * weights


def _peak_memory(device: torch.device) -> int | None:
    """Bytes of a GPU that this process used, or of the main memory; None where that is not told."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return peak_memory_bytes() if device.type == "cpu" else None
