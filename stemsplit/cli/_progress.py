"""The course of a run, told to people, logs and programs.

Each reporter takes the events of a run; `close` ends its output.
"""

import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Self

from stemsplit.cli._console import Console, Mode, duration, size
from stemsplit.separation.events import (
    BatchFinished,
    BatchStarted,
    Event,
    ModelReady,
    Notice,
    RunEstimate,
    SongFailed,
    SongFinished,
    SongProgress,
    SongSkipped,
    SongStarted,
)

if TYPE_CHECKING:
    from stemsplit.checkpoints.download import DownloadProgress


def make_reporter(console: Console, about: Mapping[str, Any]) -> "Reporter":
    """The reporter for a kind of reader.

    Args:
        console: where to print.
        about: facts of the run, for the manifest.
    """
    if console.mode is Mode.JSON:
        return JsonReporter(console, about)
    if console.mode is Mode.QUIET:
        return QuietReporter(console)
    return BarReporter(console) if console.has_terminal else LogReporter(console)


class Reporter:
    """Takes events and keeps what the end of the run needs."""

    seconds_between_lines: ClassVar[float] = 1.0
    """Of progress, so that a reader is not flooded."""

    def __init__(self, console: Console) -> None:
        """Report to a console."""
        self.console = console
        self.num_songs = self.num_skipped = 0
        self.results: list[SongFinished | SongFailed | SongSkipped] = []
        self.totals: BatchFinished | None = None
        self._last_download = 0.0

    def __call__(self, event: Event) -> None:
        """Take in an event."""
        if isinstance(event, BatchStarted):
            self.num_songs, self.num_skipped = len(event.songs), len(event.skipped)
        elif isinstance(event, SongFinished | SongFailed | SongSkipped):
            self.results.append(event)
        elif isinstance(event, BatchFinished):
            self.totals = event
        self.show(event)

    @property
    def is_single(self) -> bool:
        """Whether the run is about one song only."""
        return self.num_songs + self.num_skipped == 1

    def show(self, event: Event) -> None:
        """Print what there is to print about an event."""

    def download(self, progress: "DownloadProgress") -> None:
        """Print how far a download is."""

    def _is_time(self, progress: "DownloadProgress") -> bool:
        """Whether a download has ended, or a while has passed since the last line about one."""
        now = time.monotonic()
        is_end = progress.received_bytes == progress.total_bytes
        if not is_end and now - self._last_download < self.seconds_between_lines:
            return False
        self._last_download = now
        return True

    def close(self) -> None:
        """End the output."""

    def __enter__(self) -> Self:
        """Begin the output."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the output, however the run ended."""
        self.close()


class QuietReporter(Reporter):
    """Prints the paths of finished stems; on stderr, what went wrong."""

    def show(self, event: Event) -> None:
        """Print paths, warnings and failures."""
        if isinstance(event, SongFinished | SongSkipped):
            for path in _paths(event):
                self.console.result(path)
        elif isinstance(event, SongFailed):
            self.console.complain(_failure(event))
        elif isinstance(event, Notice) and event.is_warning:
            self.console.complain(f"Warning: {event.message}")


class JsonReporter(Reporter):
    """Prints one object per event, and at the end a manifest of the run."""

    def __init__(self, console: Console, about: Mapping[str, Any]) -> None:
        """Report to a console; `about` goes into the manifest."""
        super().__init__(console)
        self._about = about

    def show(self, event: Event) -> None:
        """Print the event as it is."""
        self.console.record(_kind(event), event)

    def download(self, progress: "DownloadProgress") -> None:
        """Print an object at most once a second, and at the end of a file."""
        if self._is_time(progress):
            self.console.record(_kind(progress), progress)

    def close(self) -> None:
        """Print the manifest, also of a run that did not come to its end."""
        songs = [
            {"status": _kind(result).removeprefix("song_"), **vars(result)}
            for result in self.results
        ]
        totals = vars(self.totals) if self.totals else {}
        self.console.record("manifest", {**self._about, "songs": songs, **totals})


