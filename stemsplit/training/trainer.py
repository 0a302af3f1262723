"""The course of a training: steps, validations, states, and how it ends."""

import math
import threading
import time
from collections.abc import Callable, Container, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from stemsplit.checkpoints.weights import CheckpointInfo
from stemsplit.errors import TrainingError
from stemsplit.models.registry import build_network
from stemsplit.models.serialization import to_plain
from stemsplit.separation.device import is_out_of_memory
from stemsplit.training.batches import read_batches
from stemsplit.training.corpus import Corpus
from stemsplit.training.distributed import Processes
from stemsplit.training.ema import WeightAverage
from stemsplit.training.events import Event, EventSink, Finished, Notice, StepDone, Validated
from stemsplit.training.judging import Judge
from stemsplit.training.learner import Learner, StepReport
from stemsplit.training.losses import Features
from stemsplit.training.memory import out_of_memory, with_advice
from stemsplit.training.pace import Pace
from stemsplit.training.phases import Phase
from stemsplit.training.randomness import RandomState, gather_random, restore_random
from stemsplit.training.run_folder import RunFolder, write_tensors
from stemsplit.training.schedules import count_drops
from stemsplit.training.seeds import hash_of
from stemsplit.training.setup import TrainingPlan, build_learner
from stemsplit.training.state import Ancestor, BestCheckpoint, TrainingState, save_state
from stemsplit.training.tasks import separator_of
from stemsplit.training.validation import Validation

_REPORT_SECONDS = 5.0  # from one report of steps to the next
_SAVE_SECONDS = 600.0  # from one state to the next within an epoch
_LATEST = "latest"

T = TypeVar("T")


@dataclass
class Progress:
    """What a run has come to; all that changes besides the learner."""

    step: int = 0
    """Steps done."""

    best: tuple[BestCheckpoint, ...] = ()
    scores: tuple[float, ...] = ()
    """Of the validations at whole multiples of `validation.every` epochs."""

    seconds: float = 0.0
    """Time spent on steps and validations."""

    audio_seconds: float = 0.0
    """Music learnt from."""


