"""Small twins of variants: the same structure with a fraction of the features."""

from dataclasses import replace
from typing import Any

from stemsplit.layers.levels import Level
from stemsplit.models.base import ModelConfig
from stemsplit.models.demucs.config import DemucsConfig
from stemsplit.models.htdemucs.config import HTDemucsConfig
from stemsplit.models.hybrid import HybridConfig

SEGMENT_SAMPLES = 8_000


def shrink(config: ModelConfig) -> ModelConfig:
    """A twin with 8 features at the first level, and a short segment."""
    changes: dict[str, Any] = {"segment_samples": SEGMENT_SAMPLES}
    if isinstance(config, DemucsConfig):
        changes["levels"] = _narrow(config.levels, config.levels[0].channels // 8)
    if isinstance(config, HybridConfig):
        factor = config.levels[0].channels // 8
        changes["levels"] = _narrow(config.levels, factor)
        changes["time_levels"] = _narrow(config.time_levels, factor)
    if isinstance(config, HTDemucsConfig) and config.transformer is not None:
        changes["bottom_channels"] = 32 if config.bottom_channels else 0
        changes["transformer"] = replace(config.transformer, hidden=48, heads=4, dropout=0.0)
    return replace(config, **changes)


def _narrow(levels: tuple[Level, ...], factor: int) -> tuple[Level, ...]:
    return tuple(replace(level, channels=level.channels // factor) for level in levels)