class LogReporter(Reporter):
    """Prints plain lines."""

    seconds_between_lines: ClassVar[float] = 10.0

    def __init__(self, console: Console) -> None:
        """Report to a console."""
        super().__init__(console)
        self._index = 0
        self._last_line = 0.0

    def show(self, event: Event) -> None:
        """Print a line, or a few."""
        if isinstance(event, SongStarted):
            self._index = event.index
            self._last_line = time.monotonic()
        if isinstance(event, SongProgress):
            if time.monotonic() - self._last_line >= self.seconds_between_lines:
                self._last_line = time.monotonic()
                self.line(_progress(event))
            return
        if isinstance(event, BatchFinished):
            self.summary(event)
            return
        if isinstance(event, SongSkipped) and not self.is_single:
            return  # counted at the beginning, listed at the end
        for text in _lines(event, self._index, self.num_songs):
            self.line(text)

    def line(self, text: str) -> None:
        """Print one line for a person who waits."""
        self.console.say(text)

    def download(self, progress: "DownloadProgress") -> None:
        """Print a line now and then, and at the end of a file."""
        if self._is_time(progress):
            self.line(f"{_download_title(progress)}: {_download_note(progress)}")

    def summary(self, totals: BatchFinished) -> None:
        """Print what became of every song."""
        if self.is_single:
            for result in self.results:
                if not isinstance(result, SongFailed):  # which was said already
                    self.console.result("\n".join(_paths(result)))
            return
        if self.results:
            head = ("song", "result", "length", "took", "speed", "where")
            self.console.table(head, [_row(result) for result in self.results])
        undone = self.num_songs - totals.finished - totals.failed
        self.console.result(_totals(totals, undone))


class BarReporter(LogReporter):
    """Shows a bar for the song, one for the batch, and lines above them."""

    def __init__(self, console: Console) -> None:
        """Report to a console whose stderr is a terminal."""
        from rich.console import Console as RichConsole
        from rich.progress import BarColumn, Progress, TextColumn

        super().__init__(console)
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TextColumn("{task.fields[note]}", markup=False),
            console=RichConsole(stderr=True, highlight=False),
            transient=True,
        )
        self._add = self._progress.add_task
        self._song_task: Any = None
        self._batch_task: Any = None
        self._download_tasks: dict[str, Any] = {}
        self._began = time.monotonic()
        self._num_done = 0

    def __enter__(self) -> Self:
        """Put up the bars."""
        self._progress.start()
        return self

    def close(self) -> None:
        """Take the bars down."""
        self._progress.stop()

    def line(self, text: str) -> None:
        """Print a line above the bars."""
        self._progress.console.print(text, markup=False, soft_wrap=True)

    def show(self, event: Event) -> None:
        """Move the bars, and print a line where there is something to say."""
        if isinstance(event, BatchStarted) and self.num_songs > 1:
            self._batch_task = self._add(f"{self.num_songs} songs", total=self.num_songs, note="")
        elif isinstance(event, ModelReady):
            self._began = time.monotonic()
        elif isinstance(event, SongStarted):
            self._song_task = self._add(_short(event.song.name), total=1.0, note="")
        elif isinstance(event, SongProgress):
            self._show_progress(event)
            return
        elif isinstance(event, SongFinished | SongFailed):
            self._end_song()
        if isinstance(event, BatchFinished):
            self._progress.stop()
        super().show(event)

    def download(self, progress: "DownloadProgress") -> None:
        """Show a bar for the file."""
        if progress.file not in self._download_tasks:
            title = _download_title(progress)
            self._download_tasks[progress.file] = self._add(title, total=None, note="")
        task = self._download_tasks[progress.file]
        self._progress.update(
            task,
            completed=progress.received_bytes,
            total=progress.total_bytes,
            note=_download_note(progress),
        )
        if progress.received_bytes == progress.total_bytes:
            self._progress.remove_task(self._download_tasks.pop(progress.file))

    def _show_progress(self, event: SongProgress) -> None:
        note = f"{duration(event.remaining_seconds)} left  {event.speed:.1f}x real time"
        self._progress.update(self._song_task, completed=event.fraction, note=note)
        self._show_batch(self._num_done + event.fraction)

    def _show_batch(self, done: float) -> None:
        if self._batch_task is None or done <= 0:
            return
        left = (time.monotonic() - self._began) * (self.num_songs - done) / done
        note = f"{self._num_done} done  {duration(left)} left"
        self._progress.update(self._batch_task, completed=done, note=note)

    def _end_song(self) -> None:
        self._num_done += 1
        if self._song_task is not None:
            self._progress.remove_task(self._song_task)
            self._song_task = None
        self._show_batch(self._num_done)


def _lines(event: Event, index: int, num_songs: int) -> list[str]:
    """What a person wants to read about an event."""
    describe: dict[type, Callable[[Any], list[str]]] = {
        Notice: lambda e: [f"{'Warning' if e.is_warning else 'Note'}: {e.message}"],
        ModelReady: _model_lines,
        BatchStarted: _batch_lines,
        RunEstimate: _estimate_lines,
        SongStarted: lambda e: [
            f"{_count(index, num_songs)}{e.song} ({duration(e.duration_seconds)})"
        ],
        SongFinished: _finished_lines,
        SongFailed: lambda e: [_failure(e)],
        SongSkipped: lambda e: [f"{e.song}: is already there."],
    }
    return describe[type(event)](event)


