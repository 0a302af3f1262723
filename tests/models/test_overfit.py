"""Every variant can learn: a small twin gets to know one second of four stems by heart."""

from dataclasses import replace

import pytest
import torch

from stemsplit.models.registry import ARCHITECTURES, build_network, find_variant, variants
from tests.models.overfit import (
    GOAL_DB,
    MAX_STEPS,
    SAMPLE_RATE,
    STEMS,
    overfit,
    sdr_db,
    synthetic_stems,
)
from tests.models.tiny import shrink

NAMES = [name for architecture in ARCHITECTURES for name in variants(architecture)]


@pytest.mark.parametrize("name", NAMES)
def test_a_twin_learns_one_second_by_heart(name: str) -> None:
    architecture, config = find_variant(name)
    small = replace(
        shrink(config),
        stems=STEMS,
        channels=2,
        sample_rate=SAMPLE_RATE,
        segment_samples=SAMPLE_RATE,
    )
    torch.manual_seed(0)
    ratios, steps = overfit(build_network(architecture, small))
    assert ratios.min() > GOAL_DB, f"{ratios} dB after {steps} steps"
    assert steps <= MAX_STEPS


def test_the_second_to_learn_is_not_learnt_already() -> None:
    stems = synthetic_stems()
    assert stems.shape == (4, 2, SAMPLE_RATE)
    assert sdr_db(stems, stems.sum(dim=0).expand_as(stems) / 4).max() < 3
