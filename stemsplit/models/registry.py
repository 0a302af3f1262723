"""Which architectures there are, and where their parts live.

Nothing here imports torch before a network is built, so that models can be listed without it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from stemsplit.errors import ConfigError, UnknownModelError, suggest
from stemsplit.models.base import ModelConfig, Variant
from stemsplit.models.serialization import from_plain, to_plain

if TYPE_CHECKING:
    from torch import Tensor, nn

    State = Mapping[str, Tensor]


@dataclass(frozen=True)
class Architecture:
    """A folder below `stemsplit.models` and the names of its classes."""

    folder: str
    config: str
    network: str
    summary: str


ARCHITECTURES = {
    "demucs": Architecture(
        folder="demucs",
        config="DemucsConfig",
        network="Demucs",
        summary="U-Net over the waveform (Demucs v2 and v3)",
    ),
    "hdemucs": Architecture(
        folder="hdemucs",
        config="HDemucsConfig",
        network="HDemucs",
        summary="U-Net over waveform and spectrogram (Hybrid Demucs, v3)",
    ),
    "htdemucs": Architecture(
        folder="htdemucs",
        config="HTDemucsConfig",
        network="HTDemucs",
        summary="hybrid U-Net with a transformer in its middle (Hybrid Transformer Demucs, v4)",
    ),
    "tfswa": Architecture(
        folder="tfswa",
        config="TfswaConfig",
        network="Tfswa",
        summary="U-Net over the spectrogram with attention along time, frequency and in windows",
    ),
    "wave_transformer": Architecture(
        folder="wave_transformer",
        config="WaveTransformerConfig",
        network="WaveTransformer",
        summary="U-Net over the waveform with a transformer in its middle",
    ),
}

REFERENCE_CLASSES = {
    "demucs.demucs.Demucs": "demucs",
    "demucs.hdemucs.HDemucs": "hdemucs",
    "demucs.wdemucs.WDemucs": "hdemucs",
    "demucs.htdemucs.HTDemucs": "htdemucs",
}
"""Classes that files of the reference package name, and the architecture that takes their place."""


def config_class(architecture: str) -> type[ModelConfig]:
    """The configuration class of an architecture.

    Raises:
        ConfigError: there is no such architecture.
    """
    found = _part(architecture, "config", _architecture(architecture).config)
    assert isinstance(found, type)
    assert issubclass(found, ModelConfig)
    return found


def variants(architecture: str) -> Mapping[str, ModelConfig]:
    """The named configurations of an architecture.

    Raises:
        ConfigError: there is no such architecture.
    """
    return {name: variant.config for name, variant in variant_rows(architecture).items()}


def variant_rows(architecture: str) -> Mapping[str, Variant[ModelConfig]]:
    """The named configurations of an architecture, each with its summary and its source.

    Raises:
        ConfigError: there is no such architecture.
    """
    found: Mapping[str, Variant[ModelConfig]] = _part(architecture, "variants", "VARIANTS")
    return found


def find_variant(name: str) -> tuple[str, ModelConfig]:
    """Architecture and configuration of a named variant.

    Raises:
        UnknownModelError: no architecture has a variant of this name.
    """
    known: list[str] = []
    for architecture in ARCHITECTURES:
        found = variants(architecture)
        if name in found:
            return architecture, found[name]
        known += found
    raise UnknownModelError(f"There is no variant {name!r}.{suggest(name, known)}")


def config_to_dict(config: ModelConfig) -> dict[str, Any]:
    """A configuration as data that JSON can hold."""
    plain: dict[str, Any] = to_plain(config)
    return plain


def config_from_dict(architecture: str, data: Mapping[str, Any]) -> ModelConfig:
    """The configuration that `config_to_dict` was given.

    Raises:
        ConfigError: no such architecture, or the data do not fit its configuration.
    """
    return from_plain(config_class(architecture), data)


def build_network(architecture: str, config: ModelConfig) -> "nn.Module":
    """A network with initial weights, in training mode.

    Raises:
        ConfigError: no such architecture, or the configuration is that of another one.
    """
    if type(config) is not config_class(architecture):
        raise ConfigError(f"{type(config).__name__} is no configuration of {architecture}.")
    network: nn.Module = _part(architecture, "network", _architecture(architecture).network)(config)
    return network


def import_reference(
    class_name: str, args: Sequence[Any], kwargs: Mapping[str, Any], state: "State"
) -> tuple[str, ModelConfig, "dict[str, Tensor]"]:
    """Take over a model of the reference package.

    Args:
        class_name: full name of its class, a key of `REFERENCE_CLASSES`.
        args: positional arguments its constructor was called with, as plain data; fractions may
            be `fractions.Fraction`.
        kwargs: keyword arguments of the same call.
        state: its state dict.

    Returns:
        Architecture, configuration, and the state dict under our names in float32. Keys that are
        unknown keep their names, keys that are missing stay missing: loading it strictly tells.

    Raises:
        ConfigError: the class, or an option that changes the result, is not supported.
    """
    architecture = _reference_architecture(class_name)
    config = _convert(architecture, "config_from_reference")(args, kwargs)
    return architecture, config, _convert(architecture, "convert_reference")(config, state)


def reference_parameters(
    class_name: str, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> list[tuple[str, tuple[int, ...]]]:
    """Name and shape of every parameter of a model of the reference package, in its own order.

    Quantised files list their tensors in this order, without names.

    Args:
        class_name: as for `import_reference`.
        args: as for `import_reference`.
        kwargs: as for `import_reference`.

    Raises:
        ConfigError: the class, or an option that changes the result, is not supported.
    """
    import torch

    architecture = _reference_architecture(class_name)
    config = _convert(architecture, "config_from_reference")(args, kwargs)
    with torch.device("meta"):
        network = build_network(architecture, config)
    parameters = dict(network.named_parameters())
    listed = []
    for foreign, ours in _convert(architecture, "reference_keys")(config).items():
        if ours in parameters:
            listed.append((foreign, tuple(parameters[ours].shape)))
            continue
        for name, parameter in network.get_submodule(ours).named_parameters(recurse=False):
            listed.append((f"{foreign}.{name}", tuple(parameter.shape)))
    return listed


def import_torchaudio(variant: str, state: "State") -> tuple[str, ModelConfig, "dict[str, Tensor]"]:
    """Take over the weights of a torchaudio HDemucs.

    Args:
        variant: the factory that built it: ``hdemucs_low``, ``hdemucs_medium``, ``hdemucs_high``.
        state: its state dict.

    Returns:
        As `import_reference`.

    Raises:
        UnknownModelError: there is no such variant.
    """
    architecture, config = find_variant(variant)
    return architecture, config, _convert(architecture, "convert_torchaudio")(config, state)


def _architecture(name: str) -> Architecture:
    if name not in ARCHITECTURES:
        raise ConfigError(f"There is no architecture {name!r}.{suggest(name, ARCHITECTURES)}")
    return ARCHITECTURES[name]


def _reference_architecture(class_name: str) -> str:
    if class_name not in REFERENCE_CLASSES:
        raise ConfigError(
            f"Networks of class {class_name} are not supported."
            f"{suggest(class_name, REFERENCE_CLASSES)}"
        )
    return REFERENCE_CLASSES[class_name]


def _part(architecture: str, file: str, name: str) -> Any:
    folder = _architecture(architecture).folder
    return getattr(import_module(f"stemsplit.models.{folder}.{file}"), name)


def _convert(architecture: str, name: str) -> Callable[..., Any]:
    function: Callable[..., Any] = _part(architecture, "convert", name)
    return function
