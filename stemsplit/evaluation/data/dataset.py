"""A data set: songs with their stems, whatever the folders look like."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import overload

from stemsplit.errors import DatasetError, suggest
from stemsplit.evaluation.data.derived import without_sums
from stemsplit.evaluation.data.sources import Source, SummedSource

MIX_NAMES = ("mixture", "mix", "linear_mixture")  # what the file of a mix is called, best first


@dataclass(frozen=True, kw_only=True)
class Track:
    """A song with its stems. Nothing is opened before it is asked for."""

    name: str
    """Of the song; unique in its data set."""

    split: str
    """The part of the data set it belongs to, such as train, valid or test; empty for none."""

    stems: Mapping[str, Source]
    """Stem name to its signal. Sums of other stems that are there too are left out, such as an
    instrumental beside drums and bass, so that the rest adds up to the mix."""

    stored_mix: Source | None = None
    """The mix, where there is a file of it."""

    def __post_init__(self) -> None:
        kept = {name: self.stems[name] for name in without_sums(self.stems)}
        object.__setattr__(self, "stems", kept)

    @property
    def mix(self) -> Source:
        """The mix: the stored one, else the sum of the stems."""
        return self.stored_mix or SummedSource(tuple(self.stems.values()))

    @property
    def sample_rate(self) -> int:
        """Of the mix, in Hz."""
        return self.mix.sample_rate

    @property
    def num_samples(self) -> int:
        """Length of the mix at its own rate, as announced by its files."""
        return self.mix.num_samples

    @property
    def duration_seconds(self) -> float:
        """Length of the mix."""
        mix = self.mix
        return mix.num_samples / mix.sample_rate


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """The tracks of one split of a data set, in the order of their names."""

    name: str
    """What it is: musdb18, musdb18hq, moisesdb, or the name of its folder."""

    path: Path
    """Its folder, or its table."""

    split: str
    """The split that was taken, several joined by ``+``; empty for everything."""

    splits: tuple[str, ...]
    """The splits that it has; empty where it has none."""

    layout: str
    """How it lies on disk, in a few words."""

    tracks: tuple[Track, ...]
    """The songs; one at least."""

    @property
    def key(self) -> str:
        """The set and its split, as results name them: `musdb18hq:test`."""
        return f"{self.name}:{self.split}"

    @property
    def stems(self) -> tuple[str, ...]:
        """All stems that any track has, in the order in which they first appear."""
        return tuple(dict.fromkeys(stem for track in self.tracks for stem in track.stems))

    def __len__(self) -> int:
        return len(self.tracks)

    def __iter__(self) -> Iterator[Track]:
        return iter(self.tracks)

    @overload
    def __getitem__(self, key: int) -> Track: ...
    @overload
    def __getitem__(self, key: str) -> Track: ...
    def __getitem__(self, key: int | str) -> Track:
        """A track by its place or its name.

        Raises:
            DatasetError: there is no track of this name.
            IndexError: there is no such place.
        """
        if isinstance(key, int):
            return self.tracks[key]
        found = next((track for track in self.tracks if track.name == key), None)
        if found is None:
            names = [track.name for track in self.tracks]
            raise DatasetError(
                f"There is no track {key} in {self.path}.{suggest(key, names)} "
                f"It has {len(names)} tracks."
            )
        return found
