"""What is evaluated: a model that separates now, or stems that are there already.

Shapes: C audio channels, N samples.
"""

import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol, Self

import torch
from torch import Tensor

from stemsplit.checkpoints.describe import ModelDescription, describe_model
from stemsplit.errors import DatasetError
from stemsplit.evaluation.data.dataset import Track
from stemsplit.evaluation.estimates import StemFiles
from stemsplit.evaluation.inspection import SongInspector
from stemsplit.evaluation.quality import QualityMeter
from stemsplit.evaluation.results import Standing
from stemsplit.evaluation.signals import file_mark, read_estimate
from stemsplit.evaluation.standing import Song, standing_of_files, standing_of_model
from stemsplit.separation.device import choose_device
from stemsplit.separation.ledger import separation_facts
from stemsplit.separation.options import SeparationOptions
from stemsplit.separation.separator import Separator

LoadSeparator = Callable[[str, SeparationOptions], Separator]
OnProgress = Callable[[float], None]


@dataclass(frozen=True)
class Estimate:
    """The stems of one track."""

    stems: Mapping[str, Tensor]
    """Each (C, N), as the mix is."""
    seconds: float | None
    """Time of the separation; None where nothing was separated."""
    quality: Mapping[str, int] = field(default_factory=dict)
    """Stem to its score without a reference, where that was asked for."""


class Estimator(Protocol):
    """A candidate that is ready to work; may be called from several threads."""

    def estimate(
        self, track: Track, mix: Tensor, *, is_judged: bool, on_progress: OnProgress
    ) -> Estimate:
        """The stems of a track.

        Args:
            track: what it is.
            mix: (C, N) of it.
            is_judged: whether to judge the stems without a reference as well.
            on_progress: told the finished share, from 0 to 1.
        """

    def peak_device_bytes(self) -> int | None:
        """The most memory of a GPU that was held."""


