"""The tables and lists of the report. Imports no torch."""

import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from stemsplit.evaluation.calibration import Calibration
from stemsplit.evaluation.comparison import TOLERANCE_DB, Comparison
from stemsplit.evaluation.options import WINDOWED
from stemsplit.evaluation.results import EvaluationResult
from stemsplit.evaluation.statistics import Difference, Interval
from stemsplit.evaluation.summary import Row, caveats, summary_rows

NOTHING = "-"  # in a cell

_GB = 1e9


def score_table(result: EvaluationResult, metric: str) -> str:
    """Mean, median, intervals and difference per candidate and stem, as ranked."""
    rows = summary_rows(result, metric)
    has_baseline = any(row.difference for row in rows)
    has_published = any(row.published for row in rows)
    head = ["candidate", "stem", "tracks", "median", "95 %", "mean", "95 %"]
    head += [f"to {result.baseline}", "95 %", "better on"] if has_baseline else []
    head += ["published"] if has_published else []
    seen = {one.name for one in result.candidates if not one.standing.is_ranked}
    lines, last = [], None
    for row in rows:
        cells = _score_cells(row, row.candidate in seen)
        cells += _difference_cells(row.difference) if has_baseline else []
        cells += [escape(published_words(row))] if has_published else []
        lines.append(_line(cells, is_lead=row.candidate != last))
        last = row.candidate
    return _table(head, lines)


def published_words(row: Row) -> str:
    """What others published of a row, beside our number under the same definition."""
    parts = []
    for figure in row.published:
        ours = row.ours(figure.statistic)
        if ours is not None:
            kind = figure.statistic.replace("_", " ")
            parts.append(f"{kind} {figure.values[row.stem]:.2f} (here {ours:.2f})")
    return "; ".join(parts)


def interval_words(interval: Interval | None, *, is_signed: bool = False) -> str:
    """Both ends of an interval."""
    if interval is None:
        return NOTHING
    sign = "+" if is_signed else ""
    return f"{interval.low:{sign}.2f} to {interval.high:{sign}.2f}"


def flags(result: EvaluationResult) -> str:
    """What a reader must know before any number."""
    lines = [
        f'<p class="flag"><strong>{escape(one.name)}</strong> {escape(one.standing.explanation)}.'
        " It is ranked apart.</p>"
        for one in result.candidates
        if not one.standing.is_ranked
    ]
    lines += [
        f'<p class="soft">{escape(one.name)} {escape(one.standing.explanation)}.</p>'
        for one in result.candidates
        if one.standing.is_ranked
    ]
    lines += [f'<p class="soft">{escape(note)}</p>' for note in result.notes]
    return "".join(lines)


def method_words(result: EvaluationResult) -> str:
    """How to read the table."""
    options = result.metric_options
    seconds = {"csdr": (1.0, 1.0)}.get(
        result.metric, (options["window_seconds"], options["hop_seconds"])
    )
    track = (
        f"the median over its windows of {seconds[0]:g} s, every {seconds[1]:g} s"
        if result.metric in WINDOWED
        else "one value for the whole of it"
    )
    return (
        f'<p class="soft">Values in dB, more is better. Of every track {track}; then median and'
        " mean over the tracks. Intervals hold 95 % of 10,000 bootstrap resamples of the tracks;"
        " differences are taken track by track.</p>"
        + "".join(f'<p class="soft">{escape(line)}</p>' for line in caveats(result))
    )


def comparison_table(comparison: Comparison) -> str:
    """What changed since the earlier evaluation."""
    head = ["candidate", "stem", "tracks", "mean change", "95 %", "verdict"]
    lines = []
    for change in comparison.changes:
        verdict = '<span class="bad">worse</span>' if change.is_loss else "kept"
        cells = [escape(change.candidate), escape(change.stem), str(change.difference.count)]
        cells += [f"{change.difference.mean:+.3f}"]
        cells += [interval_words(change.difference.mean_interval, is_signed=True), verdict]
        lines.append(_line(cells))
    missing = "".join(f"<p>Not there any more: {escape(one)}.</p>" for one in comparison.missing)
    note = f'<p class="soft">Worse: the mean fell by more than {TOLERANCE_DB:g} dB.</p>'
    return _table(head, lines) + missing + note


