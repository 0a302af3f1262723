"""The waveform transformer: sizes, lengths, positions, training."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from stemsplit.errors import ConfigError
from stemsplit.models.wave_transformer.config import WaveTransformerConfig
from stemsplit.models.wave_transformer.network import WaveTransformer
from stemsplit.models.wave_transformer.variants import VARIANTS
from tests.models.overfit import SAMPLE_RATE, STEMS
from tests.models.tiny import shrink

every_variant = pytest.mark.parametrize("name", VARIANTS)
every_alignment = pytest.mark.parametrize("align", ["crop", "interpolate"])


def twin(name: str, **changes: object) -> WaveTransformerConfig:
    small = shrink(VARIANTS[name].config)
    assert isinstance(small, WaveTransformerConfig)
    changes = {"stems": STEMS, "sample_rate": SAMPLE_RATE, "segment_samples": SAMPLE_RATE} | changes
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
def test_stems_have_the_length_of_the_mix(name: str, align: str, num_samples: int) -> None:
    network = build(twin(name, align=align, stems=("hum", "hiss"))).eval()
    with torch.inference_mode():
        stems = network(noise(1, 2, num_samples))
    assert stems.shape == (1, 2, 2, num_samples)
    assert stems.isfinite().all()


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
