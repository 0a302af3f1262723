"""Hybrid Transformer Demucs from the reference: `demucs.htdemucs.HTDemucs`, 4.0 to 4.1.0."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from stemsplit.layers.levels import Level
from stemsplit.models.htdemucs.config import CrossTransformerConfig, HTDemucsConfig
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
    "depth": 4,
    "rewrite": True,
    "multi_freqs": None,
    "multi_freqs_depth": 3,
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
    "dconv_comp": 8,
    "dconv_init": 1e-3,
    "bottom_channels": 0,
    "t_layers": 5,
    "t_emb": "sin",
    "t_hidden_scale": 4.0,
    "t_heads": 8,
    "t_dropout": 0.0,
    "t_max_positions": 10_000,
    "t_norm_in": True,
    "t_norm_in_group": False,
    "t_group_norm": False,
    "t_norm_first": True,
    "t_norm_out": True,
    "t_max_period": 10_000.0,
    "t_weight_decay": 0.0,
    "t_lr": None,
    "t_layer_scale": True,
    "t_gelu": True,
    "t_weight_pos_embed": 1.0,
    "t_sin_random_shift": 0,
    "t_cape_mean_normalize": True,
    "t_cape_augment": True,
    "t_cape_glob_loc_scale": [5000.0, 1.0, 1.4],
    "t_sparse_self_attn": False,
    "t_sparse_cross_attn": False,
    "t_mask_type": "diag",
    "t_mask_random_seed": 42,
    "t_sparse_attn_window": 500,
    "t_global_window": 100,
    "t_sparsity": 0.95,
    "t_auto_sparsity": False,
    "t_cross_first": False,
    "rescale": 0.1,
    "samplerate": 44_100,
    "segment": 10,
    "use_train_segment": True,
}

_FIXED: Options = {
    "cac": True,
    "t_emb": "sin",
    "t_norm_in": True,
    "t_group_norm": False,
    "t_norm_first": True,
    "t_norm_out": True,
    "t_layer_scale": True,
    "t_gelu": True,
    "t_sin_random_shift": 0,
    "t_sparse_self_attn": False,
    "t_sparse_cross_attn": False,
}
"""Options of which no published weights need another value. What is neither here nor read below
changes nothing in a network that has these values, or only its training."""


def config_from_reference(args: Sequence[Any], kwargs: Mapping[str, Any]) -> HTDemucsConfig:
    """The configuration that constructor arguments of the reference describe.

    Raises:
        ConfigError: an option has a value that we do not support.
    """
    options = bind(_DEFAULTS, args, kwargs)
    require(options, _FIXED if options["t_layers"] else {"cac": True, "bottom_channels": 0})
    fields = hybrid_fields(options)
    return HTDemucsConfig(
        **base_fields(options),
        **fields,
        bottom_channels=options["bottom_channels"],
        transformer=_transformer(options, fields["levels"]) if options["t_layers"] else None,
        pad_to_segment=options["use_train_segment"],
    )


def _transformer(options: Options, levels: tuple[Level, ...]) -> CrossTransformerConfig:
    width = options["bottom_channels"] or levels[-1].channels
    return CrossTransformerConfig(
        layers=options["t_layers"],
        heads=options["t_heads"],
        hidden=int(width * options["t_hidden_scale"]),
        cross_first=options["t_cross_first"],
        dropout=options["t_dropout"],
        max_period=options["t_max_period"],
        position_weight=options["t_weight_pos_embed"],
    )


def reference_keys(config: HTDemucsConfig) -> KeyTable:
    """Module names of the reference to ours, and the names of its attention's parameters."""
    table = hybrid_keys(config, ("encoder", "decoder", "tencoder", "tdecoder"))
    if config.bottom_channels:
        table |= {f"channel_{name}": name for name in ("upsampler", "downsampler")}
        table |= {f"channel_{name}_t": f"time_{name}" for name in ("upsampler", "downsampler")}
    if config.transformer is not None:
        table |= _transformer_keys(config.transformer)
    return table


def convert_reference(config: HTDemucsConfig, state: Mapping[str, "Tensor"]) -> dict[str, "Tensor"]:
    """A state dict of the reference under our names; see `stemsplit.models.reference.rename`."""
    return rename(state, reference_keys(config))


def _transformer_keys(config: CrossTransformerConfig) -> KeyTable:
    table = {
        "crosstransformer.norm_in": "transformer.norm",
        "crosstransformer.norm_in_t": "transformer.time_norm",
    }
    for foreign_list, our_list in (("layers", "layers"), ("layers_t", "time_layers")):
        for index in range(config.layers):
            foreign = f"crosstransformer.{foreign_list}.{index}"
            ours = f"transformer.{our_list}.{index}"
            table |= {
                f"{foreign}.{theirs}": f"{ours}.{name}"
                for theirs, name in _layer_keys(config.is_cross(index))
            }
    return table


def _layer_keys(is_cross: bool) -> Iterator[tuple[str, str]]:
    attention = "cross_attn" if is_cross else "self_attn"
    yield f"{attention}.in_proj_weight", "attention.in_proj.weight"
    yield f"{attention}.in_proj_bias", "attention.in_proj.bias"
    yield f"{attention}.out_proj", "attention.out_proj"
    yield "linear1", "linear_in"
    yield "linear2", "linear_out"
    norms = ["norm_attention", *(["norm_memory"] * is_cross), "norm_feedforward"]
    for index, name in enumerate(norms, start=1):
        yield f"norm{index}", name
    yield "norm_out", "norm_out"
    yield "gamma_1", "scale_attention"
    yield "gamma_2", "scale_feedforward"
