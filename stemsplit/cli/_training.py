"""The course of a training, told to people, logs and programs."""

from typing import Any, Self

from stemsplit.cli._console import Console, Mode, duration, size
from stemsplit.cli._reporting import ConsoleReporter, kind_of
from stemsplit.training.events import (
    HOLES,
    Event,
    Finished,
    Notice,
    Preflight,
    SongLabelled,
    SongRead,
    StepDone,
    Validated,
)


def make_training_reporter(console: Console) -> "TrainingReporter":
    """The reporter for a kind of reader."""
    if console.mode is Mode.JSON:
        return _JsonReporter(console)
    return _LiveReporter(console) if console.has_terminal else TrainingReporter(console)


class TrainingReporter(ConsoleReporter):
    """Prints a line per event."""

    def __call__(self, event: Event) -> None:
        """Take in an event."""
        if isinstance(event, Notice):
            self.line(f"{'Warning: ' if event.is_warning else ''}{event.message}")
        elif isinstance(event, SongRead):
            if event.done % 20 == 0:
                self.line(f"Reading song {event.done + 1} of {event.total}: {event.name}")
        elif isinstance(event, SongLabelled):
            self.line(
                f"Labelled song {event.done} of {event.total}: {event.name}, score "
                f"{event.score:g}, {duration(event.remaining_seconds)} left"
            )
        elif isinstance(event, Preflight):
            for line in preflight_lines(event):
                self.line(line)
        elif isinstance(event, StepDone):
            self.line(step_line(event))
        elif isinstance(event, Validated):
            self.line(validation_line(event))
        else:
            self.line(finish_line(event))

    def line(self, text: str) -> None:
        """Print a line for a person who waits."""
        self.console.say(text)


class _JsonReporter(TrainingReporter):
    """One JSON object per event."""

    def __call__(self, event: Event) -> None:
        self.console.record(kind_of(event), event)


class _LiveReporter(TrainingReporter):
    """A table that changes, below the lines about what happened."""

    def __init__(self, console: Console) -> None:
        from rich.console import Console as RichConsole
        from rich.live import Live

        super().__init__(console)
        self._step: StepDone | None = None
        self._validated: Validated | None = None
        self._live = Live(console=RichConsole(stderr=True), auto_refresh=False, transient=True)

    def __call__(self, event: Event) -> None:
        if isinstance(event, StepDone):
            self._step = event
        else:
            super().__call__(event)
        if isinstance(event, Validated):
            self._validated = event
        if isinstance(event, Finished):
            self._step = None
        self._live.update(self._table(), refresh=True)

    def line(self, text: str) -> None:
        self._live.console.print(text, markup=False, highlight=False)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def close(self) -> None:
        self._step = None
        self._live.update("", refresh=True)
        self._live.stop()

    def _table(self) -> Any:
        from rich.table import Table

        if self._step is None:
            return ""
        table = Table(show_header=False)
        for title, text in step_rows(self._step, self._validated):
            table.add_row(title, text)
        return table


def preflight_lines(event: Preflight) -> list[str]:
    """What a run will take."""
    memory = "not known" if event.memory_bytes is None else size(event.memory_bytes)
    return [
        f"{event.network}, {event.parameters / 1e6:.2f} million parameters, on {event.device}.",
        f"Learns from {event.training_songs} songs of {event.training_hours:.2f} hours, is "
        f"validated with {event.validation_songs}.",
        f"A step takes {event.step_seconds:.2f} s, an epoch {duration(event.epoch_seconds)}, all "
        f"that is left {duration(event.total_seconds)}; validation comes on top.",
        f"Memory at the peak: {memory}. Disk: {size(event.disk_bytes)} of "
        f"{size(event.free_bytes)} that are free.",
    ]


def step_line(event: StepDone) -> str:
    """Where the training is, in a line."""
    return (
        f"epoch {event.epoch}/{event.epochs}, step {event.step}/{event.total_steps}: loss "
        f"{event.loss:.5f}, rate {event.learning_rate:.2e}, gradient {event.gradient_norm:.3g}, "
        f"{event.audio_per_second:.1f} s of music per second, "
        f"{duration(event.remaining_seconds)} left"
    )


def step_rows(event: StepDone, validated: Validated | None) -> list[tuple[str, str]]:
    """The same as titles and texts."""
    rows = [
        ("epoch", f"{event.epoch} of {event.epochs}"),
        ("step", f"{event.step} of {event.total_steps}"),
        ("loss", f"{event.loss:.5f}"),
        *((f"  {name}", f"{value:.5f}") for name, value in event.terms.items()),
        ("learning rate", f"{event.learning_rate:.2e}"),
        ("gradient", f"{event.gradient_norm:.3g}"),
        ("music per second", f"{event.audio_per_second:.1f} s"),
        ("time left", duration(event.remaining_seconds)),
    ]
    if validated is not None:
        rows.append(("SDR", _decibels(validated)))
    return rows


def validation_line(event: Validated) -> str:
    """What a validation found."""
    best = ", the best so far" if event.is_best else ""
    return f"epoch {event.epoch}: SDR {_decibels(event)} by the {event.weights} weights{best}"


def finish_line(event: Finished) -> str:
    """How a run ended."""
    end = "Done" if event.is_complete else "Stopped; the same command goes on"
    if event.best is None:
        return f"{end} after step {event.step}. There was no validation yet."
    if event.best_sdr_db is None:
        return f"{end} after step {event.step}. The latest weights: {event.best}"
    return (
        f"{end} after step {event.step}. The best weights, {event.best_sdr_db:.2f} dB: {event.best}"
    )


def _decibels(event: Validated) -> str:
    if list(event.stems_db) == [HOLES]:
        return f"{event.sdr_db:.2f} dB inside the holes"
    stems = ", ".join(f"{stem} {value:.2f}" for stem, value in event.stems_db.items())
    return f"{event.sdr_db:.2f} dB ({stems})"
