"""Every variant of every architecture keeps the promises of `stemsplit.models.base`.

A new row of any ``variants.py`` is tested here by itself; all but its size is tested on its twin of
`tests.models.tiny`.
"""

import functools
import io
from dataclasses import replace

import pytest
import safetensors.torch
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from stemsplit.models.base import ModelConfig
from stemsplit.models.registry import ARCHITECTURES, build_network, find_variant, variants
from tests.models.published import PARAMETERS
from tests.models.tiny import SEGMENT_SAMPLES, shrink

NAMES = [name for architecture in ARCHITECTURES for name in variants(architecture)]
every_variant = pytest.mark.parametrize("name", NAMES)


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def build(name: str, **changes: object) -> tuple[nn.Module, ModelConfig]:
    """A new twin in evaluation mode."""
    architecture, config = find_variant(name)
    small = replace(shrink(config), **changes)  # type: ignore[arg-type]
    torch.manual_seed(0)
    return build_network(architecture, small).eval(), small


@functools.cache
def twin(name: str) -> tuple[nn.Module, ModelConfig]:
    """The same twin for all tests that only call it."""
    return build(name)


def batch_norms(network: nn.Module) -> list[nn.Module]:
    return [module for module in network.modules() if isinstance(module, _BatchNorm)]


@every_variant
def test_a_variant_can_be_built_at_its_full_size(name: str) -> None:
    architecture, config = find_variant(name)
    with torch.device("meta"):
        network = build_network(architecture, config)
        twin_network = build_network(architecture, shrink(config))
    full, small = (
        sum(parameter.numel() for parameter in built.parameters())
        for built in (network, twin_network)
    )
    assert full > 4 * small > 0


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_variant_has_the_published_number_of_parameters(name: str) -> None:
    architecture, config = find_variant(name)
    with torch.device("meta"):
        network = build_network(architecture, config)
    assert sum(parameter.numel() for parameter in network.parameters()) == PARAMETERS[name]


@every_variant
@pytest.mark.parametrize("num_samples", [1, 2, 1023, 3001, SEGMENT_SAMPLES])
def test_stems_have_the_shape_of_the_mix(name: str, num_samples: int) -> None:
    network, config = twin(name)
    mix = noise(1, config.channels, num_samples)
    before = mix.clone()
    with torch.inference_mode():
        stems = network(mix)
    assert stems.shape == (1, len(config.stems), config.channels, num_samples)
    assert stems.dtype == mix.dtype
    assert stems.isfinite().all()
    torch.testing.assert_close(mix, before, rtol=0, atol=0)


@every_variant
def test_more_than_a_segment_is_taken_or_refused_as_the_configuration_says(name: str) -> None:
    network, config = twin(name)
    mix = noise(1, config.channels, SEGMENT_SAMPLES + 1)
    with torch.inference_mode():
        if config.fixed_length:
            with pytest.raises(ValueError, match=f"at most {SEGMENT_SAMPLES}"):
                network(mix)
        else:
            assert network(mix).shape[2:] == mix.shape[1:]


@every_variant
@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"channels": 1}, id="mono"),
        pytest.param({"stems": ("instrumental",)}, id="one stem"),
        pytest.param({"stems": ("hi-hat", "lead vocals", "Gitarre (übrig)")}, id="three stems"),
        pytest.param({"sample_rate": 48_000}, id="48 kHz"),
    ],
)
def test_stems_channels_and_rate_are_free(name: str, changes: dict[str, object]) -> None:
    network, config = build(name, **changes)
    with torch.inference_mode():
        stems = network(noise(1, config.channels, 1025))
    assert stems.shape == (1, len(config.stems), config.channels, 1025)
    assert stems.isfinite().all()


@every_variant
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_stems_have_the_precision_of_the_mix(name: str, dtype: torch.dtype) -> None:
    network, config = twin(name)
    with torch.inference_mode():
        stems = network(noise(1, config.channels, 500).to(dtype))
    assert stems.dtype == dtype
    assert stems.isfinite().all()


