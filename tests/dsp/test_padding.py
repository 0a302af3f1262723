"""Mirroring and trimming."""

import pytest
import torch

from stemsplit.dsp.padding import center_trim, reflect_pad


def test_both_ends_are_mirrored() -> None:
    signal = torch.tensor([[1.0, 2.0, 3.0, 4.0]])
    expected = torch.tensor([[3.0, 2.0, 1.0, 2.0, 3.0, 4.0, 3.0, 2.0]])
    torch.testing.assert_close(reflect_pad(signal, 2, 2), expected)


@pytest.mark.parametrize("num_samples", range(1, 8))
def test_a_short_signal_keeps_its_place(num_samples: int) -> None:
    signal = torch.arange(1.0, num_samples + 1)[None]
    padded = reflect_pad(signal, 5, 6)
    assert padded.shape == (1, 5 + num_samples + 6)
    torch.testing.assert_close(padded[:, 5 : 5 + num_samples], signal, rtol=0, atol=0)


def test_trimming_takes_more_from_the_right() -> None:
    signal = torch.arange(7)
    torch.testing.assert_close(center_trim(signal, 4), torch.arange(1, 5))
    torch.testing.assert_close(center_trim(signal, 7), signal)
