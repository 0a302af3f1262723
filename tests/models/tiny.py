"""Small twins of variants: the same structure with a fraction of the features."""

from dataclasses import replace
from typing import Any

from stemsplit.layers.levels import Level
from stemsplit.models.base import ModelConfig
from stemsplit.models.demucs.config import DemucsConfig
from stemsplit.models.htdemucs.config import HTDemucsConfig
from stemsplit.models.hybrid import HybridConfig
from stemsplit.models.tfswa.config import Stage, TfswaConfig
from stemsplit.models.wave_transformer.config import WaveTransformerConfig

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
    if isinstance(config, TfswaConfig):
        changes |= _tfswa_changes(config)
    if isinstance(config, WaveTransformerConfig):
        changes["widths"] = tuple(max(8, width // 16) for width in config.widths)
        changes |= {"layers": 2, "hidden": 64, "positions": 16, "dropout": 0.0}
    return replace(config, **changes)


def _tfswa_changes(config: TfswaConfig) -> dict[str, Any]:
    """An eighth of the features, fewer layers per stage, and a short STFT."""
    unit = 2 * len(config.scales)  # two heads per scale
    stages = [
        Stage(
            channels=max(8, stage.channels // 8) // unit * unit,
            convs=min(stage.convs, 1),
            blocks=min(stage.blocks, 1),
        )
        for stage in config.stages
    ]
    stages[-1] = replace(stages[-1], blocks=2)  # plain and shifted windows
    return {
        "stages": tuple(stages),
        "heads": 2,
        "window": (4, 4),
        "n_fft": 256 if config.bands > 1 else 128,
        "hop_length": 64,
    }


def _narrow(levels: tuple[Level, ...], factor: int) -> tuple[Level, ...]:
    return tuple(replace(level, channels=level.channels // factor) for level in levels)
