"""The course and the result of an evaluation, told to people, logs and programs."""

import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from stemsplit.cli._console import Console, Mode, duration
from stemsplit.cli._progress import new_bars
from stemsplit.cli._reporting import ConsoleReporter, kind_of
from stemsplit.cli._wording import download_note, download_title
from stemsplit.evaluation.events import (
    EvaluationEvent,
    EvaluationStarted,
    TrackAdvanced,
    TrackFailed,
    TrackScored,
)
from stemsplit.separation.events import Event, ModelReady, Notice

if TYPE_CHECKING:
    from stemsplit.checkpoints.download import DownloadProgress
    from stemsplit.evaluation.output import Findings
    from stemsplit.evaluation.statistics import Interval
    from stemsplit.evaluation.summary import Row

_SECONDS_BETWEEN_LINES = 10.0
_NOTHING = "-"  # in a cell


def make_evaluation_reporter(console: Console) -> "EvaluationReporter":
    """The reporter for a kind of reader."""
    if console.mode is Mode.JSON:
        return _JsonReporter(console)
    return _BarReporter(console) if console.has_terminal else EvaluationReporter(console)


class EvaluationReporter(ConsoleReporter):
    """Prints plain lines, and at the end the table."""

    def __init__(self, console: Console) -> None:
        """Report to a console."""
        super().__init__(console)
        self._last_line = time.monotonic()

    def __call__(self, event: EvaluationEvent) -> None:
        """Take in an event."""
        if isinstance(event, EvaluationStarted):
            self.line(f"{event.data}.")
            there = event.num_tracks * len(event.candidates) - event.num_waiting
            if there:
                self.line(f"{there} tracks have their scores from an earlier run.")
        elif isinstance(event, TrackScored):
            self._last_line = time.monotonic()
            self.line(_scored_line(event))
        elif isinstance(event, TrackFailed):
            self.complain(f"Failed: {event.candidate}, {event.track}: {event.reason}")
        elif time.monotonic() - self._last_line >= _SECONDS_BETWEEN_LINES:
            self._last_line = time.monotonic()
            self.line(f"{event.candidate}, {event.track}: {_progress(event)}")

    def separation(self, event: Event) -> None:
        """Take in an event of the separator."""
        if isinstance(event, Notice):
            self.line(f"{'Warning' if event.is_warning else 'Note'}: {event.message}")
        elif isinstance(event, ModelReady):
            self.line(f"Model {event.model} on {event.device}, ready in {event.seconds:.1f} s.")

    def download(self, progress: "DownloadProgress") -> None:
        """Print how far a download is, now and then."""
        is_end = progress.received_bytes == progress.total_bytes
        if is_end or time.monotonic() - self._last_line >= _SECONDS_BETWEEN_LINES:
            self._last_line = time.monotonic()
            self.line(f"{download_title(progress)}: {download_note(progress)}")

    def line(self, text: str) -> None:
        """Print a line for a person who waits."""
        self.console.say(text)

    def complain(self, text: str) -> None:
        """Print a line about something wrong."""
        self.console.complain(text)

    def show(self, findings: "Findings", files: Sequence[Path]) -> None:
        """Print the table, the verdicts and where everything is."""
        if self.console.mode is Mode.QUIET:
            for path in files:
                self.console.result(str(path))
        else:
            _show_tables(self.console, findings)
        for text in verdict_lines(findings):
            self.console.complain(text)
        if self.console.mode is Mode.HUMAN:
            self.console.result("\n".join(str(path) for path in files))


class _JsonReporter(EvaluationReporter):
    """Prints an object per event, and at the end one with all numbers."""

    def __call__(self, event: EvaluationEvent) -> None:
        self.console.record(kind_of(event), event)

    def separation(self, event: Event) -> None:
        if isinstance(event, Notice | ModelReady):
            self.console.record(kind_of(event), event)

    def download(self, progress: "DownloadProgress") -> None:
        if progress.received_bytes == progress.total_bytes:
            self.console.record(kind_of(progress), progress)

    def show(self, findings: "Findings", files: Sequence[Path]) -> None:
        result = findings.result
        standings = {one.name: vars(one.standing) for one in result.candidates}
        facts = {"is_good": findings.is_good, "files": list(files), "standings": standings}
        self.console.record("evaluation", {**facts, **findings.facts()})


