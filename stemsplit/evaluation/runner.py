"""Candidates times tracks: separate, score, keep, go on.

Shapes: C audio channels, N samples.
"""

import datetime
import math
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass

import torch
from torch import Tensor

from stemsplit.errors import Cancelled, DatasetError, DeviceError, StemsplitError
from stemsplit.evaluation.candidates import Candidate, Estimate, Estimator
from stemsplit.evaluation.clock import EvaluationClock
from stemsplit.evaluation.data.dataset import Dataset, Track
from stemsplit.evaluation.events import EvaluationSink, EvaluationStarted
from stemsplit.evaluation.excerpts import make_excerpt
from stemsplit.evaluation.machine import machine_facts
from stemsplit.evaluation.memory import peak_memory, reset_peak_memory
from stemsplit.evaluation.results import (
    CandidateResult,
    DataFacts,
    EvaluationResult,
    Failure,
    TrackResult,
)
from stemsplit.evaluation.run_options import TRACKS_NAME, EvaluationOptions
from stemsplit.evaluation.scoring import score_track
from stemsplit.evaluation.signals import file_marks, read_mix, read_references
from stemsplit.evaluation.stem_plan import StemPlan, plan_stems
from stemsplit.evaluation.store import ResultStore, track_key

_SEPARATING_SHARE = 0.8  # of the work on a track, for the progress


@dataclass(frozen=True)
class Evaluation:
    """What came out, and where the excerpts of its tracks are kept."""

    result: EvaluationResult
    keys: Mapping[tuple[str, str], str]
    """Candidate and track to their key in the store."""


def evaluate(
    dataset: Dataset,
    candidates: Sequence[Candidate],
    options: EvaluationOptions | None = None,
    *,
    store: ResultStore | None = None,
    on_event: EvaluationSink | None = None,
    cancel: threading.Event | None = None,
) -> Evaluation:
    """Score candidates on the tracks of a data set.

    ```python
    candidates = [ModelCandidate.named("htdemucs"), ModelCandidate.named("mdx")]
    found = evaluate(open_dataset("musdb"), candidates).result
    for row in summary_rows(found):
        print(row.candidate, row.stem, row.summary.median, row.summary.median_interval)
    ```

    What the store has is not done again, and every finished track goes into it at once. A track
    that fails is reported, and the rest goes on.

    Args:
        dataset: the songs and their true stems.
        candidates: what to score, one after the other; their names are distinct.
        options: what to measure, and on how many tracks.
        store: keeps finished tracks; None keeps them in `options.folder`.
        on_event: told everything that happens, from several threads but one at a time.
        cancel: set it from another thread to stop; the work then ends with `Cancelled`.

    Raises:
        Cancelled: the work was called off; finished tracks stay in the store.
        ConfigError: a stem that was asked for does not exist.
        DatasetError: there is nothing to score.
        DeviceError: the device failed, which no other track would change.
    """
    options = options or EvaluationOptions()
    store = store or ResultStore(options.folder / TRACKS_NAME)
    cancel = cancel or threading.Event()
    began = time.perf_counter()
    started_at = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    tracks = dataset.tracks[: options.max_tracks]
    plans = plan_stems(
        dataset.stems,
        {one.name: one.stems for one in candidates},
        wanted=options.stems,
        two_stems=options.two_stems,
    )
    jobs = [_Job(one, plans[one.name], tracks, options, store) for one in candidates]
    clock = EvaluationClock(sum(len(job.waiting) for job in jobs), on_event or (lambda event: None))
    clock.tell(
        EvaluationStarted(
            data=_describe(dataset, len(tracks)),
            candidates=tuple(one.name for one in candidates),
            num_tracks=len(tracks),
            num_waiting=clock.num_waiting,
        )
    )
    results = tuple(job.run(dataset.name, clock, cancel) for job in jobs)
    notes = dict.fromkeys(note for plan in plans.values() for note in plan.notes)
    return Evaluation(
        EvaluationResult(
            data=_data_facts(dataset, tracks),
            metric=options.metric,
            metric_options=asdict(options.metrics),
            baseline=options.baseline or (candidates[0].name if len(candidates) > 1 else None),
            seed=options.seed,
            candidates=results,
            machine=machine_facts(),
            began=started_at,
            elapsed_seconds=time.perf_counter() - began,
            notes=tuple(notes),
        ),
        {
            (job.candidate.name, track.name): job.keys[track.name]
            for job in jobs
            for track in tracks
        },
    )


