"""What is measured and how: names, defaults and limits of the metrics. Imports no torch."""

from dataclasses import dataclass
from typing import Literal, get_args

from stemsplit.errors import ConfigError, suggest

Metric = Literal["sdr", "isr", "sir", "sar", "csdr", "usdr", "si_sdr"]
Engine = Literal["fast", "museval"]

METRICS: tuple[Metric, ...] = get_args(Metric)
FILTERED: frozenset[Metric] = frozenset({"isr", "sir", "sar"})
BSS_EVAL: frozenset[Metric] = FILTERED | {"sdr"}
WINDOWED: frozenset[Metric] = BSS_EVAL | {"csdr"}

MAX_FILTER_TAPS = 4096  # the system to solve has stems x channels x taps unknowns


@dataclass(frozen=True, kw_only=True)
class MetricOptions:
    """Which metrics, in which windows."""

    metrics: tuple[Metric, ...] = METRICS
    """What to compute; see `stemsplit.evaluation.metrics` for the definitions."""

    window_seconds: float = 1.0
    """Length of the windows of SDR, ISR, SIR and SAR."""

    hop_seconds: float = 1.0
    """Distance between the beginnings of two windows."""

    filter_taps: int = 512
    """Length of the distortion filters that ISR, SIR and SAR forgive."""

    engine: Engine = "fast"
    """``fast``, or ``museval`` for the reference implementation, where it is installed."""

    def __post_init__(self) -> None:
        unknown = [metric for metric in self.metrics if metric not in METRICS]
        if unknown:
            raise ConfigError(
                f"There is no metric {unknown[0]}.{suggest(unknown[0], METRICS)} "
                f"Choose from {', '.join(METRICS)}."
            )
        if not self.metrics or len(set(self.metrics)) != len(self.metrics):
            raise ConfigError(
                f"Metrics must be distinct names, got {','.join(self.metrics) or 'none'}."
            )
        for name, seconds in (("window", self.window_seconds), ("hop", self.hop_seconds)):
            if not 0 < seconds < float("inf"):
                raise ConfigError(f"The {name} must be above 0 seconds, got {seconds}.")
        if not 1 <= self.filter_taps <= MAX_FILTER_TAPS:
            raise ConfigError(
                f"Distortion filters must have 1 to {MAX_FILTER_TAPS} taps, got {self.filter_taps}."
            )
        if self.engine not in get_args(Engine):
            raise ConfigError(
                f"The engine must be one of {', '.join(get_args(Engine))}; got {self.engine}."
            )

    @property
    def needs_filters(self) -> bool:
        """Whether distortion filters have to be computed, which is most of the work."""
        return not FILTERED.isdisjoint(self.metrics)
