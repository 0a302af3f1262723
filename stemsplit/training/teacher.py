"""Songs without stems that another model labels.

Every song is separated once and kept in the cache of decoded songs, so that excerpts of it are read
like those of any other. Its labels are judged without a reference, as `stemsplit separate --report`
judges stems, and the song counts as much as the worst of the stems that are taken from the model.

Whatever those stems leave of the song is kept as well, so that the network hears the song itself.

Shapes: S stems of the network, C audio channels, N samples.
"""

import hashlib
import json
import logging
import shutil
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from stemsplit.audio.channels import match_channels
from stemsplit.checkpoints.describe import ModelDescription, describe_model
from stemsplit.errors import AudioError, ConfigError, DatasetError
from stemsplit.evaluation.data.dataset import Track
from stemsplit.evaluation.data.derived import WITHOUT_VOCALS
from stemsplit.evaluation.data.sources import FileSource
from stemsplit.evaluation.inspection import SongInspector
from stemsplit.evaluation.verdict import DEFINITION
from stemsplit.models.base import ModelConfig
from stemsplit.separation.options import SeparationOptions
from stemsplit.separation.separator import Separator, StemBlock
from stemsplit.training.excerpts import SongSet
from stemsplit.training.file_facts import file_facts
from stemsplit.training.pcm_cache import CachedSong, made_whole
from stemsplit.training.pcm_writer import SAMPLE_BYTES, WAITING_BYTES, PcmWriter
from stemsplit.training.recipe import TeacherSection
from stemsplit.training.songs import OTHER, parts_of
from stemsplit.training.unlabelled import Music, path_of

_VERSION = 1
_LEFT = "what no stem explains"  # a name that no model has for a stem

_log = logging.getLogger(__name__)

OnLabelled = Callable[[int, int, str, float], None]
"""Told the songs done, the songs in all, the name of the last one, and its score."""


@dataclass(frozen=True)
class LabelPlan:
    """How the stems of a network are made from those of a model."""

    parts: tuple[tuple[str, ...], ...]
    """Of the stems and the rest, see `stemsplit.training.songs.parts_of`."""

    leftover: int
    """The signal that is what all others leave of the song, and not a sum of stems."""

    @property
    def needed(self) -> set[str]:
        """Stems that the model has to give."""
        return {
            name for place, part in enumerate(self.parts) for name in part if place != self.leftover
        }

    def signals(self, stems: Mapping[str, Tensor], mix: Tensor) -> Tensor:
        """(S + 1, C, n) of the network from stems (C, n) of the model; they add up to the mix."""
        silence = torch.zeros_like(mix)
        rows = [
            silence if place == self.leftover else sum((stems[name] for name in part), silence)
            for place, part in enumerate(self.parts)
        ]
        rows[self.leftover] = mix - torch.stack(rows).sum(0)
        return torch.stack(rows)


def plan_labels(available: Sequence[str], wanted: Sequence[str]) -> LabelPlan:
    """How to make stems that a network is to learn.

    Args:
        available: stems of the model.
        wanted: stems of the network. Those without the vocals, and ``other``, may be missing in the
            model: they are what the other stems leave of the song.

    Raises:
        DatasetError: the model lacks another stem, or stems overlap.
    """
    derived = [
        stem for stem in wanted if stem not in available and stem in (*WITHOUT_VOCALS, OTHER)
    ]
    lacking = [stem for stem in wanted if stem not in (*available, *derived)]
    if lacking:
        # To the network its absence would mean that no song has it.
        raise DatasetError(
            f"it has no stem {' nor '.join(lacking)}, only {', '.join(available)}. Choose another "
            "teacher, or other stems with --stems."
        )
    parts = parts_of([*available, _LEFT] if derived else available, wanted)
    return LabelPlan(parts, wanted.index(derived[0]) if derived else len(wanted))


@dataclass(frozen=True)
class LabelledSongs:
    """The songs whose labels are there."""

    songs: SongSet
    left_out: tuple[str, ...]
    """Songs whose labels are not good enough, with their scores."""

    num_missing: int
    """Songs that have no labels yet."""


