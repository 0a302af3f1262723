"""Mono and stereo."""

import pytest
import torch

from stemsplit.audio.channels import match_channels


def test_mono_becomes_two_equal_channels() -> None:
    block = torch.tensor([[1.0, -0.5]])
    assert match_channels(block, 2).tolist() == [[1.0, -0.5], [1.0, -0.5]]


def test_stereo_becomes_the_average() -> None:
    block = torch.tensor([[1.0, 0.0], [0.0, -1.0]])
    assert match_channels(block, 1).tolist() == [[0.5, -0.5]]


def test_mono_to_stereo_and_back_changes_nothing() -> None:
    block = torch.rand(3, 1, 50)
    there = match_channels(block, 2)
    assert there.shape == (3, 2, 50)
    torch.testing.assert_close(match_channels(there, 1), block, rtol=0, atol=0)


@pytest.mark.parametrize("channels", [1, 2])
def test_a_block_that_fits_is_handed_through(channels: int) -> None:
    block = torch.rand(channels, 10)
    assert match_channels(block, channels) is block


def test_other_numbers_have_no_rule() -> None:
    with pytest.raises(ValueError, match="cannot turn 6 channels into 2"):
        match_channels(torch.zeros(6, 10), 2)
