"""What a set of tracks says about a model, and how sure one can be.

Tracks are what is drawn: two windows of one song are far from independent, two songs are not.
Needs no torch.
"""

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

NUM_RESAMPLES = 10_000
CONFIDENCE = 0.95

_FEWEST_ROWS, _FEWEST_PAIRS = 5, 10

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
    """None with fewer than five tracks, of which no interval can be believed."""
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
    """None with fewer than ten pairs, which can be drawn in too few orders."""
    count: int


def summarise(values: ArrayLike, *, seed: int = 0) -> Summary:
    """Mean, median and their bootstrap intervals over tracks.

    Args:
        values: one number per track, or a row of one number per stem for each, which gives the mean
            over the stems of their means and medians, as published. What is not finite counts as
            missing.
        seed: of the resampling.

    Returns:
        The summary of the finite values; where all that exist are infinite, infinity itself.

    Raises:
        ValueError: there is no value at all.
    """
    rows = _rows(values)
    if not rows.size:
        return _infinite(np.asarray(values, dtype=np.float64))
    of_tracks = np.nanmean(rows, axis=1)
    return Summary(
        count=len(rows),
        mean=float(_mean(rows[None])[0]),
        mean_interval=bootstrap(rows, _mean, seed=seed),
        median=float(_median(rows[None])[0]),
        median_interval=bootstrap(rows, _median, seed=seed),
        low=float(of_tracks.min()),
        high=float(of_tracks.max()),
    )


def compare(first: ArrayLike, second: ArrayLike, *, seed: int = 0) -> Difference | None:
    """The paired difference of two models on the same tracks.

    Args:
        first: one number, or a row of them, per track; see `summarise`.
        second: of another model, in the same order of tracks.
        seed: of the resampling.

    Returns:
        First minus second; None where there is a stem of which no track has a finite value of both.
    """
    with np.errstate(invalid="ignore"):  # infinity minus infinity
        gaps = _rows(np.asarray(first, np.float64) - np.asarray(second, np.float64))
    if np.isnan(gaps).all(axis=0).any():
        return None
    return Difference(
        count=len(gaps),
        num_better=int((np.nanmean(gaps, axis=1) > 0).sum()),
        mean=float(_mean(gaps[None])[0]),
        mean_interval=bootstrap(gaps, _mean, seed=seed),
        median=float(_median(gaps[None])[0]),
        median_interval=bootstrap(gaps, _median, seed=seed),
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
        The central 95 % of the statistic over 10 000 resamples; None with fewer than five rows.

    Source: B. Efron and R. J. Tibshirani, An Introduction to the Bootstrap (1993), section 13.3.
    """
    count = len(values)
    if count < _FEWEST_ROWS:
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


def rank_correlation(first: ArrayLike, second: ArrayLike, *, seed: int = 0) -> RankCorrelation:
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
    is_enough = len(pairs) >= _FEWEST_PAIRS and math.isfinite(rho)
    interval = bootstrap(pairs, _spearman, seed=seed) if is_enough else None
    return RankCorrelation(rho, interval, len(pairs))


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


def _infinite(values: Values) -> Summary:
    found = values[~np.isnan(values)]
    if not found.size:
        raise ValueError("there is no value to summarise")
    highest = float(found.max())
    return Summary(
        count=found.size if values.ndim == 1 else int((~np.isnan(values)).any(axis=1).sum()),
        mean=highest,
        mean_interval=None,
        median=highest,
        median_interval=None,
        low=float(found.min()),
        high=highest,
    )


def _rows(values: ArrayLike) -> Values:
    """Values as (tracks, stems) with NaN for what is missing; tracks without any are left out."""
    found = np.array(values, dtype=np.float64)
    found = found[:, None] if found.ndim == 1 else found
    found[~np.isfinite(found)] = np.nan
    kept: Values = found[~np.isnan(found).all(axis=1)]
    return kept


def _mean(samples: Values) -> Values:
    """Means (M,) of samples (M, tracks, stems): over tracks, then over stems."""
    return _over_tracks(samples, np.mean, np.nanmean)


def _median(samples: Values) -> Values:
    """Medians over tracks, then the mean over stems."""
    return _over_tracks(samples, np.median, np.nanmedian)


def _over_tracks(samples: Values, plain: Any, careful: Any) -> Values:
    if not np.isnan(samples).any():
        found: Values = plain(samples, axis=1).mean(axis=1)
        return found
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a resample may miss a stem altogether
        found = careful(samples, axis=1).mean(axis=1)
    return found
