"""Transforms equal those of the reference."""

from typing import Any

import pytest
import torch
from torch import Tensor

from stemsplit.dsp.padding import center_trim, reflect_pad
from stemsplit.dsp.sinc import double_rate, halve_rate
from stemsplit.dsp.stft import istft, stft
from stemsplit.dsp.wiener import wiener_filter
from tests.parity.pairs import assert_equal, noise, reference_class

pytestmark = pytest.mark.parity

hdemucs = pytest.importorskip("demucs.hdemucs", reason="the reference is not installed")
julius = pytest.importorskip("julius")
utils = pytest.importorskip("demucs.utils")
wiener = pytest.importorskip("demucs.wiener")

LENGTHS = [1, 2, 255, 256, 257, 1023, 1024, 1025, 1537, 5000]


def reference(**kwargs: Any) -> Any:
    return reference_class("demucs.hdemucs.HDemucs")(sources=["vocals"], channels=8, **kwargs)


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("num_samples", LENGTHS)
def test_stft_and_its_inverse(num_samples: int, legacy: bool) -> None:
    theirs = reference(hybrid_old=legacy)
    signal = noise(2, 2, num_samples)
    expected = theirs._spec(signal)
    assert_equal(stft(signal, 4096, 1024, legacy=legacy), expected)
    spectrum = torch.complex(noise(*expected.shape), noise(*expected.shape, seed=1))
    assert_equal(
        istft(spectrum, 1024, num_samples, legacy=legacy), theirs._ispec(spectrum, num_samples)
    )


@pytest.mark.parametrize(("left", "right"), [(3, 3), (0, 5), (6, 2), (2, 0)])
@pytest.mark.parametrize("num_samples", [1, 2, 3, 4, 5, 6, 7, 20])
def test_reflect_padding(num_samples: int, left: int, right: int) -> None:
    signal = noise(1, 2, num_samples)
    expected = hdemucs.pad1d(signal, (left, right), mode="reflect")
    torch.testing.assert_close(reflect_pad(signal, left, right), expected, rtol=0, atol=0)


@pytest.mark.parametrize("num_samples", [4, 5, 9, 10])
def test_center_trim(num_samples: int) -> None:
    signal = noise(1, 2, 10)
    expected = utils.center_trim(signal, num_samples)
    torch.testing.assert_close(center_trim(signal, num_samples), expected, rtol=0, atol=0)


@pytest.mark.parametrize("num_samples", [1, 2, 3, 50, 51, 1000])
def test_doubling_and_halving_the_sample_rate(num_samples: int) -> None:
    signal = noise(2, 2, num_samples)
    assert_equal(double_rate(signal), julius.resample_frac(signal, 1, 2))
    if num_samples > 1:
        assert_equal(halve_rate(signal), julius.resample_frac(signal, 2, 1))


@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("iterations", [0, 1, 3])
def test_wiener_filter(iterations: int, channels: int, residual: bool) -> None:
    # In float64, since the filter inverts matrices that are close to singular. The reference
    # still takes its pi in float32.
    shape = (channels, 12, 40)
    mix = torch.complex(noise(*shape), noise(*shape, seed=1)).to(torch.complex128) * 20
    magnitudes = noise(3, *shape, seed=2).abs().double() * 10
    theirs: Tensor = wiener.wiener(
        magnitudes.permute(3, 2, 1, 0),
        torch.view_as_real(mix.permute(2, 1, 0).contiguous()),
        iterations,
        residual=residual,
    )
    expected = torch.view_as_complex(theirs.transpose(-1, -2).contiguous()).permute(3, 2, 1, 0)
    actual = wiener_filter(magnitudes, mix, iterations=iterations, residual=residual)
    assert_equal(actual, expected[:3], tolerance=1e-6)
