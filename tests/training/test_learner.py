"""A step: what stops it, and what does not change what it comes to."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.distributed import HashStore  # type: ignore[attr-defined]
from torch.nn.parallel import DistributedDataParallel

from stemsplit.errors import TrainingError
from stemsplit.training.distributed import Processes
from stemsplit.training.events import StepDone
from stemsplit.training.learner import Learner
from stemsplit.training.memory import out_of_memory
from stemsplit.training.optimizers import loaded_in
from stemsplit.training.setup import build_initial, build_learner, plan_training
from tests.training.runs import run, tiny_recipe
from tests.training.test_fine_tuning import BATCH_NORM_NETWORK

CPU = torch.device("cpu")
PLAIN = ("optim.name=sgd", "optim.lr=0.1", "schedule.warmup_steps=0", "schedule.name=constant")


def learner_of(folder: Path, *overrides: str, loaded: tuple[str, ...] = ()) -> Learner:
    plan = plan_training(tiny_recipe(folder, *PLAIN, *overrides))
    network = build_initial(plan)
    return build_learner(
        plan, plan.phases[0], network, device=CPU, processes=Processes(), loaded=loaded
    )


def excerpts(num_samples: int = 4000) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return 0.3 * torch.randn(2, 5, 2, num_samples, generator=generator)


def spoil_a_gradient(learner: Learner) -> None:
    weight = next(learner.network.parameters())
    weight.register_hook(lambda gradient: gradient * torch.nan)  # type: ignore[no-untyped-call]


def weights(learner: Learner) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in learner.state()["network"].items()}


def test_a_gradient_that_is_not_finite_stops_before_a_weight_changes(tmp_path: Path) -> None:
    learner = learner_of(tmp_path)
    before = weights(learner)
    spoil_a_gradient(learner)
    with pytest.raises(TrainingError, match="the norm of the gradients is nan"):
        learner.learn(excerpts(), 0)
    torch.testing.assert_close(weights(learner), before, rtol=0, atol=0)


def test_a_scaler_leaves_such_a_step_out(tmp_path: Path) -> None:
    learner = learner_of(tmp_path, "precision=fp16")
    before = weights(learner)
    spoil_a_gradient(learner)
    learner.learn(excerpts(), 0)
    torch.testing.assert_close(weights(learner), before, rtol=0, atol=0)


def test_parts_of_a_batch_teach_what_the_whole_does(tmp_path: Path) -> None:
    whole, parts = learner_of(tmp_path), learner_of(tmp_path, "accumulation_steps=2")
    first = weights(whole)
    losses = [learner.learn(excerpts(), 0).loss for learner in (whole, parts)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    assert any(not torch.equal(first[name], value) for name, value in weights(whole).items())
    # Gradients are summed in another order.
    torch.testing.assert_close(weights(parts), weights(whole), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_half_precision_learns_with_all_that_saves_memory(tmp_path: Path, precision: str) -> None:
    recipe = tiny_recipe(
        tmp_path,
        *(f"precision={precision}", "accumulation_steps=2", "optim.clip_norm=1", "epochs=1"),
        *("checkpointing=true", "channels_last=true"),
    )
    finished, events = run(recipe, tmp_path / "out")
    assert finished.is_complete
    (told,) = [event for event in events if isinstance(event, StepDone)][-1:]
    assert 0 < told.loss < 1
    state = torch.load(tmp_path / "out/states/step-00000003.state", weights_only=True)
    assert all(value.isfinite().all() for value in state["network"].values())
    assert bool(state["scaler"]) == (precision == "fp16")


@contextmanager
def alone_among_processes() -> Iterator[None]:
    torch.distributed.init_process_group("gloo", store=HashStore(), rank=0, world_size=1)
    try:
        yield
    finally:
        torch.distributed.destroy_process_group()


def test_processes_exchange_gradients_once_a_step(tmp_path: Path) -> None:
    calls = []

    def count(bucket: Any) -> torch.futures.Future[Tensor]:
        calls.append(bucket.index())
        done: torch.futures.Future[Tensor] = torch.futures.Future()
        done.set_result(bucket.buffer())
        return done

    whole, parts = learner_of(tmp_path), learner_of(tmp_path, "accumulation_steps=2")
    with alone_among_processes():
        wrapped = DistributedDataParallel(parts.network)
        wrapped.register_comm_hook(None, lambda _, bucket: count(bucket))
        parts.network = wrapped
        parts.learn(excerpts(), 0)
    whole.learn(excerpts(), 0)
    assert len(calls) == len(set(calls)) > 0
    torch.testing.assert_close(weights(parts), weights(whole), rtol=1e-4, atol=1e-6)


def test_the_advice_to_train_in_parts_names_batch_norms(tmp_path: Path) -> None:
    plain = learner_of(tmp_path)
    assert "trains the same way in smaller parts, --set" in out_of_memory(plain, 4, 2)
    (tmp_path / "norms.toml").write_text(BATCH_NORM_NETWORK)
    learner = learner_of(tmp_path, f"network.name={tmp_path}/norms.toml")
    assert "in smaller parts, but for the batch norms, which" in out_of_memory(learner, 4, 2)


def test_names_of_weights_are_the_same_where_holes_are_filled(tmp_path: Path) -> None:
    names = dict(build_initial(plan_training(tiny_recipe(tmp_path))).named_parameters())
    learner = learner_of(
        tmp_path, "task=reconstruct", "start.freeze=unet.spectra.*", loaded=tuple(names)
    )
    inside = learner.network.get_submodule("network")
    assert isinstance(inside, nn.Module)
    frozen = {name for name, value in inside.named_parameters() if not value.requires_grad}
    assert frozen == {name for name in names if name.startswith("unet.spectra.")}
    assert loaded_in(learner.optimizer.state_dict()) == set(names) - frozen
