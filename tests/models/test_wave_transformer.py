"""The waveform transformer: sizes, lengths, positions, training."""

import io
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from stemsplit.errors import ConfigError
from stemsplit.models.registry import build_network, config_from_dict, config_to_dict
from stemsplit.models.wave_transformer.config import WaveTransformerConfig
from stemsplit.models.wave_transformer.network import WaveTransformer
from stemsplit.models.wave_transformer.variants import VARIANTS
from tests.models.overfit import SAMPLE_RATE, STEMS, overfit, sdr_db, synthetic_stems

every_variant = pytest.mark.parametrize("name", VARIANTS)
every_alignment = pytest.mark.parametrize("align", ["crop", "interpolate"])


def twin(name: str, **changes: object) -> WaveTransformerConfig:
    """A variant with a sixteenth of the features, but 8 at least."""
    config = VARIANTS[name].config
    small = replace(
        config,
        widths=tuple(max(8, width // 16) for width in config.widths),
        layers=2,
        hidden=64,
        stems=STEMS,
        sample_rate=SAMPLE_RATE,
        segment_samples=SAMPLE_RATE,
        positions=16,
        dropout=0.0,
    )
    return replace(small, **changes)  # type: ignore[arg-type]


def build(config: WaveTransformerConfig) -> WaveTransformer:
    torch.manual_seed(0)
    return WaveTransformer(config)


def noise(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("name", "parameters"), [("wave_transformer", 119.81), ("wave_transformer_small", 11.32)]
)
def test_a_variant_has_the_size_of_its_plan(name: str, parameters: float) -> None:
    with torch.device("meta"):
        network = WaveTransformer(VARIANTS[name].config)
    counted = sum(parameter.numel() for parameter in network.parameters())
    assert counted / 1e6 == pytest.approx(parameters, abs=0.01)


def test_the_described_transformer_is_the_one_described() -> None:
    config = VARIANTS["wave_transformer"].config
    assert (config.widths[-1], config.heads, config.layers, config.dropout) == (1536, 8, 6, 0.1)


@every_variant
def test_the_table_of_positions_covers_a_segment(name: str) -> None:
    config = VARIANTS[name].config
    assert config.segment_samples == config.positions * config.token_samples
    assert config.valid_length(config.segment_samples - 1) == config.segment_samples


@every_variant
@every_alignment
@pytest.mark.parametrize("num_samples", [1, 2, 3, 1023, 4097])
@pytest.mark.parametrize("channels", [1, 2])
def test_stems_have_the_shape_of_the_mix(
    name: str, align: str, num_samples: int, channels: int
) -> None:
    network = build(twin(name, align=align, channels=channels, stems=("hum", "hiss"))).eval()
    mix = noise(2, channels, num_samples)
    before = mix.clone()
    with torch.inference_mode():
        stems, alone = network(mix), network(mix[1:])
    assert stems.shape == (2, 2, channels, num_samples)
    assert stems.isfinite().all()
    torch.testing.assert_close(mix, before, rtol=0, atol=0)
    torch.testing.assert_close(stems[1:], alone, rtol=1e-4, atol=1e-5)  # float32 rounding


def test_both_alignments_agree_where_nothing_is_left_over() -> None:
    cropping = build(twin("wave_transformer"))
    squeezing = build(twin("wave_transformer", align="interpolate"))
    whole, odd = noise(1, 2, 4096), noise(1, 2, 4001)
    with torch.inference_mode():
        torch.testing.assert_close(squeezing(whole), cropping(whole), rtol=0, atol=0)
        assert not torch.allclose(squeezing(odd), cropping(odd), atol=1e-3)


def test_louder_music_gives_louder_stems() -> None:
    network = build(twin("wave_transformer")).eval()
    mix = noise(1, 2, SAMPLE_RATE)
    with torch.inference_mode():
        torch.testing.assert_close(network(10 * mix), 10 * network(mix), rtol=1e-2, atol=1e-2)


def test_silence_gives_silence() -> None:
    network = build(twin("wave_transformer")).eval()
    with torch.inference_mode():
        stems = network(torch.zeros(1, 2, 3000))
    torch.testing.assert_close(stems, torch.zeros_like(stems), rtol=0, atol=0)


@pytest.mark.parametrize("num_tokens", [1, 5, 16, 17, 40])
def test_positions_reach_any_length(num_tokens: int) -> None:
    bottleneck = build(twin("wave_transformer")).transformer
    encoding = bottleneck._encoding(num_tokens)
    table = bottleneck.positions
    assert encoding.shape == (num_tokens, table.shape[1])
    if num_tokens <= 16:
        torch.testing.assert_close(encoding, table[:num_tokens], rtol=0, atol=0)
    else:
        torch.testing.assert_close(encoding[0], table[0])
        torch.testing.assert_close(encoding[-1], table[-1])


def test_the_transformer_is_told_the_order_of_its_tokens() -> None:
    bottleneck = build(twin("wave_transformer")).transformer.eval()
    x = noise(1, 96, 8)
    with torch.inference_mode():
        forwards, backwards = bottleneck(x), bottleneck(x.flip(-1)).flip(-1)
    assert not torch.allclose(forwards, backwards, atol=1e-4)


@every_variant
def test_checkpointing_changes_nothing_and_gradients_reach_every_parameter(name: str) -> None:
    mix, target = noise(2, 2, 20_000), noise(2, 4, 2, 20_000)
    networks = [build(twin(name, dropout=0.1, checkpointing=on)).train() for on in (False, True)]
    for network in networks:
        torch.manual_seed(1)  # the same dropout in both
        (network(mix) - target).square().mean().backward()
    others = dict(networks[1].named_parameters())
    for parameter_name, parameter in networks[0].named_parameters():
        assert parameter.grad is not None
        assert parameter.grad.isfinite().all(), parameter_name
        assert parameter.grad.abs().max() > 0, parameter_name
        torch.testing.assert_close(others[parameter_name].grad, parameter.grad)


@every_variant
def test_saved_weights_and_configuration_give_the_same_stems(name: str) -> None:
    network = build(twin(name)).eval()
    file = io.BytesIO()
    torch.save(network.state_dict(), file)
    file.seek(0)
    config = config_from_dict("wave_transformer", config_to_dict(network.config))
    restored = build_network("wave_transformer", config).eval()
    restored.load_state_dict(torch.load(file, weights_only=True))
    mix = noise(1, 2, 3000)
    with torch.inference_mode():
        torch.testing.assert_close(restored(mix), network(mix), rtol=0, atol=0)


@every_variant
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.bfloat16, 0.05), (torch.float16, 0.01)])
def test_half_precision_gives_about_the_same_stems(
    name: str, dtype: torch.dtype, tolerance: float
) -> None:
    network = build(twin(name)).eval()
    mix = noise(1, 2, SAMPLE_RATE)
    with torch.inference_mode():
        exact = network(mix)
        with torch.autocast("cpu", dtype=dtype):
            rough = network(mix)
    assert rough.dtype == torch.float32
    assert (rough - exact).norm() < tolerance * exact.norm()  # a few steps of the mantissa


@every_variant
def test_a_twin_learns_one_second_by_heart(name: str) -> None:
    ratios, _, _ = overfit(build(twin(name)), steps=250, peak_rate=2e-2)
    assert ratios.min() > 10


def test_the_second_to_learn_is_not_learnt_already() -> None:
    stems = synthetic_stems()
    assert stems.shape == (4, 2, SAMPLE_RATE)
    assert sdr_db(stems, stems.sum(dim=0).expand_as(stems) / 4).max() < 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"widths": ()}, "must be positive"),
        ({"kernel": 3}, "kernel must exceed stride"),
        ({"kernel": 7}, "kernel must exceed stride"),
        ({"heads": 7}, "cannot be shared by 7 heads"),
        ({"dropout": 1.0}, "dropout"),
    ],
)
def test_an_impossible_configuration_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        replace(VARIANTS["wave_transformer"].config, **changes)  # type: ignore[arg-type]
