"""Resampling: exact length, no delay, the same whatever the blocks, and back again."""

import math
from itertools import pairwise

import pytest
import torch
import torchaudio
from torch import Tensor

from stemsplit.audio.resample import Resampler, _filter_bank, resample

RATES = [44_100, 48_000, 96_000, 22_050, 192_000, 11_025, 44_056]


def band_signal(rate: int, num_samples: int, highest_hz: float) -> Tensor:
    """Forty tones below a frequency, rising out of silence and back into it, with a peak of 1."""
    generator = torch.Generator().manual_seed(1)
    frequencies = torch.rand(40, 1, 1, generator=generator, dtype=torch.float64) * highest_hz
    phases = torch.rand(40, 2, 1, generator=generator, dtype=torch.float64) * 2 * math.pi
    time = torch.arange(num_samples, dtype=torch.float64) / rate
    envelope = torch.exp(-(((time - num_samples / rate / 2) / 0.08) ** 2))
    signal: Tensor = torch.sin(2 * math.pi * frequencies * time + phases).sum(dim=0) * envelope
    return (signal / signal.abs().max()).float()


def in_blocks(signal: Tensor, lengths: list[int], old: int, new: int) -> Tensor:
    resampler = Resampler(old, new)
    edges = [0, *lengths, signal.shape[-1]]
    pieces = [resampler.process(signal[:, a:b]) for a, b in pairwise(edges)]
    return torch.cat([*pieces, resampler.flush()], dim=-1)


def db(ratio: Tensor) -> float:
    return 20 * math.log10(float(ratio) + 1e-30)


@pytest.mark.parametrize("rate", RATES)
def test_there_and_back_nulls_within_the_band(rate: int) -> None:
    num_samples = rate + 123
    signal = band_signal(rate, num_samples, 0.93 * min(rate, 44_100) / 2)
    back = resample(resample(signal, rate, 44_100), 44_100, rate)
    assert 0 <= back.shape[-1] - num_samples <= math.ceil(rate / 44_100)
    null_db = db((back[:, :num_samples] - signal).norm() / signal.norm())
    assert null_db < -120  # measured: -127 or better; a delay of a hundredth sample gives -40


@pytest.mark.parametrize(("old", "new"), [(48_000, 44_100), (44_100, 96_000), (44_056, 44_100)])
def test_a_tone_arrives_where_it_was(old: int, new: int) -> None:
    def tone(rate: int, num_samples: int) -> Tensor:
        time = torch.arange(num_samples, dtype=torch.float64) / rate
        envelope = torch.exp(-(((time - 0.25) / 0.05) ** 2))  # everything but silent at the ends
        return (envelope * torch.sin(2 * math.pi * 3000 * time))[None].float()

    resampled = resample(tone(old, old // 2), old, new)
    torch.testing.assert_close(resampled, tone(new, resampled.shape[-1]), rtol=0, atol=2e-6)


@pytest.mark.parametrize("old", RATES)
@pytest.mark.parametrize("new", [44_100, 48_000])
def test_blocks_of_any_size_give_the_whole_signal(old: int, new: int) -> None:
    signal = torch.rand(2, 30_000, generator=torch.Generator().manual_seed(0)) * 2 - 1
    whole = resample(signal, old, new)
    assert whole.shape[-1] == math.ceil(30_000 * new / old)
    for lengths in ([1, 2, 3], [10, 10, 29_000], [7_000, 14_000]):
        torch.testing.assert_close(
            in_blocks(signal, sorted(lengths), old, new), whole, rtol=0, atol=2e-6
        )


@pytest.mark.parametrize("num_samples", [1, 2, 159, 160, 161])
def test_short_signals_have_the_right_length(num_samples: int) -> None:
    signal = torch.ones(1, num_samples)
    resampled = resample(signal, 48_000, 44_100)
    assert resampled.shape == (1, math.ceil(num_samples * 147 / 160))
    assert torch.isfinite(resampled).all()


def test_an_empty_signal_stays_empty() -> None:
    resampler = Resampler(48_000, 44_100)
    assert resampler.process(torch.empty(2, 0)).shape == (2, 0)
    assert resampler.flush().shape == (2, 0)


def test_equal_rates_change_nothing() -> None:
    signal = torch.rand(2, 100)
    resampler = Resampler(44_100, 44_100)
    assert resampler.process(signal) is signal
    assert resampler.flush().shape == (2, 0)


def test_a_resampler_starts_anew_after_its_end() -> None:
    signal = torch.rand(1, 5000)
    resampler = Resampler(48_000, 44_100)
    first = torch.cat([resampler.process(signal), resampler.flush()], dim=-1)
    second = torch.cat([resampler.process(signal), resampler.flush()], dim=-1)
    torch.testing.assert_close(first, second, rtol=0, atol=0)


@pytest.mark.parametrize(("old", "new"), [(48_000, 44_100), (44_100, 48_000), (96_000, 44_100)])
def test_it_equals_torchaudio_in_double_precision(old: int, new: int) -> None:
    signal = torch.rand(2, 20_000, generator=torch.Generator().manual_seed(0)) * 2 - 1
    expected = torchaudio.functional.resample(
        signal.double(),
        old,
        new,
        lowpass_filter_width=128,
        rolloff=0.98,
        resampling_method="sinc_interp_kaiser",
        beta=13.37,
    )
    torch.testing.assert_close(resample(signal, old, new), expected.float(), rtol=0, atol=2e-6)


@pytest.mark.parametrize("old", [44_056, 44_144, 22_255, 192_000, 47_952])
def test_the_tables_stay_small_for_rates_without_a_common_divisor(old: int) -> None:
    bank = _filter_bank(old, 44_100)
    assert sum(group.kernel.numel() * 4 for group in bank.groups) < 20_000_000  # bytes


@pytest.mark.parametrize("rates", [(0, 44_100), (44_100, -1)])
def test_impossible_rates_are_refused(rates: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="positive"):
        Resampler(*rates)
