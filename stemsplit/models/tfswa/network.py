"""TFSWA: separation by masks or magnitudes on the spectrogram, with the phase of the mix.

Shapes: B batch, S stems, C audio channels, N samples, F = n_fft / 2 bins, T frames, G bands.

Source: Yao et al. 2025, EURASIP J. Adv. Signal Process. 2025:39, doi 10.1186/s13634-025-01249-0,
for TFSWA-ResUNet; the U-Net with attention at every resolution follows the plan of its variant.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stemsplit.dsp.stft import centered_istft, centered_stft
from stemsplit.models.tfswa.config import TfswaConfig
from stemsplit.models.tfswa.towers import TOWERS

_EPS = 1e-5  # amplitude below which a bin counts as silent; full scale is about 1


class Tfswa(nn.Module):
    """Fourier transform, the tower, and back.

    The tower works on n_fft / 2 bins, so that they can be halved. The Nyquist bin, which it does
    not see, gets the gain of the bin below it, but never more than 1. Masks that are 1 everywhere
    therefore give back the mix, all of it.
    """

    def __init__(self, config: TfswaConfig) -> None:
        super().__init__()
        self.config = config
        self.tower = TOWERS[config.tower](config)

    def forward(self, mix: Tensor) -> Tensor:
        """Stems (B, S, C, N) of a mix (B, C, N), for every N from 1 up."""
        num_samples = mix.shape[-1]
        padded = F.pad(mix.float(), (0, self.config.valid_length(num_samples) - num_samples))
        spectrum = centered_stft(padded, self.config.n_fft, self.config.hop_length)
        predicted = self.tower(self.features(spectrum).to(mix.device))
        stems = self.apply_prediction(predicted.to(spectrum.device), spectrum)
        wave = centered_istft(stems, self.config.hop_length, padded.shape[-1])
        return wave[..., :num_samples].to(mix)

    def features(self, spectrum: Tensor) -> Tensor:
        """What the tower sees.

        Args:
            spectrum: complex (B, C, F + 1, T).

        Returns:
            (B, in_channels, T, F / G).
        """
        spectrum = spectrum[:, :, :-1].transpose(2, 3)  # (B, C, T, F)
        if self.config.spectrum == "magnitude":
            return self._stack(spectrum.abs())
        # One factor for all channels of a bin, so that they keep their balance.
        power = spectrum.abs().square().mean(dim=(1, 2), keepdim=True)
        level = power.clamp(min=torch.finfo(power.dtype).tiny).sqrt()  # no slope at zero itself
        parts = torch.view_as_real(spectrum / (level + _EPS))
        return self._stack(parts.permute(0, 1, 4, 2, 3).flatten(1, 2))

    def apply_prediction(self, predicted: Tensor, spectrum: Tensor) -> Tensor:
        """Spectrograms of the stems, in the phase of the mix.

        Args:
            predicted: (B, out_channels, T, F / G) from the tower.
            spectrum: complex (B, C, F + 1, T) of the mix.

        Returns:
            Complex (B, S, C, F + 1, T).
        """
        values = self._unstack(predicted.float()).transpose(3, 4)  # (B, S, C, F, T)
        mix, nyquist = spectrum[:, None, :, :-1], spectrum[:, None, :, -1:]
        if self.config.output != "magnitude":
            return torch.cat([values * mix, values[..., -1:, :] * nyquist], dim=-2)
        tiny = torch.finfo(mix.real.dtype).tiny
        magnitude = mix.abs().clamp(min=tiny)
        gain = (values[..., -1:, :] / magnitude[..., -1:, :]).clamp(max=1.0)
        return torch.cat([values * (mix / magnitude), gain * nyquist], dim=-2)

    def _stack(self, x: Tensor) -> Tensor:
        """Bands as channels: (B, *, T, F) to (B, * x G, T, F / G), channel by channel."""
        return torch.unflatten(x, 3, (self.config.bands, -1)).transpose(2, 3).flatten(1, 2)

    def _unstack(self, x: Tensor) -> Tensor:
        """Stems, channels and whole bins: (B, S x C x G, T, F / G) to (B, S, C, T, F)."""
        config = self.config
        x = torch.unflatten(x, 1, (len(config.stems), config.channels, config.bands))
        return x.transpose(3, 4).flatten(4, 5)
