"""Rows of towers and the bins they see."""

from dataclasses import replace
from typing import Any

import pytest

from stemsplit.errors import ConfigError
from stemsplit.layers.levels import Level, Residual, bins_before


def test_bins_fall_by_the_stride_until_one_is_left() -> None:
    outer = Level(channels=8)
    merge = replace(outer, padding=0)
    inner = Level(channels=8, kernel=4, stride=2, padding=1)
    levels = (outer, outer, outer, outer, merge, inner)
    assert bins_before(levels, 2048) == (2048, 512, 128, 32, 8, 1, 1)


def test_a_level_longer_than_its_bins_is_refused() -> None:
    with pytest.raises(ConfigError, match="level 1 has a kernel of 20, longer than its 4 bins"):
        bins_before((Level(channels=8), Level(channels=8, kernel=20)), 16)


@pytest.mark.parametrize(
    "changes",
    [
        {"channels": 0},
        {"kernel": 0},
        {"stride": 0},
        {"padding": -1},
        {"padding": 5},
        {"bands": (0.5,), "norm_groups": 2},
        {"bands": (0.5, 0.25)},
    ],
)
def test_an_impossible_level_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        replace(Level(channels=8), **changes)


def test_a_residual_needs_a_branch() -> None:
    with pytest.raises(ConfigError, match="depth"):
        Residual(depth=0)
