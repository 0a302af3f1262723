"""Lengths and levels of songs that are not decoded ahead, kept from one training to the next.

    <folder>/<identity>.json      of one song, at the rate and channels of a network

A level takes a whole song to be read. Notes are a help and nothing more: what cannot be read is
found out anew, and what cannot be written is not kept. A file per song, because several processes
read songs at the same time.
"""

import hashlib
import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path

from stemsplit.checkpoints.replacing import replacing
from stemsplit.evaluation.data.dataset import Track
from stemsplit.training.file_facts import track_facts

_VERSION = 1


@dataclass(frozen=True)
class SongNote:
    """What is known of a song."""

    num_samples: int
    """Its length."""

    level: float | None = None
    """See `stemsplit.training.songs.Song`; None where it was not measured yet."""

    def __post_init__(self) -> None:
        is_length = type(self.num_samples) is int and self.num_samples >= 0
        is_level = self.level is None or (type(self.level) is float and 0 < self.level < math.inf)
        if not is_length or not is_level:
            raise ValueError(f"{self} is no note of a song")


@dataclass(frozen=True)
class SongNotes:
    """A folder of notes."""

    folder: Path
    """Is made when it is needed."""

    def find(self, track: Track, sample_rate: int, channels: int) -> SongNote | None:
        """The note of a song; None if there is none, or the files of the song have changed.

        Args:
            track: the song.
            sample_rate: that it is read at, in Hz.
            channels: that it is read with.
        """
        try:
            text = self._path(track, sample_rate, channels).read_text()
            return SongNote(**json.loads(text))
        except (OSError, ValueError, TypeError):
            return None

    def keep(self, track: Track, sample_rate: int, channels: int, note: SongNote) -> None:
        """Write the note of a song, if that is possible; see `find`."""
        try:
            path = self._path(track, sample_rate, channels)
            path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(path) as temporary:
                temporary.write_text(json.dumps(asdict(note)))
        except OSError:
            return

    def _path(self, track: Track, sample_rate: int, channels: int) -> Path:
        facts = [_VERSION, sample_rate, channels, track_facts(track)]
        identity = hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:32]
        return self.folder / f"{identity}.json"
