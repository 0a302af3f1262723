"""From a model's name to networks that are ready to run."""

from dataclasses import dataclass

from torch import nn

from stemsplit.models.base import ModelConfig


@dataclass(frozen=True, kw_only=True)
class LoadedMember:
    """One network of a model, in eval mode, float32, on the CPU."""

    network: nn.Module
    config: ModelConfig
    architecture: str
    segment_samples: int
    """Planned segment length; a bag may override the configuration's."""
    digest: str
    """SHA-256 of the file the weights came from."""


@dataclass(frozen=True, kw_only=True)
class LoadedModel:
    """A named model: one or more networks that answer together."""

    name: str
    stems: tuple[str, ...]
    sample_rate: int
    channels: int
    members: tuple[LoadedMember, ...]
    stem_weights: tuple[tuple[float, ...], ...]
    """One row per member, one column per stem."""
    fingerprint: str
    """Changes when any weights or bag weights change."""
