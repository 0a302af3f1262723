"""A training from its recipe to weights that separate."""

import json
import shutil
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from stemsplit.checkpoints.load import load_model
from stemsplit.errors import ConfigError, DecodeError, StemsplitError, TrainingError
from stemsplit.separation.separator import Separator
from stemsplit.training.batches import read_batches
from stemsplit.training.corpus import open_corpus
from stemsplit.training.distributed import Processes
from stemsplit.training.events import Event, Preflight, StepDone, Validated
from stemsplit.training.learner import Learner, StepReport
from stemsplit.training.preflight import whole_run
from stemsplit.training.recipe_files import load_recipe
from stemsplit.training.run import RunOptions, resume, train
from stemsplit.training.setup import plan_training
from stemsplit.training.state import TrainingState, load_newest
from tests.training.runs import run, tiny_recipe
from tests.training.sets import RATE, STEMS, tones

DROPOUT = 'network.overrides=["transformer={layers=1, heads=2, hidden=16, dropout=0.3}"]'


def newest(out: Path) -> TrainingState:
    (path,) = sorted((out / "states").glob("*.state"))[-1:]
    data = torch.load(path, weights_only=True)
    state = load_newest(out / "states", data["run_hash"])
    assert state is not None
    return state


def test_a_run_leaves_weights_a_card_a_log_and_a_recipe(tmp_path: Path) -> None:
    out = tmp_path / "runs" / "nn"
    finished, events = run(tiny_recipe(tmp_path), out)
    assert finished.is_complete
    assert (finished.step, finished.best) == (6, out / "best.safetensors")
    validations = [event for event in events if isinstance(event, Validated)]
    assert [event.step for event in validations] == [3, 6]
    assert set(validations[0].stems_db) == set(STEMS)
    assert finished.best_sdr_db == max(event.sdr_db for event in validations)
    kinds = [json.loads(line)["kind"] for line in (out / "log.jsonl").read_text().splitlines()]
    assert kinds[0] == "StepDone"
    # A busy machine reports steps within an epoch too.
    assert [kind for kind in kinds if kind != "StepDone"] == ["Validated", "Validated", "Finished"]
    card = (out / "README.md").read_text()
    assert "music:train: 3 songs" in card
    assert f"{finished.best_sdr_db:.2f}" in card
    separated = Separator(str(out)).separate(sum(tones().values()), RATE).stems  # type: ignore[arg-type]
    assert {stem: signal.shape for stem, signal in separated.items()} == dict.fromkeys(
        STEMS, (2, 2 * RATE)
    )
    assert load_model(str(out)).name == "nn"


def test_the_preflight_tells_what_a_run_takes_and_changes_nothing(tmp_path: Path) -> None:
    recipe, out = tiny_recipe(tmp_path), tmp_path / "out"
    events: list[Event] = []
    options = RunOptions(out=out, device="cpu", dry_run=True)
    assert train(recipe, options, on_event=events.append) is None
    assert not out.exists()
    (found,) = [event for event in events if isinstance(event, Preflight)]
    assert (found.training_songs, found.validation_songs, found.device) == (3, 1, "cpu")
    assert found.training_hours == pytest.approx(3 * 2 / 3600)
    assert found.total_seconds == pytest.approx(6 * found.step_seconds)
    assert found.memory_bytes is not None
    assert found.memory_bytes > 1e8
    assert 0 < found.disk_bytes < found.free_bytes


def test_the_time_of_a_step_is_without_what_comes_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learn = Learner.learn
    calls = []

    def slow_at_first(learner: Learner, excerpts: torch.Tensor, step: int) -> StepReport:
        calls.append(step)
        if len(calls) == 1:
            time.sleep(1.0)
        return learn(learner, excerpts, step)

    monkeypatch.setattr(Learner, "learn", slow_at_first)
    events: list[Event] = []
    options = RunOptions(out=tmp_path / "out", device="cpu", dry_run=True)
    train(tiny_recipe(tmp_path), options, on_event=events.append)
    (found,) = [event for event in events if isinstance(event, Preflight)]
    assert len(calls) == 2
    assert found.step_seconds < 1.0


