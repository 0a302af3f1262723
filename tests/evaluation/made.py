"""Results of evaluations, made up for the tests of what is done with them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from stemsplit.evaluation.options import Metric, MetricOptions
from stemsplit.evaluation.results import (
    CandidateResult,
    DataFacts,
    EvaluationResult,
    Standing,
    TrackResult,
)
from stemsplit.evaluation.scores import StemScores, TrackScores


def make_track(name: str, stems: Mapping[str, Sequence[float]], metric: Metric) -> TrackResult:
    """A track with the windows of every stem; its value is the middle one."""
    scores = {
        stem: StemScores(values={metric: sorted(row)[len(row) // 2]}, windows={metric: tuple(row)})
        for stem, row in stems.items()
    }
    length = max(len(row) for row in stems.values())
    return TrackResult(
        scores=TrackScores(
            track=name,
            stems=scores,
            silent_stems=(),
            num_windows=length,
            silent_windows=0,
            window_seconds=1.0,
            hop_seconds=1.0,
        ),
        duration_seconds=float(length),
        separation_seconds=length / 2,
        scoring_seconds=0.1,
    )


def make_candidate(
    name: str,
    tracks: Mapping[str, Mapping[str, Sequence[float]]],
    *,
    verdict: str = "clean",
    metric: Metric = "sdr",
    model: str | None = None,
) -> CandidateResult:
    return CandidateResult(
        name=name,
        kind="model",
        settings={"model": model or name},
        standing=Standing(verdict=verdict, num_seen=0, explanation="is made up"),
        tracks=tuple(make_track(track, stems, metric) for track, stems in tracks.items()),
        failures=(),
    )


def make_result(
    *candidates: CandidateResult,
    metric: Metric = "sdr",
    baseline: str | None = None,
    data: str = "musdb18hq",
    split: str = "test",
    num_available: int | None = None,
    window_seconds: float = 1.0,
) -> EvaluationResult:
    tracks = tuple(dict.fromkeys(one.track for each in candidates for one in each.tracks))
    options = MetricOptions(
        metrics=(metric,), window_seconds=window_seconds, hop_seconds=window_seconds
    )
    return EvaluationResult(
        data=DataFacts(
            name=data,
            split=split,
            path="/songs",
            layout="made up",
            tracks=tracks,
            num_available=len(tracks) if num_available is None else num_available,
        ),
        metric=metric,
        metric_options=asdict(options),
        baseline=baseline,
        seed=0,
        candidates=candidates,
        machine={"stemsplit": "0"},
        began="2026-11-21T09:00:00+00:00",
        elapsed_seconds=1.0,
    )
