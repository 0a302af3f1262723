"""The songs of a training: those it learns from, and those it is judged by, kept apart.

No song can be on both sides: files and names are compared, over all data sets, and songs of the
test part of MUSDB18 are refused under any name of the folder they lie in.
"""

import hashlib
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from stemsplit.errors import AudioError, DatasetError
from stemsplit.evaluation.data.dataset import Dataset, Track
from stemsplit.evaluation.data.find import open_dataset
from stemsplit.evaluation.data.layouts import CODED
from stemsplit.evaluation.data.musdb import TEST_TRACKS, are_from_musdb
from stemsplit.evaluation.standing import song_set
from stemsplit.models.base import ModelConfig
from stemsplit.training.excerpts import SongSet
from stemsplit.training.pcm_cache import PcmCache, files_of
from stemsplit.training.recipe import DataSection, SourceSection, ValidationSection
from stemsplit.training.songs import FileSong, Song

_PUBLIC = ("musdb", "moisesdb")
_HELD_OUT = 0.1  # of the songs of a set without parts

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Corpus:
    """What a training hears."""

    training: tuple[SongSet, ...]
    validation: tuple[Song, ...]
    names: tuple[str, ...]
    """The data sets, with the part that is learnt from, as a model card names them."""

    held_out: tuple[str, ...] = ()
    """Songs that were kept for validation where the data set does not say which to keep."""

    public_sets: tuple[str, ...] = ()
    """MUSDB and MoisesDB, as far as they are learnt from, as `set:split` of the catalogue."""

    broken: tuple[str, ...] = ()
    """Messages about songs that are left out."""

    labelled: str = ""
    """What a model card says about songs that a teacher labelled."""

    @property
    def training_samples(self) -> int:
        """Length of all songs to learn from, at the rate of the network."""
        return sum(song.num_samples for part in self.training for song in part.songs)


def open_corpus(
    data: DataSection,
    validation: ValidationSection,
    config: ModelConfig,
    *,
    cache: PcmCache | None = None,
    on_song: Callable[[int, int, str], None] | None = None,
    unlabelled: Sequence[Track] = (),
) -> Corpus:
    """Open all data sets of a recipe, look at every song, and keep the two sides apart.

    Args:
        data: what to learn from.
        validation: what to validate with.
        config: of the network, whose stems, channels and rate the songs must give.
        cache: decodes songs once, where it is given.
        on_song: told the songs done, the songs in all, and the name of the next one.
        unlabelled: songs without stems that will be learnt from as well, under all their names;
            they are only kept apart here.

    Raises:
        DatasetError: a data set is not there, has no songs for one of the sides, or a song is on
            both.
        AudioError: a song cannot be read, and broken songs are not to be skipped.
    """
    if not data.sources and not unlabelled:
        raise DatasetError("There is nothing to train with: name a data set with --data.")
    sides = [_split(source, validation) for source in data.sources]
    learnt = [tracks for tracks, _, _ in sides]
    judged = [track for _, tracks, _ in sides for track in tracks]
    if validation.sources:
        judged = [track for source in validation.sources for track in _open(source)]
    _keep_apart([*(track for tracks in learnt for track in tracks), *unlabelled], judged)
    judged = judged[: validation.max_songs]
    if not judged:
        raise DatasetError(
            "There are no songs to validate with: put some into a folder 'valid', or name a data "
            "set under [[validation.sources]]."
        )
    reader = _Reader(config, data.skip_broken, cache, on_song, sum(map(len, learnt)) + len(judged))
    training = tuple(
        SongSet(reader.songs(tracks), weight=source.weight)
        for source, tracks in zip(data.sources, learnt, strict=True)
    )
    return Corpus(
        training=training,
        validation=reader.songs(judged),
        names=tuple(f"{Path(source.path).name}:{source.split}" for source in data.sources),
        public_sets=_public_sets(data.sources),
        held_out=tuple(name for _, _, names in sides for name in names),
        broken=tuple(reader.broken),
    )


