"""From a model's name to networks that are ready to run."""

import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from pathlib import Path

from torch import nn

from stemsplit.checkpoints.bundled import check_in_place
from stemsplit.checkpoints.cache import Cache, StoredWeights
from stemsplit.checkpoints.describe import fingerprint
from stemsplit.checkpoints.download import DownloadProgress
from stemsplit.checkpoints.networks import build
from stemsplit.checkpoints.obtain import obtain
from stemsplit.checkpoints.reading import Checkpoint, read_checkpoint
from stemsplit.checkpoints.resolve import resolve
from stemsplit.checkpoints.resolved import Member, ResolvedModel
from stemsplit.errors import CheckpointError
from stemsplit.models.base import ModelConfig

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class LoadedMember:
    """One network of a model, in eval mode, float32, on the CPU."""

    network: nn.Module
    config: ModelConfig
    architecture: str
    segment_samples: int
    """Planned segment length; a bag may override the configuration's."""
    digest: str
    """SHA-256 of the file the weights came from."""


@dataclass(frozen=True, kw_only=True)
class LoadedModel:
    """A named model: one or more networks that answer together."""

    name: str
    stems: tuple[str, ...]
    sample_rate: int
    channels: int
    members: tuple[LoadedMember, ...]
    stem_weights: tuple[tuple[float, ...], ...]
    """One row per member, one column per stem."""
    fingerprint: str
    """Changes when any weights or bag weights change."""


def load_model(
    name: str,
    *,
    stems: Collection[str] | None = None,
    offline: bool = False,
    repo: Path | None = None,
    progress: Callable[[DownloadProgress], None] | None = None,
) -> LoadedModel:
    """The networks of a model, fetched first where the cache does not have them.

    Files of the cache are hashed again each time, so that a broken one is never used.

    Args:
        name: a name, path or hub repository, see `stemsplit.checkpoints.resolve.resolve`.
        stems: the stems that will be asked for; networks that have no say in any of them are
            neither fetched nor loaded, and are left out of the result. None means all.
        offline: whether fetching is forbidden; then no socket is opened.
        repo: folder of bags and weights to look into, and nowhere else.
        progress: told about every piece of a download that arrives.

    Returns:
        The model with all its stems; only its members and their rows depend on `stems`.

    Raises:
        UnknownModelError: nothing has this name, or it has no such stem.
        OfflineError: something is missing, and the network may not or cannot be used.
        ChecksumError: a file is not what was published, or has changed since it was stored.
        UnsafeCheckpointError: a file asks for anything that is not plain data.
        CheckpointError: a file is faulty or cannot be fetched.
        CatalogFormatError: a bag's YAML file is faulty.
        ConfigError: a network has an option that stemsplit does not support.
    """
    cache = Cache()
    model = resolve(name, repo=repo, cache=cache, offline=offline)
    if model.deprecated_by is not None:
        logger.warning("The model %s is deprecated: use %s.", model.name, model.deprecated_by)
    positions = model.needed(None if stems is None else tuple(stems))
    needed = [model.members[position] for position in positions]
    kept = [member for member in needed if member.path is None]
    weights = obtain(kept, cache, model=model.name, offline=offline, progress=progress)
    stored = dict(zip((member.id for member in kept), weights, strict=True))
    everything = {member.id: cache.find(member.id) for member in model.members if not member.path}
    return LoadedModel(
        name=model.name,
        stems=model.stems,
        sample_rate=model.sample_rate,
        channels=model.channels,
        members=tuple(_load_member(model, member, stored.get(member.id)) for member in needed),
        stem_weights=tuple(model.stem_weights[position] for position in positions),
        fingerprint=fingerprint(model, everything),
    )


def _load_member(
    model: ResolvedModel, member: Member, stored: StoredWeights | None
) -> LoadedMember:
    if stored is not None:
        stored.check()
        path, digest = stored.path, stored.origin_sha256
    elif member.path is not None:
        path, digest = member.path, check_in_place(member)
    else:
        raise CheckpointError(f"The weights {member.id} are nowhere.")
    checkpoint = read_checkpoint(path, variant=member.variant)
    _check_facts(model, checkpoint, path)
    architecture, config = checkpoint.info.architecture, checkpoint.config
    segment_samples = _segment_samples(model, config)
    if config.fixed_length:
        # Such a network pads to its segment, so a bag that shortens it changes what it answers.
        config = replace(config, segment_samples=segment_samples)
    return LoadedMember(
        network=build(architecture, config, checkpoint.state, name=str(path)),
        config=config,
        architecture=architecture,
        segment_samples=segment_samples,
        digest=digest,
    )


def _check_facts(model: ResolvedModel, checkpoint: Checkpoint, path: Path) -> None:
    """A file that says other stems than the list of models would fill the wrong stems."""
    config = checkpoint.config
    found = (config.stems, config.sample_rate, config.channels)
    if found != (model.stems, model.sample_rate, model.channels):
        raise CheckpointError(
            f"{path} is for {', '.join(config.stems)} at {config.sample_rate} Hz with "
            f"{config.channels} channels, which is not what {model.name} is described as."
        )


def _segment_samples(model: ResolvedModel, config: ModelConfig) -> int:
    """The bag's segment, unless the network cannot take one that long."""
    if model.segment_seconds is None:
        return config.segment_samples
    wanted = int(model.segment_seconds * config.sample_rate)
    return min(wanted, config.segment_samples) if config.fixed_length else wanted
