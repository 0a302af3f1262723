"""Which network is trained, on what, in which epochs. Nothing here imports torch."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from itertools import accumulate, pairwise

from stemsplit.errors import ConfigError
from stemsplit.models.base import ModelConfig
from stemsplit.models.custom import NamedNetwork, load_network
from stemsplit.models.overrides import override
from stemsplit.models.registry import config_from_dict, config_to_dict
from stemsplit.training.recipe import NetworkSection, PhaseSection, TrainingRecipe


@dataclass(frozen=True, kw_only=True)
class Phase:
    """A stretch of epochs in which nothing but the learning rate changes."""

    first_epoch: int
    """Counted from 0."""

    end_epoch: int
    """The epoch after the last one."""

    network: NamedNetwork
    """The weights are the same in all phases, the rest of the configuration may differ."""

    segment_samples: int
    """Length of the excerpts that the network hears."""

    batch_size: int
    """Excerpts of a step, over all processes."""

    rewarm_steps: int
    """Steps over which the learning rate rises again."""


def recipe_network(section: NetworkSection, overrides: Sequence[str] = ()) -> NamedNetwork:
    """The network of a recipe.

    Args:
        section: of the recipe.
        overrides: further fields of its configuration, after those of the section.

    Raises:
        UnknownModelError: there is no such network.
        ConfigError: a field does not exist in it, or does not fit the others.
    """
    network = load_network(section.name)
    kind = type(network.config)
    try:
        plain = override(kind, config_to_dict(network.config), [*section.overrides, *overrides])
        if section.stems is not None:
            plain["stems"] = list(section.stems)
        if section.channels is not None:
            plain["channels"] = section.channels
        if section.segment_seconds is not None:
            plain["segment_samples"] = round(section.segment_seconds * plain["sample_rate"])
        config = config_from_dict(network.architecture, plain)
    except ConfigError as error:
        raise ConfigError(f"network {section.name}: {error}") from error
    return replace(network, config=config)


def plan_phases(recipe: TrainingRecipe) -> tuple[Phase, ...]:
    """The phases of a recipe in their order; one for a recipe that names none.

    The last phase has the configuration that is validated and kept.

    Raises:
        UnknownModelError: there is no such network.
        ConfigError: a phase is shorter than an epoch, its network does not fit, or the weights of
            the loss are not as many as the stems.
    """
    sections = recipe.phases or (PhaseSection(share=1.0),)
    shares = accumulate((section.share for section in sections), initial=0.0)
    ends = [round(share * recipe.epochs) for share in shares]
    phases = []
    for section, (first, end) in zip(sections, pairwise(ends), strict=True):
        if first >= end:
            raise ConfigError(
                f"a phase with a share of {section.share:g} of {recipe.epochs} epochs has no "
                "epoch: raise epochs, or its share."
            )
        phases.append(_phase(recipe, section, first, end))
    stems, weights = phases[0].network.config.stems, recipe.loss.stem_weights
    if weights and len(weights) != len(stems):
        raise ConfigError(
            f"loss.stem_weights has {len(weights)} numbers for the {len(stems)} stems of "
            f"{recipe.network.name}: {', '.join(stems)}."
        )
    return tuple(phases)


def _phase(recipe: TrainingRecipe, section: PhaseSection, first: int, end: int) -> Phase:
    network = recipe_network(recipe.network, section.overrides)
    if recipe.checkpointing:
        network = replace(network, config=_frugal(network))
    seconds = section.segment_seconds or recipe.data.segment_seconds
    config = network.config
    samples = config.segment_samples if seconds is None else round(seconds * config.sample_rate)
    if config.fixed_length and samples > config.segment_samples:
        raise ConfigError(
            f"{recipe.network.name} takes {config.segment_seconds:g} s at most, and its excerpts "
            f"are {samples / config.sample_rate:g} s: set data.segment_seconds lower, or "
            "network.segment_seconds higher."
        )
    return Phase(
        first_epoch=first,
        end_epoch=end,
        network=network,
        segment_samples=samples,
        batch_size=section.batch_size or recipe.batch_size,
        rewarm_steps=section.rewarm_steps if first else 0,
    )


def _frugal(network: NamedNetwork) -> ModelConfig:
    """The configuration with activations that are computed again for the gradient."""
    if "checkpointing" not in {field.name for field in fields(network.config)}:
        raise ConfigError(
            f"{network.name} cannot compute activations again: leave checkpointing out."
        )
    return replace(network.config, checkpointing=True)  # type: ignore[call-arg]
