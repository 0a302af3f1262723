"""The numbers that a reader wants: per candidate and stem, ranked. Imports no torch."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from stemsplit.checkpoints.published import ALL_STEMS, PublishedFigure, load_published
from stemsplit.evaluation.aggregation import MetricSummary, aggregate
from stemsplit.evaluation.options import FILTERED, METRICS
from stemsplit.evaluation.results import CandidateResult, EvaluationResult
from stemsplit.evaluation.run_options import headline
from stemsplit.evaluation.statistics import Difference, Summary, compare, summarise

_STANDARD_SECONDS = 1.0  # window and hop of published figures
_NAMED = 3  # tracks that are named where there are more of a kind


@dataclass(frozen=True, kw_only=True)
class Row:
    """One metric of one stem of one candidate."""

    candidate: str
    stem: str
    """`all` for the mean over the stems."""
    metric: str
    summary: Summary
    pooled: MetricSummary | None
    """Over all windows of all tracks as one heap; None for `all`."""
    difference: Difference | None
    """To the baseline; None for itself, and without one."""
    published: tuple[PublishedFigure, ...] = ()
    """Figures of others under the same definition on the same songs."""

    def ours(self, statistic: str) -> float | None:
        """Our number under the statistic of a published figure."""
        if self.pooled is not None and statistic.startswith("pooled"):
            return float(getattr(self.pooled, statistic))
        return {"median": self.summary.median, "mean": self.summary.mean}.get(statistic)

    @property
    def headline(self) -> float:
        """The number that is published of this metric: its median, or its mean."""
        return self.summary.median if headline(self.metric) == "median" else self.summary.mean


def summary_rows(result: EvaluationResult, metric: str | None = None) -> list[Row]:
    """The rows of the table: candidates as ranked, each with `all` first if it has several stems.

    Args:
        result: what was found.
        metric: which one; None takes that of the result.
    """
    metric = metric or result.metric
    unscored = _unscored(result, metric)
    found = []
    for candidate in result.candidates:
        pooled = aggregate(track.scores for track in candidate.tracks)
        stems = tuple(stem for stem in candidate.stems if stem not in unscored)
        rows = [(ALL_STEMS, stems)] if len(stems) > 1 else []
        for stem, parts in [*rows, *((stem, (stem,)) for stem in stems)]:
            values = _values(candidate, parts, metric, result.data.tracks)
            is_finite = np.isfinite(values).any(axis=0)
            if np.isnan(values).all() or is_finite.any() != is_finite.all():
                continue  # nothing, or no mean over stems, as it has no value of one
            found.append(
                Row(
                    candidate=candidate.name,
                    stem=stem,
                    metric=metric,
                    summary=summarise(values, seed=result.seed),
                    pooled=pooled[stem].get(metric) if stem in pooled else None,
                    difference=_difference(result, candidate, parts, metric),
                    published=_published(result, candidate, stem, metric),
                )
            )
    order = {name: place for place, name in enumerate(_order(found, result))}
    return sorted(found, key=lambda row: order[row.candidate])  # stable: stems stay in order


def metrics_of(result: EvaluationResult) -> tuple[str, ...]:
    """The metrics that were computed, in the usual order."""
    computed = result.metric_options["metrics"]
    return tuple(metric for metric in METRICS if metric in computed)


def summary_facts(result: EvaluationResult) -> list[dict[str, Any]]:
    """Every row of every metric in the types of JSON."""
    return [
        {
            **{key: getattr(row, key) for key in ("candidate", "stem", "metric")},
            **_plain(asdict(row.summary)),
            "pooled": _plain(asdict(row.pooled)) if row.pooled else None,
            "difference_to_baseline": _plain(asdict(row.difference)) if row.difference else None,
            "published": [asdict(figure) for figure in row.published],
        }
        for metric in metrics_of(result)
        for row in summary_rows(result, metric)
    ]


def caveats(result: EvaluationResult) -> list[str]:
    """What must be known of the numbers, a sentence each."""
    lines = []
    scores = [track.scores for one in result.candidates for track in one.tracks]
    if silent := sum(one.silent_windows for one in scores):
        num_windows = sum(one.num_windows for one in scores)
        lines.append(
            f"{silent:,} of {num_windows:,} windows have no value: a reference or an estimate is "
            "silent in them."
        )
    if unscored := _unscored(result, result.metric):
        lines.append(
            f"No track has a value of {', '.join(unscored)}, which {ALL_STEMS} leaves out."
        )
    for candidate in result.candidates:
        for stem in candidate.stems:
            tracks = [one.track for one in candidate.tracks if stem in one.scores.silent_stems]
            if tracks:
                lines.append(
                    f"{candidate.name}: {stem}, true or estimated, is silent throughout in "
                    f"{_some(tracks)}."
                )
        loose = [one.track for one in candidate.tracks if one.scores.are_filters_loose]
        if loose and not FILTERED.isdisjoint(metrics_of(result)):
            lines.append(
                f"{candidate.name}: ISR, SIR and SAR are hardly determined, whoever computes them, "
                f"in {_some(loose)}."
            )
    return lines


def _some(tracks: Sequence[str]) -> str:
    """The first of them by name, and how many there are."""
    named = ", ".join(tracks[:_NAMED])
    return named if len(tracks) <= _NAMED else f"{named} and {len(tracks) - _NAMED} more"


def _unscored(result: EvaluationResult, metric: str) -> tuple[str, ...]:
    """The stems of which no candidate has a value, since they are silent in all songs."""
    return tuple(
        stem
        for stem in result.stems
        if all(
            np.isnan(one.values(stem, metric, result.data.tracks)).all()
            for one in result.candidates
        )
    )


def _values(
    candidate: CandidateResult, stems: Sequence[str], metric: str, tracks: Sequence[str]
) -> Any:
    """Values (tracks, stems), NaN where there is none."""
    return np.array([candidate.values(stem, metric, tracks) for stem in stems], np.float64).T


def _difference(
    result: EvaluationResult, candidate: CandidateResult, stems: Sequence[str], metric: str
) -> Difference | None:
    baseline = result.candidate(result.baseline)
    if baseline is None or baseline.name == candidate.name:
        return None
    tracks = result.data.tracks
    return compare(
        _values(candidate, stems, metric, tracks),
        _values(baseline, stems, metric, tracks),
        seed=result.seed,
    )


def _published(
    result: EvaluationResult, candidate: CandidateResult, stem: str, metric: str
) -> tuple[PublishedFigure, ...]:
    """What others measured of the model under the same definition, on the same songs."""
    options = result.metric_options
    is_standard = options["window_seconds"] == options["hop_seconds"] == _STANDARD_SECONDS
    is_windowed = metric not in {"usdr", "si_sdr"}
    if not result.data.is_complete or (is_windowed and not is_standard):
        return ()
    return tuple(
        figure
        for figure in load_published()
        if figure.model == candidate.settings.get("model")
        and figure.data == result.data.key
        and figure.metric == metric
        and stem in figure.values
    )


def _order(rows: Sequence[Row], result: EvaluationResult) -> list[str]:
    """Names of the candidates, best first; last those without all stems, or that saw the songs."""
    best: dict[str, Row] = {}
    for row in rows:
        best.setdefault(row.candidate, row)  # of `all`, or of the only stem
    has_all = any(row.stem == ALL_STEMS for row in rows)
    standing = {one.name: one.standing.is_ranked for one in result.candidates}

    def rank(name: str) -> tuple[bool, bool, float]:
        row = best[name]
        return not standing[name], has_all and row.stem != ALL_STEMS, -row.headline

    return sorted(best, key=rank)


def _plain(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Facts with numbers that JSON has: NaN is null, infinity the text inf."""
    return {
        key: value
        if not isinstance(value, float) or math.isfinite(value)
        else (None if math.isnan(value) else str(value))
        for key, value in facts.items()
    }
