"""The Wiener filter."""

import pytest
import torch
from torch import Tensor

from stemsplit.dsp.wiener import wiener_filter

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
