"""From what a user typed to the files it means, without reading weights."""

import re
from pathlib import Path

from stemsplit.checkpoints import hub
from stemsplit.checkpoints.bundled import bundled_path
from stemsplit.checkpoints.cache import Cache, StoredModel
from stemsplit.checkpoints.catalog import Catalog, ModelEntry, PublishedFile, load_catalog
from stemsplit.checkpoints.folders import BAG_SUFFIXES, model_at, model_in
from stemsplit.checkpoints.hub_models import describe_repository
from stemsplit.checkpoints.reading import SUFFIXES
from stemsplit.checkpoints.resolved import Member, ResolvedModel, without_repeats
from stemsplit.errors import UnknownModelError, suggest

AUTO = "auto"
"""Stands for no model: see `stemsplit.checkpoints.automatic`."""

_HUB_NAME = re.compile(
    r"hf:(?://)?(?P<repository>\w[\w.-]*/\w[\w.-]*)(?:@(?P<revision>\w[\w./-]*))?/?"
)


def resolve(
    name: str, *, repo: Path | None = None, cache: Cache | None = None, offline: bool = False
) -> ResolvedModel:
    """What a name stands for.

    It is looked for in this order, and the first place that has it wins:

    1. the catalogue: a model's name, an alias, or the signature of a single network (955717e8);
    2. the names a user registered with `stemsplit models add`;
    3. a path: a file of weights, a bag's YAML file, or a folder with either;
    4. the Hugging Face hub: `hf:owner/repository`, optionally `@` and a branch, tag or commit.

    With `repo`, only that folder is looked into, as demucs does: for `NAME.yaml`, then for a file
    of weights `NAME.*` or `NAME-*.*`.

    Args:
        name: what the user typed.
        repo: folder of bags and weights, or None.
        cache: where registered names live; None takes the user's.
        offline: whether the hub may be asked about repositories that are not in the cache.

    Raises:
        UnknownModelError: nothing has this name; the message offers the nearest.
        CatalogFormatError: a bag's YAML file is faulty.
        CheckpointError: a file of weights is faulty, or the hub cannot be asked.
    """
    return without_repeats(_look_up(name, repo, cache or Cache(), offline))


def _look_up(name: str, repo: Path | None, cache: Cache, offline: bool) -> ResolvedModel:
    if repo is not None:
        return model_in(repo, name)
    catalog = load_catalog()
    entry = catalog.find(name)
    if entry is not None:
        return from_catalog(entry, catalog)
    stored = cache.find_model(name)
    if stored is not None and stored.kind == "registered":
        return from_stored(stored)
    path = _existing(name)
    if path is not None:
        return model_at(path)
    if name.startswith("hf:"):
        return _on_hub(name, cache, offline)
    raise UnknownModelError(_unknown(name, catalog, cache))


def _existing(name: str) -> Path | None:
    try:
        path = Path(name).expanduser()
        return path if name and path.exists() else None
    except (OSError, RuntimeError):  # too long for a path, or the home of nobody
        return None


def from_catalog(entry: ModelEntry, catalog: Catalog) -> ResolvedModel:
    """A model of the catalogue."""
    weights = [catalog.weights[member] for member in entry.members]
    return ResolvedModel(
        name=entry.name,
        kind="catalogue",
        summary=entry.summary,
        members=tuple(
            Member(
                id=one.id,
                architecture=one.architecture,
                path=bundled_path(one.files[0]),
                files=one.files,
                variant=one.variant,
                licence=one.licence,
                trained_on=one.trained_on,
                trained_sets=one.trained_sets,
            )
            for one in weights
        ),
        stems=catalog.stems_of(entry),
        stem_weights=entry.stem_weights,
        sample_rate=weights[0].sample_rate,
        channels=2,  # as all published models
        segment_seconds=entry.segment_seconds,
        aliases=entry.aliases,
        is_recommended=entry.is_recommended,
        deprecated_by=entry.deprecated_by,
    )


def from_stored(stored: StoredModel) -> ResolvedModel:
    """A model that the cache describes."""
    files = stored.files or ({},) * len(stored.members)
    members = (
        Member(
            id=member,
            architecture=architecture,
            files=(PublishedFile(**file),) if file else (),
            licence=stored.licence,
            trained_on=stored.trained_on,
            trained_sets=stored.trained_sets,
        )
        for member, architecture, file in zip(
            stored.members, stored.architectures, files, strict=True
        )
    )
    return ResolvedModel(
        name=stored.name,
        kind=stored.kind,
        summary=f"{'From' if stored.kind == 'hub' else 'Registered from'} {stored.origin}",
        members=tuple(members),
        stems=stored.stems,
        stem_weights=stored.stem_weights,
        sample_rate=stored.sample_rate,
        channels=stored.channels,
        segment_seconds=stored.segment_seconds,
    )


def parse_hub_name(name: str) -> tuple[str, str | None]:
    """Repository and revision of `hf:owner/repository[@revision]`.

    Raises:
        UnknownModelError: the name is not of this form.
    """
    match = _HUB_NAME.fullmatch(name)
    if match is None:
        raise UnknownModelError(
            f"{name!r} is no model on the hub: write hf:owner/repository or "
            "hf:owner/repository@revision."
        )
    return match["repository"], match["revision"]


def _on_hub(name: str, cache: Cache, offline: bool) -> ResolvedModel:
    repository, revision = parse_hub_name(name)
    stored = cache.find_model(hub.cache_name(repository, revision))
    if stored is None:
        stored = describe_repository(repository, revision, cache, offline=offline)
        cache.store_model(stored)
    return from_stored(stored)


def _unknown(name: str, catalog: Catalog, cache: Cache) -> str:
    if name == AUTO:
        return f"{AUTO} chooses a model to separate songs with: here, name one, such as htdemucs."
    registered = [model.name for model in cache.all_models() if model.kind == "registered"]
    names = [name for name in catalog.names if name not in catalog.weights]
    looks_like_path = "/" in name or "\\" in name or name.endswith((*SUFFIXES, *BAG_SUFFIXES))
    what = f"There is no file {name}" if looks_like_path else f"There is no model {name!r}"
    hint = suggest(name, [*names, *registered]) or " `stemsplit models list` shows all there are."
    return f"{what}.{hint}"
