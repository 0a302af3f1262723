"""Many songs with one model: the next one is read while the present one computes.

Torch is imported only when there is something to compute, so that a run that finds everything done
costs next to nothing.
"""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

from stemsplit.checkpoints.cache import Cache, default_root
from stemsplit.checkpoints.obtain import obtain
from stemsplit.checkpoints.resolve import resolve
from stemsplit.errors import Cancelled, DeviceError, StemsplitError
from stemsplit.separation.batch_plan import BatchPlan
from stemsplit.separation.estimate import Estimator, SpeedBook
from stemsplit.separation.events import (
    BatchFinished,
    BatchStarted,
    Event,
    EventSink,
    ModelReady,
    Notice,
    SongFailed,
    SongSkipped,
)
from stemsplit.separation.ledger import InputMark, Ledger, mark_input
from stemsplit.separation.naming import SongJob
from stemsplit.separation.options import SeparationOptions
from stemsplit.separation.stopping import stopping

if TYPE_CHECKING:
    from stemsplit.checkpoints.download import DownloadProgress
    from stemsplit.separation.prepared import PreparedSong
    from stemsplit.separation.separator import Separator
    from stemsplit.separation.song import MakeInspector

_POLL_SECONDS = 0.1  # how soon a stop is noticed while a song is being read
_GRACE_SECONDS = 1.0  # for a reading that is to end


def load_separator(
    model: str,
    options: SeparationOptions,
    *,
    offline: bool,
    repo: Path | None,
    on_event: EventSink,
    on_download: Callable[["DownloadProgress"], None],
    cancel: threading.Event,
) -> "Separator":
    """Get the weights that `options` need, and load them onto their device.

    Args:
        model: a name, path or hub id.
        options: how to separate.
        offline: never open a network connection.
        repo: folder of weights to look the name up in.
        on_event: told when the model is ready.
        on_download: told how far a download is.
        cancel: set it from another thread to stop the separation, or the download before it.

    Raises:
        Cancelled: `cancel` was set during a download.
    """
    began = time.perf_counter()
    stems = options.stems if options.two_stems is None else (options.two_stems,)
    watched = stopping(cancel, on_download)
    _obtain(model, stems, offline=offline, repo=repo, on_download=watched)
    from stemsplit.checkpoints.load import load_model
    from stemsplit.separation.separator import Separator

    def tell(event: Event) -> None:
        if isinstance(event, ModelReady):  # loading counts, which the separator does not see
            event = replace(event, seconds=time.perf_counter() - began)
        on_event(event)

    loaded = load_model(model, stems=stems, offline=offline, repo=repo)
    return Separator(loaded, options, on_event=tell, cancel=cancel)


def _obtain(
    name: str,
    stems: tuple[str, ...] | None,
    *,
    offline: bool,
    repo: Path | None,
    on_download: Callable[["DownloadProgress"], None],
) -> None:
    """Fetch what is missing before torch is imported, so that a missing network is said at once."""
    cache = Cache()
    model = resolve(name, repo=repo, cache=cache, offline=offline)
    needed = (model.members[position] for position in model.needed(stems))
    kept = [member for member in needed if member.path is None]
    obtain(kept, cache, offline=offline, progress=on_download)


def run_batch(
    plan: BatchPlan,
    make_separator: Callable[[], "Separator"],
    *,
    make_inspector: "MakeInspector | None" = None,
    on_event: EventSink,
) -> BatchFinished:
    """Separate the songs of a plan one after the other.

    A song that fails is reported and the rest goes on. Every finished song is entered in the ledger
    of the output folder at once, so that a run which is stopped can be resumed.

    Args:
        plan: what to do; see `plan_batch`.
        make_separator: loads the model; called only when there is something to do.
        make_inspector: makes what judges the stems of a song; None leaves them unjudged.
        on_event: told everything that happens.

    Raises:
        Cancelled: the separator's `cancel` was set; what is finished stays, and was reported.
        DeviceError: the device failed, which no other song would change.
    """
    began = time.perf_counter()
    on_event(
        BatchStarted(
            songs=tuple(job.source for job in plan.jobs),
            skipped=tuple(job.source for job in plan.skipped),
        )
    )
    for notice in plan.notices:
        on_event(notice)
    for job in plan.skipped:
        on_event(SongSkipped(song=job.source, files=job.files))
    tally = _Tally()
    try:
        if plan.jobs:
            _run(plan, make_separator(), tally, make_inspector, on_event)
    finally:
        finished = BatchFinished(
            finished=tally.finished,
            failed=tally.failed,
            skipped=len(plan.skipped),
            duration_seconds=tally.duration_seconds,
            elapsed_seconds=time.perf_counter() - began,
        )
        on_event(finished)
    return finished