class _BarReporter(EvaluationReporter):
    """Shows a bar, and lines above it."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._progress = new_bars()
        self._task: Any = None

    def __enter__(self) -> Self:
        self._progress.start()
        self._task = self._progress.add_task("Evaluating", total=1.0, note="")
        return self

    def __call__(self, event: EvaluationEvent) -> None:
        if isinstance(event, TrackAdvanced):
            left = event.remaining_seconds
            note = event.track if left is None else f"{duration(left)} left, {event.track}"
            self._progress.update(self._task, completed=event.fraction, note=note)
            return
        super().__call__(event)

    def line(self, text: str) -> None:
        self._progress.console.print(text, markup=False, soft_wrap=True)

    def complain(self, text: str) -> None:
        self.line(text)

    def close(self) -> None:
        self._progress.stop()


def verdict_lines(findings: "Findings") -> list[str]:
    """What makes the exit status 1, a line each; failed tracks were named before."""
    from stemsplit.evaluation.comparison import floor_words

    result = findings.result
    lines = []
    if result.num_failures:
        lines.append(f"{result.num_failures} tracks could not be scored.")
    for change in findings.comparison.changes if findings.comparison else ():
        if change.is_loss:
            lines.append(
                f"{change.candidate}: {change.stem} got worse, by {-change.difference.mean:.2f} dB"
                f" of {result.metric} on average over {change.difference.count} tracks."
            )
    return lines + [floor_words(one, result.metric) for one in findings.shortfalls]


def _show_tables(console: Console, findings: "Findings") -> None:
    from stemsplit.evaluation.summary import caveats, summary_rows

    result = findings.result
    rows = summary_rows(result)
    apart = {one.name for one in result.candidates if not one.standing.is_ranked}
    console.result(f"{result.metric} in dB, more is better:")
    _show_rows(console, [row for row in rows if row.candidate not in apart], result.baseline)
    seen = [row for row in rows if row.candidate in apart]
    if seen:
        console.result("Ranked apart, since trained on these songs:")
        _show_rows(console, seen, result.baseline)
    for one in result.candidates:
        console.result(f"{one.name} {one.standing.explanation}.")
    for note in [*result.notes, *caveats(result)]:
        console.result(note)
    _show_costs(console, findings)
    _show_comparison(console, findings)
    _show_calibration(console, findings)


def _show_rows(console: Console, rows: Sequence["Row"], baseline: str | None) -> None:
    from stemsplit.evaluation.report_tables import published_words

    if not rows:
        return
    has_difference = any(row.difference for row in rows)
    has_published = any(row.published for row in rows)
    head = ["candidate", "stem", "tracks", "median", "95 %", "mean", "95 %"]
    head += [f"to {baseline}", "95 %"] if has_difference else []
    head += ["published"] if has_published else []
    lines = []
    for row in rows:
        summary = row.summary
        cells = [row.candidate, row.stem, str(summary.count), f"{summary.median:.2f}"]
        cells += [_range(summary.median_interval), f"{summary.mean:.2f}"]
        cells += [_range(summary.mean_interval)]
        if has_difference:
            gap = row.difference
            cells += [
                _NOTHING if gap is None else f"{gap.mean:+.2f}",
                _NOTHING if gap is None else _range(gap.mean_interval),
            ]
        if has_published:
            cells.append(published_words(row))
        lines.append(cells)
    console.table(head, lines)


def _show_costs(console: Console, findings: "Findings") -> None:
    for one in findings.result.candidates:
        if one.speed is not None:
            memory = one.peak_memory_bytes
            peak = "" if memory is None else f", {memory / 1e9:.1f} GB of memory at most"
            console.result(
                f"{one.name} separates at {one.speed:.1f}x real time on {one.device}{peak}."
            )


def _show_comparison(console: Console, findings: "Findings") -> None:
    comparison = findings.comparison
    if comparison is None:
        return
    console.result("Against the earlier evaluation, track by track:")
    head = ("candidate", "stem", "tracks", "mean", "95 %", "verdict")
    rows = []
    for change in comparison.changes:
        gap = change.difference
        verdict = "worse" if change.is_loss else "kept"
        cells = (str(gap.count), f"{gap.mean:+.3f}", _range(gap.mean_interval), verdict)
        rows.append((change.candidate, change.stem, *cells))
    console.table(head, rows)
    for text in comparison.missing:
        console.result(f"Not there any more: {text}.")


def _show_calibration(console: Console, findings: "Findings") -> None:
    if not findings.calibration:
        return
    metric = findings.result.metric
    console.result(
        f"Rank correlation (Spearman) of the score without a reference with {metric}; 1 is perfect,"
        " 0 is useless:"
    )
    rows = []
    for one in findings.calibration:
        rho = one.correlation.rho
        shown = _NOTHING if math.isnan(rho) else f"{rho:+.2f}"
        where = (one.candidate, one.stem, str(one.correlation.count))
        rows.append((*where, shown, _range(one.correlation.interval)))
    console.table(("candidate", "stem", "pairs", "rho", "95 %"), rows)


def _range(interval: "Interval | None") -> str:
    return _NOTHING if interval is None else f"{interval.low:.2f} to {interval.high:.2f}"


def _scored_line(event: TrackScored) -> str:
    values = _values(event.values)
    left = "" if event.remaining_seconds is None else f", {duration(event.remaining_seconds)} left"
    count = f"[{event.num_done}/{event.num_waiting}]"
    return f"{count} {event.candidate}, {event.track}: {values}{left}."


def _values(values: Mapping[str, float]) -> str:
    return ", ".join(
        f"{stem} {_NOTHING if math.isnan(value) else format(value, '.2f')}"
        for stem, value in values.items()
    )


def _progress(event: TrackAdvanced) -> str:
    left = "" if event.remaining_seconds is None else f", {duration(event.remaining_seconds)} left"
    return f"{event.fraction:.0%} of everything{left}"