class _Job:
    """One candidate on all tracks."""

    def __init__(
        self,
        candidate: Candidate,
        plan: StemPlan,
        tracks: Sequence[Track],
        options: EvaluationOptions,
        store: ResultStore,
    ) -> None:
        self.candidate = candidate
        self._plan = plan
        self._tracks = tracks
        self._options = options
        self._store = store
        self._needed = tuple(dict.fromkeys(s for group in plan.estimates.values() for s in group))
        self._device = candidate.device
        self.keys = {track.name: self._key(track) for track in tracks}
        self._done: dict[str, TrackResult] = {}
        for track in tracks:
            if (result := _stored(store, self.keys[track.name])) is not None:
                self._done[track.name] = result
        self.waiting = [track for track in tracks if track.name not in self._done]

    def run(self, data: str, clock: EvaluationClock, cancel: threading.Event) -> CandidateResult:
        failures: dict[str, Failure] = {}
        memory = device_memory = None
        if self.waiting:
            reset_peak_memory()
            with self.candidate.open(self._needed) as estimator:
                self._work(estimator, failures, clock, cancel)
                device_memory = estimator.peak_device_bytes()
            memory = peak_memory()
        return CandidateResult(
            name=self.candidate.name,
            kind=self.candidate.kind,
            settings=self.candidate.settings,
            standing=self.candidate.standing(data, [(t.name, t.split) for t in self._tracks]),
            tracks=tuple(self._done[t.name] for t in self._tracks if t.name in self._done),
            failures=tuple(failures[t.name] for t in self._tracks if t.name in failures),
            device=self._device,
            peak_memory_bytes=memory,
            peak_device_bytes=device_memory,
        )

    def _work(
        self,
        estimator: Estimator,
        failures: dict[str, Failure],
        clock: EvaluationClock,
        cancel: threading.Event,
    ) -> None:
        name = self.candidate.name
        pool = ThreadPoolExecutor(self._options.workers, thread_name_prefix="evaluate")
        try:
            futures: dict[Future[TrackResult], Track] = {
                pool.submit(self._one, track, estimator, clock, cancel): track
                for track in self.waiting
            }
            for future in as_completed(futures):
                track = futures[future].name
                try:
                    self._done[track] = result = future.result()
                except (Cancelled, DeviceError):
                    raise
                except StemsplitError as error:
                    failures[track] = Failure(track=track, reason=str(error))
                    clock.failed(name, track, str(error))
                else:
                    metric = self._options.metric
                    values = {s: one.values[metric] for s, one in result.scores.stems.items()}
                    clock.scored(name, track, values)
        except BaseException:
            cancel.set()
            raise
        finally:
            pool.shutdown(cancel_futures=True)

    def _one(
        self, track: Track, estimator: Estimator, clock: EvaluationClock, cancel: threading.Event
    ) -> TrackResult:
        """Read, separate, score and keep one track; runs in a worker."""

        def step(part: float) -> None:
            if cancel.is_set():
                raise Cancelled("Stopped.")
            clock.advance(self.candidate.name, track.name, part)

        step(0.0)
        mix = read_mix(track)
        references = read_references(track, self._plan.references, mix)
        if not references:
            raise DatasetError(f"{track.name} has none of {', '.join(self._plan.stems)}.")
        estimate = estimator.estimate(
            track,
            mix,
            is_judged=self._options.is_judging,
            on_progress=lambda share: step(_SEPARATING_SHARE * share),
        )
        step(_SEPARATING_SHARE)
        return self._scored(track, mix, references, estimate)

    def _scored(
        self, track: Track, mix: Tensor, references: Mapping[str, Tensor], estimate: Estimate
    ) -> TrackResult:
        """Score and keep a track."""
        began = time.perf_counter()
        stems = {name: _sum(estimate.stems, self._plan.estimates[name]) for name in references}
        rate, metric = track.sample_rate, self._options.metric
        scores = score_track(
            references,
            stems,
            sample_rate=rate,
            track=track.name,
            options=self._options.metrics,
        )
        result = TrackResult(
            scores=scores,
            duration_seconds=mix.shape[-1] / rate,
            separation_seconds=estimate.seconds,
            scoring_seconds=time.perf_counter() - began,
            quality={name: estimate.quality[name] for name in stems if name in estimate.quality},
        )
        worst = min(stems, key=lambda name: _or_best(scores.stems[name].values[metric]))
        excerpt = make_excerpt(worst, references[worst], stems[worst], mix, sample_rate=rate)
        facts = {"result": result.to_json(), "excerpt": excerpt}
        self._store.keep(self.keys[track.name], facts)
        return result

    def _key(self, track: Track) -> str:
        files = {name: file_marks(source) for name, source in track.stems.items()}
        if track.stored_mix is not None:
            files["mix"] = file_marks(track.stored_mix)
        return track_key(
            candidate=self.candidate.digest(track, self._needed),
            device=self._device,
            metrics=self._options.metrics,
            stems={"references": self._plan.references, "estimates": self._plan.estimates},
            files=files,
            is_judged=self._options.is_judging,
        )


def _stored(store: ResultStore, key: str) -> TrackResult | None:
    """The result of an earlier run; None also where another version wrote it."""
    try:
        return TrackResult.from_json((store.find(key) or {})["result"])
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def _sum(stems: Mapping[str, Tensor], names: Sequence[str]) -> Tensor:
    if len(names) == 1:
        return stems[names[0]]
    return torch.stack([stems[name] for name in names]).sum(dim=0)


def _or_best(value: float) -> float:
    return math.inf if math.isnan(value) else value


def _data_facts(dataset: Dataset, tracks: Sequence[Track]) -> DataFacts:
    return DataFacts(
        name=dataset.name,
        split=dataset.split,
        path=str(dataset.path),
        layout=dataset.layout,
        tracks=tuple(track.name for track in tracks),
        num_available=len(dataset),
    )


def _describe(dataset: Dataset, num_tracks: int) -> str:
    part = f", {dataset.split} split" if dataset.split else ""
    count = f"{num_tracks} of {len(dataset)}" if num_tracks < len(dataset) else str(len(dataset))
    return f"{dataset.name}{part} ({dataset.layout}): {count} tracks in {dataset.path}"
