"""Songs decoded once, as 16-bit samples that are mapped into memory.

A stretch of a mapped song costs no more than the bytes that are read; worker processes share them.

Shapes: S stems, C audio channels, N samples.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from stemsplit.errors import AudioError, DatasetError
from stemsplit.evaluation.data.sources import in_step
from stemsplit.training.file_facts import track_facts
from stemsplit.training.pcm_writer import FULL_SCALE, SAMPLE_BYTES, PcmWriter
from stemsplit.training.songs import FileSong

_VERSION = 1


@dataclass(frozen=True)
class CachedSong:
    """A song of the cache."""

    name: str
    folder: Path
    """Its folder in the cache."""

    @cached_property
    def facts(self) -> dict[str, Any]:
        """What is known of it besides its samples."""
        facts: dict[str, Any] = json.loads((self.folder / "song.json").read_text())
        return facts

    @property
    def num_samples(self) -> int:
        """See `stemsplit.training.songs.Song`."""
        return int(self.facts["shape"][-1])

    @property
    def level(self) -> float:
        """See `stemsplit.training.songs.Song`."""
        return float(self.facts["level"])

    def read(self, start: int, num_samples: int) -> Tensor:
        """See `stemsplit.training.songs.Song`."""
        # Mapped anew each time: a set may have more songs than a process may have open files.
        shape = tuple(self.facts["shape"])
        samples = np.memmap(self.folder / "samples.pcm", dtype=np.int16, mode="r", shape=shape)
        found = np.array(samples[:, :, start : start + num_samples], dtype=np.float32)
        stems = torch.from_numpy(found) * (self.facts["scale"] / FULL_SCALE)
        return torch.nn.functional.pad(stems, (0, num_samples - stems.shape[-1]))


class PcmCache:
    """A folder of decoded songs.

    Args:
        folder: is made when it is needed.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def missing_bytes(self, songs: Iterable[FileSong]) -> int:
        """Space that songs which are not here yet will take."""
        return sum(_bytes(song) for song in songs if not self._is_here(song))

    def check_space(self, songs: Sequence[FileSong]) -> None:
        """Refuse what does not fit.

        Raises:
            DatasetError: the disk has less free space than the missing songs take.
        """
        missing = self.missing_bytes(songs)
        self.folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(self.folder).free
        if missing > free:
            raise DatasetError(
                f"The cache of decoded songs needs {missing / 1e9:.1f} GB more in {self.folder}, "
                f"which has {free / 1e9:.1f} GB free. Choose another folder with "
                "--set data.cache_dir=DIR, or none with --set data.cache=false."
            )

    def get(self, song: FileSong) -> CachedSong:
        """A song, decoded now if it is not here.

        Raises:
            AudioError: a file of it cannot be read.
            DatasetError: the disk is full.
        """
        folder = self._folder_of(song)
        if not self._is_here(song):
            with made_whole(folder) as making:
                _decode(song, making)
        return CachedSong(song.name, folder)

    def _is_here(self, song: FileSong) -> bool:
        return (self._folder_of(song) / "song.json").is_file()

    def _folder_of(self, song: FileSong) -> Path:
        return self.folder / _identity(song)


def _identity(song: FileSong) -> str:
    """Changes with the files of a song, and with what is made of them."""
    parts = [_VERSION, song.sample_rate, song.channels, song.parts, track_facts(song.track)]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def _bytes(song: FileSong) -> int:
    try:
        return len(song.parts) * song.channels * song.num_samples * SAMPLE_BYTES
    except (AudioError, DatasetError):  # told when it is decoded
        return 0


@contextmanager
def made_whole(folder: Path) -> Iterator[Path]:
    """A folder beside `folder` that takes its place when all went well."""
    making = folder.with_name(f".{folder.name}-{os.getpid()}")
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(parents=True)
    try:
        yield making
        try:
            making.rename(folder)
        except OSError:
            if not (folder / "song.json").is_file():  # another process was not faster
                raise
    except OSError as error:
        raise DatasetError(f"Cannot write into the cache {folder.parent}: {error}.") from error
    finally:
        shutil.rmtree(making, ignore_errors=True)


def _decode(song: FileSong, folder: Path) -> None:
    names = list(song.track.stems)
    streams = [song.track.stems[name].blocks(song.sample_rate) for name in names]
    with PcmWriter(folder, len(song.parts), song.channels) as writer:
        for blocks in in_step(streams, song.channels):
            signals = dict(zip(names, blocks, strict=True))
            silence = torch.zeros_like(blocks[0])
            writer.write(
                torch.stack(
                    [sum((signals[name] for name in part), start=silence) for part in song.parts]
                )
            )
        writer.finish(song.name)
