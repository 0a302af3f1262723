"""Peaks, the shared gain, and rounding with and without dither."""

import math

import pytest
import torch

from stemsplit.audio.levels import Quantiser, peak, shared_gain, to_db


def test_the_peak_is_the_largest_sample_of_either_sign() -> None:
    assert peak(torch.tensor([[0.1, -0.7], [0.5, 0.0]])) == pytest.approx(0.7)
    assert peak(torch.empty(2, 0)) == 0.0


def test_a_peak_among_nan_is_nan() -> None:
    assert math.isnan(peak(torch.tensor([[0.1, math.nan]])))
    assert peak(torch.tensor([[0.1, -math.inf]])) == math.inf


@pytest.mark.parametrize("bit_depth", [16, 24, None])
def test_full_scale_itself_needs_no_gain(bit_depth: int | None) -> None:
    assert shared_gain(1.0, bit_depth) == 1.0
    assert shared_gain(0.2, bit_depth) == 1.0


@pytest.mark.parametrize("bit_depth", [16, 24])
def test_the_gain_leaves_no_sample_at_the_clamp(bit_depth: int) -> None:
    signal = torch.full((1, 10_000), 3.7)
    gained = Quantiser(bit_depth)(signal * shared_gain(3.7, bit_depth))
    highest = (2 ** (bit_depth - 1) - 1) << (0 if bit_depth == 16 else 8)
    assert int(gained.max()) <= highest
    assert int(gained.float().mean()) >= highest * 0.9999
    assert to_db(shared_gain(2.0, bit_depth)) == pytest.approx(-6.02, abs=0.01)


def test_decibels_of_nothing() -> None:
    assert to_db(0.0) == -math.inf


def test_dithered_error_has_the_spread_of_theory_and_ignores_the_signal() -> None:
    # Triangular noise of one step either way and rounding: variances 1/6 and 1/12.
    for level in (0.5, 10.3, 1000.25):  # in steps
        signal = torch.full((1, 200_000), level / 32_768)
        error = Quantiser(16)(signal).t().double() - level
        assert float(error.mean()) == pytest.approx(0.0, abs=0.01)
        assert float(error.var()) == pytest.approx(0.25, rel=0.02)
        assert float(error.abs().max()) <= 1.5


def test_a_fade_is_kept_below_one_step() -> None:
    # Truncation or plain rounding would turn a tone of 0.4 steps into nothing.
    time = torch.arange(200_000)
    tone = 0.4 * torch.sin(2 * torch.pi * time / 100)
    written = Quantiser(16)((tone / 32_768)[None])[:, 0].float()
    assert float((written * tone).mean() / (tone * tone).mean()) == pytest.approx(1.0, abs=0.03)


def test_what_is_on_a_step_stays_there() -> None:
    steps = torch.arange(-32_768, 32_768, dtype=torch.int32)
    written = Quantiser(16)((steps / 32_768)[None].float())
    torch.testing.assert_close(written[:, 0].int(), steps, rtol=0, atol=0)
    assert not Quantiser(16)(torch.zeros(2, 1000)).any(), "silence stays silent"


def test_24_bits_are_rounded_to_the_nearest() -> None:
    steps = torch.tensor([-3.4, -0.6, 0.4, 0.6, 1_000_000.25])
    written = Quantiser(24)((steps.double() / 2**23).float()[None])
    assert (written[:, 0] >> 8).tolist() == [-3, -1, 0, 1, 1_000_000]
    assert not (written & 0xFF).any()


@pytest.mark.parametrize("bit_depth", [16, 24])
def test_beyond_full_scale_is_clamped_not_wrapped(bit_depth: int) -> None:
    written = Quantiser(bit_depth)(torch.tensor([[1.0, 5.0, -1.0, -5.0]]))[:, 0]
    shift = 0 if bit_depth == 16 else 8
    top = 2 ** (bit_depth - 1) - 1
    assert (written >> shift).tolist() == [top, top, -top - 1, -top - 1]


def test_the_noise_does_not_depend_on_the_blocks() -> None:
    signal = torch.rand(2, 10_000) - 0.5
    whole = Quantiser(16, seed=3)(signal)
    quantiser = Quantiser(16, seed=3)
    parts = (signal[:, :1], signal[:, 1:7_000], signal[:, 7_000:])
    pieces = torch.cat([quantiser(part) for part in parts])
    torch.testing.assert_close(pieces, whole, rtol=0, atol=0)


def test_channels_and_seeds_have_different_noise() -> None:
    signal = torch.full((2, 10_000), 0.4 / 32_768)
    first, second = Quantiser(16, seed=1)(signal), Quantiser(16, seed=2)(signal)
    for a, b in ((first[:, 0], first[:, 1]), (first[:, 0], second[:, 0])):
        pair = torch.stack([a.float(), b.float()])
        assert abs(float(torch.corrcoef(pair)[0, 1])) < 0.05


def test_other_depths_are_refused() -> None:
    with pytest.raises(ValueError, match="16 or 24"):
        Quantiser(8)