def calibration_table(calibration: Sequence[Calibration]) -> str:
    """How well the scores without a reference follow the true ones."""
    head = ["candidate", "stem", "pairs", "rank correlation", "95 %"]
    lines = []
    for one in calibration:
        rho = one.correlation.rho
        cells = [escape(one.candidate), escape(one.stem), str(one.correlation.count)]
        cells += [f"{rho:+.2f}" if math.isfinite(rho) else NOTHING]
        lines.append(_line([*cells, interval_words(one.correlation.interval, is_signed=True)]))
    note = (
        '<p class="soft">Spearman\'s coefficient with the metric of the table: 1 is perfect, 0 is'
        " useless.</p>"
    )
    return _table(head, lines) + note


def speed_table(result: EvaluationResult) -> str:
    """What every candidate cost."""
    head = ["candidate", "device", "speed", "separation", "scoring", "memory", "GPU memory"]
    lines = []
    for one in result.candidates:
        separation = sum(track.separation_seconds or 0.0 for track in one.tracks)
        scoring = sum(track.scoring_seconds for track in one.tracks)
        cells = [
            escape(one.name),
            escape(one.device or NOTHING),
            f"{one.speed:.1f}x real time" if one.speed else NOTHING,
            f"{separation:.1f} s" if separation else NOTHING,
            f"{scoring:.1f} s",
            _gigabytes(one.peak_memory_bytes),
            _gigabytes(one.peak_device_bytes),
        ]
        lines.append(_line(cells))
    note = (
        '<p class="soft">Memory is that of the whole process at its peak, with the tracks and their'
        " scoring; nothing is known of it where all tracks were scored in an earlier run.</p>"
    )
    return _table(head, lines) + note


def failures_list(result: EvaluationResult) -> str:
    """Every track that could not be scored, and why."""
    items = [
        f"<li>{escape(one.name)}, {escape(failure.track)}: {escape(failure.reason)}</li>"
        for one in result.candidates
        for failure in one.failures
    ]
    return f"<ul>{''.join(items)}</ul>" if items else "<p>None.</p>"


def settings_list(result: EvaluationResult) -> str:
    """Data, settings and versions."""
    data = {
        "data set": f"{result.data.name} {result.data.split}".strip(),
        "folder": result.data.path,
        "layout": result.data.layout,
        "tracks": f"{len(result.data.tracks)} of {result.data.num_available}",
        "seed of the bootstrap": result.seed,
        "time": f"{result.elapsed_seconds:.1f} s",
    }
    parts = [_facts(data), "<h3>Metrics</h3>", _facts(result.metric_options)]
    for one in result.candidates:
        parts += [f"<h3>{escape(one.name)}</h3>", _facts(one.settings)]
    return "".join([*parts, "<h3>Machine</h3>", _facts(result.machine)])


def _score_cells(row: Row, is_seen: bool) -> list[str]:
    name = escape(row.candidate) + (
        ' <span class="bad">has seen the songs</span>' if is_seen else ""
    )
    summary = row.summary
    return [
        name,
        escape(row.stem),
        str(summary.count),
        f"{summary.median:.2f}",
        interval_words(summary.median_interval),
        f"{summary.mean:.2f}",
        interval_words(summary.mean_interval),
    ]


def _difference_cells(difference: Difference | None) -> list[str]:
    if difference is None:
        return [NOTHING, NOTHING, NOTHING]
    interval = difference.mean_interval
    kind = ""
    if interval is not None and interval.excludes_zero:
        kind = ' class="good"' if interval.low > 0 else ' class="bad"'
    return [
        f"<span{kind}>{difference.mean:+.2f}</span>",
        interval_words(interval, is_signed=True),
        f"{difference.num_better} of {difference.count}",
    ]


def _table(head: Sequence[str], lines: Iterable[str]) -> str:
    cells = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    rows = f"<thead><tr>{cells}</tr></thead><tbody>{''.join(lines)}</tbody>"
    return f'<div class="wide"><table>{rows}</table></div>'


def _line(cells: Sequence[str], *, is_lead: bool = False) -> str:
    kind = ' class="lead"' if is_lead else ""
    return f"<tr{kind}>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _facts(facts: Mapping[str, Any]) -> str:
    rows = (
        f"<dt>{escape(str(name))}</dt><dd>{escape(_value(value))}</dd>"
        for name, value in facts.items()
        if value is not None
    )
    return f"<dl>{''.join(rows)}</dl>"


def _value(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return str(value)


def _gigabytes(count: int | None) -> str:
    return NOTHING if count is None else f"{count / _GB:.2f} GB"
