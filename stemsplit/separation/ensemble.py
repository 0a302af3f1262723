"""Several networks, several shifts, one answer: the streaming heart of the separation.

Every combination of a network and a shift is a pass: its own plan of segments and its own
overlap-add. The passes advance together over one reading of the signal, so that memory holds a few
segments, however long the song.

Shapes: S stems, C audio channels, N samples.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from stemsplit.checkpoints.load import LoadedMember, LoadedModel
from stemsplit.errors import ConfigError
from stemsplit.separation.options import SeparationOptions
from stemsplit.separation.overlap_add import OverlapAdd
from stemsplit.separation.plan import Segment, SegmentPlan, draw_leads
from stemsplit.separation.runner import NetworkRunner
from stemsplit.separation.signal import SignalWindow

ProgressCallback = Callable[[float], None]


@dataclass(frozen=True)
class _Member:
    """A network that the wanted stems need."""

    loaded: LoadedMember
    runner: NetworkRunner
    stem_rows: tuple[int, ...]
    """Rows of the network's output that are used."""
    targets: tuple[int, ...]
    """Rows of the answer that they go to."""
    shares: Tensor
    """Weight (S, 1, 1) of this network in each of them; over all networks they sum to 1."""


@dataclass
class _Pass:
    """One walk of one network over the signal."""

    member: _Member
    plan: SegmentPlan
    joined: OverlapAdd

    def window(self, index: int) -> tuple[int, int]:
        segment = self.plan[index]
        return segment.window(self.member.loaded.config.valid_length(segment.num_samples))

    @property
    def next_start(self) -> int:
        return self.window(self.joined.num_done)[0]

    @property
    def next_stop(self) -> int:
        return self.window(self.joined.num_done)[1]

    @property
    def is_done(self) -> bool:
        return self.joined.num_done == len(self.plan)


@dataclass(frozen=True)
class _Task:
    owner: _Pass
    segment: Segment
    window: tuple[int, int]

    @property
    def window_samples(self) -> int:
        return self.window[1] - self.window[0]


