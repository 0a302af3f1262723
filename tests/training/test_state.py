"""Training states are whole, or not there."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from stemsplit.errors import CheckpointError
from stemsplit.training.state import BestCheckpoint, TrainingState, load_newest, save_state


@pytest.fixture
def state() -> TrainingState:
    network = torch.nn.Linear(3, 2)
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.1)
    network(torch.randn(4, 3)).sum().backward()
    optimizer.step()
    return TrainingState(
        run_hash="abc",
        step=7,
        network=network.state_dict(),
        optimizer=optimizer.state_dict(),
        averages={"0.9": network.state_dict()},
        scaler={},
        random=torch.get_rng_state(),
        best=(BestCheckpoint(step=5, sdr_db=3.25, file="best/a.safetensors"),),
    )


def test_a_state_comes_back_as_it_was(tmp_path: Path, state: TrainingState) -> None:
    save_state(tmp_path, state)
    again = load_newest(tmp_path, "abc")
    assert again is not None
    assert (again.step, again.best) == (7, state.best)
    torch.testing.assert_close(again.network, state.network, rtol=0, atol=0)
    torch.testing.assert_close(again.averages, state.averages, rtol=0, atol=0)
    assert torch.equal(again.random, state.random)
    moments = again.optimizer["state"][0]["exp_avg"]
    assert torch.equal(moments, state.optimizer["state"][0]["exp_avg"])


def test_a_run_begins_without_a_state(tmp_path: Path) -> None:
    assert load_newest(tmp_path / "nothing", "abc") is None


def test_the_two_newest_states_are_kept(tmp_path: Path, state: TrainingState) -> None:
    for step in (8, 100_000_000, 9, 10):
        save_state(tmp_path, replace(state, step=step))
    kept = sorted(path.name for path in tmp_path.iterdir())
    assert kept == ["step-00000010.state", "step-100000000.state"]


@pytest.mark.parametrize("cut", [0, 10, 1_000])
def test_a_damaged_state_is_passed_over(
    tmp_path: Path, state: TrainingState, cut: int, caplog: pytest.LogCaptureFixture
) -> None:
    save_state(tmp_path, state)
    newest = save_state(tmp_path, replace(state, step=8))
    newest.write_bytes(newest.read_bytes()[:cut])
    found = load_newest(tmp_path, "abc")
    assert found is not None
    assert found.step == 7
    assert "step-00000008.state is damaged" in caplog.text


def test_only_damaged_states_are_an_error(tmp_path: Path, state: TrainingState) -> None:
    save_state(tmp_path, state).write_bytes(b"nothing")
    with pytest.raises(CheckpointError, match="None of the training states"):
        load_newest(tmp_path, "abc")


def test_a_state_of_another_run_is_refused(tmp_path: Path, state: TrainingState) -> None:
    save_state(tmp_path, state)
    with pytest.raises(CheckpointError, match="another recipe, network or data"):
        load_newest(tmp_path, "xyz")


def test_a_state_that_would_run_code_is_refused(tmp_path: Path, state: TrainingState) -> None:
    class Hostile:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path.touch, (tmp_path / "ran",))

    path = save_state(tmp_path, state)
    torch.save({"step": Hostile()}, path)
    with pytest.raises(CheckpointError):
        load_newest(tmp_path, "abc")
    assert not (tmp_path / "ran").exists()


def test_a_disk_that_is_full_leaves_the_state_before(
    tmp_path: Path, state: TrainingState, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_state(tmp_path, state)

    def refuse(*_: object) -> None:
        raise RuntimeError("No space left on device")

    monkeypatch.setattr(torch, "save", refuse)
    with pytest.raises(CheckpointError, match=r"cannot be written: No space left.*the one before"):
        save_state(tmp_path, replace(state, step=8))
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000007.state"]