@every_variant
def test_items_of_a_batch_do_not_mix(name: str) -> None:
    network, config = twin(name)
    mix = noise(2, config.channels, 3000) * torch.tensor([1.0, 0.1])[:, None, None]
    with torch.inference_mode():
        together, alone = network(mix), network(mix[1:])
    torch.testing.assert_close(together[1:], alone, rtol=1e-4, atol=1e-5)  # float32 rounding


@every_variant
@pytest.mark.parametrize("level", [0.0, 1e-6, 1e6])
def test_silence_and_extreme_levels_give_finite_stems(name: str, level: float) -> None:
    network, config = twin(name)
    with torch.inference_mode():
        assert network(level * noise(1, config.channels, 3000)).isfinite().all()


@every_variant
def test_a_gradient_reaches_every_parameter(name: str) -> None:
    network, config = build(name)
    network.train()
    # Long enough for attention to have a choice at the bottom.
    mix = noise(1, config.channels, 20_000)
    (network(mix) - noise(*mix.shape, seed=1)).square().mean().backward()
    for parameter_name, parameter in network.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert parameter.grad.isfinite().all(), parameter_name
        # A bias of all keys shifts all scores alike, and the softmax forgets it.
        if not parameter_name.endswith("attention.key.bias"):
            assert parameter.grad.abs().max() > 0, parameter_name


@every_variant
def test_training_computes_what_evaluation_does_but_for_batch_norms(name: str) -> None:
    """The twins have no dropout; a batch norm in training takes the statistics of the batch."""
    network, config = build(name)
    mix = noise(1, config.channels, SEGMENT_SAMPLES)
    with torch.inference_mode():
        evaluated = network(mix)
    network.train()
    if norms := batch_norms(network):
        assert not torch.allclose(network(mix), evaluated, rtol=1e-3, atol=1e-4)
        network, _ = build(name)  # without the statistics that were just gathered
        network.train()
        norms = batch_norms(network)
    for norm in norms:
        norm.eval()
    # With gradients, which some layers take other ways for.
    torch.testing.assert_close(network(mix).detach(), evaluated, rtol=1e-4, atol=1e-5)


@every_variant
@pytest.mark.parametrize("format_name", ["torch", "safetensors"])
def test_saved_weights_give_the_same_stems(name: str, format_name: str) -> None:
    network, config = build(name)
    mix = noise(1, config.channels, 3000)
    if batch_norms(network):
        network.train()(mix)  # moves the statistics, which must be saved too
        network.eval()
    state = through_a_file(network.state_dict(), format_name)
    torch.manual_seed(1)
    restored = build_network(find_variant(name)[0], config).eval()
    restored.load_state_dict(state)
    with torch.inference_mode():
        torch.testing.assert_close(restored(mix), network(mix), rtol=0, atol=0)


def through_a_file(state: dict[str, Tensor], format_name: str) -> dict[str, Tensor]:
    if format_name == "safetensors":
        return safetensors.torch.load(safetensors.torch.save(state))
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    loaded: dict[str, Tensor] = torch.load(file, weights_only=True)
    return loaded


@every_variant
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_gives_about_the_same_stems(name: str, dtype: torch.dtype) -> None:
    network, config = twin(name)
    mix = noise(1, config.channels, 3000)
    with torch.inference_mode():
        exact = network(mix)
        with torch.autocast("cpu", dtype=dtype):
            rough = network(mix)
    assert rough.dtype == mix.dtype
    # Some 150 roundings in a row, of up to one eps each, that add up like a random walk.
    assert (rough - exact).norm() < 12 * torch.finfo(dtype).eps * exact.norm()


@every_variant
def test_the_planned_length_is_at_least_the_wanted_one(name: str) -> None:
    _, config = find_variant(name)
    for num_samples in (1, 1000, config.segment_samples):
        assert config.valid_length(num_samples) >= num_samples
