"""Several processes learn what one would."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from stemsplit.errors import ConfigError
from stemsplit.training.augment import Augmentation
from stemsplit.training.augment_recipe import AugmentSection, MaskSection
from stemsplit.training.distributed import Processes, find_processes
from stemsplit.training.hearing import Hearing
from tests.training.runs import run, tiny_recipe
from tests.training.sets import RATE


def torchrun(folder: Path, out: Path, *words: str, restarts: int = 0) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--nproc-per-node", "2", "--max-restarts", str(restarts), "-m", "stemsplit"]
    command += ["train", "--recipe", str(folder / "tiny.toml"), "--out", str(out)]
    command += ["--device", "cpu", *words]
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        cwd=Path(__file__).parents[2],
        start_new_session=True,
    )


def weights(out: Path, step: int) -> dict[str, torch.Tensor]:
    path = out / "states" / f"step-{step:08d}.state"
    network: dict[str, torch.Tensor] = torch.load(path, weights_only=True)["network"]
    return network


@pytest.mark.slow
def test_two_processes_learn_what_one_learns_from_the_same_batches(tmp_path: Path) -> None:
    recipe = tiny_recipe(tmp_path, "epochs=1")
    run(recipe, tmp_path / "one")
    process = torchrun(tmp_path, tmp_path / "two", "--set", "epochs=1")
    printed, _ = process.communicate(timeout=180)
    assert process.returncode == 0, printed
    assert printed.count("Done after step 3") == 1  # by the first process alone
    first, second = weights(tmp_path / "one", 3), weights(tmp_path / "two", 3)
    assert first.keys() == second.keys()
    # Gradients are summed in another order; Adam's first steps make differences of signs large.
    for name, value in first.items():
        torch.testing.assert_close(second[name], value, rtol=1e-3, atol=1e-5, msg=name)


@pytest.mark.slow
def test_a_run_that_loses_a_process_goes_on_from_its_state(tmp_path: Path) -> None:
    tiny_recipe(tmp_path)
    out = tmp_path / "out"
    process = torchrun(tmp_path, out, "--set", "epochs=4", restarts=1)
    try:
        deadline = time.monotonic() + 120
        while not list(out.glob("states/*.state")):
            assert process.poll() is None, process.communicate()[0]
            assert time.monotonic() < deadline
            time.sleep(0.05)
        os.kill(_workers(process.pid)[1], signal.SIGKILL)
        printed, _ = process.communicate(timeout=180)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 0, printed
    assert "Going on after step" in printed
    assert (out / "states" / "step-00000012.state").is_file()


def _workers(parent: int) -> list[int]:
    """Processes that another one has started, in their order."""
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return [int(child) for child in children]


def test_a_process_without_torchrun_is_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    processes = find_processes()
    assert (processes.rank, processes.world, processes.is_first) == (0, 1, True)
    assert processes.gather("mine") == ["mine"]


def test_a_batch_that_cannot_be_shared_is_refused() -> None:
    Processes(rank=0, world=2).check_batch(8, 2)
    with pytest.raises(ConfigError, match=r"batch_size 6 cannot be shared by 2 processes .* of 4"):
        Processes(rank=0, world=2).check_batch(6, 2)


def test_processes_share_a_batch_by_whole_groups() -> None:
    def hearing(world: int, **section: Any) -> Hearing:
        augmentation = Augmentation(AugmentSection(**section), RATE)
        return Hearing(augmentation, 0, torch.device("cpu"), Processes(rank=0, world=world))

    hearing(2, remix=1.0, group_size=4).check_shares(8)
    hearing(1, remix=1.0, group_size=4).check_shares(6)
    hearing(2, group_size=4).check_shares(4)  # nothing is changed
    for change in ({"remix": 1.0}, {"flip_sign": 0.5}, {"mask": MaskSection(time_probability=1.0)}):
        with pytest.raises(
            ConfigError, match=r"each of 2 processes 2 .* multiple of 8, or .* of 2"
        ):
            hearing(2, **change, group_size=4).check_shares(4)
