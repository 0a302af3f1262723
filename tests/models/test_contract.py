"""Every variant keeps the promises of `stemsplit.models.base`."""

import io

import pytest
import torch
from torch import Tensor, nn

from stemsplit.models.base import ModelConfig
from stemsplit.models.registry import ARCHITECTURES, build_network, variants
from tests.models.published import PARAMETERS
from tests.models.tiny import SEGMENT_SAMPLES, shrink

VARIANTS = [
    pytest.param(architecture, config, id=name)
    for architecture in ("demucs", "hdemucs", "htdemucs")
    for name, config in variants(architecture).items()
]
every_variant = pytest.mark.parametrize(("architecture", "config"), VARIANTS)


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def tiny(architecture: str, config: ModelConfig) -> tuple[nn.Module, ModelConfig]:
    torch.manual_seed(0)
    small = shrink(config)
    return build_network(architecture, small).eval(), small


@every_variant
def test_a_variant_has_the_published_number_of_parameters(
    architecture: str, config: ModelConfig, request: pytest.FixtureRequest
) -> None:
    with torch.device("meta"):
        network = build_network(architecture, config)
    name = request.node.callspec.id
    assert sum(parameter.numel() for parameter in network.parameters()) == PARAMETERS[name]


@every_variant
@pytest.mark.parametrize("num_samples", [1, 2, 1023, SEGMENT_SAMPLES])
def test_stems_have_the_shape_of_the_mix(
    architecture: str, config: ModelConfig, num_samples: int
) -> None:
    network, small = tiny(architecture, config)
    mix = noise(2, small.channels, num_samples)
    before = mix.clone()
    with torch.inference_mode():
        stems = network(mix)
    assert stems.shape == (2, len(small.stems), small.channels, num_samples)
    assert stems.dtype == mix.dtype
    assert stems.isfinite().all()
    torch.testing.assert_close(mix, before, rtol=0, atol=0)


@every_variant
def test_items_of_a_batch_do_not_mix(architecture: str, config: ModelConfig) -> None:
    network, small = tiny(architecture, config)
    mix = noise(2, small.channels, 3000) * torch.tensor([1.0, 0.1])[:, None, None]
    with torch.inference_mode():
        together, alone = network(mix), network(mix[1:])
    torch.testing.assert_close(together[1:], alone, rtol=1e-4, atol=1e-5)  # float32 rounding


@every_variant
def test_silence_gives_finite_stems(architecture: str, config: ModelConfig) -> None:
    network, small = tiny(architecture, config)
    with torch.inference_mode():
        assert network(torch.zeros(1, small.channels, 3000)).isfinite().all()


@every_variant
def test_a_gradient_reaches_every_parameter(architecture: str, config: ModelConfig) -> None:
    network, small = tiny(architecture, config)
    network.train()
    # Long enough for attention to have a choice at the bottom.
    network(noise(1, small.channels, 20_000)).square().mean().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        # A bias of all keys shifts all scores alike, and the softmax forgets it.
        if not name.endswith("attention.key.bias"):
            assert parameter.grad.abs().max() > 0, name


@every_variant
def test_training_and_evaluation_compute_the_same(architecture: str, config: ModelConfig) -> None:
    network, small = tiny(architecture, config)
    mix = noise(1, small.channels, SEGMENT_SAMPLES)
    with torch.inference_mode():
        evaluated = network(mix)
    trained = network.train()(mix)  # with gradients, and without dropout in the twins
    torch.testing.assert_close(trained.detach(), evaluated, rtol=1e-4, atol=1e-5)


@every_variant
def test_saved_weights_give_the_same_stems(architecture: str, config: ModelConfig) -> None:
    network, small = tiny(architecture, config)
    file = io.BytesIO()
    torch.save(network.state_dict(), file)
    file.seek(0)
    torch.manual_seed(1)
    restored = build_network(architecture, small).eval()
    restored.load_state_dict(torch.load(file, weights_only=True))
    mix = noise(1, small.channels, 3000)
    with torch.inference_mode():
        torch.testing.assert_close(restored(mix), network(mix), rtol=0, atol=0)


@every_variant
def test_bfloat16_gives_about_the_same_stems(architecture: str, config: ModelConfig) -> None:
    network, small = tiny(architecture, config)
    mix = noise(1, small.channels, SEGMENT_SAMPLES)
    with torch.inference_mode():
        exact = network(mix)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            rough = network(mix)
    assert rough.dtype == mix.dtype
    assert (rough - exact).norm() < 0.1 * exact.norm()  # 8 bits of mantissa through 20 layers


@every_variant
def test_the_planned_length_is_at_least_the_wanted_one(
    architecture: str, config: ModelConfig
) -> None:
    for num_samples in (1, 1000, config.segment_samples):
        assert config.valid_length(num_samples) >= num_samples
    assert architecture in ARCHITECTURES
