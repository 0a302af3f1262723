"""What the configurations of networks with spectrogram and waveform branches share."""

import math
from dataclasses import dataclass

from stemsplit.errors import ConfigError
from stemsplit.layers.levels import Level, bins_before
from stemsplit.models.base import ModelConfig


@dataclass(frozen=True, kw_only=True)
class Resolution:
    """The grid of one spectrogram."""

    n_fft: int = 4096
    """Length of an STFT frame in samples."""

    hop_length: int = 1024
    """Samples from one STFT frame to the next."""

    def __post_init__(self) -> None:
        if self.hop_length < 2 or self.n_fft % (2 * self.hop_length) or self.hop_length % 2:
            raise ConfigError(
                "n_fft must be an even multiple of an even hop_length, got "
                f"{self.n_fft} and {self.hop_length}."
            )

    @property
    def num_bins(self) -> int:
        """Bins of the spectrogram, without the Nyquist bin."""
        return self.n_fft // 2


@dataclass(frozen=True, kw_only=True)
class HybridConfig(ModelConfig):
    """Towers of levels over the waveform and over its spectrograms."""

    resolutions: tuple[Resolution, ...] = (Resolution(),)
    """The spectrograms, each with a branch of its own; none for the waveform alone."""

    levels: tuple[Level, ...]
    """Tower of every spectrogram branch, outermost level first."""

    time_levels: tuple[Level, ...]
    """Tower of the waveform branch, none for no such branch. A bare last level merges it into the
    spectrogram branch, where that has reduced its bins to one."""

    embedding_weight: float = 0.2
    """Factor of the embedding of bins after the first level; 0 leaves it out."""

    embedding_scale: float = 10.0
    """How much faster than other weights the embedding learns."""

    embedding_smooth: bool = True
    """Whether the embedding starts with rows that change little from bin to bin."""

    rescale: float = 0.1
    """Deviation that initial weights of convolutions are drawn to; 0 leaves them as they are."""

    checkpointing: bool = False
    """In training, compute activations again when the gradient needs them, to save memory."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if bool(self.resolutions) != bool(self.levels):
            raise ConfigError("levels and resolutions must be there both, or both be empty.")
        if not self.levels and not self.time_levels:
            raise ConfigError("a network needs levels, or time_levels, or both.")
        if self.levels and len(self.time_levels) > len(self.levels):
            raise ConfigError(
                "the waveform branch must not have more levels than the spectrograms."
            )
        collapses = self.merging_level
        if collapses is not None and len(self.resolutions) > 1:
            raise ConfigError(
                f"level {collapses} reduces a spectrogram to one bin, which only a network of a "
                "single resolution may do."
            )
        for index, level in enumerate(self.time_levels):
            if level.bare != (index == collapses):
                raise ConfigError(
                    f"waveform level {index}: bare must be set exactly where the spectrogram "
                    f"branch reduces its bins to one (level {collapses})."
                )
        if collapses is not None and self.time_levels:
            self._check_merge(collapses)

    @property
    def num_bins(self) -> tuple[int, ...]:
        """Bins of every spectrogram."""
        return tuple(resolution.num_bins for resolution in self.resolutions)

    @property
    def merging_level(self) -> int | None:
        """The level that reduces the bins to one, if there is any."""
        towers = (bins_before(self.levels, bins) for bins in self.num_bins)
        return min((bins.index(1) - 1 for bins in towers if 1 in bins), default=None)

    def _check_merge(self, index: int) -> None:
        hop_length = self.resolutions[0].hop_length
        stride = math.prod(level.stride for level in self.time_levels)
        if index != len(self.time_levels) - 1 or stride != hop_length:
            raise ConfigError(
                f"the branches meet at level {index}, so the waveform branch must end there with a "
                f"total stride of hop_length {hop_length}; it is {stride}."
            )
        if any(2 * level.padding != level.kernel - level.stride for level in self.time_levels):
            raise ConfigError(
                "waveform levels that lead to a merge need a padding of (kernel - stride) / 2, so "
                "that they end with one sample per frame whatever the length."
            )
        if self.levels[index].channels != self.time_levels[index].channels:
            raise ConfigError(f"both branches must have equal channels at level {index}.")
