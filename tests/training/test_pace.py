"""What came once does not count into what is left."""

import threading
from pathlib import Path

import pytest
import torch

from stemsplit.training import pace
from stemsplit.training.events import Event, StepDone, Validated
from stemsplit.training.learner import Learner, StepReport
from stemsplit.training.pace import Pace
from stemsplit.training.run import RunOptions, train
from tests.training.runs import run, tiny_recipe


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(pace, "time", made)
    return made


def take(steps: Pace, clock: Clock, *seconds: float) -> None:
    for one in seconds:
        clock.now += one
        steps.step(6.0)
        steps.go_on()


def test_the_first_step_counts_only_while_there_is_no_other(clock: Clock) -> None:
    steps = Pace()
    assert (steps.step_seconds, steps.audio_per_second, steps.is_settled) == (0, 0, False)
    take(steps, clock, 120.0)
    assert (steps.step_seconds, steps.is_settled) == (120, False)
    take(steps, clock, 2.0)
    assert (steps.step_seconds, steps.audio_per_second, steps.is_settled) == (2, 3, True)


def test_a_slow_step_is_forgotten(clock: Clock) -> None:
    steps = Pace()
    take(steps, clock, 1.0, 30.0, *[2.0] * 30)
    assert steps.step_seconds == pytest.approx(2.0)
    take(steps, clock, *[4.0] * 8)
    assert 2 < steps.step_seconds < 4
    take(steps, clock, *[4.0] * 15)
    assert (steps.step_seconds, steps.audio_per_second) == (4, 1.5)


def test_a_step_longer_than_the_window_is_enough(clock: Clock) -> None:
    steps = Pace()
    take(steps, clock, 1.0, 100.0, 300.0)
    assert steps.step_seconds == 300


def test_what_lies_between_steps_does_not_count(clock: Clock) -> None:
    steps = Pace()
    take(steps, clock, 1.0, 2.0)
    clock.now += 500.0
    steps.go_on()
    take(steps, clock, 2.0)
    assert steps.step_seconds == 2
    steps.begin()
    take(steps, clock, 7.0)
    assert steps.step_seconds == 7


def test_the_time_left_is_without_the_set_up_and_validation(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    learn = Learner.learn
    calls: list[int] = []

    def slow_at_first(learner: Learner, excerpts: torch.Tensor, step: int) -> StepReport:
        calls.append(step)
        # Two of the preflight, and the first that counts.
        clock.now += 200.0 if len(calls) <= 3 else 0.5
        return learn(learner, excerpts, step)

    monkeypatch.setattr(Learner, "learn", slow_at_first)

    def dawdle(event: Event) -> None:
        if isinstance(event, Validated):
            clock.now += 200.0

    _, events = run(tiny_recipe(tmp_path, "epochs=10"), tmp_path / "out", watch=dawdle)
    told = [event for event in events if isinstance(event, StepDone)]
    assert told[0].step > 1
    for event in told:
        assert event.remaining_seconds == pytest.approx(0.5 * (30 - event.step))
        assert event.audio_per_second == pytest.approx(2 * 0.5 / 0.5)  # two excerpts a step


def test_a_run_that_goes_on_has_the_pace_of_its_own_steps(tmp_path: Path) -> None:
    stop, out = threading.Event(), tmp_path / "out"
    recipe = tiny_recipe(tmp_path, "epochs=30", "validation.every=30")
    options = RunOptions(out=out, device="cpu")
    first: list[Event] = []

    def watch(event: Event) -> None:
        first.append(event)
        if isinstance(event, StepDone) and event.step >= 60:
            stop.set()

    train(recipe, options, on_event=watch, stop=stop)
    later: list[Event] = []
    train(recipe, options, on_event=later.append)
    before, after = (
        [event.audio_per_second for event in told if isinstance(event, StepDone)]
        for told in (first, later)
    )
    assert after[0] < 3 * max(before)  # the music of the first 60 steps is not of this step
