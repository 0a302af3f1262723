"""Small twins of variants: the same structure with a fraction of the features."""

from dataclasses import replace
from typing import Any

from stemsplit.layers.levels import Level, Residual
from stemsplit.models.base import ModelConfig
from stemsplit.models.demucs.config import DemucsConfig
from stemsplit.models.htdemucs.config import CrossTransformerConfig, HTDemucsConfig
from stemsplit.models.hybrid import HybridConfig
from stemsplit.models.tfswa.config import Stage, TfswaConfig
from stemsplit.models.wave_transformer.config import WaveTransformerConfig

SEGMENT_SAMPLES = 8_000


def shrink(config: ModelConfig) -> ModelConfig:
    """A twin with 8 features at the first level, and a short segment."""
    changes: dict[str, Any] = {"segment_samples": SEGMENT_SAMPLES}
    if isinstance(config, DemucsConfig):
        changes["levels"] = _narrow(config.levels)
    if isinstance(config, HybridConfig):
        changes["levels"] = _narrow(config.levels)
        changes["time_levels"] = _narrow(config.time_levels)
    if isinstance(config, HTDemucsConfig):
        changes["bottom_channels"] = 32 if config.bottom_channels else 0
        if config.transformer is not None:
            changes["transformer"] = _small(config.transformer)
        changes["sites"] = tuple(
            replace(site, transformer=_small(site.transformer)) for site in config.sites
        )
        if config.fusion is not None and config.fusion.widths:
            changes["fusion"] = replace(config.fusion, widths=(8, 16))
    if isinstance(config, TfswaConfig):
        changes |= _tfswa_changes(config)
    if isinstance(config, WaveTransformerConfig):
        changes["widths"] = tuple(max(8, width // 16) for width in config.widths)
        changes |= {"layers": 2, "hidden": 64, "positions": 16, "dropout": 0.0}
    return replace(config, **changes)


def _tfswa_changes(config: TfswaConfig) -> dict[str, Any]:
    """An eighth of the features, three stages, fewer layers in each, and a short STFT."""
    unit = 2 * len(config.scales)  # two heads per scale
    stages = [
        Stage(
            channels=max(8, stage.channels // 8) // unit * unit,
            convs=min(stage.convs, 1),
            blocks=min(stage.blocks, 1),
        )
        for stage in (config.stages[0], *config.stages[-2:])
    ]
    stages[-1] = replace(stages[-1], blocks=2)  # plain and shifted windows
    return {
        "stages": tuple(stages),
        "heads": 2,
        "window": (4, 4),
        "n_fft": 128,
        "hop_length": 64,
    }


def _narrow(levels: tuple[Level, ...]) -> tuple[Level, ...]:
    """Multiples of 8 features, the first level with 8; at least 2 in residual branches.

    A norm over a single feature would forget the bias before it.
    """
    return tuple(
        replace(
            level,
            channels=8 * (level.channels // levels[0].channels),
            encoder_residual=_wide(level.encoder_residual),
            decoder_residual=_wide(level.decoder_residual),
        )
        for level in levels
    )


def _wide(residual: Residual | None) -> Residual | None:
    return None if residual is None else replace(residual, compress=min(4.0, residual.compress))


def _small(transformer: CrossTransformerConfig) -> CrossTransformerConfig:
    return replace(transformer, hidden=48, heads=4, dropout=0.0)
