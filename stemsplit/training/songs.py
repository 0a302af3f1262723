"""Songs with the stems that a network is to learn, read in stretches.

A network need not learn all of a song. What it does not learn is kept as one more signal, the rest,
so that the mix is always the sum of what was read.

Shapes: S stems, C audio channels, N samples.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import torch
from torch import Tensor

from stemsplit.audio.channels import match_channels
from stemsplit.errors import DatasetError
from stemsplit.evaluation.data.dataset import Track
from stemsplit.evaluation.data.derived import VOCALS, WITHOUT_VOCALS, without_sums
from stemsplit.evaluation.data.sources import Source, in_step
from stemsplit.training.song_notes import SongNote, SongNotes

OTHER = "other"
WHOLE = "mix"  # the only stem of a song without stems
_SILENCE = 1e-10  # squared full scale


class Song(Protocol):
    """A song that can be read anywhere."""

    @property
    def name(self) -> str:
        """Of the song, with the data set it is from."""

    @property
    def num_samples(self) -> int:
        """N of the whole song, at the network's rate."""

    @property
    def level(self) -> float:
        """Deviation of the mono mix of the whole song; 1 for silence."""

    def read(self, start: int, num_samples: int) -> Tensor:
        """A stretch of all stems.

        Args:
            start: first sample, at the network's rate.
            num_samples: length.

        Returns:
            (S + 1, C, num_samples): the stems, then the rest; zeros after the end of the song.

        Raises:
            AudioError: a file cannot be read.
        """


def parts_of(available: Sequence[str], wanted: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """Which stems of a song make up every stem of a network.

    A stem is the one of the same name. ``instrumental``, ``accompaniment`` and ``no_vocals`` are
    all stems but the vocals; ``other`` is all that is neither drums, bass nor vocals, nor asked for
    by its own name. A sum of other stems of the song is none of its parts.

    Args:
        available: stems of the song.
        wanted: stems of the network.

    Returns:
        For every wanted stem, and then for the rest, the available stems to add up; none for a
        stem that the song is silent on.

    Raises:
        DatasetError: the song has none of the wanted stems, or two wanted stems share a part.
    """
    parts: list[tuple[str, ...]] = []
    available = without_sums(available)
    for stem in wanted:
        if stem in WITHOUT_VOCALS and stem not in available:
            parts.append(tuple(name for name in available if name != VOCALS))
        elif stem == OTHER:
            named = {"drums", "bass", VOCALS, *wanted} - {OTHER}
            parts.append(tuple(name for name in available if name not in named))
        else:
            parts.append(tuple(name for name in available if name == stem))
    used = [name for part in parts for name in part]
    if not used:
        raise DatasetError(
            f"there are no stems {', '.join(wanted)} among {', '.join(available) or 'none'}."
        )
    if len(set(used)) < len(used):
        raise DatasetError(f"the stems {', '.join(wanted)} overlap.")
    return (*parts, tuple(name for name in available if name not in used))


@dataclass
class LevelSums:
    """What the level of a song is made of."""

    num_samples: int = 0
    total: float = 0.0
    squares: float = 0.0

    def add(self, stems: Tensor) -> None:
        """Take a stretch (S, C, n) of all stems into account."""
        mono = stems.sum(0).mean(0).double()
        self.num_samples += mono.numel()
        self.total += mono.sum().item()
        self.squares += mono.square().sum().item()

    @property
    def level(self) -> float:
        """See `Song`."""
        mean = self.total / max(1, self.num_samples)
        variance = self.squares / max(1, self.num_samples) - mean**2
        return math.sqrt(variance) if variance > _SILENCE else 1.0


@dataclass(frozen=True)
class FileSong:
    """A track of a data set, decoded where it is read."""

    track: Track
    stems: tuple[str, ...]
    """Stems of the network."""

    channels: int
    """C of what is read."""

    sample_rate: int
    """In Hz; files of other rates are resampled."""

    notes: SongNotes | None = None
    """Where its length and its level are kept; None finds them out each time."""

    @property
    def name(self) -> str:
        """See `Song`."""
        return self.track.name

    @cached_property
    def num_samples(self) -> int:
        """See `Song`."""
        note = self._note()
        if note is not None:
            return note.num_samples
        longest = max(
            source.num_samples / source.sample_rate for source in self.track.stems.values()
        )
        return round(longest * self.sample_rate)

    @cached_property
    def level(self) -> float:
        """See `Song`; decodes the whole song, unless there is a note of it."""
        note = self._note()
        if note is not None and note.level is not None:
            return note.level
        sums = LevelSums()
        streams = [source.blocks(self.sample_rate) for source in self.track.stems.values()]
        for blocks in in_step(streams, self.channels):
            sums.add(torch.stack(blocks))
        self._keep(SongNote(self.num_samples, sums.level))
        return sums.level

    def check(self) -> None:
        """Make sure that it can be read; a song of which there is a note was read before.

        Raises:
            AudioError: a file cannot be read.
            DatasetError: it is of no use to the network.
        """
        _ = self.parts
        if self._note() is None:
            self.read(0, 1)
            self._keep(SongNote(self.num_samples))

    def _note(self) -> SongNote | None:
        if self.notes is None:
            return None
        return self.notes.find(self.track, self.sample_rate, self.channels)

    def _keep(self, note: SongNote) -> None:
        if self.notes is not None:
            self.notes.keep(self.track, self.sample_rate, self.channels, note)

    @cached_property
    def parts(self) -> tuple[tuple[str, ...], ...]:
        """See `parts_of`; all of a song without stems is the rest."""
        if tuple(self.track.stems) == (WHOLE,):
            return (*(() for _ in self.stems), (WHOLE,))
        try:
            return parts_of(list(self.track.stems), self.stems)
        except DatasetError as error:
            raise DatasetError(f"Cannot train with {self.name}: {error}") from None

    def read(self, start: int, num_samples: int) -> Tensor:
        """See `Song`."""
        silence = torch.zeros(self.channels, num_samples)
        signals = {
            name: match_channels(self._segment(source, start, num_samples), self.channels)
            for name, source in self.track.stems.items()
        }
        return torch.stack(
            [sum((signals[name] for name in part), start=silence) for part in self.parts]
        )

    def _segment(self, source: Source, start: int, num_samples: int) -> Tensor:
        if source.sample_rate != self.sample_rate:
            raise DatasetError(
                f"{self.name} is at {source.sample_rate} Hz and the network at {self.sample_rate} "
                "Hz: switch the cache on (--set data.cache=true), which resamples once."
            )
        return source.segment(start, num_samples)
