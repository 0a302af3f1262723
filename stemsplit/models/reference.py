"""Reading what the reference package stores with its weights: constructor arguments and key names.

The reference is the Python package demucs, up to version 4.1.0. A stored model is a class name,
the arguments its constructor was called with, and a state dict.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from stemsplit.errors import ConfigError
from stemsplit.layers.levels import Level, Residual
from stemsplit.models.hybrid import HybridConfig, Resolution

if TYPE_CHECKING:
    from torch import Tensor

logger = logging.getLogger(__name__)

Options = dict[str, Any]
KeyTable = dict[str, str]
"""Foreign names of modules to ours, and of parameters where a module calls them otherwise; in the
order in which the foreign network registers its modules."""


def bind(defaults: Options, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Options:
    """Every option of a reference constructor with its value.

    Args:
        defaults: the constructor's options in the order of its signature.
        args: positional arguments of the call.
        kwargs: keyword arguments of the call. Options the constructor does not have are ignored
            with a warning, as the reference does: older files name options that are gone.

    Raises:
        ConfigError: an option is missing or given too often.
    """
    names = list(defaults)
    if len(args) > len(names) or set(names[: len(args)]) & set(kwargs):
        raise ConfigError(f"the arguments {list(args)} and {sorted(kwargs)} do not go together.")
    unknown = sorted(set(kwargs) - set(names))
    if unknown:
        logger.warning("Ignoring unknown options of a reference model: %s", ", ".join(unknown))
    options = {**defaults, **dict(zip(names, args, strict=False))}
    options |= {name: value for name, value in kwargs.items() if name in defaults}
    if not options["sources"]:
        raise ConfigError("the arguments of the reference model name no sources.")
    return options


def require(options: Options, allowed: Options) -> None:
    """Check that options we do not carry have the one value with which they change nothing.

    Args:
        options: as from `bind`.
        allowed: option to the value it must have.

    Raises:
        ConfigError: one of them has another value.
    """
    for name, value in allowed.items():
        if options[name] != value:
            raise ConfigError(
                f"the reference option {name}={options[name]!r} is not supported, only {value!r}."
            )


def base_fields(options: Options) -> Options:
    """The fields of `ModelConfig`."""
    return {
        "stems": tuple(options["sources"]),
        "channels": options["audio_channels"],
        "sample_rate": options["samplerate"],
        "segment_samples": int(options["segment"] * options["samplerate"]),
    }


def residuals(options: Options, index: int) -> tuple[Residual | None, Residual | None]:
    """Residual branches of the encoder and the decoder at level `index`."""
    if options["dconv_depth"] < 1:
        require(options, {"dconv_depth": abs(options["dconv_depth"]) or 1})
    residual = Residual(
        depth=options["dconv_depth"],
        compress=float(options["dconv_comp"]),
        init=options["dconv_init"],
        lstm=index >= options["dconv_lstm"] if "dconv_lstm" in options else False,
        attention=index >= options["dconv_attn"] if "dconv_attn" in options else False,
    )
    mode = options["dconv_mode"]
    return residual if mode & 1 else None, residual if mode & 2 else None


def hybrid_fields(options: Options) -> Options:
    """The fields of `HybridConfig` beyond those of `ModelConfig`."""
    levels, time_levels = _hybrid_levels(options)
    return {
        "resolutions": (Resolution(n_fft=options["nfft"], hop_length=options["nfft"] // 4),),
        "levels": levels,
        "time_levels": time_levels,
        "embedding_weight": float(options["freq_emb"] or 0),
        "embedding_scale": float(options["emb_scale"]),
        "embedding_smooth": options["emb_smooth"],
        "rescale": float(options["rescale"] or 0),
    }


def _hybrid_levels(options: Options) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
    levels: list[Level] = []
    time_levels: list[Level] = []
    width, time_width = options["channels"], options["channels_time"] or options["channels"]
    bins, kernel, stride = options["nfft"] // 2, options["kernel_size"], options["stride"]
    for index in range(options["depth"]):
        collapses = 1 < bins <= kernel
        if collapses:
            width = time_width = max(width, time_width)
        norm_groups = options["norm_groups"] if index >= options["norm_starts"] else 0
        encoder_residual, decoder_residual = residuals(options, index)
        common = {
            "norm_groups": norm_groups,
            "rewrite": options["rewrite"],
            "encoder_context": options["context_enc"],
            "decoder_context": options["context"],
            "encoder_residual": encoder_residual,
            "decoder_residual": decoder_residual,
        }
        over_bins = {"kernel": kernel, "stride": stride, "padding": kernel // 4}
        if bins > 1:
            shape = over_bins | ({"kernel": bins, "padding": 0} if collapses else {})
            banded = index < options["multi_freqs_depth"] and options["multi_freqs"]
            bands = tuple(options["multi_freqs"]) if banded else ()
            levels.append(Level(channels=width, bands=bands, **shape, **common))
            if collapses:
                common = {"norm_groups": norm_groups, "bare": True}
            time_levels.append(Level(channels=time_width, **over_bins, **common))
        else:
            step = options["time_stride"]
            shape = {"kernel": 2 * step, "stride": step, "padding": step // 2}
            levels.append(Level(channels=width, **shape, **common))
        bins = 1 if collapses else max(1, bins // stride)
        width, time_width = int(options["growth"] * width), int(options["growth"] * time_width)
    return tuple(levels), tuple(time_levels)


def rename(state: Mapping[str, "Tensor"], table: KeyTable) -> dict[str, "Tensor"]:
    """A state dict under our names, in float32.

    Args:
        state: the foreign state dict, in any floating type.
        table: foreign names to ours.

    Returns:
        A new dict. Keys the table does not know keep their name, so that loading it strictly
        reports them; keys that are missing stay missing for the same reason.
    """
    renamed = {}
    for key, tensor in state.items():
        module, _, parameter = key.rpartition(".")
        ours = table.get(key) or (f"{table[module]}.{parameter}" if module in table else key)
        renamed[ours] = tensor.float() if tensor.is_floating_point() else tensor
    return renamed


def hybrid_keys(config: HybridConfig, towers: tuple[str, str, str, str]) -> KeyTable:
    """Names of the modules of the two towers.

    Args:
        config: describes the towers.
        towers: the foreign names of encoder and decoder of the spectrogram branch, and of the
            waveform branch.
    """
    table: KeyTable = {}
    for foreign, side in zip(towers, ("encoder", "decoder"), strict=False):
        table |= _tower_keys(foreign, f"unet.spectra.0.{side}", config.levels, side=side)
    for foreign, side in zip(towers[2:], ("encoder", "decoder"), strict=True):
        table |= _tower_keys(foreign, f"unet.wave.{side}", config.time_levels, side=side)
    if config.embedding_weight:
        table["freq_emb.embedding"] = "unet.spectra.0.embedding.embedding"
    return table


def _tower_keys(foreign: str, ours: str, levels: tuple[Level, ...], *, side: str) -> KeyTable:
    table: KeyTable = {}
    for position in range(len(levels)):
        # The foreign decoder starts with the innermost level, ours is in the order of the table.
        index = position if side == "encoder" else len(levels) - 1 - position
        level = levels[index]
        inner = [("", "")]
        if level.bands:
            inner = [(f".layers.{n}", f".bands.{n}") for n in range(len(level.bands) + 1)]
        for theirs, name in inner:
            table |= _level_keys(
                f"{foreign}.{position}{theirs}", f"{ours}.{index}{name}", level, side
            )
    return table


def _level_keys(foreign: str, ours: str, level: Level, side: str) -> KeyTable:
    if side == "encoder":
        names, residual = ["conv", "norm1", "rewrite", "norm2"], level.encoder_residual
    else:
        names, residual = ["conv_tr", "norm2", "rewrite", "norm1"], level.decoder_residual
    if level.bare:
        names = names[:1] if side == "encoder" else names[:2]
    elif not level.rewrite:
        names = names[:2]
    table = {f"{foreign}.{name}": f"{ours}.{name}" for name in names}
    if residual is not None:
        table |= residual_keys(f"{foreign}.dconv", f"{ours}.dconv", residual)
    return table


def residual_keys(foreign: str, ours: str, residual: Residual) -> KeyTable:
    """Names of the modules of a residual stack, whose parts the reference only numbers."""
    inner = {
        "lstm": ("lstm", "linear"),
        "attention": ("content", "query", "key", "query_decay", "proj"),
    }
    parts = ["conv_in", "norm_in", "", *(["lstm"] * residual.lstm)]
    parts += [*(["attention"] * residual.attention), "conv_out", "norm_out", "", "scale"]
    table: KeyTable = {}
    for branch in range(residual.depth):
        for index, part in enumerate(parts):
            theirs, name = f"{foreign}.layers.{branch}.{index}", f"{ours}.layers.{branch}.{part}"
            if part in inner:
                table |= {f"{theirs}.{leaf}": f"{name}.{leaf}" for leaf in inner[part]}
            elif part:
                table[theirs] = name
    return table
