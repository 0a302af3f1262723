"""Several processes learn what one would."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

from stemsplit.errors import ConfigError
from stemsplit.training.augment import Augmentation
from stemsplit.training.augment_recipe import AugmentSection, MaskSection
from stemsplit.training.distributed import Processes, find_processes, join_processes
from stemsplit.training.events import Event, Validated
from stemsplit.training.hearing import Hearing
from stemsplit.training.run import RunOptions, train
from tests.training.runs import run, tiny_recipe
from tests.training.sets import RATE

ROOT = Path(__file__).parents[2]


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
        cwd=ROOT,
        start_new_session=True,
    )


def state(out: Path, step: int) -> dict[str, Any]:
    path = out / "states" / f"step-{step:08d}.state"
    found: dict[str, Any] = torch.load(path, weights_only=True)
    return found


DROPOUT = 'network.overrides=["transformer={layers=1, heads=2, hidden=16, dropout=0.3}"]'
CHANGED = ("augment.gain.probability=1", "augment.flip_sign=0.5", "augment.group_size=1")


@pytest.mark.slow
def test_two_processes_learn_what_one_learns_and_go_on_bit_for_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alike, dropped = ("epochs=1", *CHANGED), (DROPOUT, "ema.steps=0.9", *CHANGED)
    run(tiny_recipe(tmp_path, *alike), tmp_path / "one")
    runs = [(alike, "two"), (dropped, "whole"), (dropped, "parts"), (dropped, "parts")]
    stop = threading.Event()

    def stop_in_the_second_epoch(event: Event) -> None:
        if isinstance(event, Validated) and event.epoch == 1:
            stop.set()

    with second_process(tmp_path, runs) as ports:
        for name, value in {"RANK": 0, "LOCAL_RANK": 0, "WORLD_SIZE": 2}.items():
            monkeypatch.setenv(name, str(value))
        monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
        for number, (port, (settings, out)) in enumerate(zip(ports, runs, strict=True)):
            monkeypatch.setenv("MASTER_PORT", str(port))
            recipe = tiny_recipe(tmp_path, *settings)
            options = RunOptions(out=tmp_path / out, device="cpu")
            if number == 2:
                train(recipe, options, on_event=stop_in_the_second_epoch, stop=stop)
                stopped = state(tmp_path / out, 3)
            else:
                train(recipe, options)

    first, second = (state(tmp_path / out, 3)["network"] for out in ("one", "two"))
    assert first.keys() == second.keys()
    # Gradients are summed in another order; Adam's first steps make differences of signs large.
    for name, value in first.items():
        torch.testing.assert_close(second[name], value, rtol=1e-3, atol=1e-5, msg=name)
    mine, theirs = stopped["random"]
    assert not torch.equal(mine, theirs)  # they do not drop alike
    whole, parts = (state(tmp_path / out, 6) for out in ("whole", "parts"))
    for one in (whole, parts):
        one["optimizer"] = one["optimizer"]["state"]
    for part in ("network", "averages", "optimizer", "random"):
        torch.testing.assert_close(whole[part], parts[part], rtol=0, atol=0)


@contextmanager
def second_process(folder: Path, runs: Sequence[tuple[Sequence[str], str]]) -> Iterator[list[int]]:
    """Another process that takes part in runs (overrides and folder), each on a port of its own."""
    with ExitStack() as sockets:
        opened = [sockets.enter_context(socket.socket()) for _ in runs]
        for one in opened:
            one.bind(("127.0.0.1", 0))
        ports = [one.getsockname()[1] for one in opened]
    words = [
        (port, settings, str(folder / out))
        for port, (settings, out) in zip(ports, runs, strict=True)
    ]
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.training.second_process", str(folder), json.dumps(words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=ROOT,
    )
    try:
        yield ports
        printed, _ = process.communicate(timeout=60)
        assert process.returncode == 0, printed
    finally:
        process.kill()
        process.communicate()


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
    assert printed.count("Done after step 12") == 1  # by the first process alone
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


def test_the_gpu_of_a_process_is_the_current_one(monkeypatch: pytest.MonkeyPatch) -> None:
    current: list[torch.device] = []

    @contextmanager
    def enter(device: torch.device) -> Iterator[None]:
        current.append(device)
        yield
        current.pop()

    monkeypatch.setattr(torch.cuda, "device", enter)
    monkeypatch.delenv("RANK", raising=False)
    with join_processes(torch.device("cuda:1")) as processes:
        assert current == [torch.device("cuda:1")]
        assert processes.world == 1
    with join_processes(torch.device("cpu")):
        assert current == []


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
