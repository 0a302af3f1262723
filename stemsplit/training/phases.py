"""The course of a training: which steps hear how much, in which batches, at which resolution."""

from collections.abc import Sequence
from dataclasses import dataclass

from stemsplit.errors import ConfigError
from stemsplit.models.base import ModelConfig
from stemsplit.training.recipe import PhaseSection, TrainingRecipe


@dataclass(frozen=True)
class Phase:
    """Epochs that are alike."""

    index: int
    first_epoch: int
    last_epoch: int
    """The epoch before which it ends."""

    num_samples: int
    """Length of an excerpt."""

    batch_size: int
    """Excerpts of a step, over all processes."""

    overrides: tuple[str, ...]
    """Changes of the network's configuration that leave its weights alone."""

    rewarm_steps: int
    """Steps over which the learning rate rises again at its beginning."""

    first_excerpt: int
    """Number of its first excerpt; the phases before used those below."""


def plan_phases(recipe: TrainingRecipe, config: ModelConfig) -> tuple[Phase, ...]:
    """The phases of a training, one at least.

    Their borders lie at whole epochs; every phase has one epoch or more.

    Args:
        recipe: of the training.
        config: of the network, whose segment rules where nothing else is said.

    Raises:
        ConfigError: an excerpt would be longer than a network of fixed length takes.
    """
    sections = recipe.phases or (PhaseSection(share=1.0),)
    phases: list[Phase] = []
    excerpts = 0
    borders = _borders([section.share for section in sections], recipe.epochs)
    for index, section in enumerate(sections):
        seconds = section.segment_seconds or recipe.data.segment_seconds or config.segment_seconds
        phase = Phase(
            index=index,
            first_epoch=borders[index],
            last_epoch=borders[index + 1],
            num_samples=round(seconds * config.sample_rate),
            batch_size=section.batch_size or recipe.batch_size,
            overrides=section.overrides,
            rewarm_steps=section.rewarm_steps if index else 0,
            first_excerpt=excerpts,
        )
        if config.fixed_length and phase.num_samples > config.segment_samples:
            raise ConfigError(
                f"excerpts of {seconds:g} s are longer than the {config.segment_seconds:g} s that "
                "the network takes: raise network.segment_seconds too."
            )
        steps = (phase.last_epoch - phase.first_epoch) * recipe.steps_per_epoch
        excerpts += steps * phase.batch_size
        phases.append(phase)
    return tuple(phases)


def _borders(shares: Sequence[float], epochs: int) -> list[int]:
    """Epochs at which phases begin, and the end."""
    borders = [0]
    done = 0.0
    for index, share in enumerate(shares, start=1):
        done += share
        left = len(shares) - index  # phases that still need an epoch each
        borders.append(min(max(round(done * epochs), borders[-1] + 1), epochs - left))
    return borders
