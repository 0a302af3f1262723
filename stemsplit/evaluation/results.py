"""What an evaluation found, as plain data that goes to JSON and back. Imports no torch."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from stemsplit.errors import DatasetError
from stemsplit.evaluation.scores import TrackScores

FORMAT = "stemsplit evaluation"
FORMAT_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class TrackResult:
    """One track as one candidate separated it."""

    scores: TrackScores
    duration_seconds: float
    separation_seconds: float | None
    """None for stems that were there already."""
    scoring_seconds: float
    quality: Mapping[str, int] = field(default_factory=dict)
    """Stem to its score without a reference, from 0 to 100, where that was asked for."""

    @property
    def track(self) -> str:
        """Name of the track."""
        return self.scores.track

    def to_json(self) -> dict[str, Any]:
        """In the types of JSON."""
        return {
            **self.scores.to_json(),
            "duration_seconds": self.duration_seconds,
            "separation_seconds": self.separation_seconds,
            "scoring_seconds": self.scoring_seconds,
            "quality": dict(self.quality),
        }

    @classmethod
    def from_json(cls, facts: Mapping[str, Any]) -> Self:
        """What `to_json` wrote."""
        return cls(
            scores=TrackScores.from_json(facts),
            duration_seconds=facts["duration_seconds"],
            separation_seconds=facts["separation_seconds"],
            scoring_seconds=facts["scoring_seconds"],
            quality=facts["quality"],
        )


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A track that could not be scored."""

    track: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Standing:
    """Whether the scores of a candidate can mean anything on these songs."""

    verdict: str
    """`clean`, `seen`: it was trained on some of the songs, or `unknown`."""
    num_seen: int
    """Songs of the evaluation that it was trained on."""
    explanation: str
    """In words."""

    @property
    def is_ranked(self) -> bool:
        """Whether it is ranked with the others."""
        return self.verdict != "seen"


@dataclass(frozen=True, kw_only=True)
class CandidateResult:
    """A model, or a folder of finished stems, on the tracks of a set."""

    name: str
    kind: str
    """`model` or `estimates`."""
    settings: Mapping[str, Any]
    """How it was run."""
    standing: Standing
    tracks: tuple[TrackResult, ...]
    failures: tuple[Failure, ...]
    device: str | None = None
    peak_memory_bytes: int | None = None
    """Main memory of the whole process at its peak; None where nothing was run."""
    peak_device_bytes: int | None = None

    @property
    def speed(self) -> float | None:
        """Seconds of audio separated per second; None where nothing was separated."""
        timed = [one for one in self.tracks if one.separation_seconds]
        work = sum(one.separation_seconds or 0.0 for one in timed)
        return sum(one.duration_seconds for one in timed) / work if work else None

    @property
    def stems(self) -> tuple[str, ...]:
        """Stems that any track has scores of, in order."""
        return tuple(dict.fromkeys(stem for one in self.tracks for stem in one.scores.stems))

    def values(self, stem: str, metric: str, tracks: Sequence[str]) -> list[float]:
        """The values of one stem on some tracks, NaN where there is none."""
        found = {one.track: one.scores.stems for one in self.tracks}
        rows = (found.get(track, {}).get(stem) for track in tracks)
        missing = float("nan")
        return [missing if row is None else row.values.get(metric, missing) for row in rows]

    def to_json(self) -> dict[str, Any]:
        """In the types of JSON."""
        return {
            "name": self.name,
            "kind": self.kind,
            "settings": dict(self.settings),
            "standing": asdict(self.standing),
            "device": self.device,
            "speed": self.speed,
            "peak_memory_bytes": self.peak_memory_bytes,
            "peak_device_bytes": self.peak_device_bytes,
            "failures": [asdict(failure) for failure in self.failures],
            "tracks": [track.to_json() for track in self.tracks],
        }

    @classmethod
    def from_json(cls, facts: Mapping[str, Any]) -> Self:
        """What `to_json` wrote."""
        return cls(
            name=facts["name"],
            kind=facts["kind"],
            settings=facts["settings"],
            standing=Standing(**facts["standing"]),
            device=facts["device"],
            peak_memory_bytes=facts["peak_memory_bytes"],
            peak_device_bytes=facts["peak_device_bytes"],
            failures=tuple(Failure(**failure) for failure in facts["failures"]),
            tracks=tuple(TrackResult.from_json(track) for track in facts["tracks"]),
        )


