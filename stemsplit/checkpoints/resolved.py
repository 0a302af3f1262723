"""What a name stands for: networks, where their weights are, and how they answer together."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from stemsplit.checkpoints.catalog import PublishedFile
from stemsplit.errors import UnknownModelError, suggest


@dataclass(frozen=True, kw_only=True)
class Member:
    """One network of a model and where its weights are."""

    id: str
    """Identifier in the cache; for a file read in place, its name."""
    architecture: str
    path: Path | None = None
    """File that is read in place, outside the cache."""
    files: tuple[PublishedFile, ...] = ()
    """Where the weights can be fetched, best first; or what is published of the package's own."""
    variant: str | None = None
    licence: str | None = None
    trained_on: str | None = None
    trained_sets: tuple[str, ...] = ()

    @property
    def is_bundled(self) -> bool:
        """Whether the weights come with the package."""
        return any(file.bundled is not None for file in self.files)

    @property
    def is_there(self) -> bool:
        """Whether the file that is read in place exists; True where there is no such file."""
        return self.path is None or self.path.is_file()

    @property
    def download_bytes(self) -> int | None:
        """Length of the file to fetch, where it is known."""
        return next((file.bytes for file in self.files if file.bytes is not None), None)


@dataclass(frozen=True, kw_only=True)
class ResolvedModel:
    """What a name stands for."""

    name: str
    kind: str
    """`catalogue`, `registered`, `path` or `hub`."""
    summary: str
    members: tuple[Member, ...]
    stems: tuple[str, ...]
    stem_weights: tuple[tuple[float, ...], ...]
    """One row per member, one column per stem."""
    sample_rate: int
    channels: int
    segment_seconds: float | None = None
    aliases: tuple[str, ...] = ()
    is_recommended: bool = False
    deprecated_by: str | None = None

    @property
    def licence(self) -> str | None:
        """Terms of the weights, where known; of several, all."""
        return joined(member.licence for member in self.members)

    @property
    def trained_on(self) -> str | None:
        """Training data of the weights, where known; of several, all."""
        return joined(member.trained_on for member in self.members)

    @property
    def trained_sets(self) -> tuple[str, ...]:
        """Public data sets among the training data of any network, as `set:split`."""
        names = (name for member in self.members for name in member.trained_sets)
        return tuple(dict.fromkeys(names))

    def needed(self, stems: Sequence[str] | None) -> tuple[int, ...]:
        """Positions of the members that have a say in any of these stems; None means all stems.

        Raises:
            UnknownModelError: the model has no such stem.
        """
        columns = self._columns(stems)
        rows = enumerate(self.stem_weights)
        return tuple(i for i, row in rows if any(row[column] for column in columns))

    def _columns(self, stems: Sequence[str] | None) -> tuple[int, ...]:
        for stem in stems or ():
            if stem not in self.stems:
                hint = suggest(stem, self.stems)
                raise UnknownModelError(
                    f"{self.name} has no stem {stem!r}; it has {', '.join(self.stems)}.{hint}"
                )
        return tuple(i for i, stem in enumerate(self.stems) if stems is None or stem in stems)


def without_repeats(model: ResolvedModel) -> ResolvedModel:
    """The same model with each network once: what its places weighed together, it weighs alone.

    Bags of demucs name a network several times to weigh it more, and then run it several times.
    """
    rows: dict[str, tuple[float, ...]] = {}
    for member, row in zip(model.members, model.stem_weights, strict=True):
        before = rows.get(member.id, (0.0,) * len(row))
        rows[member.id] = tuple(a + b for a, b in zip(before, row, strict=True))
    members = {member.id: member for member in model.members}
    return replace(
        model, members=tuple(members.values()), stem_weights=tuple(rows[name] for name in members)
    )


def joined(values: Iterable[str | None]) -> str | None:
    """What is known of the terms or the training data of several networks, each text once."""
    distinct: Mapping[str, None] = dict.fromkeys(value for value in values if value)
    return " / ".join(distinct) or None
