"""Statistics block by block equal those of the whole track."""

import pytest
import torch

from stemsplit.separation.statistics import TrackStatistics


@pytest.mark.parametrize("block", [1, 7, 1000, 5000])
def test_blocks_give_the_whole_tracks_mean_and_deviation(block: int) -> None:
    track = torch.randn(2, 5000) * 0.2 + 0.3
    statistics = TrackStatistics()
    for piece in torch.split(track, block, dim=-1):
        statistics.update(piece)
    mono = track.double().mean(0)
    assert statistics.num_samples == 5000
    assert statistics.mean == pytest.approx(float(mono.mean()), abs=1e-12)
    assert statistics.std == pytest.approx(float(mono.std()) + 1e-8, rel=1e-12)


def test_silence_does_not_divide_by_zero() -> None:
    statistics = TrackStatistics()
    statistics.update(torch.zeros(2, 100))
    assert statistics.std == 1e-8


@pytest.mark.parametrize("num_samples", [0, 1])
def test_too_little_for_a_deviation_gives_the_floor(num_samples: int) -> None:
    statistics = TrackStatistics()
    statistics.update(torch.ones(1, num_samples))
    assert statistics.std == 1e-8
