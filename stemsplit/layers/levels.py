"""The levels of a U-Net as rows of data.

A tower is a tuple of `Level`; its encoder goes through them in order, its decoder in reverse. This
file does not import torch, so that configurations can be read without it.
"""

from dataclasses import dataclass
from typing import Literal

from stemsplit.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Residual:
    """A stack of dilated residual branches inside a level."""

    depth: int = 2
    """Number of branches; branch d has dilation 2^d."""

    compress: float = 8.0
    """The branches work on channels / compress features."""

    init: float = 1e-3
    """Initial scale of what a branch adds."""

    lstm: bool = False
    """Put a two-layer bidirectional LSTM into every branch."""

    attention: bool = False
    """Put local attention into every branch."""

    def __post_init__(self) -> None:
        if self.depth < 1:
            raise ConfigError(f"depth of a residual must be at least 1, got {self.depth}.")


@dataclass(frozen=True, kw_only=True)
class Level:
    """One level: a strided encoder layer and the decoder layer that mirrors it."""

    channels: int
    """Features after the encoder layer."""

    kernel: int = 8
    """Length of the strided convolution, in bins or samples."""

    stride: int = 4
    """Step of the strided convolution, in bins or samples."""

    padding: int = 2
    """Zeros on both sides of the strided convolution; the decoder crops as much."""

    norm_groups: int = 0
    """Groups of the group norms; 0 leaves them out."""

    rewrite: bool = True
    """Follow (precede, in the decoder) with a convolution to twice the channels and a gate."""

    encoder_context: int = 0
    """Neighbours on each side that the rewriting convolution of the encoder sees."""

    decoder_context: int = 1
    """Neighbours on each side that the rewriting convolution of the decoder sees."""

    encoder_residual: Residual | None = None
    """Residual branches of the encoder layer."""

    decoder_residual: Residual | None = None
    """Residual branches of the decoder layer."""

    bands: tuple[float, ...] = ()
    """Where to cut the bins, as shares of their number; every band gets weights of its own."""

    bare: bool = False
    """Only the strided convolution: the last level of a waveform branch that merges."""

    activation: Literal["gelu", "relu"] = "gelu"
    """After the strided convolutions."""

    gate: Literal["glu", "relu"] = "glu"
    """After the rewriting convolutions; ``relu`` does not double their channels."""

    def __post_init__(self) -> None:
        for name in ("channels", "kernel", "stride"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} of a level must be at least 1, got {self}.")
        if self.padding < 0 or 2 * self.padding > self.kernel:
            raise ConfigError(f"padding of a level must be 0 to kernel / 2, got {self}.")
        if self.bands and (self.norm_groups or sorted(self.bands) != list(self.bands)):
            raise ConfigError(f"bands must ascend and exclude norm_groups, got {self}.")

    def length_after(self, length: int) -> int:
        """Positions after the encoder layer, for `length` positions before it."""
        return (length + 2 * self.padding - self.kernel) // self.stride + 1


def bins_before(levels: tuple[Level, ...], num_bins: int) -> tuple[int, ...]:
    """Bins that every level of a spectrogram branch sees, and the bins after the last one.

    Once a level has reduced the bins to one, the levels after it work along frames and the bins
    stay one.

    Args:
        levels: the tower.
        num_bins: bins of the spectrogram.

    Returns:
        One number more than there are levels.

    Raises:
        ConfigError: a level is longer than the bins left for it.
    """
    bins = [num_bins]
    for index, level in enumerate(levels):
        after = 1 if bins[-1] == 1 else level.length_after(bins[-1])
        if after < 1:
            raise ConfigError(
                f"level {index} has a kernel of {level.kernel}, longer than its {bins[-1]} bins."
            )
        bins.append(after)
    return tuple(bins)
