"""The spectrogram grid and the way back."""

import pytest
import torch
from torch import Tensor

from stemsplit.dsp.stft import channels_to_signal, complex_to_channels, istft, stft


def noise(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("ratio", [2, 4, 8])
@pytest.mark.parametrize("num_samples", [1, 63, 64, 65, 1000])
def test_there_is_a_frame_for_every_hop_begun(num_samples: int, ratio: int) -> None:
    spectrum = stft(noise(2, 3, num_samples), 64 * ratio, 64)
    assert spectrum.shape == (2, 3, 32 * ratio, -(-num_samples // 64))
    assert spectrum.dtype == torch.complex64


@pytest.mark.parametrize("ratio", [4, 8])
def test_the_round_trip_keeps_all_but_the_borders(ratio: int) -> None:
    # No energy at the Nyquist frequency, whose bin is left out, but for the mirrored borders.
    time = torch.arange(4000) / 4000
    signal = torch.sin(2 * torch.pi * 200 * time)[None, None]
    margin = 64 * ratio
    restored = istft(stft(signal, 64 * ratio, 64), 64, 4000)
    torch.testing.assert_close(
        restored[..., margin:-margin], signal[..., margin:-margin], rtol=0, atol=1e-5
    )


@pytest.mark.parametrize("num_samples", [1, 2, 63, 65, 1000])
def test_the_round_trip_keeps_the_length(num_samples: int) -> None:
    signal = noise(1, 2, num_samples)
    for legacy in (False, True):
        spectrum = stft(signal, 256, 64, legacy=legacy)
        assert istft(spectrum, 64, num_samples, legacy=legacy).shape == signal.shape


def test_a_frame_is_centred_half_a_hop_after_its_start() -> None:
    signal = torch.zeros(1, 1, 640)
    signal[..., 3 * 64 + 32] = 1.0  # the middle of hop 3
    energy = stft(signal, 256, 64).abs().square().sum(dim=2)[0, 0]
    torch.testing.assert_close(energy[2], energy[4])
    assert energy.argmax() == 3


def test_half_precision_is_raised() -> None:
    signal = noise(1, 1, 1000)
    rough = stft(signal.bfloat16(), 256, 64)
    torch.testing.assert_close(rough, stft(signal.bfloat16().float(), 256, 64), rtol=0, atol=0)
    assert rough.dtype == torch.complex64


def test_autocast_does_not_reach_the_transform() -> None:
    signal = noise(1, 1, 1000)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        spectrum = stft(signal, 256, 64)
        restored = istft(spectrum, 64, 1000)
    torch.testing.assert_close(spectrum, stft(signal, 256, 64), rtol=0, atol=0)
    torch.testing.assert_close(restored, istft(spectrum, 64, 1000), rtol=0, atol=0)


@pytest.mark.parametrize(("n_fft", "hop_length"), [(256, 100), (192, 64), (12, 3)])
def test_a_grid_that_is_not_symmetric_is_refused(n_fft: int, hop_length: int) -> None:
    with pytest.raises(ValueError, match="even multiple of an even hop_length"):
        stft(noise(1, 1, 1000), n_fft, hop_length)


def test_real_and_imaginary_parts_become_channels() -> None:
    spectrum = torch.complex(noise(2, 2, 5, 3), noise(2, 2, 5, 3) + 1)
    channels = complex_to_channels(spectrum)
    assert channels.shape == (2, 4, 5, 3)
    torch.testing.assert_close(channels[:, 0], spectrum[:, 0].real)
    torch.testing.assert_close(channels[:, 3], spectrum[:, 1].imag)


@pytest.mark.parametrize("legacy", [False, True])
def test_channels_are_inverted_as_the_complex_spectrum_is(legacy: bool) -> None:
    spectrum = stft(noise(2, 3, 1000), 256, 64)
    expected = istft(spectrum, 64, 1000, legacy=legacy)
    actual = channels_to_signal(complex_to_channels(spectrum), 64, 1000, legacy=legacy)
    assert actual.shape == (2, 3, 1000)
    torch.testing.assert_close(actual, expected, rtol=0, atol=0)


def test_gradients_go_through_the_transform_and_back() -> None:
    signal = noise(1, 1, 300).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: istft(stft(x, 64, 16), 16, 300), signal)
