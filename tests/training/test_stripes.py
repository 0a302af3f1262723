"""Holes in the spectrogram of the mix: how wide, how often, and nothing else.

Shapes: B batch, C audio channels, N samples.
"""

import torch
from torch import Generator, Tensor

from stemsplit.dsp.stft import centered_stft
from stemsplit.training.augment_recipe import MaskSection
from stemsplit.training.stripes import Stripes

RATE = 8_000
N_FFT, HOP = 256, 64


def section(**changes: float) -> MaskSection:
    numbers = {"frequency_probability": 0.0, "time_probability": 0.0} | changes
    return MaskSection(n_fft=N_FFT, hop_length=HOP, **numbers)


def noise(batch: int = 8) -> Tensor:
    return torch.randn(batch, 2, RATE, generator=Generator().manual_seed(0))


def spectrum(signal: Tensor) -> Tensor:
    return centered_stft(signal, N_FFT, HOP).abs()  # (B, C, F, T)


def test_without_probability_the_mix_comes_back_itself() -> None:
    mix = noise()
    assert Stripes(section(), RATE)(mix, Generator().manual_seed(0)) is mix


def test_a_band_of_frequencies_is_gone_and_the_rest_is_there() -> None:
    mix = noise()
    heard = Stripes(section(frequency_probability=1.0, max_hz=1000.0), RATE)(
        mix, Generator().manual_seed(0)
    )
    left = (spectrum(heard) / spectrum(mix)).square().mean(dim=(1, 3)).sqrt()  # (B, F)
    widths = (left < 0.3).sum(dim=1)  # what frames overlap leaves some of the edges
    assert widths.max() <= 32  # 1000 Hz of bins of 31.25 Hz
    assert widths.max() > 16
    assert ((left - 1).abs() < 0.1).sum(dim=1).min() > 129 - 32 - 8  # four bins at either edge


def test_a_stretch_of_time_is_silent_and_the_rest_is_exact() -> None:
    mix = noise()
    heard = Stripes(section(time_probability=1.0, max_seconds=0.2), RATE)(
        mix, Generator().manual_seed(0)
    )
    # A sample is silent where all four frames over it are, so a stretch loses up to a frame.
    silent = (heard.abs() < 1e-6).all(dim=1).sum(dim=1)
    assert silent.max() <= 0.2 * RATE
    assert silent.max() > 0.05 * RATE
    same = ((heard - mix).abs() < 1e-5).all(dim=1).sum(dim=1)
    assert same.min() >= RATE - 0.2 * RATE - 2 * N_FFT


def test_channels_get_the_same_holes_and_excerpts_their_own() -> None:
    mix = noise()[:, :1].expand(-1, 2, -1)
    heard = Stripes(section(time_probability=1.0, max_seconds=0.3), RATE)(
        mix, Generator().manual_seed(1)
    )
    assert torch.equal(heard[:, 0], heard[:, 1])
    holes = (heard - mix).abs()[:, 0] > 1e-3
    assert not torch.equal(holes[0], holes[1])


def test_half_of_the_excerpts_stay_exactly_as_they_were() -> None:
    mix = noise(batch=64)
    heard = Stripes(section(time_probability=0.5, max_seconds=0.5), RATE)(
        mix, Generator().manual_seed(2)
    )
    untouched = (heard == mix).flatten(1).all(dim=1).sum()
    assert 16 < untouched < 48  # four deviations around 32


def test_the_same_seed_gives_the_same_holes() -> None:
    stripes = Stripes(section(frequency_probability=0.5, time_probability=0.5), RATE)
    one, again = (stripes(noise(), Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(one, again)


def test_a_mix_shorter_than_a_frame_is_no_problem() -> None:
    mix = noise()[..., :50]
    heard = Stripes(section(frequency_probability=1.0, time_probability=1.0), RATE)(
        mix, Generator().manual_seed(0)
    )
    assert heard.shape == mix.shape
    assert torch.isfinite(heard).all()
