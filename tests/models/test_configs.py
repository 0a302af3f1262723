"""Impossible configurations are refused with a reason."""

from dataclasses import replace
from typing import Any

import pytest

from stemsplit.errors import ConfigError
from stemsplit.layers.levels import Level
from stemsplit.models.base import ModelConfig
from stemsplit.models.demucs.config import DemucsConfig
from stemsplit.models.demucs.variants import VARIANTS as DEMUCS
from stemsplit.models.hdemucs.variants import VARIANTS as HDEMUCS
from stemsplit.models.htdemucs.config import CrossTransformerConfig
from stemsplit.models.htdemucs.variants import VARIANTS as HTDEMUCS
from stemsplit.models.hybrid import Resolution

MMI = HDEMUCS["hdemucs_mmi"].config
HT = HTDEMUCS["htdemucs"].config


@pytest.mark.parametrize(
    ("config", "changes", "message"),
    [
        (HT, {"stems": ()}, "at least one"),
        (HT, {"stems": ("vocals", "vocals")}, "distinct"),
        (HT, {"stems": ("vocals/lead", "rest")}, r"stem 'vocals/lead' has a name that is no"),
        (HT, {"sample_rate": 0}, "sample_rate must be at least 1"),
        (HT, {"resolutions": ()}, "both be empty"),
        (HT, {"time_levels": ()}, "needs a waveform branch"),
        (HT, {"resolutions": (), "levels": (), "time_levels": ()}, "needs levels, or time_levels"),
        (HT, {"time_levels": (*HT.time_levels, Level(channels=8))}, "must not have more levels"),
        (HT, {"levels": HT.levels[:1] + (Level(channels=8, kernel=999, padding=0),) * 3}, "longer"),
        (HT, {"transformer": None}, "no meaning without a transformer"),
        (HT, {"time_levels": HT.time_levels[:3]}, "needs a waveform branch at level 3"),
        (HT, {"transformer": CrossTransformerConfig(hidden=8, heads=7)}, "7 heads"),
        (MMI, {"time_levels": MMI.time_levels[:4]}, "must end there"),
        (MMI, {"time_levels": (*MMI.time_levels[:4], Level(channels=768))}, "bare must be set"),
        (
            MMI,
            {"time_levels": (*MMI.time_levels[:4], Level(channels=768, stride=2, bare=True))},
            "total stride of hop_length 1024; it is 512",
        ),
        (
            MMI,
            {"time_levels": (*MMI.time_levels[:4], Level(channels=768, padding=1, bare=True))},
            "one sample per frame",
        ),
        (
            MMI,
            {"time_levels": (*MMI.time_levels[:4], Level(channels=96, bare=True))},
            "equal channels",
        ),
        (MMI, {"resolutions": 2 * MMI.resolutions}, "only a network of a single resolution"),
        (MMI, {"time_levels": ()}, "one resolution and a waveform branch"),
        (MMI, {"wiener_iterations": -1, "spectrum": "wiener"}, "must not be below 0"),
        (MMI, {"wiener_iterations": 1}, "need spectrum 'wiener'"),
        (DEMUCS["mdx_time"].config, {"levels": ()}, "must be there"),
        (DEMUCS["mdx_time"].config, {"levels": (Level(channels=8),)}, "without padding"),
    ],
)
def test_an_impossible_configuration_is_refused(
    config: ModelConfig, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        replace(config, **changes)


@pytest.mark.parametrize(("n_fft", "hop_length"), [(4000, 1024), (4096, 1), (4095, 1024), (6, 3)])
def test_a_grid_that_is_not_symmetric_is_refused(n_fft: int, hop_length: int) -> None:
    with pytest.raises(ConfigError, match="even multiple of an even hop_length"):
        Resolution(n_fft=n_fft, hop_length=hop_length)


def test_lengths_that_demucs_cuts_nothing_off_stay_as_they_are() -> None:
    config = DEMUCS["mdx_time"].config
    valid = config.valid_length(44_100)
    assert valid >= 44_100
    assert config.valid_length(valid) == valid
    assert DemucsConfig.valid_length(config, valid + 1) > valid


def test_segments_are_told_in_seconds_too() -> None:
    assert HT.segment_seconds == pytest.approx(7.8)
    assert not MMI.fixed_length
    assert HT.fixed_length
    assert HT.valid_length(1) == HT.segment_samples
    assert MMI.valid_length(1) == 1
