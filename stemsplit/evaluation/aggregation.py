"""The scores of many tracks in one line per stem. Imports no torch."""

import math
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from stemsplit.evaluation.scores import TrackScores


@dataclass(frozen=True, kw_only=True)
class MetricSummary:
    """One metric of one stem over all tracks, in dB; NaN where there is nothing to summarise.

    Only finite values take part, as in museval, which stores infinity as missing.
    """

    median: float
    """Median over tracks; of a windowed metric the published median of medians."""

    mean: float
    """Mean over tracks."""

    deviation: float
    """Standard deviation over tracks (of the population)."""

    num_tracks: int
    """Tracks that have a value."""

    num_missing_tracks: int
    """Tracks that have none: silent throughout, or infinite."""

    pooled_median: float
    """Median over all windows of all tracks; NaN for a metric of whole tracks."""

    pooled_mean: float
    """Mean over all windows of all tracks."""

    pooled_deviation: float
    """Standard deviation over all windows of all tracks (of the population)."""

    num_windows: int
    """Windows that have a value."""

    num_missing_windows: int
    """Windows that have none: silent, or infinite."""


def aggregate(tracks: Iterable[TrackScores]) -> dict[str, dict[str, MetricSummary]]:
    """Summarise the scores of many tracks.

    `median` is the published protocol of BSS Eval v4: the median over tracks of the median over
    windows. The pooled values take all windows of all tracks as one heap, which weighs long tracks
    more; they are what some repositories print, and cannot be compared with the former.

    Returns:
        Stem to metric to its summary, in the order in which they first appear.

    Source: F.-R. Stöter, A. Liutkus, N. Ito, "The 2018 Signal Separation Evaluation Campaign",
    LVA/ICA 2018, section 3; museval's `EvalStore`.
    """
    values: dict[str, dict[str, list[float]]] = {}
    windows: dict[str, dict[str, list[float]]] = {}
    for track in tracks:
        for stem, scores in track.stems.items():
            for metric, value in scores.values.items():
                values.setdefault(stem, {}).setdefault(metric, []).append(value)
                heap = windows.setdefault(stem, {}).setdefault(metric, [])
                heap.extend(scores.windows.get(metric, ()))
    return {
        stem: {metric: _summary(row, windows[stem][metric]) for metric, row in metrics.items()}
        for stem, metrics in values.items()
    }


def _summary(values: Sequence[float], windows: Sequence[float]) -> MetricSummary:
    finite = [value for value in values if math.isfinite(value)]
    pooled = [value for value in windows if math.isfinite(value)]
    return MetricSummary(
        median=_or_nan(statistics.median, finite),
        mean=_or_nan(statistics.fmean, finite),
        deviation=_or_nan(statistics.pstdev, finite),
        num_tracks=len(finite),
        num_missing_tracks=len(values) - len(finite),
        pooled_median=_or_nan(statistics.median, pooled),
        pooled_mean=_or_nan(statistics.fmean, pooled),
        pooled_deviation=_or_nan(statistics.pstdev, pooled),
        num_windows=len(pooled),
        num_missing_windows=len(windows) - len(pooled),
    )


def _or_nan(statistic: Callable[[Sequence[float]], float], values: Sequence[float]) -> float:
    return statistic(values) if values else math.nan
