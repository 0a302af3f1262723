"""Metrics of two signals, against cases that can be done by hand.

Tolerance: sums run in float64, so that 1e-9 dB leaves room for rounding and nothing else. Signals
in float32 come with factors that float32 holds exactly.
"""

import math

import pytest
import torch
from torch import Tensor

from stemsplit.evaluation.bss import bss_eval
from stemsplit.evaluation.metrics import Sums, any_silent, si_sdr, usdr, windowed_sdr

DB_TOLERANCE = 1e-9


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def alternating(num_samples: int) -> tuple[Tensor, Tensor]:
    """Two stereo signals (2, N) that are orthogonal and have one unit of energy per sample."""
    signs = torch.ones(num_samples)
    signs[1::2] = -1
    return torch.ones(2, num_samples), signs.repeat(2, 1)


def close(found: Tensor, expected: float) -> None:
    assert found.tolist() == pytest.approx(expected, abs=DB_TOLERANCE)


def test_usdr_by_hand() -> None:
    signal, other = alternating(1000)
    close(usdr(signal, 0.5 * signal), 10 * math.log10((2000 + 1e-7) / (500 + 1e-7)))
    close(usdr(signal, signal + 0.25 * other), 10 * math.log10((2000 + 1e-7) / (125 + 1e-7)))
    close(usdr(signal, torch.zeros(2, 1000)), 0.0)


def test_usdr_of_silence_has_a_value() -> None:
    silence = torch.zeros(2, 1000)
    close(usdr(silence, silence), 0.0)
    close(usdr(silence, 0.5 * torch.ones(2, 1000)), 10 * math.log10(1e-7 / (500 + 1e-7)))


def test_si_sdr_by_hand() -> None:
    signal, other = alternating(1000)
    close(si_sdr(signal, 4 * signal + other), 10 * math.log10(16))
    close(si_sdr(signal, -0.5 * signal + other), 10 * math.log10(0.25))
    assert si_sdr(signal, other) == -math.inf


def test_si_sdr_does_not_hear_the_level() -> None:
    reference, estimate = noise(2, 1000), noise(2, 1000) + 0.1 * noise(2, 1000, seed=1)
    close(si_sdr(reference, 0.125 * estimate), si_sdr(reference, estimate).item())


def test_si_sdr_of_silence_has_no_value() -> None:
    signal, silence = noise(2, 100), torch.zeros(2, 100)
    assert si_sdr(silence, signal).isnan()
    assert si_sdr(signal, silence).isnan()


def test_the_reference_itself_scores_infinity() -> None:
    signal = noise(3, 2, 1000)
    assert (si_sdr(signal, signal.clone()) == math.inf).all()
    assert (windowed_sdr(signal, signal.clone(), window_samples=100) == math.inf).all()
    # The challenge adds 1e-7 to both energies, and so has a highest score.
    assert usdr(signal, signal.clone()).tolist() == pytest.approx(
        (10 * torch.log10((signal.double().square().sum((-2, -1)) + 1e-7) / 1e-7)).tolist()
    )


def test_the_mix_scores_what_arithmetic_says() -> None:
    """Two orthogonal stems of energies 2 and 8: the mix is off by the other one."""
    first, second = alternating(1000)
    stems = torch.stack([first, 2 * second])
    mix = stems.sum(0, keepdim=True).expand_as(stems)
    ratio = 10 * math.log10(4)
    for metric in (usdr(stems, mix), si_sdr(stems, mix)):
        assert metric.tolist() == pytest.approx([-ratio, ratio], abs=1e-8)  # usdr's 1e-7 in 2000
    windows = windowed_sdr(stems, mix, window_samples=250)
    assert windows.tolist() == [pytest.approx([-ratio] * 4), pytest.approx([ratio] * 4)]


@pytest.mark.parametrize(
    ("num_samples", "window", "hop", "num_windows"),
    [
        (1000, 100, 100, 10),
        (1099, 100, 100, 10),
        (1000, 100, 50, 19),
        (1000, 100, 400, 3),
        (100, 100, 7, 1),
        (99, 100, 100, 1),
    ],
)
def test_only_whole_windows_count(
    num_samples: int, window: int, hop: int, num_windows: int
) -> None:
    signal = noise(2, 2, num_samples)
    values = windowed_sdr(signal, 0.5 * signal, window_samples=window, hop_samples=hop)
    assert values.shape == (2, num_windows)
    assert values.flatten().tolist() == pytest.approx([10 * math.log10(4)] * 2 * num_windows)


def test_a_window_is_scored_on_its_own_samples() -> None:
    signal = torch.ones(1, 30)
    estimate = torch.cat([torch.full((1, 10), factor) for factor in (0.5, 1.0, 0.0)], -1)
    values = windowed_sdr(signal, estimate, window_samples=10).tolist()
    assert values == [pytest.approx(10 * math.log10(4)), math.inf, 0.0]


def test_silence_is_what_museval_takes_for_it() -> None:
    signals = noise(4, 3, 2, 50)
    signals[1, 2] = 0
    signals[2, 0, 1] = -signals[2, 0, 0]  # the channels cancel
    signals[3, 1, 0] = 0  # one channel alone is no silence
    assert any_silent(signals).tolist() == [False, True, True, False]


def test_batches_are_scored_one_by_one() -> None:
    references, estimates = noise(3, 4, 2, 200), noise(3, 4, 2, 200, seed=1)
    for metric in (usdr, si_sdr):
        values = metric(references, estimates)
        assert values.shape == (3, 4)
        close(values[1, 2], metric(references[1, 2], estimates[1, 2]).item())
    windows = windowed_sdr(references, estimates, window_samples=60)
    assert windows.shape == (3, 4, 3)
    assert any_silent(references).shape == (3,)


def test_sums_of_blocks_add_up() -> None:
    reference, estimate = noise(2, 1000), noise(2, 1000) + 0.2 * noise(2, 1000, seed=1)
    parts = [Sums.of(reference[:, s], estimate[:, s]) for s in (slice(300), slice(300, None))]
    both = Sums(*map(torch.add, *parts))
    close(both.usdr(), usdr(reference, estimate).item())
    close(both.si_sdr(), si_sdr(reference, estimate).item())


def test_half_precision_is_summed_exactly() -> None:
    """100,000 squares of 0.5 in half precision would stop growing at 2048."""
    reference = torch.full((1, 100_000), 0.5, dtype=torch.float16)
    close(usdr(reference, 0.5 * reference), 10 * math.log10((25_000 + 1e-7) / (6250 + 1e-7)))


def test_a_score_can_be_trained_on() -> None:
    reference = noise(2, 2, 100)
    estimate = noise(2, 2, 100, seed=1).requires_grad_()
    score = (usdr(reference, estimate) + si_sdr(reference, estimate)).sum()
    (gradient,) = torch.autograd.grad(score, estimate)
    assert gradient.abs().sum() > 0
    assert gradient.isfinite().all()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_gives_the_same_scores() -> None:
    references, estimates = noise(3, 2, 4000), noise(3, 2, 4000, seed=1)
    for metric in (usdr, si_sdr):
        found = metric(references.cuda(), estimates.cuda())
        assert found.device.type == "cuda"
        assert found.tolist() == pytest.approx(metric(references, estimates).tolist(), abs=1e-9)
    ratios = bss_eval(references.cuda(), estimates.cuda(), window_samples=1000, filter_taps=64)
    for name, values in bss_eval(
        references, estimates, window_samples=1000, filter_taps=64
    ).items():
        torch.testing.assert_close(ratios[name].cpu(), values, atol=1e-6, rtol=0)
