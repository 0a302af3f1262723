"""Training a compiled network; the compiler here passes on what it is given, to be quick."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from stemsplit.checkpoints.load import load_model
from stemsplit.errors import TrainingError
from stemsplit.training.run import RunOptions, train
from tests.training.runs import run, tiny_recipe

Compile = Callable[[str | Callable[..., Any]], list[torch.nn.Module]]


@pytest.fixture
def compile_with(monkeypatch: pytest.MonkeyPatch) -> Compile:
    """Chooses what compiles; the networks that it is given."""
    real = torch.compile

    def choose(backend: str | Callable[..., Any]) -> list[torch.nn.Module]:
        compiled: list[torch.nn.Module] = []

        def compile(network: torch.nn.Module) -> Any:
            compiled.append(network)
            return real(network, backend=backend)

        monkeypatch.setattr(torch, "compile", compile)
        return compiled

    return choose


def state(out: Path) -> dict[str, Any]:
    (path,) = sorted((out / "states").glob("*.state"))[-1:]
    found: dict[str, Any] = torch.load(path, weights_only=True)
    return found


def test_a_compiled_network_is_validated_averaged_and_kept_as_any_other(
    tmp_path: Path, compile_with: Compile
) -> None:
    recipe = partial(tiny_recipe, tmp_path, "ema.steps=0.9")
    run(recipe("epochs=1"), tmp_path / "plain")
    compiled = compile_with("eager")
    run(recipe("epochs=1", "compile=true"), tmp_path / "compiled")
    assert len(compiled) == 1  # that of the preflight is gone on with
    one, other = state(tmp_path / "plain"), state(tmp_path / "compiled")
    for part in ("network", "averages"):
        torch.testing.assert_close(other[part], one[part], rtol=1e-5, atol=1e-7)
    kept = load_model(str(tmp_path / "compiled")).members[0].network.state_dict()
    assert kept.keys() == one["network"].keys()
    finished, _ = run(recipe("epochs=2", "compile=true"), tmp_path / "compiled")
    assert (finished.step, finished.is_complete) == (6, True)


def test_what_cannot_be_compiled_is_told_in_a_line(tmp_path: Path, compile_with: Compile) -> None:
    def broken(*_: Any) -> Any:
        raise OSError("there is no compiler")

    compile_with(broken)
    recipe = tiny_recipe(tmp_path, "compile=true")
    with pytest.raises(TrainingError, match=r"cannot be compiled here: .*no compiler.*=false"):
        train(recipe, RunOptions(out=tmp_path / "out", device="cpu"))
    assert not (tmp_path / "out").exists()
