"""The course of a run, told to people, logs and programs.

Each reporter takes the events of a run; `close` ends its output.
"""

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self

from stemsplit.cli._console import Console, Mode, duration
from stemsplit.cli._reporting import ConsoleReporter, kind_of
from stemsplit.cli._wording import (
    download_note,
    download_title,
    failure_line,
    lines_about,
    listen_first_lines,
    progress_line,
    result_paths,
    short,
    table_row,
    totals_line,
)
from stemsplit.separation.events import (
    BatchFinished,
    BatchStarted,
    Event,
    ModelReady,
    Notice,
    SongFailed,
    SongFinished,
    SongProgress,
    SongSkipped,
    SongStarted,
)

if TYPE_CHECKING:
    from rich.progress import Progress

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


class Reporter(ConsoleReporter):
    """Takes events and keeps what the end of the run needs."""

    seconds_between_lines: ClassVar[float] = 1.0
    """Of progress, so that a reader is not flooded."""

    lists_results = True
    """Whether a person is told at the end what became of the songs."""

    def __init__(self, console: Console) -> None:
        """Report to a console."""
        super().__init__(console)
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


class QuietReporter(Reporter):
    """Prints the paths of finished stems; on stderr, what went wrong."""

    def show(self, event: Event) -> None:
        """Print paths, warnings and failures."""
        if isinstance(event, SongFinished | SongSkipped):
            for path in result_paths(event):
                self.console.result(path)
        elif isinstance(event, SongFailed):
            self.console.complain(failure_line(event))
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
        self.console.record(kind_of(event), event)

    def download(self, progress: "DownloadProgress") -> None:
        """Print an object at most once a second, and at the end of a file."""
        if self._is_time(progress):
            self.console.record(kind_of(progress), progress)

    def close(self) -> None:
        """Print the manifest, also of a run that did not come to its end."""
        songs = [
            {"status": kind_of(result).removeprefix("song_"), **vars(result)}
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
                self.line(progress_line(event))
            return
        if isinstance(event, BatchFinished):
            self.summary(event)
            return
        if isinstance(event, SongSkipped) and not self.is_single:
            return  # counted at the beginning, listed at the end
        for text in lines_about(event, self._index, self.num_songs):
            self.line(text)

    def line(self, text: str) -> None:
        """Print one line for a person who waits."""
        self.console.say(text)

    def download(self, progress: "DownloadProgress") -> None:
        """Print a line now and then, and at the end of a file."""
        if self._is_time(progress):
            self.line(f"{download_title(progress)}: {download_note(progress)}")

    def summary(self, totals: BatchFinished) -> None:
        """Print what became of every song."""
        if not self.lists_results:
            return
        if self.is_single:
            for result in self.results:
                if not isinstance(result, SongFailed):  # which was said already
                    self.console.result("\n".join(result_paths(result)))
            return
        if self.results:
            head = ("song", "result", "length", "took", "speed", "where")
            self.console.table(head, [table_row(result) for result in self.results])
        for text in listen_first_lines(self.results):
            self.console.result(text)
        undone = self.num_songs - totals.finished - totals.failed
        self.console.result(totals_line(totals, undone))


def new_bars() -> "Progress":
    """Bars on stderr that go when they are done; every task has a `note` beside its share."""
    from rich.console import Console as RichConsole
    from rich.progress import BarColumn, Progress, TextColumn

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TextColumn("{task.fields[note]}", markup=False),
        console=RichConsole(stderr=True, highlight=False),
        transient=True,
    )


class BarReporter(LogReporter):
    """Shows a bar for the song, one for the batch, and lines above them."""

    def __init__(self, console: Console) -> None:
        """Report to a console whose stderr is a terminal."""
        super().__init__(console)
        self._progress = new_bars()
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
            self._song_task = self._add(short(event.song.name), total=1.0, note="")
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
            title = download_title(progress)
            self._download_tasks[progress.file] = self._add(title, total=None, note="")
        task = self._download_tasks[progress.file]
        self._progress.update(
            task,
            completed=progress.received_bytes,
            total=progress.total_bytes,
            note=download_note(progress),
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
