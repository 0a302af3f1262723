"""Configuration of the hybrid U-Net with transformers, and of its variants."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from stemsplit.errors import ConfigError
from stemsplit.models.hybrid import HybridConfig


@dataclass(frozen=True, kw_only=True)
class CrossTransformerConfig:
    """Two stacks of transformer layers, one per branch, that look at themselves and each other."""

    kind: Literal["alternating", "cross", "self"] = "alternating"
    """Whether self and cross attention alternate, or all layers look at the other branch, or there
    is a stack for the spectrogram alone, which looks at itself."""

    layers: int = 5
    """Layers of each stack."""

    heads: int = 8
    """Attention heads."""

    hidden: int
    """Features between the two linear maps of a layer."""

    attention: Literal["softmax", "linear"] = "softmax"
    """How scores become weights; see `stemsplit.layers.attention`."""

    gated: bool = False
    """Whether what comes out is mixed with what went in, by a learnt share per branch."""

    cross_first: bool = False
    """Whether alternation begins with attention to the other branch."""

    dropout: float = 0.0
    """Share of attention weights and features dropped in training."""

    max_period: float = 10_000.0
    """Period of the slowest wave of the position encoding."""

    position_weight: float = 1.0
    """Factor of the position encoding."""

    def __post_init__(self) -> None:
        for name in ("layers", "heads", "hidden"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} of a transformer must be at least 1, got {self}.")

    def is_cross(self, index: int) -> bool:
        """Whether layer `index` looks at the other branch."""
        if self.kind == "alternating":
            return (index % 2 == 0) == self.cross_first
        return self.kind == "cross"

    def time_layers(self, *, has_output: bool) -> int:
        """Layers of the waveform's stack.

        Args:
            has_output: whether anything uses the waveform's features after the transformer. If
                not, only layers are needed to which the other stack still looks.
        """
        if self.kind == "self":
            return 0
        if has_output:
            return self.layers
        return max((index for index in range(self.layers) if self.is_cross(index)), default=0)


@dataclass(frozen=True, kw_only=True)
class AttentionSite:
    """A transformer between levels of the U-Net."""

    level: int
    """The level whose output it works on: after it in the encoder, before it in the decoder."""

    sides: Literal["encoder", "decoder", "both", "shared"]
    """Where it stands. ``both``: on each side with weights of its own. ``shared``: on each side
    with the same weights."""

    transformer: CrossTransformerConfig
    """The transformer, as wide as the level."""

    @property
    def places(self) -> tuple[Literal["encoder", "decoder"], ...]:
        """The sides on which the U-Net passes by."""
        if self.sides == "encoder" or self.sides == "decoder":
            return (self.sides,)
        return ("encoder", "decoder")


@dataclass(frozen=True, kw_only=True)
class FusionConfig:
    """How the waveforms that come from several spectrograms become one."""

    kind: Literal["softmax", "convolution", "network"]
    """See `stemsplit.models.htdemucs.fusion`."""

    taps: int = 129
    """Samples that a filter is long, odd; without meaning for ``softmax``."""

    widths: tuple[int, ...] = ()
    """Features of the levels of a ``network``."""

    def __post_init__(self) -> None:
        if self.taps < 1 or self.taps % 2 == 0:
            raise ConfigError(f"taps of a fusion must be odd, got {self.taps}.")
        if bool(self.widths) != (self.kind == "network"):
            raise ConfigError(f"a fusion has widths if it is a network, and only then: {self}.")


@dataclass(frozen=True, kw_only=True)
class HTDemucsConfig(HybridConfig):
    """Hybrid Transformer Demucs and its variants."""

    segment_samples: int = 343_980  # 39/5 s at 44.1 kHz

    bottom_channels: int = 0
    """Features inside the transformer, reached by a convolution; 0 keeps the last level's."""

    transformer: CrossTransformerConfig | None
    """The transformer between encoders and decoders, or None to go straight on."""

    sites: tuple[AttentionSite, ...] = ()
    """More transformers, between levels."""

    fusion: FusionConfig | None = None
    """How the waveforms of several spectrograms become one; None where there is one at most."""

    time_output: bool = True
    """Whether the waveform branch has a decoder, whose output is added to what the spectrograms
    give. If not, it only tells the transformer what it sees."""

    pad_to_segment: bool = True
    """Whether shorter input is padded to `segment_samples`, the length the weights know."""

    wiener_share: float = 0.0
    """Outside of training, how much of what comes out has gone through a Wiener filter, from 0 to
    1; see `stemsplit.dsp.wiener.wiener_refine`."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.wiener_share <= 1:
            raise ConfigError(f"wiener_share must be from 0 to 1, got {self.wiener_share}.")
        if self.wiener_share and self.channels > 2:
            raise ConfigError("wiener_share needs one or two audio channels.")
        if (self.fusion is not None) != (len(self.resolutions) > 1):
            raise ConfigError(
                "a fusion is needed for several resolutions, and has no meaning for "
                f"{len(self.resolutions)}."
            )
        if (self.transformer or self.sites) and not self.levels:
            raise ConfigError("a transformer needs a spectrogram branch.")
        if not self.time_output and not self.resolutions:
            raise ConfigError("without time_output and resolutions nothing would come out.")
        if self.transformer is None:
            if self.bottom_channels:
                raise ConfigError("bottom_channels have no meaning without a transformer.")
            if self.time_levels and not self.time_output and self.merging_level is None:
                raise ConfigError("nothing would use the waveform branch: time_output is off.")
        else:
            self._check_transformer(self.transformer, len(self.levels) - 1, self.width)
        for site in self.sites:
            self._check_site(site)
        if len(set(self._places())) < len(list(self._places())):
            raise ConfigError("there can only be one transformer on each side of a level.")

    @property
    def width(self) -> int:
        """Features inside the transformer."""
        return self.bottom_channels or self.levels[-1].channels

    @property
    def fixed_length(self) -> bool:
        """Whether the network accepts at most `segment_samples` and pads what is shorter to it."""
        return self.pad_to_segment

    def _places(self) -> Iterator[tuple[str, int]]:
        return ((side, site.level) for site in self.sites for side in site.places)

    def _check_site(self, site: AttentionSite) -> None:
        if len(self.resolutions) != 1:
            raise ConfigError("sites need a network of a single resolution.")
        last = len(self.levels) - (2 if "decoder" in site.places else 1)
        if not 0 <= site.level <= last:
            raise ConfigError(f"a site at level {site.level} must be at one from 0 to {last}.")
        self._check_transformer(site.transformer, site.level, self.levels[site.level].channels)

    def _check_transformer(self, config: CrossTransformerConfig, level: int, width: int) -> None:
        if config.kind != "self":
            if level >= len(self.time_levels) or self.time_levels[level].bare:
                raise ConfigError(
                    f"a transformer of kind {config.kind!r} needs a waveform branch at level "
                    f"{level}, which has not ended or merged by then."
                )
            if self.levels[level].channels != self.time_levels[level].channels:
                raise ConfigError("both branches must reach the transformer with equal channels.")
        if width % config.heads or width % 4:
            raise ConfigError(
                f"the transformer's width {width} must be a multiple of 4 and of its "
                f"{config.heads} heads."
            )