def test_the_preflight_looks_at_all_phases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    learn = Learner.learn
    heard = []

    def slow_with_many(learner: Learner, excerpts: torch.Tensor, step: int) -> StepReport:
        heard.append(excerpts.shape[0])
        time.sleep(0.5 if excerpts.shape[0] == 4 else 0.0)
        return learn(learner, excerpts, step)

    monkeypatch.setattr(Learner, "learn", slow_with_many)
    recipe = tiny_recipe(tmp_path, "phases=[{share=0.5}, {share=0.5, batch_size=4}]")
    events: list[Event] = []
    options = RunOptions(out=tmp_path / "out", device="cpu", dry_run=True)
    train(recipe, options, on_event=events.append)
    (found,) = [event for event in events if isinstance(event, Preflight)]
    assert heard == [4, 4, 2, 2]
    assert found.total_seconds > 3 * found.step_seconds + 3 * 0.5
    together = whole_run([replace(found, memory_bytes=5), replace(found, memory_bytes=9)])
    assert together.memory_bytes == 9
    assert together.step_seconds == found.step_seconds


PLATEAU = ("schedule.name=plateau", "schedule.patience=1", "schedule.min_gain_db=100")


@pytest.mark.parametrize(
    ("stop_epoch", "more"),
    [
        pytest.param(1, ("data.workers=0", "epochs=2"), id="no workers"),
        pytest.param(2, ("data.workers=1", "epochs=3", *PLATEAU), id="a worker, plateau"),
    ],
)
def test_a_run_that_was_stopped_goes_on_bit_for_bit(
    tmp_path: Path, stop_epoch: int, more: tuple[str, ...]
) -> None:
    settings = (
        *("augment.gain.probability=1", "augment.remix=1", "ema.steps=0.9"),
        DROPOUT,
    )
    recipe = tiny_recipe(tmp_path, *settings, *more)
    _, events = run(recipe, tmp_path / "whole")

    stop = threading.Event()

    def stop_in_the_next_epoch(event: Event) -> None:
        if isinstance(event, Validated) and event.epoch == stop_epoch:
            stop.set()

    out = tmp_path / "parts"
    finished = train(
        recipe, RunOptions(out=out, device="cpu"), on_event=stop_in_the_next_epoch, stop=stop
    )
    assert finished is not None
    assert (finished.step, finished.is_complete) == (3 * stop_epoch, False)
    assert newest(out).step == 3 * stop_epoch
    later: list[Event] = []
    again = resume(out, RunOptions(out=out, device="cpu"), on_event=later.append)
    assert again is not None
    assert again.is_complete
    ends = [[e for e in told if isinstance(e, StepDone)][-1] for told in (events, later)]
    assert ends[0].learning_rate == ends[1].learning_rate
    if PLATEAU[0] in more:  # the second validation was no better
        assert ends[0].learning_rate == pytest.approx(0.9 * recipe.optim.lr)

    first, second = newest(tmp_path / "whole"), newest(out)
    assert first.step == second.step == 3 * recipe.epochs
    for one, other in (
        (first.network, second.network),
        (first.averages, second.averages),
        (first.optimizer["state"], second.optimizer["state"]),
    ):
        torch.testing.assert_close(one, other, rtol=0, atol=0)
    assert [best.sdr_db for best in first.best] == [best.sdr_db for best in second.best]