@dataclass
class Trainer:
    """Runs a plan from any step to its end, or until it is told to stop."""

    plan: TrainingPlan
    corpus: Corpus
    folder: RunFolder
    device: torch.device
    processes: Processes
    on_event: EventSink
    stop: threading.Event
    info: CheckpointInfo
    """What the weights will say about themselves."""

    ancestor: Ancestor | None = None
    """What the weights were at first; None for random ones."""

    loaded: Container[str] = ()
    """Names of the parameters that the ancestor gave."""

    features: Features | None = None
    """What a perceptual loss compares."""

    progress: Progress = field(default_factory=Progress)

    def __post_init__(self) -> None:
        self._waiting: list[StepReport] = []
        self._began = self._reported = self._saved = time.monotonic()
        self._pace = Pace()
        self._ready: tuple[Phase, Learner] | None = None

    def run(self, network: nn.Module, state: TrainingState | None) -> Finished:
        """Train.

        Args:
            network: with its initial weights.
            state: to go on from; None begins.

        Returns:
            How it ended.

        Raises:
            TrainingError: the loss is not finite, or memory ran out.
            AudioError: a song cannot be read.
            CheckpointError: a state or weights cannot be written.
        """
        if state is not None:
            self.progress = Progress(
                state.step, state.best, state.scores, state.seconds, state.audio_seconds
            )
        held = None if state is None else vars(state)
        for phase in self.plan.phases:
            steps = self._steps(phase)
            if not steps:
                continue
            learner = self._learner(phase, network, held)
            if state is not None:
                restore_random(
                    RandomState(state.random, state.device_random),
                    self.processes,
                    self.device,
                    seed=self.plan.recipe.seed,
                    step=state.step,
                )
                state = None
            elif held is None:  # for dropout; processes must not drop alike
                torch.manual_seed(hash_of((self.plan.recipe.seed, self.processes.rank)))
            if not self._run_phase(phase, steps, learner):
                break
            held = learner.state()
        finished = Finished(
            step=self.progress.step,
            is_complete=self.progress.step >= self.plan.total_steps,
            best=self.folder.best if self.folder.best.is_file() else None,
            best_sdr_db=self.progress.best[0].sdr_db if self.progress.best else None,
        )
        self._tell(finished)
        return finished

    def try_step(
        self,
        network: nn.Module,
        state: TrainingState | None,
        look: Callable[[Learner, Tensor, int], T],
    ) -> list[T]:
        """Have a look at the first step of every phase that is left, before anything is written.

        Args:
            network: with its initial weights.
            state: to go on from; None begins.
            look: given what the step hears, a learner that it must leave as it was, and how many
                steps of the phase are left.

        Returns:
            What `look` returns for every phase; nothing if no step is left.

        Raises:
            TrainingError: the loss is not finite, or memory ran out.
        """
        done = 0 if state is None else state.step
        found: list[T] = []
        for phase in reversed(self.plan.phases):  # the learner of the first is kept for the run
            steps = self.plan.steps(phase)
            left = range(max(done, steps.start), steps.stop)
            if left:
                self._ready = None  # gives back what the phase after it took
                found.insert(0, self._look_at(phase, left, network, look))
        return found

    def _look_at(
        self,
        phase: Phase,
        left: range,
        network: nn.Module,
        look: Callable[[Learner, Tensor, int], T],
    ) -> T:
        (excerpts,) = self._batches(phase, left[:1], workers=0)
        learner = self._learner(phase, network, None)
        found = with_advice(lambda one, heard: look(one, heard, len(left)), learner, excerpts)
        self._ready = phase, learner
        return found

    def _steps(self, phase: Phase) -> range:
        """The steps of a phase that are left."""
        steps = self.plan.steps(phase)
        return range(max(steps.start, self.progress.step), steps.stop)

    def _learner(self, phase: Phase, network: nn.Module, held: Mapping[str, Any] | None) -> Learner:
        """A learner with the weights of `network`, or with all that was held from another one."""
        ready, self._ready = self._ready, None
        if ready is not None and ready[0] is phase:  # it may be compiled
            learner = ready[1]
        else:
            learner = self._new_learner(phase, network)
        if held is not None:
            learner.load(held)
        learner.num_drops = self._num_drops()
        return learner

    def _new_learner(self, phase: Phase, network: nn.Module) -> Learner:
        with torch.random.fork_rng(devices=[]):  # dropout goes on as if none had been built
            own = build_network(self.plan.architecture, phase.network.config)
        own.load_state_dict(network.state_dict())
        return build_learner(
            self.plan,
            phase,
            own,
            device=self.device,
            processes=self.processes,
            loaded=self.loaded,
            features=self.features,
        )

    def _num_drops(self) -> int:
        """How often the learning rate has fallen for want of progress."""
        return count_drops(self.progress.scores, self.plan.recipe.schedule)

    def _run_phase(self, phase: Phase, steps: range, learner: Learner) -> bool:
        """Take the steps of a phase; False if stopped before its end."""
        recipe = self.plan.recipe
        audio = phase.batch_size * phase.segment_samples / self.plan.config.sample_rate
        self._pace.begin()
        for step, excerpts in zip(steps, self._batches(phase, steps), strict=True):
            report = self._guarded(learner, excerpts, step)
            self.progress.step = step + 1
            self.progress.audio_seconds += audio
            self._pace.step(audio)
            self._waiting.append(report)
            is_epoch_end = (step + 1) % recipe.steps_per_epoch == 0
            if is_epoch_end:
                self._end_epoch(learner, (step + 1) // recipe.steps_per_epoch)
            elif self._pace.is_settled and time.monotonic() - self._reported > _REPORT_SECONDS:
                self._report()
            is_stopping = self.processes.any(self.stop.is_set(), self.device)
            is_late = time.monotonic() - self._saved > _SAVE_SECONDS
            # All processes save together, and each has a clock of its own.
            if is_epoch_end or is_stopping or self.processes.any(is_late, self.device):
                self._save(learner)
            if is_stopping:
                return False
            self._pace.go_on()
        return True

    def _batches(
        self, phase: Phase, steps: range, *, workers: int | None = None
    ) -> Iterable[Tensor]:
        return read_batches(
            self.plan,
            self.corpus,
            phase,
            steps,
            processes=self.processes,
            workers=self.plan.recipe.data.workers if workers is None else workers,
            is_pinned=self.device.type == "cuda",
        )

    def _guarded(self, learner: Learner, excerpts: Tensor, step: int) -> StepReport:
        """Take a step, and say what to do when it fails."""
        try:
            return learner.learn(excerpts, step)
        except TrainingError as error:
            # Not beside the weights, where it would be taken for a second model of the folder.
            name = f"step-{step:08d}-rank-{self.processes.rank}.safetensors"
            path = self.folder.path / "failed" / name
            write_tensors(path, {"excerpts": excerpts})
            raise TrainingError(
                f"Step {step} failed: {error} What it heard is in {path}; the states before it are "
                "whole. Lower optim.lr, or set optim.clip_norm=1.0."
            ) from error
        except RuntimeError as error:
            if is_out_of_memory(error):
                raise TrainingError(out_of_memory(learner, excerpts.shape[0])) from error
            raise

    def _end_epoch(self, learner: Learner, epoch: int) -> None:
        for average in learner.epoch_averages.values():
            average.update()
        self._report()
        every = self.plan.recipe.validation.every
        if epoch % every == 0 or epoch == self.plan.recipe.epochs:
            score = self._validate(learner, epoch)
            if epoch % every == 0:  # a run that is made longer must not count its first end
                self.progress.scores = (*self.progress.scores, score)
                learner.num_drops = self._num_drops()

    def _validate(self, learner: Learner, epoch: int) -> float:
        """Score the weights and their averages, and keep the best of them; their score."""
        began = time.monotonic()
        judge = Judge(self.plan, self.corpus.validation, self.device, self.processes)
        candidates: dict[str, WeightAverage | None] = {_LATEST: None, **learner.averages}
        scores: dict[str, Validation] = {}
        for name, average in candidates.items():
            with _using(average):
                scores[name] = judge.score(learner.network)
        chosen = max(scores, key=lambda name: scores[name].mean_db)
        found = scores[chosen]
        is_best = not self.progress.best or found.mean_db >= self.progress.best[0].sdr_db
        if self.processes.is_first and math.isfinite(found.mean_db):
            with _using(candidates[chosen]):
                self.progress.best = self.folder.keep(
                    _on_cpu(separator_of(learner.network).state_dict()),
                    self.info,
                    step=self.progress.step,
                    sdr_db=found.mean_db,
                    best=self.progress.best,
                    num=self.plan.recipe.validation.keep_best,
                )
        self._tell(
            Validated(
                step=self.progress.step,
                epoch=epoch,
                sdr_db=found.mean_db,
                stems_db=found.stems_db,
                weights=chosen,
                is_best=is_best,
                others_db={name: one.mean_db for name, one in scores.items() if name != chosen},
                seconds=time.monotonic() - began,
            )
        )
        self._reported = time.monotonic()
        return found.mean_db

    def _save(self, learner: Learner) -> None:
        """Write a state; only the first process does."""
        now = time.monotonic()
        self.progress.seconds += now - self._began
        self._began = self._saved = now
        random = gather_random(self.processes, self.device)
        if self.processes.is_first:
            save_state(
                self.folder.states,
                TrainingState(
                    run_hash=self.plan.run_hash,
                    step=self.progress.step,
                    random=random.cpu,
                    device_random=random.device,
                    best=self.progress.best,
                    scores=self.progress.scores,
                    seconds=self.progress.seconds,
                    audio_seconds=self.progress.audio_seconds,
                    ancestor=self.ancestor,
                    **learner.state(),
                ),
            )
        self.processes.wait()

    def _report(self) -> None:
        """Tell the means of the steps since the last report, and the pace of recent ones."""
        reports, self._waiting = self._waiting, []
        if not reports:
            return
        recipe, step = self.plan.recipe, self.progress.step
        self._tell(
            StepDone(
                step=step,
                total_steps=self.plan.total_steps,
                epoch=(step - 1) // recipe.steps_per_epoch + 1,
                epochs=recipe.epochs,
                loss=fmean(one.loss for one in reports),
                terms={
                    name: fmean(one.terms[name] for one in reports) for name in reports[0].terms
                },
                learning_rate=reports[-1].learning_rate,
                gradient_norm=fmean(one.gradient_norm for one in reports),
                audio_per_second=self._pace.audio_per_second,
                remaining_seconds=self._pace.step_seconds * (self.plan.total_steps - step),
            )
        )
        self._reported = time.monotonic()

    def _tell(self, event: Event) -> None:
        if self.processes.is_first:
            if not isinstance(event, Notice):
                self.folder.log(type(event).__name__, **to_plain(event))
            self.on_event(event)


def _using(average: WeightAverage | None) -> AbstractContextManager[None]:
    """The context in which a network has averaged weights; None for those it has."""
    return nullcontext() if average is None else average.swapped_in()


def _on_cpu(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.cpu() for name, value in weights.items()}
