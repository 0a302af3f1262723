"""From a name to the networks it stands for, without their weights. Nothing here imports torch."""

from collections.abc import Sequence
from pathlib import Path

from stemsplit.checkpoints.cache import Cache
from stemsplit.checkpoints.catalog import load_catalog
from stemsplit.checkpoints.describe import ModelDescription, describe_model
from stemsplit.checkpoints.reading import describe_file
from stemsplit.checkpoints.resolve import resolve
from stemsplit.checkpoints.resolved import Member, ResolvedModel
from stemsplit.errors import UnknownModelError, suggest
from stemsplit.models.base import ModelConfig
from stemsplit.models.custom import (
    NamedNetwork,
    is_network_file,
    load_network,
    network_names,
    registered_networks,
)
from stemsplit.models.registry import config_from_dict


def find_networks(
    name: str | Path, *, offline: bool = False, cache: Cache | None = None
) -> tuple[NamedNetwork, ...]:
    """The networks that a name stands for.

    Args:
        name: a registered network, a TOML file, or what `resolve` takes: of a model the networks
            are found in its files, so it has to be here. A path that is no text is a TOML file.
        offline: as `resolve` takes it.
        cache: as `resolve` takes it.

    Returns:
        One network for those of a model that are built alike.

    Raises:
        UnknownModelError: nothing has this name, or it is a model that has not been downloaded.
        ConfigError: the TOML file is faulty, or a network has an option that is not supported.
        CheckpointError: a file of weights is faulty, or the hub cannot be asked.
        CatalogFormatError: a bag's YAML file is faulty.
    """
    if isinstance(name, Path) or is_network_file(name) or name in network_names():
        return (load_network(name),)
    try:
        model = resolve(name, cache=cache, offline=offline)
    except UnknownModelError as error:
        raise _unknown(name, error) from error
    return networks_of(model, cache or Cache())


def describe_any(
    name: str | Path, *, offline: bool = False, cache: Cache | None = None
) -> ModelDescription | NamedNetwork:
    """The model of a name; or the network, if no model has it.

    Args:
        name: as `find_networks` takes it.
        offline: as `resolve` takes it.
        cache: as `resolve` takes it.

    Raises:
        UnknownModelError: nothing has this name; the message offers the nearest.
        ConfigError: as `find_networks`.
        CheckpointError: as `find_networks`.
        CatalogFormatError: as `find_networks`.
    """
    if isinstance(name, Path) or is_network_file(name):
        return load_network(name)
    try:
        return describe_model(name, offline=offline, cache=cache)
    except UnknownModelError as error:
        if name in network_names():
            return load_network(name)
        raise _unknown(name, error) from error


def networks_of(model: ResolvedModel, cache: Cache) -> tuple[NamedNetwork, ...]:
    """The networks of a model, each kind once.

    Raises:
        UnknownModelError: what they are stands in files that are not here.
    """
    found: dict[tuple[str, ModelConfig], list[str]] = {}
    for member in model.members:
        config = _config_of(model, member, cache)
        found.setdefault((member.architecture, config), []).append(member.id)
    return tuple(
        NamedNetwork(
            name=_label(model.name, ids, len(found)),
            architecture=architecture,
            config=config,
            summary=model.summary,
            source=f"the file of {', '.join(ids)}",
        )
        for (architecture, config), ids in found.items()
    )


def _config_of(model: ResolvedModel, member: Member, cache: Cache) -> ModelConfig:
    stored = None if member.path else cache.find(member.id)
    path = member.path or (stored.path if stored else None)
    if path is not None and member.is_there:
        info = describe_file(path)
        return config_from_dict(info.architecture, info.config)
    name = member.variant or (model.name if len(model.members) == 1 else None)
    for network in registered_networks():
        if (network.name, network.architecture) == (name, member.architecture):
            return network.config
    raise UnknownModelError(
        f"The networks of {model.name} are described in its files, which are not here: run "
        f"stemsplit models download {model.name}, or name a network such as "
        f"{_akin(model.name, member.architecture)}."
    )


def _akin(model: str, architecture: str) -> str:
    """The network that a model is named after, or else the first of its architecture."""
    names = [one.name for one in registered_networks() if one.architecture == architecture]
    return max((name for name in names if model.startswith(name)), key=len, default=names[0])


def _label(model: str, ids: Sequence[str], num_kinds: int) -> str:
    if num_kinds == 1:
        return model if len(ids) == 1 else f"{model} (each of {len(ids)})"
    return f"{model} ({', '.join(ids)})"


def _unknown(name: str, error: UnknownModelError) -> UnknownModelError:
    """The error of a name that is no model either, with the names of networks among the nearest."""
    catalog = load_catalog()
    models = [one for one in catalog.names if one not in catalog.weights]
    hint = suggest(name, dict.fromkeys((*models, *network_names())))
    if not hint or not str(error).startswith("There is no model"):
        return error
    return UnknownModelError(f"There is no model or network {name!r}.{hint}")
