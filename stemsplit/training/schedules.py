"""The learning rate as a function of the step. Nothing here imports torch."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from stemsplit.training.learning_recipe import ScheduleSection


@dataclass(frozen=True)
class Place:
    """Where a training is after its warm-up."""

    progress: float
    """How much of the way is done, from 0 to 1."""

    epochs: float
    """Since the warm-up."""

    num_drops: int
    """How often validation got no better, see `count_drops`."""


Course = Callable[[ScheduleSection, Place], float]


def _constant(_section: ScheduleSection, _place: Place) -> float:
    return 1.0


def _cosine(_section: ScheduleSection, place: Place) -> float:
    return (1 + math.cos(math.pi * place.progress)) / 2


def _linear(_section: ScheduleSection, place: Place) -> float:
    return 1 - place.progress


def _staircase(section: ScheduleSection, place: Place) -> float:
    # A hair more, so that 3 epochs of 7 steps are two times 1.5 epochs in floating point too.
    return section.factor ** math.floor(place.epochs / section.every_epochs + 1e-9)


def _plateau(section: ScheduleSection, place: Place) -> float:
    return section.factor**place.num_drops


SCHEDULES: dict[str, Course] = {
    "constant": _constant,
    "cosine": _cosine,
    "linear": _linear,
    "staircase": _staircase,
    "plateau": _plateau,
}
"""Name to a factor from 0 to 1, given the section and where the training is."""


def count_drops(scores: Sequence[float], section: ScheduleSection) -> int:
    """How often the rate of `plateau` has fallen after validations with these scores, in dB."""
    best, waited, drops = -math.inf, 0, 0
    for score in scores:
        waited += 1
        if score > best + section.min_gain_db:
            best, waited = score, 0
        elif waited == section.patience:
            drops, waited = drops + 1, 0
    return drops


def learning_rate(
    step: int,
    num_drops: int = 0,
    *,
    section: ScheduleSection,
    lr: float,
    total_steps: int,
    steps_per_epoch: int,
    rewarm: tuple[int, int] | None = None,
) -> float:
    """The learning rate of a step.

    In the warm-up of W steps, step s has (s + 1) / W of it. What follows is spread over the steps
    that are left: its first step has all of it, and a step after the last one would have
    `min_lr`. With `per_epoch` the same is counted in whole epochs.

    Args:
        step: counted from 0.
        num_drops: see `count_drops`.
        section: of the recipe.
        lr: the rate after the warm-up.
        total_steps: of the whole training.
        steps_per_epoch: of the recipe.
        rewarm: first step of the present phase and the steps over which the rate rises again in it.
    """
    warmup = section.warmup_steps + section.warmup_epochs * steps_per_epoch
    unit = steps_per_epoch if section.per_epoch else 1
    counted = step // unit * unit
    rise = 1.0 if rewarm is None else _rise(step - rewarm[0], rewarm[1])
    if counted < warmup:
        return lr * rise * min(1.0, (counted + unit) / warmup)
    since = counted - warmup
    progress = min(1.0, since / max(1.0, total_steps - warmup))
    factor = SCHEDULES[section.name](section, Place(progress, since / steps_per_epoch, num_drops))
    low = min(section.min_lr, lr)
    if section.name in ("cosine", "linear"):
        return rise * (low + (lr - low) * factor)
    return rise * max(low, lr * factor)


def _rise(step: int, steps: int) -> float:
    return min(1.0, (step + 1) / steps) if steps else 1.0
