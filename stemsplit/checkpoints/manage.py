"""What a user can do with models other than run them: fetch, check, remove, register.

Nothing here imports torch before weights are converted.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stemsplit.checkpoints.bundled import check_in_place
from stemsplit.checkpoints.cache import Cache, StoredModel, StoredWeights, sha256_of
from stemsplit.checkpoints.catalog import load_catalog
from stemsplit.checkpoints.describe import ModelDescription, describe, list_models
from stemsplit.checkpoints.folders import model_at
from stemsplit.checkpoints.hub_models import describe_repository
from stemsplit.checkpoints.obtain import ProgressSink, convert_into, obtain
from stemsplit.checkpoints.resolve import AUTO, from_catalog, from_stored, parse_hub_name, resolve
from stemsplit.checkpoints.resolved import Member, without_repeats
from stemsplit.errors import CheckpointError, ConfigError, UnknownModelError, suggest


@dataclass(frozen=True, kw_only=True)
class VerifiedWeights:
    """Whether a file of the cache is still what was stored."""

    id: str
    models: tuple[str, ...]
    """Names of models that use it."""
    path: Path
    bytes: int
    problem: str | None
    """What is wrong with it, or None."""


@dataclass(frozen=True, kw_only=True)
class RemovedModel:
    """What was deleted."""

    name: str
    weights: tuple[str, ...]
    freed_bytes: int


def cache_path() -> Path:
    """The folder that downloaded and registered models are kept in."""
    return Cache().root


def download_model(
    name: str,
    *,
    stems: Sequence[str] | None = None,
    offline: bool = False,
    progress: ProgressSink | None = None,
) -> ModelDescription:
    """Fetch what the cache lacks of a model, and fetch again what is broken there.

    A hub repository is looked at anew, so that a branch is followed.

    Args:
        name: as `resolve` takes it.
        stems: only the networks that have a say in these; None means all.
        offline: whether fetching is forbidden.
        progress: told about every piece that arrives.

    Raises:
        UnknownModelError: nothing has this name, or it has no such stem.
        CheckpointError: something cannot be fetched, or is faulty; see `obtain`.
    """
    cache = Cache()
    model = resolve(name, cache=cache, offline=offline)
    found = None
    if model.kind == "hub" and not offline:
        found = describe_repository(*parse_hub_name(name), cache, offline=False)
        model = without_repeats(from_stored(found))
    needed = [model.members[position] for position in model.needed(stems)]
    kept = [member for member in needed if member.path is None]
    for member in needed:
        if member.is_bundled:
            check_in_place(member)
    obtain(kept, cache, model=model.name, offline=offline, progress=progress, is_repair=True)
    if found is not None:  # what was there before can be used until all that is new is here
        _replace_model(cache, found)
    return describe(model, cache)


def _replace_model(cache: Cache, stored: StoredModel) -> None:
    """Describe a model anew, and delete those of its earlier weights that no model uses."""
    before = cache.find_model(stored.name)
    cache.store_model(stored)
    used = {member for model in cache.all_models() for member in model.members}
    for leftover in set(before.members if before else ()) - used:
        _remove_weights(cache, leftover)


def verify_models(name: str | None = None) -> tuple[VerifiedWeights, ...]:
    """Hash files of the cache, and those that come with the package, again and compare.

    Args:
        name: check what is here of this model; None checks everything.

    Raises:
        UnknownModelError: nothing has this name.
    """
    cache = Cache()
    users = _users_of_weights(cache)
    if name is None:
        stored = cache.all_weights()
        catalog = load_catalog()
        members = tuple(
            member
            for entry in catalog.models.values()
            for member in from_catalog(entry, catalog).members
        )
    else:
        members = resolve(name, cache=cache, offline=True).members
        found = [cache.find(member.id) for member in members if member.path is None]
        stored = tuple(weights for weights in found if weights is not None)
    bundled = [member for member in members if member.is_bundled and member.is_there]
    return (
        *(_verify(weights, users.get(weights.path, ())) for weights in stored),
        *(_verify_in_place(member, users.get(member.path, ())) for member in bundled),
    )


def _verify_in_place(member: Member, models: tuple[str, ...]) -> VerifiedWeights:
    assert member.path is not None
    problem = None
    try:
        check_in_place(member)
    except CheckpointError as error:
        problem = str(error)
    length = member.path.stat().st_size
    return VerifiedWeights(
        id=member.id, models=models, path=member.path, bytes=length, problem=problem
    )


def _verify(weights: StoredWeights, models: tuple[str, ...]) -> VerifiedWeights:
    problem = None
    try:
        weights.check()
    except CheckpointError as error:
        problem = str(error)
    return VerifiedWeights(
        id=weights.id, models=models, path=weights.path, bytes=weights.bytes, problem=problem
    )


def _users_of_weights(cache: Cache) -> dict[Path | None, tuple[str, ...]]:
    """Names of models by file, since early records do not state the identifier of theirs."""
    users: dict[Path | None, tuple[str, ...]] = {}
    for model in list_models(cache):
        for member in model.members:
            users[member.path] = (*users.get(member.path, ()), model.name)
    return users


def remove_model(name: str) -> RemovedModel:
    """Delete a model's weights from the cache, and forget it if the user registered it.

    Weights that several models share are deleted too; the others fetch them again when used.

    Args:
        name: a model, a signature, or an identifier of weights in the cache.

    Raises:
        UnknownModelError: the cache and the catalogue have nothing of this name.
        ConfigError: the weights come with the package.
        CheckpointError: the cache cannot be written.
    """
    cache = Cache()
    stored = cache.find_model(name)
    entry = load_catalog().find(name)
    if entry is not None:
        if any(one.is_bundled for one in from_catalog(entry, load_catalog()).members):
            raise ConfigError(
                f"{name} comes with stemsplit and is not in the cache, so there is nothing to "
                "remove; it goes when stemsplit is uninstalled."
            )
        weights = entry.members
    elif stored is not None:
        weights = stored.members
    elif cache.find(name) is not None:
        weights = (name,)
    else:
        known = [*load_catalog().models, *(model.name for model in cache.all_models())]
        raise UnknownModelError(f"There is no model {name!r} to remove.{suggest(name, known)}")
    present = tuple(one for one in weights if cache.find(one) is not None)
    freed = sum(_remove_weights(cache, one) for one in dict.fromkeys(weights))
    if entry is None and stored is not None:
        cache.remove_model(name)
    return RemovedModel(name=name, weights=present, freed_bytes=freed)


def _remove_weights(cache: Cache, weights_id: str) -> int:
    with cache.lock(weights_id):
        return cache.remove(weights_id)


def add_model(
    path: Path,
    name: str,
    *,
    licence: str | None = None,
    trained_on: str | None = None,
    is_replacing: bool = False,
) -> ModelDescription:
    """Register a model of the user's own under a name.

    The weights are copied into the cache, so that the name outlives the files.

    Args:
        path: a file of weights, a bag's YAML file, or a folder with either.
        name: letters, digits, and `. _ + -`; not one of the catalogue.
        licence: the terms, if the files do not say.
        trained_on: the training data, if the files do not say.
        is_replacing: whether the name may be taken from an earlier model.

    Raises:
        UnknownModelError: there is no model at the path, or the name cannot be given.
        CheckpointError: a file is faulty or unsafe, or the cache cannot be written.
        ConfigError: a network has an option that stemsplit does not support.
    """
    cache = Cache()
    before = cache.find_model(name)
    _check_name(name, is_taken=before is not None and not is_replacing)
    if not path.exists():
        raise UnknownModelError(f"There is no file {path} to register.")
    model = without_repeats(model_at(path))
    members = [_registered(member, name, place) for place, member in enumerate(model.members)]
    kept = set(before.members if before else ())
    try:
        for source, member in zip(model.members, members, strict=True):
            _copy_in(cache, source, member)
    except BaseException:  # the earlier model stays whole
        for member in members:
            if member.id not in kept:
                _remove_weights(cache, member.id)
        raise
    stored = StoredModel(
        name=name,
        kind="registered",
        members=tuple(member.id for member in members),
        stem_weights=model.stem_weights,
        stems=model.stems,
        sample_rate=model.sample_rate,
        channels=model.channels,
        architectures=tuple(member.architecture for member in members),
        segment_seconds=model.segment_seconds,
        licence=licence or model.licence,
        trained_on=trained_on or model.trained_on,
        trained_sets=model.trained_sets,
        origin=str(path.absolute()),
    )
    _replace_model(cache, stored)
    return describe(from_stored(stored), cache)


def _check_name(name: str, *, is_taken: bool) -> None:
    if not re.fullmatch(r"\w[\w.+-]{0,63}", name):
        raise UnknownModelError(
            f"{name!r} cannot be the name of a model: use letters, digits and . _ + - only."
        )
    if name == AUTO:
        raise UnknownModelError(
            f"{name!r} cannot be the name of a model: --model {AUTO} means the best one."
        )
    if load_catalog().find(name) is not None:
        raise UnknownModelError(f"{name!r} is a model of the catalogue: choose another name.")
    if is_taken:
        raise UnknownModelError(
            f"{name!r} is registered already: choose another name, or remove it first."
        )


def _registered(member: Member, name: str, place: int) -> Member:
    """A member of a registered model, with a name of its own for every file it may come from."""
    return Member(
        id=f"user-{name}-{place}-{sha256_of(_file_of(member))[:8]}",
        architecture=member.architecture,
        licence=member.licence,
        trained_on=member.trained_on,
        trained_sets=member.trained_sets,
    )


def _copy_in(cache: Cache, source: Member, member: Member) -> None:
    path = _file_of(source)
    with cache.lock(member.id):
        convert_into(
            cache,
            member,
            path,
            origin=path.name,  # it stays in the file, and with it in what is published
            origin_sha256=sha256_of(path),
        )


def _file_of(member: Member) -> Path:
    if member.path is None:
        raise CheckpointError(f"{member.id} is no file.")
    return member.path
