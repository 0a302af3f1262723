"""U-Net over a waveform and its spectrograms, each with a branch of its own.

Branches of spectrograms work along bins. Where one has reduced its bins to one, the waveform branch
has as many samples as the other has frames: there it is added, and what lies deeper works on both
at once along frames. On the way up it splits off again. Where bins are left to the end, the
branches are U-Nets side by side, and any number of spectrograms is possible, none included.

Shapes: B batch, D features, F bins, T frames, N samples, R resolutions.

Source: Défossez 2021, arXiv:2111.03600; demucs/hdemucs.py 4.1.0.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from torch import Tensor, nn

from stemsplit.layers.bands import BandedDecoderLevel, BandedEncoderLevel
from stemsplit.layers.conv import DecoderLevel, EncoderLevel
from stemsplit.layers.embedding import ScaledEmbedding
from stemsplit.layers.levels import Level, bins_before
from stemsplit.layers.recompute import call

Side = Literal["encoder", "decoder"]
Exchange = Callable[[Side, int, list[Tensor], Tensor], tuple[list[Tensor], Tensor]]
"""What happens between levels: given a side, a level, the features of the spectrograms and those of
the waveform, it returns both, changed or not."""


@dataclass
class Trail:
    """What the encoder of a branch leaves for its decoder, outermost level first."""

    skips: list[Tensor] = field(default_factory=list)
    """Output of every level that the decoder gets added."""

    lengths: list[int] = field(default_factory=list)
    """Frames or samples that came into every level."""


@dataclass
class Trails:
    """One trail per branch."""

    spectra: list[Trail]
    wave: Trail


class Branch(nn.Module):
    """Encoder and decoder levels of one spectrogram or of the waveform."""

    def __init__(
        self,
        levels: tuple[Level, ...],
        in_channels: int,
        out_channels: int | None,
        *,
        num_bins: int = 1,
        embedding: ScaledEmbedding | None = None,
        embedding_weight: float = 0.0,
        checkpointing: bool = False,
    ) -> None:
        """Build the levels.

        Args:
            levels: the tower.
            in_channels: features coming in.
            out_channels: features going out; None for a branch without a decoder.
            num_bins: F; 1 for a waveform.
            embedding: of the bins, added after the first encoder level.
            embedding_weight: its factor.
            checkpointing: in training, compute activations again for the gradient.
        """
        super().__init__()
        self._checkpointing = checkpointing
        self._over_bins = [before > 1 for before in bins_before(levels, num_bins)[:-1]]
        self.encoder = nn.ModuleList()
        self.decoder = nn.ModuleList()
        before, after = in_channels, out_channels
        for index, (level, over_bins) in enumerate(zip(levels, self._over_bins, strict=True)):
            self.encoder.append(_encoder_level(before, level, over_bins=over_bins))
            if after is not None:
                is_last = index == 0
                self.decoder.append(
                    _decoder_level(level, after, over_bins=over_bins, is_last=is_last)
                )
                after = level.channels
            before = level.channels
        self.embedding = embedding
        self.embedding_weight = embedding_weight

    def encode_level(
        self, index: int, x: Tensor, trail: Trail, inject: Tensor | None = None
    ) -> Tensor:
        """Run one encoder level.

        Args:
            index: of the level.
            x: (B, D, F, T) or (B, D, N).
            trail: notes the length of `x`.
            inject: features of the waveform branch that merge here.

        Returns:
            Features of the next level.
        """
        if x.dim() == 4 and not self._over_bins[index]:
            x = x.flatten(1, 2)  # (B, D, 1, T) to (B, D, T)
        trail.lengths.append(x.shape[-1])
        level = self.encoder[index]
        recompute = self._checkpointing and self.training
        inputs = (x,) if inject is None else (x, inject)
        y: Tensor = call(level, *inputs, recompute=recompute)
        if index == 0 and self.embedding is not None:
            y = y + self.embedding_weight * self.embedding(y.shape[2]).t()[:, :, None]
        return y

    def decode_level(
        self, index: int, x: Tensor | None, skip: Tensor | None, length: int
    ) -> tuple[Tensor, Tensor]:
        """Run one decoder level; see `DecoderLevel.forward`."""
        if self._over_bins[index] and x is not None and x.dim() == 3:
            x = x[:, :, None]
        recompute = self._checkpointing and self.training
        y: tuple[Tensor, Tensor] = call(self.decoder[index], x, skip, length, recompute=recompute)
        return y


class HybridUNet(nn.Module):
    """Encoders and decoders of all branches; what happens between them is the caller's affair."""

    def __init__(
        self,
        levels: tuple[Level, ...],
        time_levels: tuple[Level, ...],
        *,
        num_bins: tuple[int, ...],
        spectrum_channels: tuple[int, int],
        wave_channels: tuple[int, int | None],
        embedding_weight: float,
        embedding_scale: float,
        embedding_smooth: bool,
        checkpointing: bool = False,
    ) -> None:
        """Build all towers.

        Args:
            levels: tower of the spectrogram branches, which all have weights of their own.
            time_levels: tower of the waveform branch, none for no such branch; its last level is
                bare if it merges.
            num_bins: bins of every spectrogram; none for the waveform alone.
            spectrum_channels: features into and out of a spectrogram branch.
            wave_channels: features into and out of the waveform branch, which has no decoder if
                the latter is None.
            embedding_weight: factor of the embedding of bins that follows the first level, 0 for
                none.
            embedding_scale: see `ScaledEmbedding`.
            embedding_smooth: see `ScaledEmbedding`.
            checkpointing: see `Branch`.
        """
        super().__init__()
        self._merges = [level.bare for level in time_levels]
        self.spectra = nn.ModuleList()
        for bins in num_bins:
            embedding = None
            if embedding_weight:
                embedding = ScaledEmbedding(
                    bins_before(levels, bins)[1],
                    levels[0].channels,
                    scale=embedding_scale,
                    smooth=embedding_smooth,
                )
            self.spectra.append(
                Branch(
                    levels,
                    *spectrum_channels,
                    num_bins=bins,
                    embedding=embedding,
                    embedding_weight=embedding_weight,
                    checkpointing=checkpointing,
                )
            )
        self.wave = (
            Branch(time_levels, *wave_channels, checkpointing=checkpointing)
            if time_levels
            else None
        )
        self._depth = max(len(levels) if num_bins else 0, len(time_levels))

    def encode(
        self, spectra: Sequence[Tensor], wave: Tensor, exchange: Exchange | None = None
    ) -> tuple[list[Tensor], Tensor, Trails]:
        """Run all encoders.

        Args:
            spectra: R spectrograms (B, D, F, T).
            wave: waveform features (B, D, N); passed on as they are if there is no such branch.
            exchange: called after every level. What it returns for the spectrograms is also what
                their decoders get.

        Returns:
            The deepest features of all branches, and what the decoders need besides.
        """
        spectra = list(spectra)
        trails = Trails([Trail() for _ in spectra], Trail())
        for index in range(self._depth):
            inject = None
            if self.wave is not None and index < len(self._merges):
                wave = self.wave.encode_level(index, wave, trails.wave)
                if self._merges[index]:
                    inject = wave
                trails.wave.skips.append(wave)
            for number, branch in enumerate(self.spectra):
                assert isinstance(branch, Branch)
                spectra[number] = branch.encode_level(
                    index, spectra[number], trails.spectra[number], inject
                )
            if exchange is not None:
                spectra, wave = exchange("encoder", index, spectra, wave)
            for x, trail in zip(spectra, trails.spectra, strict=True):
                trail.skips.append(x)
        return spectra, wave, trails

    def decode(
        self,
        spectra: Sequence[Tensor] | None,
        wave: Tensor | None,
        trails: Trails,
        exchange: Exchange | None = None,
    ) -> tuple[list[Tensor], Tensor]:
        """Run all decoders.

        Args:
            spectra: features for the deepest levels, or None for nothing but the skips.
            wave: the same for the waveform branch; ignored if the branches have merged.
            trails: from `encode`.
            exchange: called for every level but the deepest before its decoder runs.

        Returns:
            R outputs (B, D, F, T), and (B, D, N); the latter is `wave` if the branch has no
            decoder.
        """
        asking: Sequence[Tensor | None] = spectra or [None] * len(self.spectra)
        done: list[Tensor] = []
        for index in reversed(range(self._depth)):
            if exchange is not None and index < self._depth - 1:
                assert wave is not None
                asking, wave = exchange("decoder", index, done, wave)
            done, inner = [], None
            for x, branch, trail in zip(asking, self.spectra, trails.spectra, strict=True):
                assert isinstance(branch, Branch)
                y, inner = branch.decode_level(index, x, trail.skips[index], trail.lengths[index])
                done.append(y)
            asking = done
            if self.wave is not None and index < len(self.wave.decoder):
                skip, length = trails.wave.skips[index], trails.wave.lengths[index]
                if self._merges[index]:
                    assert inner is not None
                    wave, _ = self.wave.decode_level(index, inner[:, :, 0], None, length)
                else:
                    wave, _ = self.wave.decode_level(index, wave, skip, length)
        assert wave is not None
        return done, wave


def _encoder_level(in_channels: int, level: Level, *, over_bins: bool) -> nn.Module:
    if level.bands:
        return BandedEncoderLevel(in_channels, level)
    return EncoderLevel(in_channels, level, over_bins=over_bins)


def _decoder_level(level: Level, out_channels: int, *, over_bins: bool, is_last: bool) -> nn.Module:
    if level.bands:
        return BandedDecoderLevel(level, out_channels, is_last=is_last)
    return DecoderLevel(level, out_channels, over_bins=over_bins, is_last=is_last)
