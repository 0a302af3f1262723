"""Runs that begin with the weights of another one: rates of their own, and weights that stay."""

import threading
from pathlib import Path

import pytest
import torch
from torch import Tensor

from stemsplit.checkpoints.weights import read_info, read_tensors
from stemsplit.errors import ConfigError
from stemsplit.training.events import Event, Notice, Validated
from stemsplit.training.recipe import TrainingRecipe
from stemsplit.training.run import RunOptions, resume, train
from tests.training.runs import run, tiny_recipe
from tests.training.sets import RATE

BATCH_NORM_NETWORK = f"""
extends = "tfswa_resunet"
sample_rate = {RATE}
segment_samples = 4096
n_fft = 128
hop_length = 64
heads = 2
window = [4, 4]
stems = ["vocals", "other"]

[[stages]]
channels = 8
convs = 1

[[stages]]
channels = 48
convs = 1

[[stages]]
channels = 48
blocks = 1
"""


def state(out: Path, step: int) -> dict[str, dict[str, Tensor]]:
    held: dict[str, dict[str, Tensor]] = torch.load(
        out / "states" / f"step-{step:08d}.state", weights_only=True
    )
    return held


def moved(before: dict[str, Tensor], after: dict[str, Tensor]) -> set[str]:
    return {name for name, value in before.items() if not torch.equal(value, after[name])}


def fine_tuning(folder: Path, model: Path, *more: str) -> TrainingRecipe:
    """Two of the four stems, one of them new."""
    return tiny_recipe(folder, f"start.model={model}", "network.stems=vocals,instrumental", *more)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    finished, _ = run(tiny_recipe(tmp_path, "epochs=1", "steps_per_epoch=1"), tmp_path / "first")
    assert finished.best is not None
    return finished.best


def test_loaded_weights_learn_later_and_a_stop_changes_nothing(tmp_path: Path, model: Path) -> None:
    settings = ("start.loaded_lr_scale=0", "start.loaded_lr_epochs=1")
    recipe = fine_tuning(tmp_path, model, *settings)
    _, events = run(recipe, tmp_path / "whole")
    (notice,) = [event.message for event in events if isinstance(event, Notice)]
    assert f"From {model}: " in notice
    assert "4 for the stems in common (" in notice
    before, epoch = read_tensors(model), state(tmp_path / "whole", 3)["network"]
    heads = {name for name, value in before.items() if value.shape != epoch[name].shape}
    loaded = {name: value.float() for name, value in before.items() if name not in heads}
    assert len(heads) == 4
    assert moved(loaded, epoch) == set()
    end = state(tmp_path / "whole", 6)["network"]
    assert moved(epoch, end) == set(epoch)

    stop = threading.Event()

    def stop_after_an_epoch(event: Event) -> None:
        if isinstance(event, Validated):
            stop.set()

    out = tmp_path / "parts"
    train(recipe, RunOptions(out=out, device="cpu"), on_event=stop_after_an_epoch, stop=stop)
    model.unlink()  # what the run began with is not asked for again
    resume(out, RunOptions(out=out, device="cpu"))
    assert moved(end, state(out, 6)["network"]) == set()


def test_weights_say_what_they_were_trained_on_before(tmp_path: Path, model: Path) -> None:
    finished, _ = run(fine_tuning(tmp_path, model, "epochs=1"), tmp_path / "second")
    assert finished.best is not None
    assert read_info(finished.best).trained_on == (
        "music:train; before that, as best.safetensors, on: music:train"
    )
    card = (finished.best.parent / "README.md").read_text()
    assert "at first those of best.safetensors, whose terms are: not stated" in card


def test_frozen_weights_stay_and_so_do_their_averages(tmp_path: Path) -> None:
    pattern = "unet.spectra.*"
    recipe = tiny_recipe(
        tmp_path, f"start.freeze={pattern}", "ema.steps=0.5", "optim.weight_decay=0.1"
    )
    run(recipe, tmp_path / "out")
    first, last = state(tmp_path / "out", 3), state(tmp_path / "out", 6)
    frozen = {name for name in first["network"] if name.startswith("unet.spectra.")}
    assert 0 < len(frozen) < len(first["network"])
    assert moved(first["network"], last["network"]) == set(first["network"]) - frozen
    average = torch.load(tmp_path / "out/states/step-00000006.state", weights_only=True)
    (mean,) = [one["mean"] for one in average["averages"].values()]
    assert frozen.isdisjoint(moved(last["network"], mean))
    assert moved(last["network"], mean) == set(first["network"]) - frozen


def test_norms_of_frozen_weights_keep_their_statistics(tmp_path: Path) -> None:
    tiny_recipe(tmp_path)
    network = tmp_path / "norms.toml"
    network.write_text(BATCH_NORM_NETWORK)
    recipe = tiny_recipe(
        tmp_path, f"network.name={network}", "start.freeze=tower.encoder.*", "ema.steps=0.5"
    )
    run(recipe, tmp_path / "out")
    first, last = state(tmp_path / "out", 3)["network"], state(tmp_path / "out", 6)["network"]
    statistics = {name for name in first if name.endswith(("running_mean", "running_var"))}
    changed = moved(first, last) & statistics
    assert changed == {name for name in statistics if not name.startswith("tower.encoder.")}
    assert changed
    assert changed < statistics


def test_a_run_in_which_nothing_learns_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="leaves no weights to train"):
        run(tiny_recipe(tmp_path, "start.freeze=*"), tmp_path / "out")
    assert not (tmp_path / "out").exists()
