"""What the configurations of networks with a spectrogram and a waveform branch share."""

import math
from dataclasses import dataclass

from stemsplit.errors import ConfigError
from stemsplit.layers.levels import Level, bins_before
from stemsplit.models.base import ModelConfig


@dataclass(frozen=True, kw_only=True)
class HybridConfig(ModelConfig):
    """Two towers of levels, one over the spectrogram and one over the waveform."""

    n_fft: int = 4096
    """Length of an STFT frame in samples."""

    hop_length: int = 1024
    """Samples from one STFT frame to the next."""

    levels: tuple[Level, ...]
    """Tower of the spectrogram branch, outermost level first."""

    time_levels: tuple[Level, ...]
    """Tower of the waveform branch; a bare last level merges it into the spectrogram branch."""

    embedding_weight: float = 0.2
    """Factor of the embedding of bins after the first level; 0 leaves it out."""

    embedding_scale: float = 10.0
    """How much faster than other weights the embedding learns."""

    embedding_smooth: bool = True
    """Whether the embedding starts with rows that change little from bin to bin."""

    rescale: float = 0.1
    """Deviation that initial weights of convolutions are drawn to; 0 leaves them as they are."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.hop_length < 2 or self.n_fft % (2 * self.hop_length) or self.hop_length % 2:
            raise ConfigError(
                "n_fft must be an even multiple of an even hop_length, got "
                f"{self.n_fft} and {self.hop_length}."
            )
        if not self.levels or not self.time_levels or len(self.time_levels) > len(self.levels):
            raise ConfigError("both branches need levels, the waveform branch not more of them.")
        collapses = self._collapsing_level
        for index, level in enumerate(self.time_levels):
            if level.bare != (index == collapses):
                raise ConfigError(
                    f"waveform level {index}: bare must be set exactly where the spectrogram "
                    f"branch reduces its bins to one (level {collapses})."
                )
        if collapses is not None:
            self._check_merge(collapses)

    @property
    def num_bins(self) -> int:
        """Bins of the spectrogram, without the Nyquist bin."""
        return self.n_fft // 2

    @property
    def _collapsing_level(self) -> int | None:
        bins = bins_before(self.levels, self.num_bins)
        return bins.index(1) - 1 if 1 in bins else None

    def _check_merge(self, index: int) -> None:
        stride = math.prod(level.stride for level in self.time_levels)
        if index != len(self.time_levels) - 1 or stride != self.hop_length:
            raise ConfigError(
                f"the branches meet at level {index}, so the waveform branch must end there with a "
                f"total stride of hop_length {self.hop_length}; it is {stride}."
            )
        if self.levels[index].channels != self.time_levels[index].channels:
            raise ConfigError(f"both branches must have equal channels at level {index}.")
