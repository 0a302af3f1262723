"""How well the score without a reference follows the true one. Imports no torch."""

from collections.abc import Iterable
from dataclasses import dataclass

from stemsplit.evaluation.results import CandidateResult, EvaluationResult
from stemsplit.evaluation.statistics import RankCorrelation, rank_correlation


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """Rank correlation of the two scores over tracks."""

    candidate: str
    """`all` for those of all candidates together."""
    stem: str
    """`all` for those of all stems together."""
    metric: str
    correlation: RankCorrelation


def calibrate(result: EvaluationResult) -> tuple[Calibration, ...]:
    """Correlate the scores without a reference with the metric of the result.

    Every candidate and stem by itself, which asks whether the score finds the worse songs; then all
    together, which is easier, since it also rewards knowing that drums come out better than other.
    """
    found = []
    for one in result.candidates:
        for stem in one.stems:
            found.append(_calibration(one.name, stem, result, _pairs(one, stem, result.metric)))
    pairs = [
        pair
        for one in result.candidates
        for stem in one.stems
        for pair in _pairs(one, stem, result.metric)
    ]
    found.append(_calibration("all", "all", result, pairs))
    return tuple(found)


def _pairs(one: CandidateResult, stem: str, metric: str) -> Iterable[tuple[float, float]]:
    for track in one.tracks:
        if stem in track.quality and stem in track.scores.stems:
            yield float(track.quality[stem]), track.scores.stems[stem].values[metric]


def _calibration(
    candidate: str, stem: str, result: EvaluationResult, pairs: Iterable[tuple[float, float]]
) -> Calibration:
    kept = list(pairs)
    correlation = rank_correlation(
        [quality for quality, _ in kept], [value for _, value in kept], seed=result.seed
    )
    return Calibration(
        candidate=candidate, stem=stem, metric=result.metric, correlation=correlation
    )
