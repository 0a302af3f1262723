"""The Wiener filter."""

import pytest
import torch
from torch import Tensor

from stemsplit.dsp.wiener import wiener_filter, wiener_refine

BINS, FRAMES = 6, 700  # more frames than one block of the filter


def noise(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.complex(
        torch.randn(shape, generator=generator, dtype=torch.float64),
        torch.randn(shape, generator=generator, dtype=torch.float64),
    )


def test_without_iterations_a_stem_has_its_magnitude_and_the_phase_of_the_mix() -> None:
    mix = noise(2, BINS, FRAMES)
    magnitudes = noise(3, 2, BINS, FRAMES, seed=1).abs()
    stems = wiener_filter(magnitudes, mix, iterations=0)
    torch.testing.assert_close(stems.abs(), magnitudes)
    torch.testing.assert_close(stems.angle(), mix.angle().expand_as(stems))


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("residual", [False, True])
def test_stems_and_residual_sum_to_the_mix(channels: int, residual: bool) -> None:
    mix = 3 * noise(channels, BINS, FRAMES)
    magnitudes = noise(2, channels, BINS, FRAMES, seed=1).abs()
    stems = wiener_filter(magnitudes, mix, iterations=2, residual=residual)
    assert stems.shape == (2, channels, BINS, FRAMES)
    left_over = (mix - stems.sum(dim=0)).norm() / mix.norm()
    # The noise that keeps the matrices invertible takes a little; a residual takes its part.
    assert left_over > 0.1 if residual else left_over < 1e-3


def test_the_filter_finds_panned_sources() -> None:
    left, right = noise(BINS, FRAMES), noise(BINS, FRAMES, seed=1)
    mix = torch.stack([left + 0.3 * right, 0.3 * left + right])
    images = torch.stack([torch.stack([left, 0.3 * left]), torch.stack([0.3 * right, right])])
    rough = wiener_filter(images.abs(), mix, iterations=0)
    refined = wiener_filter(images.abs(), mix, iterations=2)
    assert (refined - images).norm() < 0.5 * (rough - images).norm()


def test_silence_stays_silence() -> None:
    mix = torch.zeros(2, BINS, 10, dtype=torch.complex64)
    for iterations in (0, 1):
        stems = wiener_filter(torch.zeros(2, 2, BINS, 10), mix, iterations=iterations)
        assert stems.abs().max() == 0


def sources(num_samples: int) -> tuple[Tensor, Tensor]:
    """A low noise to the left and a full one to the right, (S, C, N), and their sum."""
    generator = torch.Generator().manual_seed(3)
    left, right = torch.randn(2, num_samples, generator=generator)
    low = torch.fft.rfft(left)
    low[num_samples // 8 :] = 0
    left = torch.fft.irfft(low, n=num_samples)
    stems = torch.stack(
        [torch.stack([left, 0.2 * left]), torch.stack([0.3 * right, right])],
    )
    return stems, stems.sum(dim=0)


def test_refined_stems_are_nearer_to_the_sources_and_sum_to_the_mix() -> None:
    stems, mix = sources(240_000)
    rough = 0.7 * stems + 0.3 * stems.flip(0)
    refined = wiener_refine(rough, mix)
    assert (refined - stems).norm() < 0.5 * (rough - stems).norm()
    assert (refined.sum(dim=0) - mix).norm() < 1e-3 * mix.norm()


@pytest.mark.parametrize("level", [1e-4, 1.0, 30.0])
def test_refining_does_not_depend_on_the_level(level: float) -> None:
    stems, mix = sources(20_000)
    rough = 0.7 * stems + 0.3 * stems.flip(0)
    expected = wiener_refine(rough, mix)
    actual = wiener_refine(rough * level, mix * level) / level
    assert (actual - expected).norm() < 1e-3 * expected.norm()


@pytest.mark.parametrize("num_samples", [1, 2, 1000, 4097])
def test_mono_of_any_length_is_shared_out_by_energy(num_samples: int) -> None:
    mix = sources(5000)[1][:1, :num_samples]
    refined = wiener_refine(torch.stack([0.2 * mix, 0.6 * mix]), mix)
    torch.testing.assert_close(refined, torch.stack([0.1 * mix, 0.9 * mix]), rtol=0, atol=2e-3)


def test_silent_waveforms_stay_silent() -> None:
    refined = wiener_refine(torch.zeros(3, 2, 9000), torch.zeros(2, 9000))
    assert refined.abs().max() == 0
