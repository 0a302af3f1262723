"""What a run will take on this machine: time, memory and disk, said before a long one.

Speed and memory are never guessed. They come from an earlier run with the same model, device and
settings, kept in a small file of the cache, or else from the first seconds of the present run.
"""

import contextlib
import json
import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from stemsplit.audio.formats import OutputFormat
from stemsplit.audio.probe import AudioInfo, probe
from stemsplit.errors import AudioError
from stemsplit.separation.batch_plan import BatchPlan
from stemsplit.separation.collect import is_pipe, nearest_existing
from stemsplit.separation.events import (
    Event,
    EventSink,
    RunEstimate,
    SongFinished,
    SongProgress,
    SongStarted,
)
from stemsplit.separation.options import OutputOptions

LONG_RUN_SECONDS = 60.0
_WARM_UP_SECONDS = 2.0  # of work, before the speed of the present run is believed
_MIN_SONG_SECONDS = 20.0  # of audio, before its speed is kept for later runs
_SAMPLED_SONGS = 32  # of a large batch; the rest is taken to be like them, byte for byte
_FLOAT_BYTES = 4
_LOSSLESS_SHARE = 0.65  # of the uncompressed size that compressed lossless stems need, about


@dataclass(frozen=True)
class Measured:
    """What a machine was seen to do."""

    speed: float
    """Seconds of audio per second of work, at one prediction per sample (no overlap, no shifts)."""
    memory_bytes: int | None
    device_bytes: int | None


class SpeedBook:
    """What earlier runs measured, by model, device and settings."""

    def __init__(self, path: Path) -> None:
        """Use the file at `path`, which need not exist."""
        self._path = path

    def find(self, key: str) -> Measured | None:
        """What was measured last under `key`."""
        try:
            found = Measured(**self._read()[key])
            return found if found.speed > 0 else None
        except (KeyError, TypeError):
            return None

    def keep(self, key: str, measured: Measured) -> None:
        """Remember a measurement; a cache that cannot be written is no reason to fail."""
        entries = self._read() | {key: asdict(measured)}
        with contextlib.suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self._path.parent, prefix=self._path.name)
            try:
                with os.fdopen(handle, "w") as file:
                    json.dump(entries, file)
                Path(name).replace(self._path)
            finally:
                Path(name).unlink(missing_ok=True)

    def _read(self) -> dict[str, dict[str, Any]]:
        try:
            entries = json.loads(self._path.read_text())
        except (OSError, ValueError):
            return {}
        return entries if isinstance(entries, dict) else {}


@dataclass(frozen=True)
class Survey:
    """How much audio a batch holds, and how much room its stems need."""

    audio_seconds: float
    disk_bytes: int
    waiting_bytes: int
    """Room that the stems of the longest song take besides, until their common level is known."""


