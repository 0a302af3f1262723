"""What a model is, before anything of it is loaded: for listings, and to check options before work.

Nothing here imports torch.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from stemsplit.checkpoints.bundled import card_of
from stemsplit.checkpoints.cache import Cache, StoredWeights, sha256_of
from stemsplit.checkpoints.catalog import load_catalog
from stemsplit.checkpoints.resolve import from_catalog, from_stored, resolve
from stemsplit.checkpoints.resolved import Member, ResolvedModel


@dataclass(frozen=True, kw_only=True)
class MemberDescription:
    """One network of a model."""

    id: str
    architecture: str
    stems: tuple[str, ...]
    """Stems it has a say in."""
    is_cached: bool
    """Whether it can be used without the network."""
    path: Path | None
    """Where the weights are, if they are here."""
    bytes: int | None
    """Length on this disk, or else of the download, where known."""
    sha256: str | None
    """Of the published file: 64 digits, or the 8 that its publisher states."""
    addresses: tuple[str, ...]
    """Where the weights can be fetched, best first."""


@dataclass(frozen=True, kw_only=True)
class ModelDescription:
    """A model, as far as it is known without loading it."""

    name: str
    kind: str
    """`catalogue`, `registered`, `path` or `hub`."""
    summary: str
    aliases: tuple[str, ...]
    stems: tuple[str, ...]
    stem_weights: tuple[tuple[float, ...], ...]
    sample_rate: int
    channels: int
    segment_seconds: float | None
    """Length of a forward pass, where the ensemble overrides the networks' own."""
    members: tuple[MemberDescription, ...]
    licence: str | None
    trained_on: str | None
    trained_sets: tuple[str, ...]
    """The public part of it, as `set:split`; empty where nothing is known."""
    has_musdb_test: bool
    """Whether MUSDB test songs were among the training data: scores on them mean nothing."""
    is_recommended: bool
    deprecated_by: str | None
    card: Path | None
    """What there is to read about weights that come with the package."""
    fingerprint: str
    """Changes when any weights or stem weights change; the same before and after a download."""

    @property
    def is_cached(self) -> bool:
        """Whether the model can be used without the network."""
        return all(member.is_cached for member in self.members)

    @property
    def stored_bytes(self) -> int:
        """What the model takes on this disk."""
        return sum(member.bytes or 0 for member in self.members if member.is_cached)

    def missing_bytes(self, stems: Sequence[str] | None = None) -> int | None:
        """What has to be downloaded for these stems; None where a length is not known."""
        missing = [
            member.bytes
            for member in self.members
            if not member.is_cached and (stems is None or set(stems) & set(member.stems))
        ]
        return None if None in missing else sum(length or 0 for length in missing)


def describe_model(
    name: str, *, repo: Path | None = None, offline: bool = False, cache: Cache | None = None
) -> ModelDescription:
    """What a model is.

    Args:
        name: as `resolve` takes it.
        repo: as `resolve` takes it.
        offline: whether the hub may not be asked about repositories that are not in the cache.
        cache: where weights are kept; None takes the user's.

    Raises:
        UnknownModelError: nothing has this name; the message offers the nearest.
        CatalogFormatError: a bag's YAML file is faulty.
        CheckpointError: a file of weights is faulty, or the hub cannot be asked.
    """
    cache = cache or Cache()
    return describe(resolve(name, repo=repo, cache=cache, offline=offline), cache)


def list_models(cache: Cache | None = None) -> tuple[ModelDescription, ...]:
    """Every model of the catalogue, then those the user registered or fetched from the hub."""
    cache = cache or Cache()
    catalog = load_catalog()
    published = [from_catalog(entry, catalog) for entry in catalog.models.values()]
    own = [from_stored(stored) for stored in cache.all_models()]
    return tuple(describe(model, cache) for model in (*published, *own))


def describe(model: ResolvedModel, cache: Cache) -> ModelDescription:
    """What a resolved model is, with what the cache has of it."""
    stored = {member.id: cache.find(member.id) for member in model.members if not member.path}
    return ModelDescription(
        name=model.name,
        kind=model.kind,
        summary=model.summary,
        aliases=model.aliases,
        stems=model.stems,
        stem_weights=model.stem_weights,
        sample_rate=model.sample_rate,
        channels=model.channels,
        segment_seconds=model.segment_seconds,
        members=tuple(
            _describe_member(member, row, model.stems, stored.get(member.id))
            for member, row in zip(model.members, model.stem_weights, strict=True)
        ),
        licence=model.licence,
        trained_on=model.trained_on,
        trained_sets=model.trained_sets,
        has_musdb_test="musdb:test" in model.trained_sets,
        is_recommended=model.is_recommended,
        deprecated_by=model.deprecated_by,
        card=next((card for card in map(card_of, model.members) if card), None),
        fingerprint=fingerprint(model, stored),
    )


def _describe_member(
    member: Member, row: Sequence[float], stems: Sequence[str], stored: StoredWeights | None
) -> MemberDescription:
    in_place = member.path if member.is_there else None
    path = in_place or (stored.path if stored else None)
    length = stored.bytes if stored else member.download_bytes
    return MemberDescription(
        id=member.id,
        architecture=member.architecture,
        stems=tuple(stem for stem, weight in zip(stems, row, strict=True) if weight),
        is_cached=path is not None,
        path=path,
        bytes=in_place.stat().st_size if in_place else length,
        sha256=next((file.sha256 for file in member.files if file.sha256), None),
        addresses=tuple(file.address for file in member.files),
    )


def fingerprint(model: ResolvedModel, stored: Mapping[str, StoredWeights | None]) -> str:
    """A hash of everything that decides what a model answers.

    Published weights count by what the catalogue says of them, since nothing else is ever kept
    under their identifier. Files read in place count by their contents.

    Args:
        model: the model.
        stored: what the cache has of it.
    """
    members = [_identity(member, stored.get(member.id)) for member in model.members]
    parts = [members, model.stem_weights, model.stems, model.segment_seconds]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _identity(member: Member, stored: StoredWeights | None) -> list[str | None]:
    if member.path is not None and not member.is_bundled:
        return [sha256_of(member.path)]
    if member.files:
        return [member.id, *(file.sha256 or file.address for file in member.files)]
    return [member.id, stored.origin_sha256 if stored else None]
