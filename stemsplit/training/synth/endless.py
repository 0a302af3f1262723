"""Generated songs as the trainer takes songs: rendered where they are read, never stored.

Shapes: S stems, C audio channels, N samples.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from stemsplit.audio.channels import match_channels
from stemsplit.errors import ConfigError
from stemsplit.training.songs import parts_of
from stemsplit.training.synth.mixdown import STEMS
from stemsplit.training.synth.signals import SAMPLE_RATE
from stemsplit.training.synth.song import render_song, song_level, song_seconds
from stemsplit.training.synth.tables import check_split

_SHORTEST = 0.5  # seconds that are made at once


@dataclass(frozen=True)
class SynthSong:
    """A song that is rendered anew wherever it is read; see `stemsplit.training.songs.Song`."""

    seed: int
    index: int
    split: str
    stems: tuple[str, ...]
    """Stems of the network."""

    channels: int = 2

    @property
    def name(self) -> str:
        """See `stemsplit.training.songs.Song`."""
        return f"synth {self.split} {self.seed}-{self.index:05}"

    @cached_property
    def num_samples(self) -> int:
        """See `stemsplit.training.songs.Song`."""
        return int(song_seconds(self.seed, self.index, split=self.split) * SAMPLE_RATE)

    @cached_property
    def level(self) -> float:
        """See `stemsplit.training.songs.Song`; what the song is made for, not measured."""
        return song_level(self.seed, self.index, split=self.split)

    @cached_property
    def parts(self) -> tuple[tuple[str, ...], ...]:
        """For every stem of the network, and then the rest, the stems to add up."""
        return parts_of(STEMS, self.stems)

    def read(self, start: int, num_samples: int) -> Tensor:
        """See `stemsplit.training.songs.Song`.

        Raises:
            ConfigError: more than ten minutes are asked for.
        """
        song = render_song(
            self.seed,
            self.index,
            split=self.split,
            seconds=max(_SHORTEST, num_samples / SAMPLE_RATE),
            start_seconds=start / SAMPLE_RATE,
        )
        signals = {
            name: match_channels(torch.from_numpy(stem)[:, :num_samples], self.channels)
            for name, stem in song.stems.items()
        }
        silence = torch.zeros(self.channels, num_samples)
        return torch.stack(
            [sum((signals[name] for name in part), start=silence) for part in self.parts]
        )


def synth_songs(
    num_songs: int,
    *,
    seed: int,
    split: str,
    stems: Sequence[str],
    sample_rate: int,
    channels: int = 2,
) -> tuple[SynthSong, ...]:
    """Songs to train with, as many as asked for; they cost nothing until they are read.

    Raises:
        ConfigError: no such split, or a network of another rate than songs are made at.
        DatasetError: the network has none of the stems of a song.
    """
    check_split(split)
    if sample_rate != SAMPLE_RATE:
        raise ConfigError(
            f"Songs are made at {SAMPLE_RATE} Hz, and the network is at {sample_rate} Hz."
        )
    parts_of(STEMS, stems)
    return tuple(SynthSong(seed, i, split, tuple(stems), channels) for i in range(num_songs))
