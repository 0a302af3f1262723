"""What a trained network hears, as a loss.

Shapes: B batch, S stems, C audio channels, N samples.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from stemsplit.errors import ConfigError, UnknownModelError
from stemsplit.models.registry import build_network, find_variant
from stemsplit.training.events import Event, StepDone
from stemsplit.training.features import EncoderFeatures
from stemsplit.training.learning_recipe import LossSection
from stemsplit.training.losses import Objective
from stemsplit.training.recipe import TrainingRecipe
from stemsplit.training.run import RunOptions, train
from tests.cli.tiny import write_tiny_model
from tests.models.tiny import shrink
from tests.training.runs import run, tiny_recipe

PERCEPTUAL = LossSection(waveform_l1=0.0, perceptual=1.0)
NETWORKS = ("mdx_time", "hdemucs_mmi", "htdemucs", "htdemucs_nn", "tfswa_lite", "wave_transformer")


def hearing(name: str) -> EncoderFeatures:
    architecture, config = find_variant(name)
    torch.manual_seed(0)
    return EncoderFeatures(build_network(architecture, shrink(config)), config.channels)


def signals(seed: int, *, seconds: float = 0.2) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 0.1 * torch.randn(1, 2, 2, round(seconds * 10_000), generator=generator)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_gradient_is_the_slope_of_the_loss(name: str) -> None:
    objective = Objective(PERCEPTUAL, num_stems=2, features=hearing(name))
    reference = signals(0)
    estimate = (reference + signals(1)).requires_grad_()
    total = objective(estimate, reference).total
    (slopes,) = torch.autograd.grad(total, estimate)
    # Along the gradient itself, the slope is large beside the rounding of float32.
    direction = slopes / slopes.norm()
    step = 1e-2
    with torch.no_grad():
        above, below = (
            objective(estimate + sign * step * direction, reference).total.double()
            for sign in (1, -1)
        )
    slope = (above - below) / (2 * step)
    torch.testing.assert_close(slopes.norm().double(), slope, rtol=0.05, atol=1e-6)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("loudness", [0.0, 0.1])
def test_the_gradient_is_finite_on_silence(name: str, loudness: float) -> None:
    objective = Objective(PERCEPTUAL, num_stems=2, features=hearing(name))
    estimate = torch.zeros_like(signals(0)).requires_grad_()
    total = objective(estimate, loudness * signals(1)).total
    (slopes,) = torch.autograd.grad(total, estimate)
    assert torch.isfinite(slopes).all()


def test_every_level_is_heard_and_nothing_behind_them_is_computed() -> None:
    architecture, config = find_variant("mdx_time")
    network = build_network(architecture, shrink(config))
    encoder, decoder = network.get_submodule("encoder"), network.get_submodule("decoder")
    assert isinstance(encoder, nn.ModuleList)
    assert isinstance(decoder, nn.ModuleList)

    def must_not_run(*_: object) -> None:
        raise AssertionError("the decoder was run")

    decoder[0].register_forward_hook(must_not_run)
    heard = EncoderFeatures(network, config.channels)(signals(0)[0])
    assert len(heard) == len(encoder)
    assert {one.shape[0] for one in heard} == {2}
    assert not any(hook for level in encoder for hook in level._forward_hooks)
    assert not any(value.requires_grad for value in network.parameters())


def test_what_has_no_encoders_is_refused() -> None:
    with pytest.raises(ConfigError, match="no encoders to listen to"):
        EncoderFeatures(nn.Linear(2, 2), 2)


def perceptual(folder: Path, *settings: str) -> TrainingRecipe:
    return tiny_recipe(folder, "epochs=1", "loss.perceptual=0.5", *settings)


def test_a_run_listens_with_a_model(tmp_path: Path) -> None:
    model = write_tiny_model(tmp_path / "ear.safetensors")
    recipe = perceptual(tmp_path, f"loss.perceptual_model={model}")
    _, events = run(recipe, tmp_path / "out")
    told = [event.terms["perceptual"] for event in events if isinstance(event, StepDone)]
    assert told
    assert min(told) > 0


def test_a_run_compares_what_python_code_gives(tmp_path: Path) -> None:
    events: list[Event] = []

    def louder(signals: Tensor) -> Sequence[Tensor]:
        return [10 * signals]

    options = RunOptions(out=tmp_path / "out", device="cpu")
    train(perceptual(tmp_path), options, on_event=events.append, features=louder)
    (told,) = [event for event in events if isinstance(event, StepDone)]
    assert told.terms["perceptual"] == pytest.approx(10 * told.terms["waveform_l1"], rel=1e-4)


def test_features_that_do_not_fit_are_refused_before_the_work(tmp_path: Path) -> None:
    model = write_tiny_model(tmp_path / "ear.safetensors")
    named = f"loss.perceptual_model={model}"
    for settings, line in (
        ((), "name a model that hears them with loss.perceptual_model"),
        ((named, "network.overrides=sample_rate=16000"), "it is at 8000 Hz, and the network at 16"),
    ):
        with pytest.raises(ConfigError, match=line):
            run(perceptual(tmp_path, *settings), tmp_path / "out")
    with pytest.raises(UnknownModelError, match="no model 'nothing'"):
        run(perceptual(tmp_path, "loss.perceptual_model=nothing"), tmp_path / "out")
    with pytest.raises(ConfigError, match=r"set loss\.perceptual above 0 too"):
        tiny_recipe(tmp_path, named)
    recipe = perceptual(tmp_path, named)
    for one in (recipe, replace(recipe, loss=LossSection())):
        with pytest.raises(ConfigError, match=r"passed to train\(\) go with loss\.perceptual"):
            train(one, RunOptions(out=tmp_path / "out"), features=lambda signals: [signals])
    assert not (tmp_path / "out").exists()
