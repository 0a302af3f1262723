"""Configuration of the time-frequency sequence and shifted window attention networks."""

import math
from dataclasses import dataclass
from typing import Literal

from stemsplit.errors import ConfigError
from stemsplit.models.base import ModelConfig

STEMS_2 = ("vocals", "accompaniment")
Part = Literal["time", "frequency", "windows"]
PARTS: tuple[Part, ...] = ("time", "frequency", "windows")


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One resolution of the U-Net: what its encoder does, and its decoder again."""

    channels: int
    """Features."""

    convs: int = 0
    """Residual convolutions, in front of the attention."""

    blocks: int = 0
    """Attention blocks."""

    def __post_init__(self) -> None:
        if self.channels < 1 or self.convs < 0 or self.blocks < 0:
            raise ConfigError(f"a stage needs channels, and counts that are not negative: {self}.")


@dataclass(frozen=True, kw_only=True)
class TfswaConfig(ModelConfig):
    """A U-Net over the spectrogram, with attention along time, along frequency and in windows."""

    stems: tuple[str, ...] = STEMS_2
    segment_samples: int = 138_240  # 136 frames of 1024, about the 3 s that the paper trains on

    n_fft: int = 4096
    """Length of an STFT frame in samples."""

    hop_length: int = 1024
    """Samples from one STFT frame to the next."""

    spectrum: Literal["complex", "magnitude"] = "complex"
    """What the network sees. ``complex``: real and imaginary parts, every bin brought to unit power
    over the segment. ``magnitude``: magnitudes as they are."""

    bands: int = 1
    """Cut the bins into so many equal bands and stack them as channels."""

    output: Literal["sigmoid", "softmax", "magnitude"] = "sigmoid"
    """What the network predicts. ``sigmoid``: a mask per stem, from 0 to 1. ``softmax``: masks that
    sum to 1 over the stems. ``magnitude``: the magnitudes of the stems themselves."""

    tower: Literal["strided", "separable", "pooled"] = "strided"
    """How the resolutions are joined; see `stemsplit.models.tfswa.towers`."""

    stages: tuple[Stage, ...]
    """The resolutions, the finest first; the last one is the bottleneck. Each has half the frames
    and half the bins of the one before."""

    block: Literal["cross", "serial"] = "cross"
    """How an attention block joins its parts; see `stemsplit.models.tfswa.blocks`."""

    parts: tuple[Part, ...] = PARTS
    """What a serial block attends along, in this order; a cross block needs all of it."""

    heads: int = 8
    """Attention heads."""

    window: tuple[int, int] = (8, 8)
    """Frames and bins of an attention window; shifted windows are shifted by half of it."""

    window_positions: bool = True
    """Learn an embedding of the place inside the window."""

    mlp_ratio: float = 3.5
    """Features inside the feed-forward networks, as a multiple of those outside."""

    scales: tuple[int, ...] = (1,)
    """Poolings at which an attention block works side by side, on a share of the features each."""

    checkpointing: bool = False
    """In training, compute blocks again in the backward pass instead of keeping what they computed:
    slower, less memory, the same numbers."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.hop_length < 1 or self.n_fft % 2 or self.n_fft < 2 * self.hop_length:
            raise ConfigError(
                "n_fft must be even and at least twice hop_length, got "
                f"{self.n_fft} and {self.hop_length}."
            )
        if len(self.window) != 2 or min(self.window) < 2 or len(self.stages) < 2:
            raise ConfigError("there must be two stages at least, and windows of 2 by 2 at least.")
        if self.bands < 1 or self.n_fft // 2 % (self.bands * self.frame_multiple):
            raise ConfigError(
                f"{self.n_fft // 2} bins cannot be cut into {self.bands} bands and halved "
                f"{len(self.stages) - 1} times: change n_fft, bands or stages."
            )
        self._check_blocks()
        if self.tower == "pooled":
            self._check_pooled()

    @property
    def frame_multiple(self) -> int:
        """The number of frames that the network sees is a multiple of this."""
        return 1 << (len(self.stages) - 1)

    @property
    def in_channels(self) -> int:
        """Channels of the spectrogram as the tower sees it."""
        return self.channels * self.bands * (2 if self.spectrum == "complex" else 1)

    @property
    def out_channels(self) -> int:
        """Channels of the masks or magnitudes that the tower returns."""
        return len(self.stems) * self.channels * self.bands

    def valid_length(self, num_samples: int) -> int:
        """The next length at or above `num_samples` whose frames fill the grid of the network."""
        frames = math.ceil(num_samples / self.hop_length) + 1
        frames = math.ceil(frames / self.frame_multiple) * self.frame_multiple
        return (frames - 1) * self.hop_length

    def _check_blocks(self) -> None:
        if not self.scales or min(self.scales) < 1 or self.mlp_ratio <= 0 or self.heads < 1:
            raise ConfigError("scales, heads and mlp_ratio must be positive.")
        if not self.parts or self.parts != tuple(part for part in PARTS if part in self.parts):
            raise ConfigError(f"parts must be some of {', '.join(PARTS)}, in this order.")
        if self.block == "cross" and self.parts != PARTS:
            raise ConfigError("only serial blocks can leave parts out: a cross block joins them.")
        shares = len(self.scales) * self.heads
        for stage in self.stages:
            if stage.blocks and stage.channels % shares:
                raise ConfigError(
                    f"a stage of {stage.channels} channels cannot be shared by "
                    f"{len(self.scales)} scales of {self.heads} heads each: make it a multiple of "
                    f"{shares}."
                )

    def _check_pooled(self) -> None:
        *outer, bottleneck = self.stages
        if not all(stage.convs for stage in outer):
            raise ConfigError("every stage of a pooled tower but the last needs convs.")
        if any(stage.blocks for stage in outer):
            raise ConfigError("a pooled tower has attention blocks in its last stage only.")
        if not bottleneck.convs and bottleneck.channels != outer[-1].channels:
            raise ConfigError(
                "a bottleneck without convs must keep the channels of the stage before."
            )