@dataclass
class Teacher:
    """A model, and the music that it labels."""

    section: TeacherSection
    config: ModelConfig
    """Of the network."""

    cache: Path
    """Folder of decoded songs."""

    device: torch.device
    offline: bool = False
    skip_broken: bool = False
    cancel: threading.Event = field(default_factory=threading.Event)
    """Set it from another thread to stop; finished labels stay."""

    broken: list[str] = field(default_factory=list)
    """Messages about songs that cannot be read."""

    @cached_property
    def model(self) -> ModelDescription:
        """The model.

        Raises:
            UnknownModelError: there is none of this name.
            CheckpointError: it cannot be looked up.
        """
        return describe_model(str(self.section.model), offline=self.offline)

    @cached_property
    def plan(self) -> LabelPlan:
        """How the stems of the network are made.

        Raises:
            ConfigError: the model does not have them.
        """
        try:
            return plan_labels(self.model.stems, self.config.stems)
        except DatasetError as error:
            raise ConfigError(f"{self.model.name} cannot be the teacher: {error}") from None

    @cached_property
    def music(self) -> Music:
        """What it labels."""
        return Music(self.section.sources)

    def label(
        self, share: slice, *, most: int | None = None, on_labelled: OnLabelled | None = None
    ) -> None:
        """Label the songs that have no labels yet.

        Args:
            share: which of the songs are this process's.
            most: how many to label at most.
            on_labelled: told about every song that is done.

        Raises:
            AudioError: a song cannot be read, and broken songs are not to be skipped.
            DatasetError: there is no room for the labels.
            Cancelled: `cancel` was set.
        """
        missing = [track for track in self.music.tracks[share] if not self._is_here(track)][:most]
        missing = [track for track in missing if self._is_sound(track)]
        if not missing:
            return
        self._check_space(missing)
        options = SeparationOptions(device=str(self.device), stems=self._asked_for())
        separator = Separator(
            str(self.section.model), options, offline=self.offline, cancel=self.cancel
        )
        for done, track in enumerate(missing, start=1):
            try:
                score = self._label(separator, track)
            except AudioError as error:
                self._leave_out(track, error)
                continue
            if on_labelled is not None:
                on_labelled(done, len(missing), track.name, score)

    def labelled(self) -> LabelledSongs:
        """The songs with labels that are good enough.

        Raises:
            DatasetError: there are none.
        """
        songs = [
            CachedSong(track.name, self._folder(track))
            for track in self.music.tracks
            if self._is_here(track)
        ]
        scores = {song.folder: float(song.facts["score"]) for song in songs}
        kept = tuple(song for song in songs if scores[song.folder] >= self.section.min_score)
        if not kept:
            raise DatasetError(
                f"None of {len(songs)} songs that {self.model.name} labelled reaches "
                f"teacher.min_score={self.section.min_score:g}; the best has "
                f"{max(scores.values(), default=0):g}."
            )
        return LabelledSongs(
            songs=SongSet(kept, weight=self.section.weight),
            left_out=tuple(
                f"{song.name} ({scores[song.folder]:g})" for song in songs if song not in kept
            ),
            num_missing=len(self.music.tracks) - len(self.broken) - len(songs),
        )

    def _label(self, separator: Separator, track: Track) -> float:
        """Separate a song into the cache; its score."""
        config = self.config
        song = separator.prepare(path_of(track), sample_rate=config.sample_rate)
        inspector = SongInspector(separator, song)
        with (
            made_whole(self._folder(track)) as making,
            PcmWriter(making, len(self.plan.parts), config.channels) as writer,
        ):
            for block in separator.stream_prepared(song, with_mix=True):
                inspector.update(block)
                writer.write(self._signals(block))
            quality = inspector.finish()
            scores = {name: quality[name].score for name in sorted(self.plan.needed)}
            facts = {"teacher": self.model.name, "score": min(scores.values()), "scores": scores}
            writer.finish(track.name, facts)
        return min(scores.values())

    def _signals(self, block: StemBlock) -> Tensor:
        assert block.mix is not None
        return match_channels(self.plan.signals(block.stems, block.mix), self.config.channels)

    def _asked_for(self) -> tuple[str, ...] | None:
        """Stems to ask the model for; None for all, which cost a single network nothing more."""
        needed = tuple(stem for stem in self.model.stems if stem in self.plan.needed)
        is_all = len(needed) == len(self.model.stems)
        return None if is_all or len(self.model.members) == 1 else needed

    def _is_here(self, track: Track) -> bool:
        try:
            return (self._folder(track) / "song.json").is_file()
        except OSError:  # the file went away
            return False

    def _folder(self, track: Track) -> Path:
        """Changes with the song, the weights of the model, and what is made of its stems."""
        config, plan = self.config, self.plan
        parts = [
            *(_VERSION, DEFINITION, self.model.fingerprint, self._asked_for()),
            *(config.sample_rate, config.channels, plan.parts, plan.leftover),
            file_facts(FileSource(path_of(track))),
        ]
        return self.cache / hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]

    def _is_sound(self, track: Track) -> bool:
        """Whether a file can be opened at all."""
        try:
            return track.num_samples > 0
        except AudioError as error:
            self._leave_out(track, error)
            return False

    def _leave_out(self, track: Track, error: AudioError) -> None:
        if not self.skip_broken:
            raise error
        _log.warning("Skipping %s: %s", track.name, error)
        self.broken.append(str(error))

    def _check_space(self, tracks: Sequence[Track]) -> None:
        """Refuse what does not fit on the disk."""
        rows = len(self.plan.parts) * self.config.channels * self.config.sample_rate
        lengths = [track.duration_seconds for track in tracks]
        needed = rows * (sum(lengths) * SAMPLE_BYTES + max(lengths) * WAITING_BYTES)
        self.cache.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(self.cache).free
        if needed > free:
            raise DatasetError(
                f"The labels of {len(tracks)} songs need {needed / 1e9:.1f} GB more in "
                f"{self.cache}, which has {free / 1e9:.1f} GB free. Choose another folder with "
                "--set data.cache_dir=DIR."
            )
