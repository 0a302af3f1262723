"""The spectrogram that can be inverted everywhere."""

import pytest
import torch
from torch import Tensor

from stemsplit.dsp.stft import centered_istft, centered_stft


def noise(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("n_fft", "hop"), [(256, 64), (128, 64), (2048, 441)])
@pytest.mark.parametrize("num_samples", [1, 2, 63, 64, 65, 440, 441, 442, 5000])
def test_the_round_trip_is_exact_to_the_last_sample(n_fft: int, hop: int, num_samples: int) -> None:
    signal = noise(2, 3, num_samples)
    spectrum = centered_stft(signal, n_fft, hop)
    assert spectrum.shape == (2, 3, n_fft // 2 + 1, -(-num_samples // hop) + 1)
    restored = centered_istft(spectrum, hop, num_samples)
    torch.testing.assert_close(restored, signal, rtol=0, atol=2e-6)


def test_frames_are_centred_on_the_hops() -> None:
    signal = torch.zeros(1, 1, 1000)
    signal[..., 640] = 1.0
    energy = centered_stft(signal, 256, 64).abs().square().sum(dim=2)[0, 0]
    assert energy.argmax() == 10
    torch.testing.assert_close(energy[9], energy[11])


def test_it_agrees_with_torch_where_both_can() -> None:
    signal = noise(1, 2, 1024)
    expected = torch.stft(
        signal[0], 256, 64, window=torch.hann_window(256), normalized=True, return_complex=True
    )
    torch.testing.assert_close(centered_stft(signal, 256, 64)[0], expected)


def test_half_precision_is_raised() -> None:
    assert centered_stft(noise(1, 1, 300).half(), 256, 64).dtype == torch.complex64


@pytest.mark.parametrize(("n_fft", "hop"), [(255, 64), (100, 64)])
def test_a_grid_that_cannot_be_inverted_is_refused(n_fft: int, hop: int) -> None:
    with pytest.raises(ValueError, match="at least twice hop_length"):
        centered_stft(noise(1, 1, 300), n_fft, hop)