def _split(
    source: SourceSection, validation: ValidationSection
) -> tuple[list[Track], list[Track], list[str]]:
    """Tracks to learn from, tracks to validate with, and which of the latter we chose ourselves."""
    dataset = _dataset(source)
    learnt = list(dataset)
    if validation.sources:
        return learnt, [], []
    if dataset.splits and any(dataset.splits):
        has_valid = "valid" in dataset.splits
        return learnt, list(open_dataset(source.path, "valid")) if has_valid else [], []
    held_out = _held_out([track.name for track in learnt])
    rest = [track for track in learnt if track.name not in held_out]
    if not rest:
        raise DatasetError(
            f"{source.path} has one song only: at least two are needed, one to validate with."
        )
    return rest, [track for track in learnt if track.name in held_out], sorted(held_out)


def _held_out(names: Sequence[str]) -> set[str]:
    """A tenth of the songs, one at least; the same ones whatever else is in the set."""
    ranked = sorted(names, key=lambda name: hashlib.sha256(name.encode()).digest())
    return set(ranked[: max(1, round(_HELD_OUT * len(ranked)))])


def _open(source: SourceSection) -> list[Track]:
    return list(_dataset(source))


def _dataset(source: SourceSection) -> Dataset:
    dataset = open_dataset(source.path)
    if any(dataset.splits) and dataset.split != source.split:
        dataset = open_dataset(source.path, source.split)
    return dataset


def _public_sets(sources: Iterable[SourceSection]) -> tuple[str, ...]:
    found = []
    for source in sources:
        dataset = _dataset(source)
        names = [track.name for track in open_dataset(source.path, "all")]
        if dataset.layout == CODED and not are_from_musdb(names):
            continue  # any songs can be in such files
        found += [song_set(dataset.name, (track.name, track.split)) for track in dataset]
    return tuple(name for name in dict.fromkeys(found) if name.partition(":")[0] in _PUBLIC)


def _keep_apart(learnt: Sequence[Track], judged: Sequence[Track]) -> None:
    for track in (*learnt, *judged):  # the best weights by test songs would be fitted to them
        if track.split == "test" or _plain(track.name) in _TEST_NAMES:
            raise DatasetError(
                f"{track.name} belongs to the test part of its data set, which is for "
                "'stemsplit eval': train and validate with other parts."
            )
    names = {_plain(track.name): track for track in judged}
    files = {file for track in judged for file in _files(track)}
    for track in learnt:
        if _plain(track.name) in names or files.intersection(_files(track)):
            raise DatasetError(
                f"{track.name} would be learnt and validated with: its scores would say nothing. "
                "Take it out of one of the data sets."
            )


def _plain(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())


_TEST_NAMES = frozenset(map(_plain, TEST_TRACKS))


def _files(track: Track) -> Iterable[Path]:
    for source in (*track.stems.values(), track.mix):
        for file in files_of(source):
            yield file.path.resolve()


class _Reader:
    """Turns tracks into songs, and notes those that cannot be read."""

    def __init__(
        self,
        config: ModelConfig,
        skip_broken: bool,
        cache: PcmCache | None,
        on_song: Callable[[int, int, str], None] | None,
        total: int,
    ) -> None:
        self._config = config
        self._skip_broken = skip_broken
        self._cache = cache
        self._on_song = on_song
        self._total = total
        self._done = 0
        self.broken: list[str] = []

    def songs(self, tracks: Sequence[Track]) -> tuple[Song, ...]:
        """Those of the tracks that can be read."""
        config = self._config
        files = [
            FileSong(track, config.stems, config.channels, config.sample_rate) for track in tracks
        ]
        if self._cache is not None:
            self._cache.check_space(files)
        found = []
        for song in files:
            if self._on_song is not None:
                self._on_song(self._done, self._total, song.name)
            self._done += 1
            try:
                found.append(self._read(song))
            except (AudioError, DatasetError) as error:
                if not self._skip_broken:
                    raise
                _log.warning("Skipping %s: %s", song.name, error)
                self.broken.append(str(error))
        return tuple(found)

    def _read(self, song: FileSong) -> Song:
        read = song if self._cache is None else self._cache.get(song)
        read.read(0, 1)
        return read
