"""The songs of a training: those it learns from, and those it is judged by, kept apart.

No song can be on both sides, see `stemsplit.training.sides`.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from stemsplit.errors import AudioError, DatasetError
from stemsplit.evaluation.data.dataset import Track
from stemsplit.evaluation.data.find import open_dataset
from stemsplit.evaluation.data.layouts import CODED
from stemsplit.evaluation.data.musdb import are_from_musdb
from stemsplit.evaluation.standing import song_set
from stemsplit.models.base import ModelConfig
from stemsplit.training.excerpts import SongSet
from stemsplit.training.pcm_cache import PcmCache
from stemsplit.training.recipe import (
    SYNTH,
    DataSection,
    PretrainSection,
    SourceSection,
    ValidationSection,
)
from stemsplit.training.sides import (
    Candidate,
    judges,
    keep_apart,
    open_part,
    sides_of_music,
    sides_of_sources,
    take_in_turn,
)
from stemsplit.training.song_notes import SongNotes
from stemsplit.training.songs import FileSong, Song
from stemsplit.training.synth.endless import SynthSong
from stemsplit.training.synth.sources import SOURCES, available
from stemsplit.training.unlabelled import Music

_PUBLIC = ("musdb", "moisesdb")

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

    about: tuple[str, ...] = ()
    """What a model card says about songs that are from no data set."""

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
    pretrain: PretrainSection | None = None,
    notes: SongNotes | None = None,
) -> Corpus:
    """Open all data sets of a recipe, look at every song, and keep the two sides apart.

    Args:
        data: what to learn from.
        validation: what to validate with.
        config: of the network, whose stems, channels and rate the songs must give.
        cache: decodes songs once, where it is given; generated songs stay as they are.
        on_song: told the songs done, the songs in all, and the name of the next one.
        unlabelled: songs without stems that will be learnt from as well, under all their names;
            they are only kept apart here.
        pretrain: names music without stems to learn from, all of which becomes the rest.
        notes: of songs that are not in the cache; those it knows are not read.

    Raises:
        DatasetError: a data set is not there, has no songs for one of the sides, or a song is on
            both.
        AudioError: a song cannot be read, and broken songs are not to be skipped.
        ConfigError: generated songs do not fit the network.
    """
    pretrain = pretrain or PretrainSection()
    music = Music(pretrain.sources)
    if not data.sources and not unlabelled and not music.sources:
        raise DatasetError("There is nothing to train with: name a data set with --data.")
    sets = sides_of_sources(data, validation, config)
    wholes = sides_of_music(music, pretrain.weight, validation)
    judges_of = [*judges(data, validation, config), *(one.judged for one in sets)]
    judged: Sequence[Candidate] = [track for one in judges_of for track in one]
    keep_apart([*(track for one in sets for track in one.learnt), *unlabelled], judged)
    keep_apart(music.aliases, judged)
    wholes_judged = [track for one in wholes for track in one.judged]
    keep_apart([track for one in (*sets, *wholes) for track in one.learnt], wholes_judged)
    parts = [*sets, *wholes]
    judged = take_in_turn([*judges_of, wholes_judged], validation.max_songs)
    if not judged:
        raise DatasetError(
            "There are no songs to validate with: put some into a folder 'valid', or name a data "
            "set under [[validation.sources]]."
        )
    total = sum(len(one.learnt) for one in parts) + len(judged)
    reader = _Reader(config, data.skip_broken, cache, notes, on_song, total)
    training = tuple(SongSet(reader.songs(one.learnt), weight=one.weight) for one in parts)
    return Corpus(
        training=training,
        validation=reader.songs(judged),
        names=tuple(one.name for one in parts),
        public_sets=_public_sets(data.sources),
        held_out=tuple(name for one in parts for name in one.held_out),
        broken=tuple(reader.broken),
        about=_about_generated(data),
    )


def _public_sets(sources: Iterable[SourceSection]) -> tuple[str, ...]:
    found = []
    for source in sources:
        if source.path == SYNTH:
            continue
        dataset = open_part(source)
        names = [track.name for track in open_dataset(source.path, "all")]
        if dataset.layout == CODED and not are_from_musdb(names):
            continue  # any songs can be in such files
        found += [song_set(dataset.name, (track.name, track.split)) for track in dataset]
    return tuple(name for name in dict.fromkeys(found) if name.partition(":")[0] in _PUBLIC)


def _about_generated(data: DataSection) -> tuple[str, ...]:
    if all(source.path != SYNTH for source in data.sources):
        return ()
    sounds = "; ".join(f"{SOURCES[name].summary} ({SOURCES[name].licence})" for name in available())
    return (
        f"{data.synth.songs} songs (seed {data.synth.seed}) are made by stemsplit while they are "
        f"learnt from, as by `stemsplit data synth`. Their sounds: {sounds}.",
    )


class _Reader:
    """Turns tracks into songs, and notes those that cannot be read."""

    def __init__(
        self,
        config: ModelConfig,
        skip_broken: bool,
        cache: PcmCache | None,
        notes: SongNotes | None,
        on_song: Callable[[int, int, str], None] | None,
        total: int,
    ) -> None:
        self._config = config
        self._skip_broken = skip_broken
        self._cache = cache
        self._notes = notes
        self._on_song = on_song
        self._total = total
        self._done = 0
        self.broken: list[str] = []

    def songs(self, tracks: Sequence[Candidate]) -> tuple[Song, ...]:
        """Those of the tracks that can be read."""
        made = [song for song in tracks if isinstance(song, SynthSong)]
        files = [self._file_song(track) for track in tracks if isinstance(track, Track)]
        if self._cache is not None:
            self._cache.check_space(files)
        self._done += len(made)
        found: list[Song] = [*made]
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

    def _file_song(self, track: Track) -> FileSong:
        config = self._config
        return FileSong(track, config.stems, config.channels, config.sample_rate, self._notes)

    def _read(self, song: FileSong) -> Song:
        if self._cache is None:
            song.check()
            return song
        cached = self._cache.get(song)
        cached.read(0, 1)
        return cached
