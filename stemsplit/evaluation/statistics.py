"""What a set of tracks says about a model, and how sure one can be.

Tracks are what is drawn: two windows of one song are far from independent, two songs are not.
Needs no torch.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

NUM_RESAMPLES = 10_000
CONFIDENCE = 0.95

_CELLS_AT_ONCE = 1 << 22  # resampled values held in memory together

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """A range that holds the true value with the stated confidence."""

    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        """Whether the sign of the value is beyond reasonable doubt."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True, kw_only=True)
class Summary:
    """One metric of one stem over the tracks of a set."""

    count: int
    """Tracks with a finite value."""
    mean: float
    mean_interval: Interval | None
    """None with fewer than two tracks."""
    median: float
    median_interval: Interval | None
    low: float
    """The worst track."""
    high: float
    """The best track."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """How much better one model is than another on the tracks that both have."""

    count: int
    """Tracks that both have."""
    num_better: int
    """Tracks on which the first is better."""
    mean: float
    mean_interval: Interval | None
    median: float
    """Of the differences, not the difference of the medians."""
    median_interval: Interval | None


@dataclass(frozen=True)
class RankCorrelation:
    """Spearman's coefficient."""

    rho: float
    """From -1 to 1; NaN where one side does not vary."""
    interval: Interval | None
    count: int


def summarise(values: Sequence[float], *, seed: int = 0) -> Summary:
    """Mean, median and their bootstrap intervals over tracks.

    Args:
        values: one number per track, at least one; those that are not finite are left out.
        seed: of the resampling.

    Raises:
        ValueError: no value is finite.
    """
    finite = _finite(values)
    if not finite.size:
        raise ValueError("there is no finite value to summarise")
    return Summary(
        count=finite.size,
        mean=float(finite.mean()),
        mean_interval=bootstrap(finite, partial(np.mean, axis=-1), seed=seed),
        median=float(np.median(finite)),
        median_interval=bootstrap(finite, partial(np.median, axis=-1), seed=seed),
        low=float(finite.min()),
        high=float(finite.max()),
    )


def compare(first: Sequence[float], second: Sequence[float], *, seed: int = 0) -> Difference | None:
    """The paired difference of two models on the same tracks.

    Args:
        first: one number per track.
        second: of another model, in the same order of tracks.
        seed: of the resampling.

    Returns:
        First minus second; None where no track has a finite value of both.
    """
    pairs = np.asarray(first, dtype=np.float64) - np.asarray(second, dtype=np.float64)
    gaps = _finite(pairs)
    if not gaps.size:
        return None
    return Difference(
        count=gaps.size,
        num_better=int((gaps > 0).sum()),
        mean=float(gaps.mean()),
        mean_interval=bootstrap(gaps, partial(np.mean, axis=-1), seed=seed),
        median=float(np.median(gaps)),
        median_interval=bootstrap(gaps, partial(np.median, axis=-1), seed=seed),
    )


def bootstrap(
    values: Values, statistic: Callable[[Values], Any], *, seed: int = 0
) -> Interval | None:
    """The percentile bootstrap interval of a statistic.

    Args:
        values: (tracks, ...); rows are drawn with replacement.
        statistic: of samples (resamples, tracks, ...), giving (resamples,).
        seed: of the drawing; the same seed gives the same interval.

    Returns:
        The central 95 % of the statistic over 10 000 resamples; None with fewer than two rows.

    Source: B. Efron and R. J. Tibshirani, An Introduction to the Bootstrap (1993), section 13.3.
    """
    count = len(values)
    if count < 2:
        return None
    random = np.random.default_rng(seed)
    at_once = max(1, _CELLS_AT_ONCE // values.size)
    parts = []
    for start in range(0, NUM_RESAMPLES, at_once):
        number = min(at_once, NUM_RESAMPLES - start)
        parts.append(statistic(values[random.integers(0, count, size=(number, count))]))
    drawn = np.concatenate(parts)
    drawn = drawn[np.isfinite(drawn)]
    if not drawn.size:
        return None
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(drawn, (tail, 1 - tail))
    return Interval(float(low), float(high))


def rank_correlation(
    first: Sequence[float], second: Sequence[float], *, seed: int = 0
) -> RankCorrelation:
    """Spearman's rank correlation of two lists; pairs that are not finite are left out.

    Source: C. Spearman, "The proof and measurement of association between two things" (1904); equal
    values share the mean of their ranks.
    """
    pairs = np.stack(
        [np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)], axis=-1
    )
    pairs = pairs[np.isfinite(pairs).all(axis=-1)]
    if len(pairs) < 2:
        return RankCorrelation(float("nan"), None, len(pairs))
    rho = float(_spearman(pairs[None])[0])
    return RankCorrelation(rho, bootstrap(pairs, _spearman, seed=seed), len(pairs))


def _spearman(samples: Values) -> Values:
    """Coefficients (M,) of M samples (M, n, 2)."""
    centred = ranks(samples) - (samples.shape[1] + 1) / 2
    products = (centred[..., 0] * centred[..., 1]).sum(axis=-1)
    squares = np.square(centred).sum(axis=1).prod(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        rho: Values = products / np.sqrt(squares)
    return rho


def ranks(samples: Values) -> Values:
    """Ranks from 1 along axis 1 of (M, n, k); equal values share the mean of their ranks."""
    order = samples.argsort(axis=1)
    ordered = np.take_along_axis(samples, order, axis=1)
    places = np.arange(1, samples.shape[1] + 1, dtype=np.float64)[:, None]
    edge = np.ones_like(samples[:, :1], dtype=bool)
    rises = ordered[:, 1:] != ordered[:, :-1]
    begins = np.concatenate([edge, rises], axis=1)  # of a run of equal values
    ends = np.concatenate([rises, edge], axis=1)
    first = np.maximum.accumulate(np.where(begins, places, 0), axis=1)
    last = np.minimum.accumulate(np.where(ends, places, np.inf)[:, ::-1], axis=1)[:, ::-1]
    found = np.empty_like(samples)
    np.put_along_axis(found, order, (first + last) / 2, axis=1)
    return found


def _finite(values: Any) -> Values:
    found = np.asarray(values, dtype=np.float64)
    kept: Values = found[np.isfinite(found)]
    return kept