@dataclass
class _Tally:
    finished: int = 0
    failed: int = 0
    duration_seconds: float = 0.0


@dataclass(frozen=True)
class _Reading:
    """What reading a song once gave."""

    song: "PreparedSong"
    mark: InputMark | None


def _run(
    plan: BatchPlan,
    separator: "Separator",
    tally: _Tally,
    make_inspector: "MakeInspector | None",
    on_event: EventSink,
) -> None:
    from stemsplit.separation.song import separate_song

    estimator = _estimator(plan, separator, on_event)
    ledger = Ledger(plan.output.folder)

    def tell(event: Event) -> None:
        on_event(event)
        estimator.watch(event)

    def separate(index: int, job: SongJob, reading: Future[_Reading]) -> None:
        try:
            read = _await(reading, separator.cancel)
            finished = separate_song(
                separator,
                read.song,
                job.files,
                plan.output,
                index=index,
                make_inspector=make_inspector,
                on_event=tell,
                on_written=lambda: _record(ledger, job, plan, read.mark, separator.seed, tell),
            )
        except (Cancelled, DeviceError):
            raise
        except StemsplitError as error:
            tally.failed += 1
            tell(SongFailed(song=job.source, reason=str(error)))
        else:
            tally.finished += 1
            tally.duration_seconds += finished.duration_seconds

    with _ReadAhead(plan, separator) as songs:
        for index, (job, reading) in enumerate(songs):
            separate(index, job, reading)


class _ReadAhead:
    """The songs of a plan, each with its reading under way and that of the next one lined up."""

    def __init__(self, plan: BatchPlan, separator: "Separator") -> None:
        self._jobs = plan.jobs
        self._start, self._stop = plan.output.start_seconds, plan.output.stop_seconds
        self._separator = separator
        self._reader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="read-ahead")
        self._pending: Future[_Reading] | None = None

    def __iter__(self) -> Iterator[tuple[SongJob, Future[_Reading]]]:
        ahead = self._begin(self._jobs[0])
        for job, following in zip(self._jobs, (*self._jobs[1:], None), strict=True):
            reading = ahead
            if following is not None:
                ahead = self._begin(following)
            yield job, reading

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self._separator.cancel.set()  # ends a reading that is under way
        self._reader.shutdown(wait=False)
        if self._pending is not None:  # a pipe may keep it for ever, so only for a moment
            wait([self._pending], timeout=_GRACE_SECONDS)

    def _begin(self, job: SongJob) -> Future[_Reading]:
        self._pending = self._reader.submit(self._read, job)
        return self._pending

    def _read(self, job: SongJob) -> _Reading:
        if self._separator.cancel.is_set():
            raise Cancelled("Stopped.")
        mark = mark_input(job.source)
        song = self._separator.prepare(
            job.source, start_seconds=self._start, stop_seconds=self._stop
        )
        return _Reading(song, mark)


def _await(reading: Future[_Reading], cancel: threading.Event) -> _Reading:
    while not cancel.is_set():
        if wait([reading], timeout=_POLL_SECONDS).done:
            return reading.result()
    raise Cancelled("Stopped.")


def _record(
    ledger: Ledger,
    job: SongJob,
    plan: BatchPlan,
    mark: InputMark | None,
    seed: int | None,
    on_event: EventSink,
) -> None:
    try:
        ledger.record(
            set(job.files.values()),
            source=job.source,
            mark=mark,
            settings=plan.settings,
            start_seconds=plan.output.start_seconds,
            stop_seconds=plan.output.stop_seconds,
            about={"model": plan.model, "seed": seed},
        )
    except OSError as error:
        message = f"{job.source}: done, but it will not be known as done next time: {error}"
        on_event(Notice(message=message, is_warning=True))


def _estimator(plan: BatchPlan, separator: "Separator", on_event: EventSink) -> Estimator:
    import torch

    options, device = separator.options, separator.device
    has_own_memory = device.type == "cuda"
    name = torch.cuda.get_device_name(device) if has_own_memory else str(device)
    settings = (options.precision, options.segment_seconds, options.batch, options.jobs)
    return Estimator(
        plan,
        work_factor=max(options.shifts, 1) / (1 - options.overlap),
        book=SpeedBook(default_root() / "speed.json"),
        key=" ".join(map(str, (separator.model.fingerprint, *separator.stems, name, *settings))),
        on_event=on_event,
        device_bytes=lambda: torch.cuda.max_memory_allocated(device) if has_own_memory else None,
    )
