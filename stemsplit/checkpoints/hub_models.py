"""Models in repositories of the hub: ours, or laid out as demucs 4.1 does.

A repository holds one bag (`NAME.yaml`) and a safetensors file per network, or a single safetensors
file. Only their heads are read to describe the model.
"""

from dataclasses import asdict
from pathlib import Path

from stemsplit.checkpoints import hub
from stemsplit.checkpoints.bags import Bag, combine, is_bag, parse_bag
from stemsplit.checkpoints.cache import Cache, StoredModel
from stemsplit.checkpoints.catalog import PublishedFile
from stemsplit.checkpoints.download import fetch
from stemsplit.checkpoints.network import unreachable
from stemsplit.checkpoints.reading import describe_metadata
from stemsplit.checkpoints.resolved import joined
from stemsplit.checkpoints.weights import is_ours
from stemsplit.errors import CatalogFormatError, DownloadError, OfflineError, UnknownModelError

_BAG_SUFFIXES = (".yaml", ".yml")


def describe_repository(
    repository: str, revision: str | None, cache: Cache, *, offline: bool
) -> StoredModel:
    """What a repository of the hub holds.

    Args:
        repository: `owner/name`.
        revision: branch, tag or commit; None is the default branch.
        cache: where the bag file is fetched to.
        offline: whether the hub may not be asked.

    Raises:
        OfflineError: the network may not be used, or the hub cannot be reached.
        DownloadError: the repository, revision or file does not exist or is not given.
        UnknownModelError: the repository holds no model.
        CatalogFormatError: its bag is faulty.
    """
    name = hub.cache_name(repository, revision)
    if offline or hub.is_offline():
        raise OfflineError(
            f"{name} is not in the cache, and the network may not be used (offline)."
        )
    for host, reason in unreachable([hub.endpoint()]).items():
        raise OfflineError(
            f"{name} is not in the cache, and {host} cannot be reached ({reason}): check the "
            "network."
        )
    try:
        return _describe(name, repository, revision, cache)
    except DownloadError as error:
        raise type(error)(f"{name} cannot be used: {error}.") from error


def _describe(name: str, repository: str, revision: str | None, cache: Cache) -> StoredModel:
    found = hub.look_into(repository, revision)
    bag, names = _members(name, repository, found, cache)
    files = [
        PublishedFile(format="reference", hub=repository, path=path, revision=found.commit)
        for path in names
    ]
    infos = []
    for index, file in enumerate(files):
        metadata = hub.safetensors_metadata(file)
        if is_ours(metadata):
            files[index] = PublishedFile(**{**asdict(file), "format": "stemsplit"})
        infos.append(describe_metadata(metadata, Path(file.address)))
    first, stem_weights = combine(infos, bag, origin=name)
    licence = joined(info.licence or (bag.licence if bag else None) for info in infos)
    if licence is None and found.licence is not None:
        licence = f"{found.licence}, as {repository} states"
    return StoredModel(
        name=name,
        kind="hub",
        # The commit in the identifier keeps revisions apart.
        members=tuple(f"hf-{repository}-{found.commit[:12]}-{Path(path).stem}" for path in names),
        files=tuple(asdict(file) for file in files),
        stem_weights=stem_weights,
        stems=first.stems,
        sample_rate=first.sample_rate,
        channels=first.channels,
        architectures=tuple(info.architecture for info in infos),
        segment_seconds=bag.segment_seconds if bag else None,
        licence=licence,
        trained_on=joined(info.trained_on or (bag.trained_on if bag else None) for info in infos),
        trained_sets=tuple(dict.fromkeys(name for info in infos for name in info.trained_sets)),
        origin=f"{hub.endpoint()}/{repository}, commit {found.commit[:12]}",
    )


def _members(
    name: str, repository: str, found: hub.HubRepository, cache: Cache
) -> tuple[Bag | None, list[str]]:
    """The bag of a repository, if it has one, and the safetensors files that make up the model."""
    weights = [path for path in found.files if path.endswith(".safetensors") and "/" not in path]
    for path in found.files:
        if path.endswith(_BAG_SUFFIXES) and "/" not in path:
            data = _fetch_bytes(repository, path, found.commit, cache)
            if len(weights) == 1 and not is_bag(data):
                continue  # YAML of another program does not hide them
            bag = _read_bag(data, origin=f"{name}/{path}")
            members = [f"{member}.safetensors" for member in bag.members]
            missing = [member for member in members if member not in weights]
            if missing:
                raise UnknownModelError(
                    f"{name}: {path} names {', '.join(missing)}, which it lacks."
                )
            return bag, members
    if len(weights) == 1:
        return None, weights
    raise UnknownModelError(
        f"{name} holds no model that stemsplit reads: that is a YAML file of a bag with its "
        f"safetensors files, or a single safetensors file; it has {len(weights)}."
    )


def _read_bag(data: bytes, *, origin: str) -> Bag:
    try:
        return parse_bag(data.decode("utf-8"), origin=origin)
    except UnicodeDecodeError as error:
        raise CatalogFormatError(f"{origin} cannot be read: {error}.") from error


def _fetch_bytes(repository: str, path: str, commit: str, cache: Cache) -> bytes:
    place = hub.locate(
        PublishedFile(format="reference", hub=repository, path=path, revision=commit)
    )
    part = cache.make(cache.incoming) / f"hub-{commit[:12]}-{Path(path).name}.part"
    try:
        fetch(place.url, part, headers=place.headers)
        return part.read_bytes()
    finally:
        part.unlink(missing_ok=True)