class Candidate(Protocol):
    """Something that has stems of the tracks of a data set."""

    @property
    def name(self) -> str:
        """What to call it; unique in an evaluation."""

    @property
    def kind(self) -> str:
        """`model` or `estimates`."""

    @property
    def stems(self) -> tuple[str, ...]:
        """Stems that it has, in order."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """How it is run, for the report."""

    @property
    def device(self) -> str | None:
        """Where it computes."""

    def digest(self, track: Track, needed: Sequence[str]) -> str:
        """Changes with everything that decides its stems of a track."""

    def standing(self, data: str, songs: Sequence[Song]) -> Standing:
        """Whether it has seen the songs of an evaluation."""

    def open(self, needed: Sequence[str]) -> Any:
        """A context manager that gives an `Estimator` of some of its stems."""


@dataclass(frozen=True)
class ModelCandidate:
    """A model, run with some options."""

    name: str
    description: ModelDescription
    options: SeparationOptions
    load: LoadSeparator
    """Loads the model of a name with options."""

    kind: str = "model"

    @classmethod
    def named(cls, name: str, options: SeparationOptions | None = None) -> Self:
        """The model of a name, as `--model` takes it."""
        description = describe_model(name)
        options = options or SeparationOptions()
        return cls(description.name, description, options, lambda _, some: Separator(name, some))

    @property
    def stems(self) -> tuple[str, ...]:
        """See `Candidate`."""
        return self.options.output_stems(self.description.name, self.description.stems)

    @property
    def settings(self) -> Mapping[str, Any]:
        """See `Candidate`."""
        about = {"model": self.description.name, "fingerprint": self.description.fingerprint}
        return {**about, **asdict(self.options), "trained_on": self.description.trained_on}

    @property
    def device(self) -> str | None:
        """See `Candidate`."""
        return str(choose_device(self.options.device).device)

    def digest(self, track: Track, needed: Sequence[str]) -> str:
        """See `Candidate`."""
        options = separation_facts(self._options(needed))
        return _digest([self.description.fingerprint, options])

    def standing(self, data: str, songs: Sequence[Song]) -> Standing:
        """See `Candidate`."""
        return standing_of_model(self.description, data, songs)

    @contextmanager
    def open(self, needed: Sequence[str]) -> Iterator[Estimator]:
        """Load the networks that these stems need; see `Candidate`."""
        yield _ModelEstimator(self.load(self.description.name, self._options(needed)))

    def _options(self, needed: Sequence[str]) -> SeparationOptions:
        """The options, without the networks that nobody needs."""
        is_free = self.options.two_stems is None and self.options.exact_sum is None
        if not is_free or set(needed) == set(self.description.stems):
            return self.options
        return replace(self.options, stems=tuple(needed))


class _ModelEstimator:
    def __init__(self, separator: Separator) -> None:
        self._separator = separator
        self._lock = threading.Lock()  # one separation at a time: the device has no room for two
        if separator.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(separator.device)

    def estimate(
        self, track: Track, mix: Tensor, *, is_judged: bool, on_progress: OnProgress
    ) -> Estimate:
        with self._lock:
            began = time.perf_counter()
            if not is_judged:
                done = self._separator.separate(mix, track.sample_rate, on_progress=on_progress)
                return Estimate(done.stems, time.perf_counter() - began)
            stems, quality = self._judged(track, mix, on_progress)
            return Estimate(stems, time.perf_counter() - began, quality)

    def _judged(
        self, track: Track, mix: Tensor, on_progress: OnProgress
    ) -> tuple[dict[str, Tensor], dict[str, int]]:
        song = self._separator.prepare_array(mix, track.sample_rate)
        inspector = SongInspector(self._separator, song)
        blocks = []
        stream = self._separator.stream_prepared(song, with_mix=True, on_progress=on_progress)
        for block in stream:
            inspector.update(block)
            blocks.append(block.stems)
        names = self._separator.stems
        stems = {name: torch.cat([block[name] for block in blocks], dim=-1) for name in names}
        return stems, {name: one.score for name, one in inspector.finish().items()}

    def peak_device_bytes(self) -> int | None:
        device = self._separator.device
        return torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None


@dataclass(frozen=True)
class EstimatesCandidate:
    """Finished stems in a folder."""

    name: str
    folder: Path
    files: StemFiles

    kind: str = "estimates"
    device: str | None = None

    @property
    def stems(self) -> tuple[str, ...]:
        """See `Candidate`; every stem that any track has."""
        return tuple(dict.fromkeys(stem for files in self.files.values() for stem in files))

    @property
    def settings(self) -> Mapping[str, Any]:
        """See `Candidate`."""
        return {"folder": str(self.folder)}

    def digest(self, track: Track, needed: Sequence[str]) -> str:
        """See `Candidate`."""
        files = self.files.get(track.name, {})
        return _digest([[stem, file_mark(files[stem])] for stem in needed if stem in files])

    def standing(self, data: str, songs: Sequence[Song]) -> Standing:
        """See `Candidate`."""
        return standing_of_files()

    @contextmanager
    def open(self, needed: Sequence[str]) -> Iterator[Estimator]:
        """See `Candidate`."""
        yield _FileEstimator(self, tuple(needed))


class _FileEstimator:
    def __init__(self, candidate: EstimatesCandidate, needed: tuple[str, ...]) -> None:
        self._candidate = candidate
        self._needed = needed

    def estimate(
        self, track: Track, mix: Tensor, *, is_judged: bool, on_progress: OnProgress
    ) -> Estimate:
        files = self._candidate.files.get(track.name, {})
        missing = [stem for stem in self._needed if stem not in files]
        if missing:
            what = "none of its stems" if not files else f"no {', '.join(missing)}"
            raise DatasetError(f"{self._candidate.folder} has {what}: separate the track again.")
        stems = {
            stem: read_estimate(files[stem], sample_rate=track.sample_rate, like=mix)
            for stem in self._needed
        }
        if not is_judged:
            return Estimate(stems, None)
        meter = QualityMeter(
            tuple(stems),
            sample_rate=track.sample_rate,
            num_samples=mix.shape[-1],
            explains_all=set(stems) == set(track.stems),
        )
        meter.update(stems, mix)
        return Estimate(stems, None, {name: one.score for name, one in meter.result().items()})

    def peak_device_bytes(self) -> int | None:
        return None


def _digest(facts: object) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
