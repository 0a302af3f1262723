"""Hybrid Demucs from two foreign layouts.

- `demucs.hdemucs.HDemucs` (formerly `demucs.wdemucs.WDemucs`), versions 3.0 to 4.1.0.
- `torchaudio.models.HDemucs`, 0.13 to 2.11, which numbers the same parts but calls the towers
  otherwise, and stores a norm in bare encoder levels that it never uses.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from stemsplit.models.hdemucs.config import HDemucsConfig
from stemsplit.models.reference import (
    KeyTable,
    Options,
    base_fields,
    bind,
    hybrid_fields,
    hybrid_keys,
    rename,
    require,
)

if TYPE_CHECKING:
    from torch import Tensor

_DEFAULTS: Options = {
    "sources": None,
    "audio_channels": 2,
    "channels": 48,
    "channels_time": None,
    "growth": 2,
    "nfft": 4096,
    "wiener_iters": 0,
    "end_iters": 0,
    "wiener_residual": False,
    "cac": True,
    "depth": 6,
    "rewrite": True,
    "hybrid": True,
    "hybrid_old": False,
    "multi_freqs": None,
    "multi_freqs_depth": 2,
    "freq_emb": 0.2,
    "emb_scale": 10,
    "emb_smooth": True,
    "kernel_size": 8,
    "time_stride": 2,
    "stride": 4,
    "context": 1,
    "context_enc": 0,
    "norm_starts": 4,
    "norm_groups": 4,
    "dconv_mode": 1,
    "dconv_depth": 2,
    "dconv_comp": 4,
    "dconv_attn": 4,
    "dconv_lstm": 4,
    "dconv_init": 1e-4,
    "rescale": 0.1,
    "samplerate": 44_100,
    "segment": 40,
}


def config_from_reference(args: Sequence[Any], kwargs: Mapping[str, Any]) -> HDemucsConfig:
    """The configuration that constructor arguments of the reference describe.

    Raises:
        ConfigError: an option has a value that we do not support.
    """
    options = bind(_DEFAULTS, args, kwargs)
    require(options, {"hybrid": True})
    iterations = options["wiener_iters"]
    uses_wiener = not options["cac"] and iterations >= 0
    return HDemucsConfig(
        **base_fields(options),
        **hybrid_fields(options),
        spectrum="complex" if options["cac"] else "wiener" if uses_wiener else "magnitude",
        wiener_iterations=iterations if uses_wiener else 0,
        wiener_residual=options["wiener_residual"] and uses_wiener,
        legacy_framing=options["hybrid_old"],
    )


def reference_keys(config: HDemucsConfig) -> KeyTable:
    """Module names of the reference to ours."""
    return hybrid_keys(config, ("encoder", "decoder", "tencoder", "tdecoder"))


def torchaudio_keys(config: HDemucsConfig) -> KeyTable:
    """Module names of torchaudio to ours."""
    return hybrid_keys(config, ("freq_encoder", "freq_decoder", "time_encoder", "time_decoder"))


def convert_reference(config: HDemucsConfig, state: Mapping[str, "Tensor"]) -> dict[str, "Tensor"]:
    """A state dict of the reference under our names; see `stemsplit.models.reference.rename`."""
    return rename(state, reference_keys(config))


def convert_torchaudio(config: HDemucsConfig, state: Mapping[str, "Tensor"]) -> dict[str, "Tensor"]:
    """A state dict of torchaudio under our names; see `stemsplit.models.reference.rename`."""
    unused = tuple(
        f"time_encoder.{index}.norm1."
        for index, level in enumerate(config.time_levels)
        if level.bare
    )
    used = {key: tensor for key, tensor in state.items() if not key.startswith(unused)}
    return rename(used, torchaudio_keys(config))
