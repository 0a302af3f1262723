"""Learning from music without stems: fill holes in its spectrogram.

Any network that separates can learn this. Tiles of the spectrogram of the mix are replaced by a
learnt value, the network hears the signal of what is left, and a linear map of the spectrograms of
its stems is to give the logarithm of the magnitudes that were taken away. Of all this, a later
training begins with the weights of the network.

Shapes: B batch, S stems, C audio channels, N samples, F bins, T frames.
"""

import math

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from stemsplit.dsp.stft import centered_istft, centered_stft
from stemsplit.training.recipe import PretrainSection

_FLOOR = 1e-5  # of magnitudes before their logarithm


class Reconstruction(nn.Module):
    """A network with what it needs to learn from holes.

    Args:
        network: (B, C, N) to (B, S, C, N); it is `network` of this module and stays as it is.
        section: of the recipe.
        num_stems: S.
    """

    def __init__(self, network: nn.Module, section: PretrainSection, *, num_stems: int) -> None:
        super().__init__()
        bins = section.n_fft // 2 + 1
        self.network = network
        self._section = section
        self.token = nn.Parameter(torch.zeros(bins, 2))  # real and imaginary, of every hole
        self.weight = nn.Parameter(torch.full((num_stems, 1, 1, 1), 1 / num_stems))
        self.bias = nn.Parameter(torch.zeros(bins, 1))

    def draw_holes(self, batch: int, num_samples: int, generator: Generator) -> Tensor:
        """Where the holes of a batch are: (B, F, T), true inside. Every excerpt has as many tiles.

        Args:
            batch: B.
            num_samples: N.
            generator: of the CPU.
        """
        section = self._section
        bins = section.n_fft // 2 + 1
        frames = math.ceil(num_samples / section.hop_length) + 1
        rows, columns = math.ceil(bins / section.tile_bins), math.ceil(frames / section.tile_frames)
        order = torch.rand(batch, rows * columns, generator=generator).argsort(dim=1)
        tiles = order < round(section.masked_share * rows * columns)
        tiles = tiles.reshape(batch, rows, columns)
        holes = tiles.repeat_interleave(section.tile_bins, 1)
        return holes.repeat_interleave(section.tile_frames, 2)[:, :bins, :frames]

    def hear(self, mix: Tensor, holes: Tensor) -> Tensor:
        """A mix (B, C, N) with the learnt value in its holes (B, F, T)."""
        section = self._section
        spectrum = centered_stft(mix, section.n_fft, section.hop_length)
        inside = holes[:, None].to(spectrum.device)
        token = torch.view_as_complex(self.token.to(spectrum.device))[:, None]
        spectrum = torch.where(inside, token, spectrum)
        return centered_istft(spectrum, section.hop_length, mix.shape[-1]).to(mix)

    def predict(self, estimates: Tensor) -> Tensor:
        """What stems (B, S, C, N) say about the normalised logarithms of the mix: (B, C, F, T)."""
        stems = torch.unflatten(self.target(estimates.flatten(0, 1)), 0, estimates.shape[:2])
        return (self.weight * stems).sum(dim=1) + self.bias

    def target(self, signal: Tensor) -> Tensor:
        """Logarithms of the magnitudes of signals (B, C, N), each normalised: (B, C, F, T)."""
        section = self._section
        spectrum = centered_stft(signal, section.n_fft, section.hop_length)
        logarithms = spectrum.abs().clamp(min=_FLOOR).log().to(signal.device)
        mean = logarithms.mean(dim=(1, 2, 3), keepdim=True)
        deviation = logarithms.var(dim=(1, 2, 3), keepdim=True).add(_FLOOR).sqrt()
        return (logarithms - mean) / deviation

    def forward(self, mix: Tensor, holes: Tensor) -> Tensor:
        """The loss of a batch: see `hole_loss`.

        Args:
            mix: (B, C, N).
            holes: as by `draw_holes`.
        """
        estimates = self.network(self.hear(mix, holes))
        with torch.autocast(mix.device.type, enabled=False):
            return hole_loss(self.predict(estimates.float()), self.target(mix.float()), holes)


def hole_loss(predicted: Tensor, target: Tensor, holes: Tensor) -> Tensor:
    """Mean absolute difference inside the holes, a scalar; what is outside does not count.

    Args:
        predicted: (B, C, F, T).
        target: (B, C, F, T).
        holes: (B, F, T), true inside; at least one cell.
    """
    inside = holes[:, None].to(predicted.device).expand_as(predicted)
    return functional.l1_loss(predicted[inside], target[inside])
