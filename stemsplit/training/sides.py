"""Which songs a training learns from, and which it is judged by: never the same ones.

Files and names are compared over all data sets, and songs of the test part of MUSDB18 and of
generated sets are refused under any name of the folder they lie in.
"""

import hashlib
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from stemsplit.errors import DatasetError
from stemsplit.evaluation.data.dataset import Dataset, Track
from stemsplit.evaluation.data.find import open_dataset
from stemsplit.evaluation.data.musdb import TEST_TRACKS
from stemsplit.models.base import ModelConfig
from stemsplit.training.file_facts import files_of
from stemsplit.training.recipe import SYNTH, DataSection, SourceSection, ValidationSection
from stemsplit.training.synth.endless import SynthSong, synth_songs
from stemsplit.training.unlabelled import Music

_HELD_OUT = 0.1  # of the songs of a set without parts
_MADE_TO_VALIDATE = 10  # generated songs, unless the recipe says how many

Candidate = Track | SynthSong

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Sides:
    """The songs of one data set."""

    name: str
    """With the part that is learnt from, as a model card names it."""

    weight: float
    """How often it is drawn, relative to the others."""

    learnt: tuple[Candidate, ...]
    judged: tuple[Candidate, ...]
    """Those that it brings along to validate with."""

    held_out: tuple[str, ...] = ()
    """Which of the latter were chosen here, as the data set does not say."""


def sides_of_sources(
    data: DataSection, validation: ValidationSection, config: ModelConfig
) -> list[Sides]:
    """The songs of every source to learn from; none to validate with if the recipe names those.

    Raises:
        DatasetError: a data set is not there, or too small.
        ConfigError: generated songs do not fit the network.
    """
    found = []
    for source in data.sources:
        if source.path == SYNTH:
            found.append(_of_generated(source, data, validation, config))
        else:
            found.append(_of_dataset(source, validation))
    return found


def sides_of_music(music: Music, weight: float, validation: ValidationSection) -> list[Sides]:
    """The songs of music without stems, if there is any.

    Raises:
        AudioError: a folder is not there, or holds no music.
        DatasetError: there is only one song.
    """
    tracks = music.tracks
    if not tracks:
        return []
    name = f"{len(tracks)} songs without stems"
    if validation.sources:
        return [Sides(name, weight, tracks, ())]
    return [_held_back(name, weight, tracks, ", ".join(music.sources))]


def judges(
    data: DataSection, validation: ValidationSection, config: ModelConfig
) -> list[tuple[Candidate, ...]]:
    """The songs of every source that a recipe names to validate with."""
    return [
        _generated(source.split, _number(validation), data, config)
        if source.path == SYNTH
        else tuple(open_part(source))
        for source in validation.sources
    ]


def take_in_turn(sets: Sequence[Sequence[Candidate]], at_most: int | None) -> tuple[Candidate, ...]:
    """Songs of all sets, one by one from each in turn until there are enough; None takes all."""
    places = sorted((place, number) for number, one in enumerate(sets) for place in range(len(one)))
    taken = set(places[:at_most])
    return tuple(
        track
        for number, one in enumerate(sets)
        for place, track in enumerate(one)
        if (place, number) in taken
    )


def keep_apart(learnt: Iterable[Candidate], judged: Sequence[Candidate]) -> None:
    """Refuse songs that would be learnt and validated with, and those of a test.

    Raises:
        DatasetError: there is such a song; the message names it.
    """
    learnt = tuple(learnt)
    for track in (*learnt, *judged):  # the best weights by test songs would be fitted to them
        if track.split == "test" or _is_for_tests(track.name):
            raise DatasetError(
                f"{track.name} belongs to the test part of its data set, which is for "
                "'stemsplit eval': train and validate with other parts."
            )
    names = {_plain(track.name) for track in judged}
    files = {file for track in judged for file in _files(track)}
    for track in learnt:
        if _plain(track.name) in names or files.intersection(_files(track)):
            raise DatasetError(
                f"{track.name} would be learnt and validated with: its scores would say nothing. "
                "Take it out of one of the data sets."
            )


def _of_dataset(source: SourceSection, validation: ValidationSection) -> Sides:
    dataset = open_part(source)
    name, learnt = f"{Path(source.path).name}:{source.split}", tuple(dataset)
    if validation.sources:
        return Sides(name, source.weight, learnt, ())
    if any(dataset.splits):
        has_valid = "valid" in dataset.splits
        judged = tuple(open_dataset(source.path, "valid")) if has_valid else ()
        return Sides(name, source.weight, learnt, judged)
    return _held_back(name, source.weight, learnt, source.path)


def _of_generated(
    source: SourceSection,
    data: DataSection,
    validation: ValidationSection,
    config: ModelConfig,
) -> Sides:
    if Path(SYNTH).is_dir():
        _log.warning("The songs of %s are made anew; its folder here is ./%s.", SYNTH, SYNTH)
    learnt = _generated(source.split, data.synth.songs, data, config)
    judged = () if validation.sources else _generated("valid", _number(validation), data, config)
    name = f"{data.synth.songs} generated songs (seed {data.synth.seed}, {source.split})"
    return Sides(name, source.weight, learnt, judged)


def _generated(
    split: str, number: int, data: DataSection, config: ModelConfig
) -> tuple[SynthSong, ...]:
    return synth_songs(
        number,
        seed=data.synth.seed,
        split=split,
        stems=config.stems,
        sample_rate=config.sample_rate,
        channels=config.channels,
    )


def _number(validation: ValidationSection) -> int:
    return validation.max_songs or _MADE_TO_VALIDATE


def _held_back(name: str, weight: float, tracks: Sequence[Track], where: str) -> Sides:
    """A tenth of the songs is for validation, one at least; the same whatever else is there."""
    # Names that are told apart by spelling alone stay together, as `keep_apart` demands.
    first = {_plain(name): name for name in sorted((track.name for track in tracks), reverse=True)}
    ranked = sorted(first, key=lambda one: hashlib.sha256(first[one].encode()).digest())
    chosen = set(ranked[: max(1, round(_HELD_OUT * len(ranked)))])
    learnt = tuple(track for track in tracks if _plain(track.name) not in chosen)
    if not learnt:
        raise DatasetError(
            f"{where} has one song only: at least two are needed, one to validate with."
        )
    judged = tuple(track for track in tracks if _plain(track.name) in chosen)
    return Sides(name, weight, learnt, judged, tuple(sorted({track.name for track in judged})))


def open_part(source: SourceSection) -> Dataset:
    """The part of a data set that a source names.

    Raises:
        DatasetError: it is not there.
    """
    dataset = open_dataset(source.path)
    if any(dataset.splits) and dataset.split != source.split:
        dataset = open_dataset(source.path, source.split)
    return dataset


def _plain(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())


_TEST_NAMES = frozenset(map(_plain, TEST_TRACKS))


def _is_for_tests(name: str) -> bool:
    return _plain(name) in _TEST_NAMES or name.startswith("synth test ")


def _files(track: Candidate) -> Iterable[Path]:
    if isinstance(track, SynthSong):
        return
    for source in (*track.stems.values(), track.mix):
        for file in files_of(source):
            yield file.path.resolve()
