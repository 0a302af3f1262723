"""Demucs from the reference package: `demucs.demucs.Demucs`, versions 3.0 to 4.1.0."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from stemsplit.layers.levels import Level, Residual
from stemsplit.models.demucs.config import DemucsConfig
from stemsplit.models.reference import (
    KeyTable,
    Options,
    base_fields,
    bind,
    rename,
    residual_keys,
    residuals,
)

if TYPE_CHECKING:
    from torch import Tensor

_DEFAULTS: Options = {
    "sources": None,
    "audio_channels": 2,
    "channels": 64,
    "growth": 2.0,
    "depth": 6,
    "rewrite": True,
    "lstm_layers": 0,
    "kernel_size": 8,
    "stride": 4,
    "context": 1,
    "gelu": True,
    "glu": True,
    "norm_starts": 4,
    "norm_groups": 4,
    "dconv_mode": 1,
    "dconv_depth": 2,
    "dconv_comp": 4,
    "dconv_attn": 4,
    "dconv_lstm": 4,
    "dconv_init": 1e-4,
    "normalize": True,
    "resample": True,
    "rescale": 0.1,
    "samplerate": 44_100,
    "segment": 40,
}


def config_from_reference(args: Sequence[Any], kwargs: Mapping[str, Any]) -> DemucsConfig:
    """The configuration that constructor arguments of the reference describe.

    Raises:
        ConfigError: an option has a value that we do not support.
    """
    options = bind(_DEFAULTS, args, kwargs)
    levels = []
    width = options["channels"]
    for index in range(options["depth"]):
        encoder_residual, decoder_residual = residuals(options, index)
        levels.append(
            Level(
                channels=width,
                kernel=options["kernel_size"],
                stride=options["stride"],
                padding=0,
                norm_groups=options["norm_groups"] if index >= options["norm_starts"] else 0,
                rewrite=options["rewrite"],
                decoder_context=options["context"],
                encoder_residual=encoder_residual,
                decoder_residual=decoder_residual,
                activation="gelu" if options["gelu"] else "relu",
                gate="glu" if options["glu"] else "relu",
            )
        )
        width = int(options["growth"] * width)
    return DemucsConfig(
        **base_fields(options),
        levels=tuple(levels),
        lstm_layers=options["lstm_layers"],
        resample=options["resample"],
        normalize=options["normalize"],
        rescale=float(options["rescale"] or 0),
    )


def reference_keys(config: DemucsConfig) -> KeyTable:
    """Module names of the reference, which numbers the parts of a level, to ours."""
    table: KeyTable = {}
    last = len(config.levels) - 1
    for index, level in enumerate(config.levels):
        name = f"encoder.{index}"
        table |= _numbered(name, name, _encoder_parts(level), level.encoder_residual)
    for index, level in enumerate(reversed(config.levels)):
        name, ours = f"decoder.{index}", f"decoder.{last - index}"
        table |= _numbered(name, ours, _decoder_parts(level), level.decoder_residual)
    if config.lstm_layers:
        table |= {"lstm.lstm": "lstm.lstm", "lstm.linear": "lstm.linear"}
    return table


def convert_reference(config: DemucsConfig, state: Mapping[str, "Tensor"]) -> dict[str, "Tensor"]:
    """A state dict of the reference under our names; see `stemsplit.models.reference.rename`.

    Files of version 2 lack the placeholder for the norm: what follows it has a lower number.
    """
    state = dict(state)
    for level in range(len(config.levels)):
        for side in ("encoder", "decoder"):
            for name in ("weight", "bias"):
                old, new = f"{side}.{level}.2.{name}", f"{side}.{level}.3.{name}"
                if old in state and new not in state:
                    state[new] = state.pop(old)
    return rename(state, reference_keys(config))


def _encoder_parts(level: Level) -> list[str]:
    residual = ["dconv"] if level.encoder_residual else []
    return ["conv", "norm1", "", *residual, *(["rewrite", "norm2"] if level.rewrite else [])]


def _decoder_parts(level: Level) -> list[str]:
    residual = ["dconv"] if level.decoder_residual else []
    return [*(["rewrite", "norm1", ""] if level.rewrite else []), *residual, "conv_tr", "norm2"]


def _numbered(foreign: str, ours: str, parts: list[str], residual: Residual | None) -> KeyTable:
    table: KeyTable = {}
    for index, part in enumerate(parts):
        if part == "dconv" and residual is not None:
            table |= residual_keys(f"{foreign}.{index}", f"{ours}.dconv", residual)
        elif part:
            table[f"{foreign}.{index}"] = f"{ours}.{part}"
    return table
