"""The scores of one track, as plain data that goes to JSON and back. Imports no torch.

A value that does not exist (a silent window) is NaN; an estimate that equals its reference scores
infinity.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

_INFINITIES = {"inf": math.inf, "-inf": -math.inf}


@dataclass(frozen=True, kw_only=True)
class StemScores:
    """How well one stem of one track was estimated."""

    values: Mapping[str, float]
    """Metric to its value for the track in dB; of a windowed metric the median over its windows."""

    windows: Mapping[str, tuple[float, ...]]
    """Windowed metric to its value per window in dB; NaN in windows that have none."""


@dataclass(frozen=True, kw_only=True)
class TrackScores:
    """How well the stems of one track were estimated."""

    track: str
    """Name of the track."""

    stems: Mapping[str, StemScores]
    """Stem name to its scores."""

    silent_stems: tuple[str, ...]
    """Stems whose reference or estimate is silent throughout, which have no windowed values."""

    num_windows: int
    """Windows of the track; those of cSDR, a second each, where it is the only windowed metric."""

    silent_windows: int
    """Windows without a value, since a reference or an estimate is silent in them."""

    window_seconds: float
    """Length of a window."""

    hop_seconds: float
    """Distance between the beginnings of two windows."""

    are_filters_loose: bool | None = None
    """Whether the distortion filters are hardly determined, so that ISR, SIR and SAR are not to be
    relied on, in museval neither; None where that is not known. SDR is not concerned."""

    def to_json(self) -> dict[str, Any]:
        """The scores in the types of JSON; NaN becomes null, infinity the text inf."""
        return {
            "track": self.track,
            "silent_stems": list(self.silent_stems),
            "num_windows": self.num_windows,
            "silent_windows": self.silent_windows,
            "window_seconds": self.window_seconds,
            "hop_seconds": self.hop_seconds,
            "are_filters_loose": self.are_filters_loose,
            "stems": {
                stem: {
                    "values": {name: _to_json(value) for name, value in scores.values.items()},
                    "windows": {
                        name: [_to_json(value) for value in row]
                        for name, row in scores.windows.items()
                    },
                }
                for stem, scores in self.stems.items()
            },
        }

    @classmethod
    def from_json(cls, facts: Mapping[str, Any]) -> Self:
        """The scores that `to_json` wrote.

        Raises:
            KeyError: a part of them is missing.
        """
        stems = {
            stem: StemScores(
                values={name: _from_json(value) for name, value in scores["values"].items()},
                windows={
                    name: tuple(_from_json(value) for value in row)
                    for name, row in scores["windows"].items()
                },
            )
            for stem, scores in facts["stems"].items()
        }
        plain = ("track", "num_windows", "silent_windows", "window_seconds", "hop_seconds")
        return cls(
            stems=stems,
            silent_stems=tuple(facts["silent_stems"]),
            are_filters_loose=facts.get("are_filters_loose"),
            **{name: facts[name] for name in plain},
        )


def _to_json(value: float) -> float | str | None:
    if math.isnan(value):
        return None
    return value if math.isfinite(value) else str(value)


def _from_json(value: float | str | None) -> float:
    if value is None:
        return math.nan
    return _INFINITIES[value] if isinstance(value, str) else float(value)
