"""Random excerpts of songs, the same ones for the same seed.

An excerpt has a number, and the number decides what it is: which song, and where it begins. A run
that goes on after a stop, and processes that share a batch, only have to agree on numbers.

Shapes: B batch, S stems, C audio channels, N samples.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Generator, Tensor
from torch.utils.data import Dataset, Sampler

from stemsplit.errors import AudioError, DatasetError
from stemsplit.training.seeds import hash_of
from stemsplit.training.songs import Song

_ATTEMPTS = 20  # at songs that cannot be read, before it is taken for a fault of the whole set

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SongSet:
    """Songs that are drawn together."""

    songs: tuple[Song, ...]
    """One at least. Long songs are drawn more often, so that every second is as likely."""

    weight: float = 1.0
    """How often the set is drawn, relative to others."""


class Excerpts(Dataset[Tensor]):
    """Numbered excerpts (S + 1, C, N) of the stems and the rest.

    They are divided by the level of their song, as the separation does.

    Args:
        sets: songs to draw from.
        seed: of the draws.
        num_samples: N.
        skip_broken: draw another song where one cannot be read, with a warning.
        change: what is done to every excerpt by the process that reads it, with a generator that
            the number of the excerpt decides; None for nothing.

    Raises:
        DatasetError: there are no songs to draw from.
    """

    def __init__(
        self,
        sets: Sequence[SongSet],
        *,
        seed: int,
        num_samples: int,
        skip_broken: bool = False,
        change: Callable[[Tensor, Generator], Tensor] | None = None,
    ) -> None:
        self._sets = [part for part in sets if part.songs and part.weight > 0]
        if not self._sets:
            raise DatasetError("There are no songs to train with.")
        self._seed = seed
        self._num_samples = num_samples
        self._skip_broken = skip_broken
        self._change = change
        self._set_weights = _shares([part.weight for part in self._sets])
        self._song_weights = [
            _shares([song.num_samples for song in part.songs]) for part in self._sets
        ]

    def __getitem__(self, number: int) -> Tensor:
        """The excerpt of this number.

        Raises:
            AudioError: its song cannot be read, and none may be skipped.
            DatasetError: songs may be skipped, but none of many could be read.
        """
        draw = np.random.default_rng([self._seed, number])
        for _ in range(_ATTEMPTS):
            song, start = self._choose(draw)
            try:
                stems = song.read(start, self._num_samples) / song.level
                return stems if self._change is None else self._change(stems, self._rolls(number))
            except AudioError as error:
                if not self._skip_broken:
                    raise
                _log.warning("Skipping %s: %s", song.name, error)
        raise DatasetError(
            f"{_ATTEMPTS} songs in a row could not be read; the last is {song.name}."
        )

    def _rolls(self, number: int) -> torch.Generator:
        return torch.Generator().manual_seed(hash_of((self._seed, number)))

    def _choose(self, draw: np.random.Generator) -> tuple[Song, int]:
        place = draw.choice(len(self._sets), p=self._set_weights)
        songs = self._sets[place].songs
        song = songs[draw.choice(len(songs), p=self._song_weights[place])]
        latest = max(0, song.num_samples - self._num_samples)
        return song, int(draw.integers(latest, endpoint=True))


class BatchNumbers(Sampler[list[int]]):
    """The numbers of the excerpts of every batch, from a step on.

    Args:
        first_step: the step to begin with.
        last_step: the step to end before.
        batch_size: excerpts of a batch, over all processes.
        rank: which of the processes this is.
        world: processes that share a batch; a divisor of `batch_size`.
        offset: number of the first excerpt of step 0.
    """

    def __init__(
        self,
        first_step: int,
        last_step: int,
        *,
        batch_size: int,
        rank: int = 0,
        world: int = 1,
        offset: int = 0,
    ) -> None:
        self._steps = range(first_step, last_step)
        self._batch_size = batch_size
        self._share = slice(rank * batch_size // world, (rank + 1) * batch_size // world)
        self._offset = offset

    def __iter__(self) -> Iterator[list[int]]:
        """One list of numbers per step."""
        for step in self._steps:
            first = self._offset + step * self._batch_size
            yield list(range(first, first + self._batch_size)[self._share])

    def __len__(self) -> int:
        """Steps."""
        return len(self._steps)


def _shares(weights: Sequence[float]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    values = np.asarray(weights, dtype=np.float64)
    shares: np.ndarray[tuple[int], np.dtype[np.float64]] = values / values.sum()
    return shares
