"""Configuration of the waveform U-Net."""

import math
from dataclasses import dataclass

from stemsplit.errors import ConfigError
from stemsplit.layers.levels import Level
from stemsplit.models.base import ModelConfig


@dataclass(frozen=True, kw_only=True)
class DemucsConfig(ModelConfig):
    """Demucs: an encoder and a decoder of strided convolutions over the waveform."""

    segment_samples: int = 1_764_000  # 40 s at 44.1 kHz

    levels: tuple[Level, ...]
    """The tower, outermost level first; its convolutions are not padded."""

    lstm_layers: int = 0
    """Layers of a bidirectional LSTM between encoder and decoder; 0 leaves it out."""

    resample: bool = True
    """Work at twice the sample rate."""

    normalize: bool = True
    """Bring the mix to mean 0 and deviation 1, and the stems back."""

    rescale: float = 0.1
    """Deviation that initial weights of convolutions are drawn to; 0 leaves them as they are."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.levels or any(level.padding or level.bare for level in self.levels):
            raise ConfigError("levels of Demucs must be there, without padding, and not bare.")

    def valid_length(self, num_samples: int) -> int:
        """The next length at or above `num_samples` that no strided convolution cuts off."""
        length = num_samples * (2 if self.resample else 1)
        for level in self.levels:
            length = max(1, math.ceil((length - level.kernel) / level.stride) + 1)
        for level in reversed(self.levels):
            length = (length - 1) * level.stride + level.kernel
        return math.ceil(length / 2) if self.resample else length
