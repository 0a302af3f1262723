"""Parameters, bytes and operations of the TFSWA networks, against what was planned for them."""

from dataclasses import replace

import pytest
import safetensors.torch
import torch
from torch.utils.flop_counter import FlopCounterMode

from stemsplit.models.base import STEMS_4
from stemsplit.models.tfswa.config import Part, Stage, TfswaConfig
from stemsplit.models.tfswa.network import Tfswa
from stemsplit.models.tfswa.variants import VARIANTS


def million_parameters(config: TfswaConfig) -> float:
    with torch.device("meta"):
        network = Tfswa(config)
    return sum(parameter.numel() for parameter in network.parameters()) / 1e6


def billion_operations(config: TfswaConfig) -> float:
    """Multiplications with additions of the tower for 3 s."""
    frames = config.valid_length(3 * config.sample_rate) // config.hop_length + 1
    with torch.device("meta"):
        features = torch.empty(1, config.in_channels, frames, config.n_fft // 2 // config.bands)
        with FlopCounterMode(display=False) as counter:
            Tfswa(config).tower(features)
    flops: int = counter.get_total_flops()
    return flops / 2e9


def test_the_paper_network_has_the_size_that_was_measured_for_it() -> None:
    config = replace(VARIANTS["tfswa_resunet"].config, stems=("vocals",))
    assert config.valid_length(132_300) == 319 * 441  # 3 s become 320 frames
    assert million_parameters(config) == pytest.approx(44.44, rel=1e-3)
    assert billion_operations(config) == pytest.approx(38.0, rel=0.01)
    assert million_parameters(VARIANTS["tfswa_resunet"].config) == pytest.approx(44.44, rel=5e-3)


@pytest.mark.parametrize(
    ("bottleneck", "parameters", "operations"),
    [(Stage(channels=384), 25.5, 36.5), (Stage(channels=384, convs=16), 70.4, 40.1)],
)
def test_the_paper_network_has_the_sizes_of_its_ablations(
    bottleneck: Stage, parameters: float, operations: float
) -> None:
    config = VARIANTS["tfswa_resunet"].config
    config = replace(config, stems=("vocals",), stages=(*config.stages[:-1], bottleneck))
    assert million_parameters(config) == pytest.approx(parameters, rel=5e-3)
    assert billion_operations(config) == pytest.approx(operations, rel=0.01)


@pytest.mark.parametrize(
    ("parts", "parameters"),
    [
        (("time",), 30.2),
        (("frequency",), 30.2),
        (("time", "frequency"), 35.0),
        (("time", "frequency", "windows"), 44.4),
    ],
)
def test_the_paper_network_has_the_sizes_of_its_ablated_attention(
    parts: tuple[Part, ...], parameters: float
) -> None:
    config = replace(VARIANTS["tfswa_resunet"].config, stems=("vocals",), parts=parts)
    assert million_parameters(config) == pytest.approx(parameters, rel=5e-3)


@pytest.mark.parametrize(
    ("name", "fewest", "most"),
    [
        ("tfswa_unet", 13.5, 15.0),
        ("tfswa_resunet_15m", 14.0, 15.0),
        ("tfswa_multiscale", 13.1, 16.0),
        ("tfswa_lite", 1.0, 2.5),
    ],
)
def test_a_variant_stays_within_its_parameters(name: str, fewest: float, most: float) -> None:
    config = VARIANTS[name].config
    assert fewest < million_parameters(config) <= million_parameters(replace(config, stems=STEMS_4))
    assert million_parameters(replace(config, stems=STEMS_4)) <= most


@pytest.mark.parametrize(
    ("name", "most"), [("tfswa_unet", 500), ("tfswa_resunet_15m", 27), ("tfswa_lite", 20)]
)
def test_a_variant_stays_within_its_operations(name: str, most: float) -> None:
    assert billion_operations(VARIANTS[name].config) <= most


@pytest.mark.parametrize(
    ("name", "megabytes"), [("tfswa_unet", 60), ("tfswa_resunet_15m", 60), ("tfswa_lite", 10)]
)
def test_saved_weights_stay_within_their_budget(name: str, megabytes: float) -> None:
    saved = safetensors.torch.save(Tfswa(VARIANTS[name].config).state_dict())
    assert len(saved) <= megabytes * 1e6
