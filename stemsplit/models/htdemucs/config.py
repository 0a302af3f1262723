"""Configuration of the hybrid U-Net with a transformer between encoders and decoders."""

from dataclasses import dataclass

from stemsplit.errors import ConfigError
from stemsplit.models.hybrid import HybridConfig


@dataclass(frozen=True, kw_only=True)
class CrossTransformerConfig:
    """Two stacks of transformer layers, one per branch, that look at themselves and each other."""

    layers: int = 5
    """Layers of each stack; self and cross attention alternate."""

    heads: int = 8
    """Attention heads."""

    hidden: int
    """Features between the two linear maps of a layer."""

    cross_first: bool = False
    """Whether the first layer attends to the other branch and not to its own."""

    dropout: float = 0.0
    """Share of attention weights and features dropped in training."""

    max_period: float = 10_000.0
    """Period of the slowest wave of the position encoding."""

    position_weight: float = 1.0
    """Factor of the position encoding."""


@dataclass(frozen=True, kw_only=True)
class HTDemucsConfig(HybridConfig):
    """Hybrid Transformer Demucs."""

    segment_samples: int = 343_980  # 39/5 s at 44.1 kHz

    bottom_channels: int = 0
    """Features inside the transformer, reached by a convolution; 0 keeps the last level's."""

    transformer: CrossTransformerConfig | None
    """The transformer, or None to go straight from the encoders to the decoders."""

    pad_to_segment: bool = True
    """Whether shorter input is padded to `segment_samples`, the length the weights know."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.transformer is None:
            if self.bottom_channels:
                raise ConfigError("bottom_channels have no meaning without a transformer.")
            return
        if self.levels[-1].channels != self.time_levels[-1].channels:
            raise ConfigError("both branches must reach the transformer with equal channels.")
        if self.width % self.transformer.heads or self.width % 4:
            raise ConfigError(
                f"the transformer's width {self.width} must be a multiple of 4 and of its "
                f"{self.transformer.heads} heads."
            )

    @property
    def width(self) -> int:
        """Features inside the transformer."""
        return self.bottom_channels or self.levels[-1].channels

    @property
    def fixed_length(self) -> bool:
        """Whether the network accepts at most `segment_samples` and pads what is shorter to it."""
        return self.pad_to_segment
