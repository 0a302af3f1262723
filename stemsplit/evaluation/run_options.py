"""The settings of an evaluation. Imports no torch."""

from dataclasses import dataclass, field
from pathlib import Path

from stemsplit.errors import ConfigError
from stemsplit.evaluation.options import Metric, MetricOptions

TRACKS_NAME = "tracks"
"""Folder of finished tracks below that of the results."""

MEAN_METRICS = frozenset({"usdr", "si_sdr"})
"""Metrics whose published number is the mean over tracks; of the others it is the median."""


@dataclass(frozen=True, kw_only=True)
class EvaluationOptions:
    """What to measure, on which tracks, against what."""

    stems: tuple[str, ...] | None = None
    """Stems to score; None scores all that the set and every candidate have."""

    two_stems: str | None = None
    """Score this stem, and everything else as ``no_<stem>``."""

    max_tracks: int | None = None
    """Only the first so many tracks of the set."""

    metrics: MetricOptions = field(default_factory=MetricOptions)
    """What is computed."""

    metric: Metric = "sdr"
    """Which of them the table shows and the ranking follows."""

    baseline: str | None = None
    """Candidate that the others are compared with; None takes the first."""

    workers: int = 2
    """Tracks in work at the same time: one is separated while others are read and scored. Each is
    held in memory as a whole, some ten times."""

    seed: int = 0
    """Of the bootstrap."""

    is_judging: bool = False
    """Judge the stems without a reference as well."""

    folder: Path = Path("evaluation")
    """Where results go."""

    def __post_init__(self) -> None:
        if self.stems is not None and self.two_stems is not None:
            raise ConfigError("--stems and --two-stems exclude each other: choose one of them.")
        if self.max_tracks is not None and self.max_tracks < 1:
            raise ConfigError(f"--tracks must be 1 or more, got {self.max_tracks}.")
        if self.workers < 1:
            raise ConfigError(f"--workers must be 1 or more, got {self.workers}.")
        if self.metric not in self.metrics.metrics:
            raise ConfigError(
                f"--metric {self.metric} is not computed: add it to --metrics"
                f" ({','.join(self.metrics.metrics)})."
            )


def headline(metric: str) -> str:
    """The statistic over tracks that is published of a metric: ``mean`` or ``median``."""
    return "mean" if metric in MEAN_METRICS else "median"
