"""Configuration of the waveform U-Net with a transformer as its bottleneck."""

import math
from dataclasses import dataclass
from typing import Literal

from stemsplit.errors import ConfigError
from stemsplit.models.base import ModelConfig


@dataclass(frozen=True, kw_only=True)
class WaveTransformerConfig(ModelConfig):
    """Strided convolutions over the waveform, a transformer over what they leave, and back."""

    segment_samples: int = 442_368  # 108 tokens of 4096 samples, about 10 s at 44.1 kHz

    widths: tuple[int, ...]
    """Features of every level, outermost first; the last one is the width of the transformer."""

    kernel: int = 8
    """Length of the strided convolutions."""

    stride: int = 4
    """Step of the strided convolutions."""

    layers: int = 6
    """Layers of the transformer."""

    heads: int = 8
    """Attention heads."""

    hidden: int = 2048
    """Features inside the feed-forward networks."""

    dropout: float = 0.1
    """Share of attention weights and features dropped in training."""

    positions: int = 108
    """Rows of the learnt table of positions: tokens of a segment."""

    align: Literal["crop", "interpolate"] = "crop"
    """What a decoder level does with output that is longer than the skip it meets: cut off the
    end, or squeeze it linearly."""

    checkpointing: bool = False
    """In training, compute layers again in the backward pass instead of keeping what they computed:
    slower, less memory, the same numbers."""

    def __post_init__(self) -> None:
        super().__post_init__()
        counts = (*self.widths, self.stride, self.layers, self.heads, self.hidden, self.positions)
        if not self.widths or min(counts) < 1:
            raise ConfigError(
                "widths, stride, layers, heads, hidden and positions must be positive."
            )
        if self.kernel < self.stride or (self.kernel - self.stride) % 2:
            raise ConfigError(
                "kernel must exceed stride by an even number, so that levels line up; got "
                f"{self.kernel} and {self.stride}."
            )
        if self.widths[-1] % self.heads:
            raise ConfigError(f"{self.widths[-1]} features cannot be shared by {self.heads} heads.")
        if not 0 <= self.dropout < 1:
            raise ConfigError(f"dropout must be from 0 to below 1, got {self.dropout}.")

    @property
    def token_samples(self) -> int:
        """Samples that one token of the transformer stands for."""
        return int(self.stride ** len(self.widths))

    def valid_length(self, num_samples: int) -> int:
        """The next length at or above `num_samples` that is made of whole tokens."""
        return math.ceil(num_samples / self.token_samples) * self.token_samples