class Estimator:
    """Watches a run and says, once, what it will take, if that is long.

    The songs are looked at in a thread of its own, so that the run need not wait for it.
    """

    def __init__(
        self,
        plan: BatchPlan,
        *,
        work_factor: float,
        book: SpeedBook,
        key: str,
        on_event: EventSink,
        device_bytes: Callable[[], int | None] = lambda: None,
    ) -> None:
        """Begin to look at the songs of `plan`.

        Args:
            plan: the run.
            work_factor: predictions per sample, more than 1 with overlap and shifts.
            book: what earlier runs measured.
            key: the model, device and settings of this run.
            on_event: told the estimate.
            device_bytes: the peak memory of a device that has its own.
        """
        self._plan = plan
        self._work_factor = work_factor
        self._book = book
        self._key = key
        self._on_event = on_event
        self._device_bytes = device_bytes
        self._earlier = book.find(key)
        self._survey: Survey | None = None
        self._is_done = False
        self._song_began = 0.0
        threading.Thread(target=self._look, daemon=True).start()

    def watch(self, event: Event) -> None:
        """Take in an event of the run; may give the estimate."""
        if isinstance(event, SongFinished):
            if event.duration_seconds >= _MIN_SONG_SECONDS:
                speed = event.duration_seconds / max(event.elapsed_seconds, 1e-3)
                self._book.keep(self._key, self._measured(speed))
            return
        if isinstance(event, SongStarted):
            self._song_began = time.monotonic()
        if self._is_done or self._survey is None:
            return
        if self._earlier is not None:
            self._announce(self._survey, self._earlier)
        elif isinstance(event, SongProgress) and event.speed > 0 and self._is_warm():
            self._announce(self._survey, self._measured(event.speed))

    def _is_warm(self) -> bool:
        return time.monotonic() - self._song_began >= _WARM_UP_SECONDS

    def _look(self) -> None:
        self._survey = survey(self._plan)

    def _measured(self, speed: float) -> Measured:
        return Measured(speed * self._work_factor, peak_memory_bytes(), self._device_bytes())

    def _announce(self, found: Survey, measured: Measured) -> None:
        self._is_done = True
        seconds = found.audio_seconds * self._work_factor / measured.speed
        if seconds < LONG_RUN_SECONDS:
            return
        self._on_event(
            RunEstimate(
                songs=len(self._plan.jobs),
                audio_seconds=found.audio_seconds,
                work_seconds=seconds,
                disk_bytes=found.disk_bytes,
                waiting_bytes=found.waiting_bytes,
                free_bytes=free_disk_bytes(self._plan.output.folder),
                memory_bytes=measured.memory_bytes,
                device_bytes=measured.device_bytes,
                is_from_earlier_run=measured is self._earlier,
            )
        )


def survey(plan: BatchPlan) -> Survey:
    """Look at the songs of a batch; of a large one at a sample, the rest counts by its bytes."""
    sources = [job.source for job in plan.jobs if not is_pipe(job.source)]
    sample = sources[:: max(len(sources) // _SAMPLED_SONGS, 1)]
    seconds = room = waiting = 0.0
    for source in sample:
        try:
            info = probe(source)
        except (AudioError, OSError):  # said when its turn comes
            continue
        length = _asked_seconds(info.duration_seconds or 0.0, plan.output)
        seconds += length
        room += stem_bytes(length, info, plan.output_format, num_stems=len(plan.stems))
        if plan.output.clip == "shared":
            waiting = max(waiting, _waiting_bytes(length, info, plan))
    share = _total_bytes(sample) / max(_total_bytes(sources), 1)
    scale = 1 / share if share else 0.0
    return Survey(seconds * scale, int(room * scale), int(waiting))


def _waiting_bytes(seconds: float, info: AudioInfo, plan: BatchPlan) -> float:
    num_tracks = len(plan.stems) + plan.output_format.format.is_single_file
    rate = plan.output_format.sample_rate_for(info.sample_rate)
    return seconds * rate * min(info.channels, 2) * _FLOAT_BYTES * num_tracks


def stem_bytes(
    seconds: float, info: AudioInfo, output_format: OutputFormat, *, num_stems: int
) -> float:
    """Room that the stems of a song need: exact for wav, about right for compressed formats."""
    if output_format.format.is_single_file:
        num_stems += 1  # the song itself is in there too
    if output_format.bit_depth is None:
        return seconds * (output_format.bitrate or 0) * 1000 / 8 * num_stems
    samples = seconds * output_format.sample_rate_for(info.sample_rate) * min(info.channels, 2)
    share = 1.0 if output_format.name == "wav" else _LOSSLESS_SHARE
    return samples * output_format.bit_depth / 8 * num_stems * share


def free_disk_bytes(folder: Path) -> int:
    """Free room on the disk that holds `folder`, which need not exist yet."""
    return shutil.disk_usage(nearest_existing(folder)).free


def peak_memory_bytes() -> int | None:
    """The most main memory that this process has held; None where the system does not say."""
    try:
        import resource  # missing on Windows
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _asked_seconds(duration: float, output: OutputOptions) -> float:
    stop = duration if output.stop_seconds is None else min(output.stop_seconds, duration)
    return max(stop - output.start_seconds, 0.0)


def _total_bytes(paths: Sequence[Path]) -> int:
    total = 0
    for path in paths:
        with contextlib.suppress(OSError):
            total += path.stat().st_size
    return total
