"""Is it still as good as it was, and good enough? Imports no torch."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from stemsplit.checkpoints.published import ALL_STEMS
from stemsplit.errors import ConfigError, DatasetError, suggest
from stemsplit.evaluation.results import CandidateResult, EvaluationResult
from stemsplit.evaluation.run_options import headline
from stemsplit.evaluation.statistics import Difference, compare
from stemsplit.evaluation.summary import summary_rows

TOLERANCE_DB = 0.05  # by which a mean may fall before it counts as a loss


@dataclass(frozen=True, kw_only=True)
class Change:
    """One stem of one candidate, now against an earlier evaluation."""

    candidate: str
    stem: str
    difference: Difference
    """Now minus then, track by track."""

    @property
    def is_loss(self) -> bool:
        """Whether it fell by more than the tolerance."""
        return self.difference.mean < -TOLERANCE_DB


@dataclass(frozen=True)
class Comparison:
    """What changed since an earlier evaluation."""

    changes: tuple[Change, ...]
    missing: tuple[str, ...]
    """What the earlier one has and this one lacks, in words; that is no loss by itself."""


@dataclass(frozen=True, kw_only=True)
class Shortfall:
    """A stem that does not reach its floor."""

    candidate: str
    stem: str
    value: float | None
    """None where there is no value."""
    floor: float


def compare_results(new: EvaluationResult, old: EvaluationResult) -> Comparison:
    """Compare two evaluations of the same songs by the same metric.

    Candidates are matched by name; if either has only one, and they are called differently, these
    two are compared.

    Raises:
        DatasetError: they measured something else.
    """
    check_comparable(
        old,
        data=new.data.key,
        metric=new.metric,
        metric_options=new.metric_options,
    )
    changes, missing = [], []
    for before in old.candidates:
        now = new.candidate(before.name)
        if now is None and len(new.candidates) == len(old.candidates) == 1:
            now = new.candidates[0]
        if now is None:
            missing.append(f"candidate {before.name}")
            continue
        for stem in before.stems:
            difference = _difference(now, before, stem, new)
            if difference is None:
                missing.append(f"{stem} of {before.name}")
            else:
                changes.append(Change(candidate=now.name, stem=stem, difference=difference))
        done = {track.track for track in now.tracks}
        lost = [track.track for track in before.tracks if track.track not in done]
        if lost:
            missing.append(f"{len(lost)} tracks of {before.name}, such as {lost[0]}")
    return Comparison(tuple(changes), tuple(missing))


def check_comparable(
    old: EvaluationResult, *, data: str, metric: str, metric_options: Mapping[str, Any]
) -> None:
    """Check that an evaluation can be compared with an earlier one.

    Args:
        old: the earlier one.
        data: key of the data set, as `DataFacts.key` has it.
        metric: by which they are compared.
        metric_options: how it is measured.

    Raises:
        DatasetError: they measured something else.
    """
    if data != old.data.key:
        raise DatasetError(
            f"--compare: the earlier evaluation is of {old.data.key}, this one of {data}."
        )
    if metric not in old.metric_options["metrics"]:
        raise DatasetError(f"--compare: the earlier evaluation did not measure {metric}.")
    for name in ("window_seconds", "hop_seconds", "filter_taps"):
        if metric_options[name] != old.metric_options[name]:
            raise DatasetError(
                f"--compare: the earlier evaluation had a {name} of {old.metric_options[name]:g},"
                f" this one has {metric_options[name]:g}."
            )


def check_floors(result: EvaluationResult, floors: Mapping[str, float]) -> tuple[Shortfall, ...]:
    """The stems of any candidate that do not reach their floor, which no value does not either.

    Args:
        result: what was found.
        floors: stem, or ``all``, to decibels of the headline statistic of the result's metric.

    Raises:
        ConfigError: there is no such stem.
    """
    check_floor_names(floors, result.stems)
    values = {(row.candidate, row.stem): row.headline for row in summary_rows(result)}
    if len(result.stems) == 1:  # there is no row of all then
        values |= {(name, ALL_STEMS): value for (name, stem), value in values.items()}
    return tuple(
        Shortfall(candidate=one.name, stem=stem, value=values.get((one.name, stem)), floor=floor)
        for one in result.candidates
        for stem, floor in floors.items()
        if not values.get((one.name, stem), -math.inf) >= floor
    )


def check_floor_names(floors: Iterable[str], stems: Sequence[str]) -> None:
    """Check that floors are of stems that are scored.

    Args:
        floors: stems, or ``all``.
        stems: that are scored; with none of them nothing is refused, as every track failed.

    Raises:
        ConfigError: there is no such stem.
    """
    known = (*stems, ALL_STEMS)
    for stem in floors:
        if stems and stem not in known:
            raise ConfigError(
                f"--fail-under: {stem!r} is not scored.{suggest(stem, known)}"
                f" There are {', '.join(known)}."
            )


def parse_floors(texts: Sequence[str]) -> dict[str, float]:
    """Floors from ``vocals=8.0`` or ``vocals=8.0,drums=9``.

    Raises:
        ConfigError: a text is none.
    """
    floors: dict[str, float] = {}
    for part in ",".join(texts).split(","):
        stem, _, number = part.partition("=")
        try:
            floors[stem.strip()] = value = float(number)
        except ValueError:
            value = float("nan")
        if not stem.strip() or not np.isfinite(value):
            raise ConfigError(f"--fail-under {part!r}: write a stem and decibels, vocals=8.0.")
    return floors


def floor_words(shortfall: Shortfall, metric: str) -> str:
    """A shortfall as a line."""
    value = "nothing" if shortfall.value is None else f"{shortfall.value:.2f} dB"
    return (
        f"{shortfall.candidate}: {shortfall.stem} has {value} of {headline(metric)} {metric},"
        f" below the {shortfall.floor:g} dB of --fail-under."
    )


def _difference(
    now: CandidateResult, before: CandidateResult, stem: str, new: EvaluationResult
) -> Difference | None:
    tracks = [track.track for track in before.tracks]
    return compare(
        now.values(stem, new.metric, tracks),
        before.values(stem, new.metric, tracks),
        seed=new.seed,
    )
