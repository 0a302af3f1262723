"""U-Net with a spectrogram branch and a waveform branch.

Both branches have their own tower of levels. Where the spectrogram branch has reduced its bins to
one, the waveform branch has as many samples as the other has frames: there it is added, and what
lies deeper works on both at once along frames. On the way up it splits off again. A waveform tower
that ends before that point makes two parallel U-Nets.

Shapes: B batch, D features, F bins, T frames, N samples.

Source: Défossez 2021, arXiv:2111.03600; demucs/hdemucs.py 4.1.0.
"""

from dataclasses import dataclass, field

from torch import Tensor, nn

from stemsplit.layers.bands import BandedDecoderLevel, BandedEncoderLevel
from stemsplit.layers.conv import DecoderLevel, EncoderLevel
from stemsplit.layers.embedding import ScaledEmbedding
from stemsplit.layers.levels import Level, bins_before


@dataclass
class Skips:
    """What the encoders leave for the decoders, outermost level first."""

    spectrum: list[Tensor] = field(default_factory=list)
    """Output of every spectrogram level."""

    frames: list[int] = field(default_factory=list)
    """Frames that came into every spectrogram level."""

    wave: list[Tensor] = field(default_factory=list)
    """Output of every waveform level that does not merge."""

    samples: list[int] = field(default_factory=list)
    """Samples that came into every waveform level."""


class HybridUNet(nn.Module):
    """Encoders and decoders of both branches; what happens between them is the caller's affair."""

    def __init__(
        self,
        levels: tuple[Level, ...],
        time_levels: tuple[Level, ...],
        *,
        num_bins: int,
        spectrum_channels: tuple[int, int],
        wave_channels: tuple[int, int],
        embedding_weight: float,
        embedding_scale: float,
        embedding_smooth: bool,
    ) -> None:
        """Build both towers.

        Args:
            levels: tower of the spectrogram branch.
            time_levels: tower of the waveform branch; its last level is bare if it merges.
            num_bins: bins of the spectrogram.
            spectrum_channels: features into and out of the spectrogram branch.
            wave_channels: features into and out of the waveform branch.
            embedding_weight: factor of the embedding of bins that follows the first level, 0 for
                none.
            embedding_scale: see `ScaledEmbedding`.
            embedding_smooth: see `ScaledEmbedding`.
        """
        super().__init__()
        bins = bins_before(levels, num_bins)
        self._has_bins = [before > 1 for before in bins[:-1]]
        self._merges = [level.bare for level in time_levels]
        self.encoder = nn.ModuleList()
        self.decoder = nn.ModuleList()
        before, after = spectrum_channels
        for index, level in enumerate(levels):
            has_bins = self._has_bins[index]
            self.encoder.append(_encoder_level(before, level, over_bins=has_bins))
            self.decoder.append(
                _decoder_level(level, after, over_bins=has_bins, is_last=index == 0)
            )
            before = after = level.channels
        self.time_encoder = nn.ModuleList()
        self.time_decoder = nn.ModuleList()
        before, after = wave_channels
        for index, level in enumerate(time_levels):
            self.time_encoder.append(_encoder_level(before, level, over_bins=False))
            self.time_decoder.append(
                _decoder_level(level, after, over_bins=False, is_last=index == 0)
            )
            before = after = level.channels
        self.embedding_weight = embedding_weight
        if embedding_weight:
            self.embedding = ScaledEmbedding(
                num_bins // levels[0].stride,
                levels[0].channels,
                scale=embedding_scale,
                smooth=embedding_smooth,
            )

    def encode(self, x: Tensor, wave: Tensor) -> tuple[Tensor, Tensor, Skips]:
        """Run both encoders.

        Args:
            x: spectrogram features (B, D, F, T).
            wave: waveform features (B, D, N).

        Returns:
            The deepest features of both branches, and what the decoders need besides.
        """
        skips = Skips()
        for index, level in enumerate(self.encoder):
            inject = None
            if index < len(self.time_encoder):
                skips.samples.append(wave.shape[-1])
                wave = self.time_encoder[index](wave)
                if self._merges[index]:
                    inject = wave
                else:
                    skips.wave.append(wave)
            if not self._has_bins[index]:
                x = x.flatten(1, -2)  # (B, D, 1, T) to (B, D, T)
            skips.frames.append(x.shape[-1])
            x = level(x) if inject is None else level(x, inject)
            if index == 0 and self.embedding_weight:
                x = x + self.embedding_weight * self.embedding(x.shape[2]).t()[:, :, None]
            skips.spectrum.append(x)
        return x, wave, skips

    def decode(self, x: Tensor | None, wave: Tensor | None, skips: Skips) -> tuple[Tensor, Tensor]:
        """Run both decoders.

        Args:
            x: features for the deepest spectrogram level, or None for nothing but its skip.
            wave: the same for the waveform branch; ignored if the branches have merged.
            skips: from `encode`.

        Returns:
            Outputs (B, D, F, T) and (B, D, N).
        """
        for index in reversed(range(len(self.decoder))):
            if self._has_bins[index] and x is not None and x.dim() == 3:
                x = x[:, :, None]
            x, inner = self.decoder[index](x, skips.spectrum[index], skips.frames[index])
            if index < len(self.time_decoder):
                level, samples = self.time_decoder[index], skips.samples[index]
                if self._merges[index]:
                    wave, _ = level(inner[:, :, 0], None, samples)
                else:
                    wave, _ = level(wave, skips.wave[index], samples)
        assert x is not None
        assert wave is not None
        return x, wave


def _encoder_level(in_channels: int, level: Level, *, over_bins: bool) -> nn.Module:
    if level.bands:
        return BandedEncoderLevel(in_channels, level)
    return EncoderLevel(in_channels, level, over_bins=over_bins)


def _decoder_level(level: Level, out_channels: int, *, over_bins: bool, is_last: bool) -> nn.Module:
    if level.bands:
        return BandedDecoderLevel(level, out_channels, is_last=is_last)
    return DecoderLevel(level, out_channels, over_bins=over_bins, is_last=is_last)
