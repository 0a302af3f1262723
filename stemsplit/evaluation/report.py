"""The report: one HTML file that needs no network and no script. Imports no torch."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from html import escape
from importlib import resources
from pathlib import Path
from typing import Any

from stemsplit.audio.staging import StagedFiles, writing
from stemsplit.evaluation.calibration import Calibration
from stemsplit.evaluation.comparison import Comparison
from stemsplit.evaluation.report_plots import box_plots, gap_bars
from stemsplit.evaluation.report_tables import (
    calibration_table,
    comparison_table,
    failures_list,
    flags,
    method_words,
    score_table,
    settings_list,
    speed_table,
)
from stemsplit.evaluation.results import CandidateResult, EvaluationResult
from stemsplit.evaluation.summary import metrics_of, summary_rows

Excerpts = Callable[[str, str], "Mapping[str, Any] | None"]
"""Candidate and track to its worst moment, see `stemsplit.evaluation.excerpts`."""

METRIC_NAMES = {
    "sdr": "SDR (BSS Eval v4)",
    "isr": "ISR (BSS Eval v4)",
    "sir": "SIR (BSS Eval v4)",
    "sar": "SAR (BSS Eval v4)",
    "csdr": "cSDR",
    "usdr": "uSDR",
    "si_sdr": "SI-SDR",
}

_NUM_WORST = 5
_SOUNDS = ("mix", "reference", "estimate")


def write_report(
    path: Path,
    result: EvaluationResult,
    excerpts: Excerpts,
    *,
    comparison: Comparison | None = None,
    calibration: Sequence[Calibration] = (),
) -> None:
    """Write the report of an evaluation.

    Args:
        path: the HTML file.
        result: what was found.
        excerpts: gives the worst moment of a track of a candidate.
        comparison: with an earlier evaluation, where there is one.
        calibration: of the scores without a reference, where there are any.

    Raises:
        EncodeError: the file cannot be written.
    """
    staged = StagedFiles()
    try:
        temporary = staged.add(path)
        with writing(path), temporary.open("w", encoding="utf-8") as file:
            file.writelines(_page(result, excerpts, comparison, calibration))
        staged.publish()
    finally:
        staged.discard()


def _page(
    result: EvaluationResult,
    excerpts: Excerpts,
    comparison: Comparison | None,
    calibration: Sequence[Calibration],
) -> Iterator[str]:
    style = resources.files(__package__).joinpath("report.css").read_text("utf-8")
    title = f"{', '.join(one.name for one in result.candidates)} on {result.data.name}"
    yield '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<title>{escape(title)}</title><style>\n{style}</style></head><body>"
    yield f"<h1>{escape(title)}</h1>{_lead(result)}"
    yield flags(result)
    yield f"<h2>{METRIC_NAMES[result.metric]}</h2>"
    yield score_table(result, result.metric)
    yield method_words(result)
    if comparison is not None:
        yield f"<h2>Against the earlier evaluation</h2>{comparison_table(comparison)}"
    yield from _spread(result)
    yield from _gaps(result)
    yield from _worst(result, excerpts)
    if calibration:
        yield "<h2>How far the score without a reference can be trusted</h2>"
        yield calibration_table(calibration)
    yield f"<h2>Speed and memory</h2>{speed_table(result)}"
    yield from _other_metrics(result)
    yield f"<h2>Tracks without a score</h2>{failures_list(result)}"
    yield f"<h2>How it was measured</h2>{settings_list(result)}"
    yield "</body></html>\n"


def _lead(result: EvaluationResult) -> str:
    data = result.data
    part = f", {data.split} split" if data.split else ""
    whole = "all of them" if data.is_complete else f"of {data.num_available}"
    return (
        f'<p class="soft">{escape(data.name)}{escape(part)}: {len(data.tracks)} tracks, {whole}.'
        f" {escape(result.began)}.</p>"
    )


def _spread(result: EvaluationResult) -> Iterator[str]:
    yield f"<h2>Every track, {METRIC_NAMES[result.metric]}</h2>"
    for stem in result.stems:
        rows = [
            (one.name, index, _by_track(one, stem, result))
            for index, one in enumerate(result.candidates)
        ]
        yield f"<h3>{escape(stem)}</h3>{box_plots(rows)}"


def _gaps(result: EvaluationResult) -> Iterator[str]:
    """Per-track bars: to the baseline, or with one candidate to its own middle track."""
    baseline = result.candidate(result.baseline)
    others = [
        (index, one)
        for index, one in enumerate(result.candidates)
        if baseline is not None and one.name != baseline.name
    ]
    if not others:
        yield "<h2>Tracks from best to worst, against the middle one</h2>"
        for index, one in enumerate(result.candidates):
            yield from _bars(result, one, index, None)
        return
    assert baseline is not None  # or there were no others
    for index, one in others:
        yield f"<h2>{escape(one.name)} minus {escape(baseline.name)}, track by track</h2>"
        yield from _bars(result, one, index, baseline)


def _bars(
    result: EvaluationResult, one: CandidateResult, index: int, baseline: CandidateResult | None
) -> Iterator[str]:
    for place, stem in enumerate(result.stems):
        values = _by_track(one, stem, result)
        if baseline is not None:
            others = _by_track(baseline, stem, result)
            gaps = {track: value - others[track] for track, value in values.items()}
        else:
            finite = sorted(value for value in values.values() if abs(value) < float("inf"))
            middle = finite[len(finite) // 2] if finite else 0.0
            gaps = {track: value - middle for track, value in values.items()}
        state = " open" if place == 0 else ""
        yield f"<details{state}><summary>{escape(stem)}</summary>{gap_bars(gaps, index)}</details>"


def _worst(result: EvaluationResult, excerpts: Excerpts) -> Iterator[str]:
    yield "<h2>The worst tracks, to see and hear</h2>"
    yield (
        '<p class="soft">Of every candidate the tracks with the lowest stem, each at the seconds in'
        " which the stem is furthest from the truth. Spectrograms run from 40 Hz to 16 kHz in even"
        " steps of pitch, over 80 dB below the loudest point of the three.</p>"
    )
    for one in result.candidates:
        lowest = sorted(_lowest_stem(one, result.metric).items(), key=lambda item: item[1])
        if lowest:
            yield f"<h3>{escape(one.name)}</h3>"
        for track, value in lowest[:_NUM_WORST]:
            found = excerpts(one.name, track)
            if found is not None:
                yield _moment(track, value, found)


def _moment(track: str, value: float, excerpt: Mapping[str, Any]) -> str:
    begin, length = excerpt["start_seconds"], excerpt["seconds"]
    title = f"{track}: {excerpt['stem']}, {value:.2f} dB"
    where = f"{int(begin) // 60}:{int(begin) % 60:02}, {length:.1f} s"
    views = []
    for name, data in excerpt["pictures"].items():
        image = _embedded("image/png", data)
        alt = escape(f"Spectrogram of the {name}", quote=True)
        player = _player(excerpt, name) if name in _SOUNDS else _player(excerpt, "mix")
        caption = name if name in _SOUNDS else f"{name}; the player has the mix"
        views.append(
            f'<figure><img alt="{alt}" src="{image}">{player}'
            f"<figcaption>{escape(caption)}</figcaption></figure>"
        )
    return (
        f'<section class="moment"><h3>{escape(title)}</h3><p class="soft">From {where}.</p>'
        f'<div class="views">{"".join(views)}</div></section>'
    )


def _player(excerpt: Mapping[str, Any], name: str) -> str:
    sound = _embedded("audio/mpeg", excerpt["sounds"][name])
    return f'<audio controls preload="none" src="{sound}"></audio>'


def _embedded(kind: str, data: str) -> str:
    return f"data:{kind};base64,{data}"


def _other_metrics(result: EvaluationResult) -> Iterator[str]:
    others = [metric for metric in metrics_of(result) if metric != result.metric]
    if others:
        yield "<h2>Other metrics</h2>"
    for metric in others:
        if summary_rows(result, metric):
            yield f"<details><summary>{METRIC_NAMES[metric]}</summary>"
            yield f"{score_table(result, metric)}</details>"


def _by_track(one: CandidateResult, stem: str, result: EvaluationResult) -> dict[str, float]:
    tracks: Sequence[str] = result.data.tracks
    return dict(zip(tracks, one.values(stem, result.metric, tracks), strict=True))


def _lowest_stem(one: CandidateResult, metric: str) -> dict[str, float]:
    found = {}
    for track in one.tracks:
        values = [stem.values[metric] for stem in track.scores.stems.values()]
        finite = [value for value in values if value == value]
        if finite:
            found[track.track] = min(finite)
    return found