def test_a_finished_run_can_be_made_longer(tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(tiny_recipe(tmp_path), out)
    finished, events = run(tiny_recipe(tmp_path, "epochs=3"), out)
    assert finished.is_complete
    assert [event.step for event in events if isinstance(event, StepDone)] == [9]


def test_another_recipe_does_not_touch_a_run(tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(tiny_recipe(tmp_path), out)
    before = (out / "recipe.toml").read_text()
    with pytest.raises(StemsplitError, match="belongs to a run with another recipe"):
        run(tiny_recipe(tmp_path, "optim.lr=1e-5"), out)
    assert (out / "recipe.toml").read_text() == before


def test_a_folder_with_other_things_is_left_alone(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.txt").write_text("mine")
    with pytest.raises(ConfigError, match="not the folder of a training run"):
        run(tiny_recipe(tmp_path), out)
    assert [path.name for path in out.iterdir()] == ["thesis.txt"]


def test_only_runs_can_be_gone_on_with(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"no recipe\.toml"):
        resume(tmp_path)


def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_what_was_heard(tmp_path: Path) -> None:
    out = tmp_path / "out"
    recipe = tiny_recipe(tmp_path, "optim.lr=1e30", "schedule.warmup_steps=0")
    with pytest.raises(TrainingError, match=r"Step 1 failed: .*failed/step-00000001"):
        run(recipe, out)
    (kept,) = out.glob("failed/step-*.safetensors")
    assert kept.stat().st_size > 4 * 2 * 5 * 2 * 4000


def test_the_tiny_network_learns(tmp_path: Path) -> None:
    short = tiny_recipe(tmp_path, "epochs=1", "steps_per_epoch=1", "optim.lr=1e-9")
    long = tiny_recipe(tmp_path, "epochs=1", "steps_per_epoch=100")
    untrained, _ = run(short, tmp_path / "short")
    trained, _ = run(long, tmp_path / "long")
    assert untrained.best_sdr_db is not None
    assert trained.best_sdr_db is not None
    assert trained.best_sdr_db > untrained.best_sdr_db + 5


PHASES = """
extends = "tiny.toml"

[[phases]]
share = 0.5
segment_seconds = 0.25
batch_size = 4

[[phases]]
share = 0.5
rewarm_steps = 2
"""


def test_phases_change_what_is_heard_and_survive_a_stop(tmp_path: Path) -> None:
    tiny_recipe(tmp_path)
    (tmp_path / "phases.toml").write_text(PHASES)
    recipe = load_recipe(tmp_path / "phases.toml", ["ema.steps=0.5", DROPOUT])
    whole, _ = run(recipe, tmp_path / "whole")
    assert whole.is_complete

    stop = threading.Event()

    def stop_in_the_second_phase(event: Event) -> None:
        if isinstance(event, Validated) and event.epoch == 1:
            stop.set()

    options = RunOptions(out=tmp_path / "parts", device="cpu")
    train(recipe, options, on_event=stop_in_the_second_phase, stop=stop)
    # Batches of four excerpts of a quarter of a second, three of them.
    assert newest(tmp_path / "parts").audio_seconds == pytest.approx(4 * 0.25 * 3)
    train(recipe, options)
    first, second = newest(tmp_path / "whole"), newest(tmp_path / "parts")
    assert first.audio_seconds == second.audio_seconds == pytest.approx(3.0 + 2 * 0.5 * 3)
    for part in ("network", "averages"):
        torch.testing.assert_close(getattr(first, part), getattr(second, part), rtol=0, atol=0)


def test_pitch_and_tempo_reach_what_is_heard(tmp_path: Path) -> None:
    plain = plan_training(tiny_recipe(tmp_path))
    changed = plan_training(
        tiny_recipe(
            tmp_path, "augment.repitch.probability=1", "augment.repitch.whole_semitones=false"
        )
    )
    corpus = open_corpus(plain.recipe.data, plain.recipe.validation, plain.config)
    first, second = (
        next(
            iter(
                read_batches(
                    plan, corpus, plan.phases[0], range(1), processes=Processes(), workers=0
                )
            )
        )
        for plan in (plain, changed)
    )
    assert first.shape == second.shape
    vocals = [torch.fft.rfft(batch[0, 3, 0]).abs().argmax().item() for batch in (first, second)]
    assert vocals[0] != vocals[1]  # a steady tone that has moved


@pytest.mark.parametrize("workers", [0, 1])
def test_a_song_that_breaks_off_is_told_in_one_line(tmp_path: Path, workers: int) -> None:
    recipe = tiny_recipe(tmp_path, f"data.workers={workers}", "data.cache=false")
    plan = plan_training(recipe)
    corpus = open_corpus(recipe.data, recipe.validation, plan.config)
    for song in (tmp_path / "music/train").iterdir():
        _cut_short(song / "bass.wav")
    batches = read_batches(
        plan, corpus, plan.phases[0], range(1), processes=Processes(), workers=workers
    )
    with pytest.raises(DecodeError) as caught:
        list(batches)
    assert "bass.wav" in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_song_to_validate_with_that_breaks_off_is_fatal_or_left_out(tmp_path: Path) -> None:
    recipe = tiny_recipe(tmp_path, "data.cache=false", "epochs=1")
    shutil.copytree(tmp_path / "music/valid/judge", tmp_path / "music/valid/second")
    _cut_short(tmp_path / "music/valid/judge/bass.wav")
    with pytest.raises(DecodeError, match=r"bass\.wav"):
        run(recipe, tmp_path / "strict")
    lenient = replace(recipe, data=replace(recipe.data, skip_broken=True))
    finished, events = run(lenient, tmp_path / "lenient")
    assert finished.is_complete
    (validated,) = [event for event in events if isinstance(event, Validated)]
    assert validated.sdr_db > -50


def _cut_short(path: Path) -> None:
    """Leave out the end of a file whose header announces all of it."""
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