@dataclass(frozen=True, kw_only=True)
class DataFacts:
    """The songs that were used."""

    name: str
    split: str
    path: str
    layout: str
    tracks: tuple[str, ...]
    """Names, in order."""
    num_available: int
    """Tracks of the split, used or not."""

    @property
    def is_complete(self) -> bool:
        """Whether the whole split was used."""
        return len(self.tracks) == self.num_available

    @property
    def key(self) -> str:
        """The set and its split, as figures name them: `musdb18hq:test`."""
        return f"{self.name}:{self.split}"


@dataclass(frozen=True, kw_only=True)
class EvaluationResult:
    """Everything that an evaluation found."""

    data: DataFacts
    metric: str
    """The metric of the table and the ranking."""
    metric_options: Mapping[str, Any]
    baseline: str | None
    """Candidate that the others are compared with."""
    seed: int
    """Of the bootstrap."""
    candidates: tuple[CandidateResult, ...]
    machine: Mapping[str, str]
    """Versions and hardware."""
    began: str
    """Date and time, ISO 8601."""
    elapsed_seconds: float
    notes: tuple[str, ...] = ()

    @property
    def stems(self) -> tuple[str, ...]:
        """Stems that any candidate has scores of, in order."""
        return tuple(dict.fromkeys(stem for one in self.candidates for stem in one.stems))

    @property
    def num_failures(self) -> int:
        """Tracks that could not be scored, over all candidates."""
        return sum(len(one.failures) for one in self.candidates)

    def candidate(self, name: str | None) -> CandidateResult | None:
        """The candidate of this name."""
        return next((one for one in self.candidates if one.name == name), None)

    def to_json(self) -> dict[str, Any]:
        """In the types of JSON."""
        return {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "data": asdict(self.data),
            "metric": self.metric,
            "metric_options": dict(self.metric_options),
            "baseline": self.baseline,
            "seed": self.seed,
            "machine": dict(self.machine),
            "began": self.began,
            "elapsed_seconds": self.elapsed_seconds,
            "notes": list(self.notes),
            "candidates": [one.to_json() for one in self.candidates],
        }

    @classmethod
    def from_json(cls, facts: Mapping[str, Any]) -> Self:
        """What `to_json` wrote."""
        data = {**facts["data"], "tracks": tuple(facts["data"]["tracks"])}
        plain = ("metric", "metric_options", "baseline", "seed", "machine", "began")
        return cls(
            data=DataFacts(**data),
            candidates=tuple(CandidateResult.from_json(one) for one in facts["candidates"]),
            elapsed_seconds=facts["elapsed_seconds"],
            notes=tuple(facts["notes"]),
            **{name: facts[name] for name in plain},
        )


def read_result(path: Path) -> EvaluationResult:
    """Read the JSON of an earlier evaluation.

    Raises:
        DatasetError: the file cannot be read, or is something else.
    """
    try:
        facts = json.loads(path.read_text("utf-8"))
        if facts["format"] != FORMAT or facts["format_version"] != FORMAT_VERSION:
            raise DatasetError(f"{path} was written by another version of stemsplit eval.")
        return EvaluationResult.from_json(facts)
    except OSError as error:
        raise DatasetError(f"Cannot read {path}: {error.strerror}.") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DatasetError(
            f"{path} is no result of stemsplit eval: give the results.json of an earlier run."
        ) from error


def csv_rows(result: EvaluationResult) -> Iterator[list[str]]:
    """Every value in long form, the head first; whole tracks have no window."""
    yield ["candidate", "track", "stem", "metric", "window", "start_seconds", "db"]
    for candidate in result.candidates:
        for track in candidate.tracks:
            for stem, scores in track.scores.stems.items():
                where = [candidate.name, track.track, stem]
                for metric, value in scores.values.items():
                    yield [*where, metric, "", "", _number(value)]
                for metric, row in scores.windows.items():
                    hop = 1.0 if metric == "csdr" else track.scores.hop_seconds
                    for index, value in enumerate(row):
                        yield [*where, metric, str(index), f"{index * hop:g}", _number(value)]


def _number(value: float) -> str:
    return "" if value != value else f"{value:.6g}"
