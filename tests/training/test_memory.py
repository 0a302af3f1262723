"""What is said when memory or the disk is used up."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from stemsplit.checkpoints.load import load_model
from stemsplit.errors import CheckpointError, TrainingError
from stemsplit.models.htdemucs.network import HTDemucs
from stemsplit.training import run_folder
from stemsplit.training.events import Event, Preflight, Validated
from stemsplit.training.learner import Learner
from stemsplit.training.run import RunOptions, train
from stemsplit.training.state import load_newest
from tests.training.runs import run, tiny_recipe


def limit_memory(monkeypatch: pytest.MonkeyPatch, excerpts: int) -> None:
    """A device that has room for so many excerpts at a time."""
    forward = HTDemucs.forward

    def limited(self: HTDemucs, mix: Tensor) -> Tensor:
        if self.training and mix.shape[0] > excerpts:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")
        return forward(self, mix)

    monkeypatch.setattr(HTDemucs, "forward", limited)


@pytest.mark.parametrize(
    ("room", "settings", "line"),
    [
        (
            3,
            (),
            "12 excerpts at a time does not fit on cpu. With 3 it does: --set accumulation_ste",
        ),
        (
            5,
            (),
            "With 4 it does: --set accumulation_steps=3 trains the same way in smaller parts, ",
        ),
        (1, ("accumulation_steps=3",), "step with 4 excerpts at a time .* --set batch_size=1 with"),
        (0, (), r"step with 1 excerpt does not fit on cpu\. Shorten data\.segment_seconds"),
    ],
)
def test_what_would_fit_is_tried_out_before_the_run(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    room: int,
    settings: tuple[str, ...],
    line: str,
) -> None:
    limit_memory(monkeypatch, room)
    recipe = tiny_recipe(tmp_path, "batch_size=12", "data.segment_seconds=0.1", *settings)
    with pytest.raises(TrainingError, match=line):
        run(recipe, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_later_phases_need_is_found_out_before_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit_memory(monkeypatch, 2)
    recipe = tiny_recipe(tmp_path, "phases=[{share=0.5}, {share=0.5, batch_size=4}]")
    with pytest.raises(TrainingError, match="a step with 4 excerpts at a time does not fit"):
        run(recipe, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_is_advised_fits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limit_memory(monkeypatch, 1)
    events: list[Event] = []
    options = RunOptions(out=tmp_path / "out", device="cpu", dry_run=True)
    train(tiny_recipe(tmp_path, "accumulation_steps=2"), options, on_event=events.append)
    assert isinstance(events[-1], Preflight)


def test_memory_that_runs_out_later_ends_the_run_in_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learn = Learner.learn

    def fail(self: Learner, excerpts: Tensor, step: int) -> Any:
        if step == 4:
            raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: 9 bytes")
        return learn(self, excerpts, step)

    monkeypatch.setattr(Learner, "learn", fail)
    with pytest.raises(TrainingError, match=r"2 excerpts at a time .* Raise accumulation_steps"):
        run(tiny_recipe(tmp_path), tmp_path / "out")
    assert load_model(str(tmp_path / "out")).sample_rate == 8000


def test_a_first_step_that_fails_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise TrainingError("the difference is not finite")

    monkeypatch.setattr(Learner, "learn", fail)
    with pytest.raises(TrainingError, match="not finite"):
        run(tiny_recipe(tmp_path), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_disk_that_fills_up_leaves_the_best_and_the_states(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"

    def fill_up(event: Event) -> None:
        if isinstance(event, Validated):
            monkeypatch.setattr(run_folder, "write_checkpoint", refuse)

    def refuse(path: Path, *_: object) -> None:
        raise CheckpointError(f"{path} cannot be written: No space left on device.")

    recipe = tiny_recipe(tmp_path, "epochs=3")
    with pytest.raises(CheckpointError, match=r"No space left.* the same command goes on"):
        run(recipe, out, watch=fill_up)
    assert load_model(str(out)).sample_rate == 8000
    monkeypatch.undo()
    finished, events = run(recipe, out)
    assert finished.is_complete
    assert [event.step for event in events if isinstance(event, Validated)] == [6, 9]
    assert list(out.rglob("*.tmp")) == []


def test_states_of_which_none_can_be_read_say_what_is_left(tmp_path: Path) -> None:
    run(tiny_recipe(tmp_path), tmp_path / "out")
    for path in (tmp_path / "out" / "states").iterdir():
        path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match="--from takes the best weights"):
        load_newest(tmp_path / "out" / "states", "")
