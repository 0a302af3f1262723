"""What every network and every configuration promises to the floors above.

Shapes: B batch, S stems, C audio channels, N samples.

A network is an `nn.Module` built from exactly one configuration. Its `forward(mix)` maps (B, C, N)
to (B, S, C, N) with the same N, dtype and device, for every N from 1 up; it leaves `mix` unchanged,
and does no I/O. What the separation needs to know about a network stands on its configuration, so
that nobody has to ask which class it is.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from stemsplit.errors import ConfigError

STEMS_4 = ("drums", "bass", "other", "vocals")
STEMS_6 = (*STEMS_4, "guitar", "piano")

_STEM_NAME = re.compile(r"\w[\w .&+()-]{0,39}")  # does no harm in a path or on a terminal


def check_stem_names(stems: Iterable[object]) -> None:
    """Refuse names of stems that cannot be file names.

    Raises:
        ConfigError: a stem has such a name.
    """
    for stem in stems:
        if not isinstance(stem, str) or not _STEM_NAME.fullmatch(stem):
            raise ConfigError(
                f"The stem {str(stem)[:40]!r} has a name that is no plain name: use at most 40 "
                "letters, digits, spaces and . & _ + - ( ), with a letter, a digit or _ first."
            )


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """The facts about a network that do not depend on its architecture."""

    stems: tuple[str, ...] = STEMS_4
    """Names of the outputs, in the order of the network's stem axis."""

    channels: int = 2
    """Audio channels of the input and of every stem."""

    sample_rate: int = 44_100
    """Sample rate of the audio the weights were trained on, in Hz."""

    segment_samples: int = 441_000
    """Samples that one forward pass sees by default."""

    def __post_init__(self) -> None:
        if not self.stems or len(set(self.stems)) != len(self.stems):
            raise ConfigError(f"stems must be distinct names and at least one, got {self.stems}.")
        check_stem_names(self.stems)
        for name in ("channels", "sample_rate", "segment_samples"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be at least 1, got {getattr(self, name)}.")

    @property
    def segment_seconds(self) -> float:
        """Length of one forward pass in seconds."""
        return self.segment_samples / self.sample_rate

    @property
    def fixed_length(self) -> bool:
        """Whether the network accepts at most `segment_samples` and pads what is shorter to it."""
        return False

    def valid_length(self, num_samples: int) -> int:
        """Samples to hand to the network so that its middle `num_samples` are at their best.

        The separation fills the difference with real audio from both sides.

        Args:
            num_samples: samples of wanted output, at most `segment_samples` if `fixed_length`.
        """
        return self.segment_samples if self.fixed_length else num_samples


Config = TypeVar("Config", bound=ModelConfig, covariant=True)


@dataclass(frozen=True, kw_only=True)
class Variant(Generic[Config]):
    """A row of the table of an architecture: its numbers, and what they mean in words."""

    config: Config
    """What the network is built from."""

    summary: str
    """One line for a person who chooses: what is particular about it, and what was decided."""

    source: str
    """Where it was described: a paper with its section, or a file of another project."""
