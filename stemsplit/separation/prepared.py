"""A song that is read twice: first for its length and loudness, then to be separated.

Shapes: C audio channels, N samples, n samples of a block.
"""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from stemsplit.audio.probe import AudioInfo
from stemsplit.audio.resample import Resampler
from stemsplit.errors import Cancelled
from stemsplit.separation.piped import SpooledInput
from stemsplit.separation.statistics import TrackStatistics


@dataclass(frozen=True)
class PreparedSong:
    """A song that has been read once: what the second reading needs to know."""

    path: Path
    """The file as the user named it; empty for an array."""

    open_blocks: Callable[[], Iterator[Tensor]]
    """Begins a new reading: pieces (C, n) at the song's own rate."""

    sample_rate: int
    channels: int
    num_samples: int
    """Length at the song's own rate."""

    statistics: TrackStatistics
    """Length, mean and deviation at the model's rate."""

    info: AudioInfo | None = None
    """What the file says about itself; None for an array."""

    downmixed_from: int | None = None
    """Channels of the file when it had more than two."""

    faults: tuple[str, ...] = ()
    """What the decoder found wrong with the file, in its own words, though it could go on."""

    spooled: SpooledInput | None = None
    """Keeps the copy of a pipe alive."""

    @property
    def duration_seconds(self) -> float:
        """Length in seconds."""
        return self.num_samples / self.sample_rate


def read_through(
    path: Path,
    open_blocks: Callable[[], Iterator[Tensor]],
    sample_rate: int,
    channels: int,
    *,
    model_rate: int,
    cancel: threading.Event,
    info: AudioInfo | None = None,
) -> PreparedSong:
    """Read a song for the first time.

    Args:
        path: the file as the user named it; empty for an array.
        open_blocks: begins a reading: pieces (C, n).
        sample_rate: of these, in Hz.
        channels: C.
        model_rate: sample rate at which the statistics are taken, in Hz.
        cancel: set it from another thread to stop.
        info: what the file says about itself.

    Raises:
        AudioError: the song cannot be read, or holds no samples.
        Cancelled: the work was called off.
    """
    statistics = TrackStatistics()
    num_samples = 0

    def counted() -> Iterator[Tensor]:
        nonlocal num_samples
        for block in open_blocks():
            if cancel.is_set():
                raise Cancelled("Stopped.")
            num_samples += block.shape[-1]
            yield block

    for block in resampled(counted(), sample_rate, model_rate):
        statistics.update(block)
    return PreparedSong(path, open_blocks, sample_rate, channels, num_samples, statistics, info)


def resampled(blocks: Iterator[Tensor], old_rate: int, new_rate: int) -> Iterator[Tensor]:
    """The same signal at another sample rate, piece by piece (*, n); rates in Hz."""
    if old_rate == new_rate:
        yield from blocks
        return
    resampler = Resampler(old_rate, new_rate)
    for block in blocks:
        yield resampler.process(block)
    yield resampler.flush()