class Ensemble:
    """The networks of a model that are needed for some stems, on their device."""

    def __init__(
        self,
        model: LoadedModel,
        stems: Sequence[str],
        options: SeparationOptions,
        device: torch.device,
        cancel: threading.Event,
    ) -> None:
        """Choose the networks and move them to `device`.

        Args:
            model: the networks and their weight in each stem.
            stems: the stems of the answer, in its order.
            options: shifts, overlap, segment, batch, jobs and precision.
            device: where to compute.
            cancel: when set, `predict` stops with `Cancelled`.
        """
        self._options = options
        self._channels = model.channels
        self._num_stems = len(stems)
        self._jobs = options.jobs if device.type == "cpu" else 1
        rows = tuple(model.stems.index(stem) for stem in stems)
        merged = _merge_repeated(model)
        totals = [sum(weights[row] for _, weights in merged) for row in rows]
        self._members: list[_Member] = []
        for loaded, weights in merged:
            targets = tuple(t for t, row in enumerate(rows) if weights[row] > 0)
            if not targets:
                continue
            runner = NetworkRunner(
                loaded.network,
                device,
                precision=options.precision,
                batch=options.batch,
                fixed_length=loaded.config.fixed_length,
                cancel=cancel,
            )
            shares = torch.tensor([weights[rows[t]] / totals[t] for t in targets])
            stem_rows = tuple(rows[t] for t in targets)
            self._members.append(_Member(loaded, runner, stem_rows, targets, shares.view(-1, 1, 1)))

    @property
    def num_networks(self) -> int:
        """Networks that run."""
        return len(self._members)

    def predict(
        self,
        blocks: Iterator[Tensor],
        num_samples: int,
        *,
        on_progress: ProgressCallback | None = None,
    ) -> Iterator[Tensor]:
        """Separate a normalised signal that is read once.

        Args:
            blocks: the signal in consecutive pieces (C, n), at the model's rate and channels.
            num_samples: its length N.
            on_progress: told the finished share after every forward pass.

        Yields:
            Consecutive pieces (S, C, n) of the stems; their lengths sum to N.

        Raises:
            Cancelled: the work was called off.
            DeviceError: the device's memory does not suffice.
        """
        passes = self._plan_passes(num_samples)
        signal = SignalWindow(blocks, num_samples)
        total = sum(len(one.plan) for one in passes)
        num_done = emitted = 0
        with ThreadPoolExecutor(self._jobs) as pool:
            while pending := [one for one in passes if not one.is_done]:
                tasks = self._next_tasks(pending)
                estimates = self._compute(tasks, signal, pool)
                for task, estimate in zip(tasks, estimates, strict=True):
                    task.owner.joined.add(_middle(estimate, task))
                num_done += len(tasks)
                if on_progress is not None:
                    on_progress(num_done / total)
                signal.drop(min((one.next_start for one in passes if not one.is_done), default=0))
                complete = min(one.joined.complete_until for one in passes)
                if complete > emitted:
                    yield self._combine(passes, complete)
                    emitted = complete

    def _plan_passes(self, num_samples: int) -> list[_Pass]:
        options = self._options
        passes = []
        for member in self._members:
            loaded = member.loaded
            rate = loaded.config.sample_rate
            for lead in draw_leads(options.shifts, rate, seed=options.seed, salt=loaded.digest):
                segment = min(loaded.segment_samples, _useful(num_samples + lead, options.overlap))
                plan = SegmentPlan(num_samples, segment, options.overlap, lead)
                joined = OverlapAdd(plan, num_stems=len(member.targets), channels=self._channels)
                passes.append(_Pass(member, plan, joined))
        return passes

    def _next_tasks(self, pending: Sequence[_Pass]) -> list[_Task]:
        """The segments to compute next: of one network, of one length, the earliest first."""
        member = min(pending, key=lambda one: one.next_stop).member
        limit = member.runner.batch * self._jobs
        tasks = [
            _Task(one, one.plan[index], one.window(index))
            for one in pending
            if one.member is member
            for index in range(one.joined.num_done, min(one.joined.num_done + limit, len(one.plan)))
        ]
        tasks.sort(key=lambda task: task.window[1])  # stable: within a pass the order remains
        length = tasks[0].window_samples
        alike = next((i for i, task in enumerate(tasks) if task.window_samples != length), limit)
        return tasks[: min(limit, alike)]

    def _compute(
        self, tasks: Sequence[_Task], signal: SignalWindow, pool: ThreadPoolExecutor
    ) -> list[Tensor]:
        runner, rows = tasks[0].owner.member.runner, tasks[0].owner.member.stem_rows
        windows = [signal.take(*task.window) for task in tasks]
        if self._jobs == 1:
            estimates = runner.run(windows)
        else:
            shares = [windows[i :: self._jobs] for i in range(min(self._jobs, len(windows)))]
            done = list(pool.map(runner.run, shares))
            estimates = [done[i % len(done)][i // len(done)] for i in range(len(windows))]
        return [estimate[list(rows)] for estimate in estimates]

    def _combine(self, passes: Sequence[_Pass], complete: int) -> Tensor:
        answer: Tensor | None = None
        for one in passes:
            piece = one.joined.pop(complete)
            if answer is None:
                answer = piece.new_zeros(self._num_stems, *piece.shape[1:])
            share = one.member.shares / max(1, self._options.shifts)
            answer[list(one.member.targets)] += piece * share
        assert answer is not None  # an ensemble has at least one network
        return answer


def _useful(num_samples: int, overlap: float) -> int:
    """The segment from which on a signal is one segment, so that a longer one changes nothing."""
    return int(num_samples / (1 - overlap)) + 2


def _middle(estimate: Tensor, task: _Task) -> Tensor:
    """The planned samples out of the network's answer to a longer window."""
    first = (task.window_samples - task.segment.num_samples) // 2
    return estimate[..., first : first + task.segment.num_samples]


def _merge_repeated(model: LoadedModel) -> list[tuple[LoadedMember, tuple[float, ...]]]:
    """The members, one that stands there several times once with the sum of its weights."""
    merged: dict[tuple[str, int], tuple[LoadedMember, tuple[float, ...]]] = {}
    for member, weights in zip(model.members, model.stem_weights, strict=True):
        key = (member.digest, member.segment_samples)
        if key in merged:
            weights = tuple(a + b for a, b in zip(merged[key][1], weights, strict=True))
        merged[key] = (member, weights)
    return list(merged.values())


def with_segment(model: LoadedModel, segment_seconds: float | None) -> LoadedModel:
    """The model with every member's segment set to a length in seconds; None leaves it as it is.

    Raises:
        ConfigError: the segment is shorter than a sample, or longer than a network accepts.
    """
    if segment_seconds is None:
        return model
    wanted = int(segment_seconds * model.sample_rate)
    longest = min(
        (one.config.segment_samples for one in model.members if one.config.fixed_length),
        default=wanted,
    )
    if not 1 <= wanted <= longest:
        raise ConfigError(
            f"--segment {segment_seconds:g} s does not suit {model.name}: it takes more than 0 and "
            f"at most {longest / model.sample_rate:g} s."
        )
    members = tuple(replace(member, segment_samples=wanted) for member in model.members)
    return replace(model, members=members)