def _count(index: int, num_songs: int) -> str:
    return f"[{index + 1}/{num_songs}] " if num_songs > 1 else ""


def _model_lines(event: ModelReady) -> list[str]:
    networks = f" ({event.networks} networks)" if event.networks > 1 else ""
    return [f"Model {event.model}{networks} on {event.device}, ready in {event.seconds:.1f} s."]


def _batch_lines(event: BatchStarted) -> list[str]:
    if len(event.songs) + len(event.skipped) == 1:
        return []
    there = f", {len(event.skipped)} more are already there" if event.skipped else ""
    return [f"{len(event.songs)} songs{there}."]


def _estimate_lines(event: RunEstimate) -> list[str]:
    memory = f"{size(event.memory_bytes)} of memory, " if event.memory_bytes else ""
    if event.device_bytes:
        memory += f"{size(event.device_bytes)} of GPU memory, "
    basis = "an earlier run" if event.is_from_earlier_run else "its beginning"
    lines = [
        f"This will take about {duration(event.work_seconds)} for {duration(event.audio_seconds)}"
        f" of audio, {memory}{size(event.disk_bytes)} of disk (judged by {basis})."
    ]
    if event.disk_bytes > event.free_bytes:
        lines.append(f"Warning: only {size(event.free_bytes)} of disk are free.")
    return lines


def _progress(event: SongProgress) -> str:
    left = duration(event.remaining_seconds)
    return f"{event.song.name}: {event.fraction:.0%}, {left} left, {event.speed:.1f}x real time"


def _finished_lines(event: SongFinished) -> list[str]:
    speed = event.duration_seconds / max(event.elapsed_seconds, 1e-3)
    lines = [
        f"{event.song.name}: done in {duration(event.elapsed_seconds)}, {speed:.1f}x real time."
    ]
    if event.gain_db:
        lines.append(
            f"  All stems were changed by {event.gain_db:.1f} dB alike, so that none clips."
        )
    if event.clipped_samples:
        lines.append(f"  {event.clipped_samples} samples were clipped.")
    if event.null_db is not None:
        level = "exactly" if math.isinf(event.null_db) else f"within {event.null_db:.0f} dB"
        lines.append(f"  The stems add up to the mix {level}.")
    if event.seed is not None:
        lines.append(f"  Seed of the shifts: {event.seed}.")
    return lines


def _failure(event: SongFailed) -> str:
    name = str(event.song)
    return f"Failed: {event.reason if name in event.reason else f'{name}: {event.reason}'}"


def _row(result: SongFinished | SongFailed | SongSkipped) -> tuple[str, ...]:
    song = str(result.song)
    if isinstance(result, SongFailed):
        return (song, "failed", "", "", "", result.reason.removeprefix(f"{song}: "))
    where = _folder(result.files)
    if isinstance(result, SongSkipped):
        return (song, "already there", "", "", "", where)
    speed = result.duration_seconds / max(result.elapsed_seconds, 1e-3)
    times = (duration(result.duration_seconds), duration(result.elapsed_seconds), f"{speed:.1f}x")
    return (song, "done", *times, where)


def _folder(files: Mapping[str, Path]) -> str:
    folders = {path.parent for path in files.values()}
    return str(folders.pop()) if len(folders) == 1 else str(next(iter(files.values())))


def _paths(result: SongFinished | SongSkipped) -> list[str]:
    return [str(path) for path in dict.fromkeys(result.files.values())]


def _totals(totals: BatchFinished, undone: int) -> str:
    counts = [f"{totals.finished} done"]
    if totals.skipped:
        counts.append(f"{totals.skipped} already there")
    if totals.failed:
        counts.append(f"{totals.failed} failed")
    if undone:
        counts.append(f"{undone} not done")
    return f"{', '.join(counts)} in {duration(totals.elapsed_seconds)}."


def _short(name: str) -> str:
    return name if len(name) <= 32 else f"{name[:31]}…"


def _download_title(progress: "DownloadProgress") -> str:
    position = f" ({progress.index + 1} of {progress.count})" if progress.count > 1 else ""
    return f"Downloading {_short(progress.file)}{position}"


def _download_note(progress: "DownloadProgress") -> str:
    total = f" of {size(progress.total_bytes)}" if progress.total_bytes else ""
    return f"{size(progress.received_bytes)}{total} from {progress.source}"


def _kind(event: object) -> str:
    """The name of an event's class in JSON style: ``SongFinished`` is ``song_finished``."""
    name = type(event).__name__
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")
