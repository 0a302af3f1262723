"""Doubling and halving the sample rate."""

import pytest
import torch

from stemsplit.dsp.sinc import double_rate, halve_rate


@pytest.mark.parametrize("num_samples", [1, 2, 3, 100])
def test_lengths(num_samples: int) -> None:
    signal = torch.randn(2, 3, num_samples)
    assert double_rate(signal).shape == (2, 3, 2 * num_samples)
    assert halve_rate(signal).shape == (2, 3, num_samples // 2)


def test_a_sine_is_sampled_twice_as_often() -> None:
    time = torch.arange(2000)
    slow = torch.sin(0.3 * time)
    fast = torch.sin(0.15 * torch.arange(4000))
    torch.testing.assert_close(double_rate(slow)[200:-200], fast[200:-200], rtol=0, atol=1e-3)


def test_halving_undoes_doubling_in_band() -> None:
    signal = torch.sin(0.3 * torch.arange(2000))
    restored = halve_rate(double_rate(signal))
    torch.testing.assert_close(restored[100:-100], signal[100:-100], rtol=0, atol=1e-3)


def test_halving_removes_what_would_fold_back() -> None:
    high = torch.sin(2.8 * torch.arange(2000))  # beyond the new Nyquist frequency, pi / 2
    assert halve_rate(high)[50:-50].abs().max() < 1e-3


def test_a_constant_stays_a_constant() -> None:
    for resample in (double_rate, halve_rate):
        assert torch.allclose(resample(torch.ones(100)), torch.tensor(1.0))
