"""Any file of weights that stemsplit understands, read into our architecture, config and names.

What a file is, is seen from its contents, not from its name. Class names found in files are looked
up in the registry and never imported.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stemsplit.checkpoints.legacy import (
    Package,
    TorchFile,
    package_of,
    read_package,
    read_state,
)
from stemsplit.checkpoints.plain_data import ClassName
from stemsplit.checkpoints.weights import (
    CheckpointInfo,
    is_ours,
    read_info,
    read_metadata,
    read_tensors,
)
from stemsplit.errors import CheckpointError, ConfigError
from stemsplit.models import registry
from stemsplit.models.base import check_stem_names

if TYPE_CHECKING:
    from torch import Tensor

    from stemsplit.models.base import ModelConfig

SUFFIXES = (".safetensors", ".th", ".pt", ".pth", ".ckpt")
"""Endings of files that may hold weights, best first."""

_TORCHAUDIO_PREFIX = "freq_encoder."
_TORCHAUDIO_VARIANT = "hdemucs_high"  # the only size published


@dataclass(frozen=True)
class Checkpoint:
    """The contents of a file of weights, in our architecture and under our names."""

    info: CheckpointInfo
    config: "ModelConfig"
    state: "dict[str, Tensor]"


def read_checkpoint(path: Path, *, variant: str | None = None) -> Checkpoint:
    """Read a file of weights of any kind.

    Args:
        path: the file.
        variant: named configuration, for files that do not carry their own.

    Raises:
        UnsafeCheckpointError: the file asks for anything that is not plain data.
        CheckpointError: the file is damaged, or of no known kind.
        ConfigError: its network has an option that stemsplit does not support, or a stem has a name
            that is no plain name.
    """
    with _naming(path):
        if not _is_safetensors(path):
            return _read_torch(path, variant)
        metadata = read_metadata(path)
        if is_ours(metadata):
            info = read_info(path)
            with _making_sense():
                config = registry.config_from_dict(info.architecture, info.config)
            return Checkpoint(_with_plain_stems(info), config, read_tensors(path))
        package = _reference_package(path, metadata, read_tensors(path))
        return _from_package(package)


def describe_file(path: Path) -> CheckpointInfo:
    """What a file of weights says about its network, without reading the weights or torch.

    Raises:
        UnsafeCheckpointError: the file asks for anything that is not plain data.
        CheckpointError: the file is damaged, or of no known kind.
        ConfigError: its network has an option that stemsplit does not support, or a stem has a name
            that is no plain name.
    """
    with _naming(path):
        if _is_safetensors(path):
            return describe_metadata(read_metadata(path), path)
        with TorchFile(path) as file:
            data = file.data
        if _is_torchaudio(data):
            return _describe(*registry.find_variant(_TORCHAUDIO_VARIANT))
        return _from_package(replace(package_of(data, name=str(path)), state={})).info


def describe_metadata(metadata: Mapping[str, str], path: Path) -> CheckpointInfo:
    """What the metadata of a safetensors file say about its network.

    Args:
        metadata: ours or the reference's.
        path: what to call the file in messages; ours is read from there.
    """
    if is_ours(metadata):
        return _with_plain_stems(read_info(path, metadata))
    package = _reference_package(path, metadata, {})
    return _from_package(replace(package, state={})).info


def _read_torch(path: Path, variant: str | None) -> Checkpoint:
    with TorchFile(path) as file:
        is_package = isinstance(file.data, dict) and "klass" in file.data
        is_torchaudio = _is_torchaudio(file.data)
    if is_package:
        return _from_package(read_package(path))
    if variant is None and not is_torchaudio:
        raise CheckpointError(f"{path} holds weights without saying of which network.")
    state = read_state(path)
    architecture, config, ours = registry.import_torchaudio(variant or _TORCHAUDIO_VARIANT, state)
    return Checkpoint(_describe(architecture, config), config, ours)


def _from_package(package: Package) -> Checkpoint:
    state: Mapping[str, Any] = package.state
    with _making_sense():
        if state.get("__quantized"):
            from stemsplit.checkpoints.quantised import decode

            order = registry.reference_parameters(package.class_name, package.args, package.kwargs)
            state = decode(state, order)
        architecture, config, ours = registry.import_reference(
            package.class_name, package.args, package.kwargs, state
        )
    return Checkpoint(_describe(architecture, config), config, ours)


def _describe(architecture: str, config: "ModelConfig") -> CheckpointInfo:
    return CheckpointInfo(
        architecture=architecture,
        config=registry.config_to_dict(config),
        stems=config.stems,
        sample_rate=config.sample_rate,
        channels=config.channels,
    )


def _with_plain_stems(info: CheckpointInfo) -> CheckpointInfo:
    """The same, unless a stem has a name that would do harm in a path or on a terminal."""
    check_stem_names(info.stems)
    return info


@contextmanager
def _making_sense() -> Iterator[None]:
    """Turn what strange arguments do to a configuration into words."""
    try:
        yield
    except (TypeError, ValueError, ArithmeticError, LookupError, AttributeError) as error:
        raise CheckpointError("its description of the network makes no sense.") from error


def _reference_package(
    path: Path, metadata: Mapping[str, str], tensors: Mapping[str, Any]
) -> Package:
    """The package that demucs 4.1 stores as a safetensors file."""
    if not {"klass", "args", "kwargs"} <= set(metadata):
        raise CheckpointError(f"{path} holds weights without saying of which network.")
    try:
        args = _decode_fractions(json.loads(metadata["args"]))
        kwargs = _decode_fractions(json.loads(metadata["kwargs"]))
        state: Any = dict(tensors)
        if "structure" in metadata and tensors:
            state = _unflatten(json.loads(metadata["structure"]), tensors)
    except (ValueError, KeyError, TypeError, ArithmeticError, RecursionError) as error:
        raise CheckpointError(f"{path} is damaged: its description makes no sense.") from error
    if not (isinstance(args, list) and isinstance(kwargs, dict) and isinstance(state, dict)):
        raise CheckpointError(f"{path} is damaged: its description makes no sense.")
    return Package(metadata["klass"], args, kwargs, state)


def _decode_fractions(value: Any) -> Any:
    if isinstance(value, dict):
        if value.get("_type") == "fraction":
            return Fraction(int(value["numerator"]), int(value["denominator"]))
        return {key: _decode_fractions(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_decode_fractions(item) for item in value]
    return value


def _unflatten(node: Any, tensors: Mapping[str, Any]) -> Any:
    """The nested state of a quantised network; the class of its quantiser stays a name."""
    if not isinstance(node, dict):
        return node
    if len(node) != 1:
        raise ValueError("a node with several kinds")
    (kind, value), *_ = node.items()
    if kind == "_tensor":
        return tensors[value]
    if kind == "_dict":
        return {str(key): _unflatten(item, tensors) for key, item in value}
    if kind == "_list":
        return [_unflatten(item, tensors) for item in value]
    if kind == "_tuple":
        return tuple(_unflatten(item, tensors) for item in value)
    if kind == "_class":
        return ClassName(str(value))
    raise ValueError("a node of unknown kind")


def _is_safetensors(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            head = file.read(9)
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}.") from error
    return head[8:9] == b"{"


def _is_torchaudio(data: Any) -> bool:
    return isinstance(data, dict) and any(str(key).startswith(_TORCHAUDIO_PREFIX) for key in data)


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Add the file to messages of the floors below, which do not know it."""
    try:
        yield
    except (CheckpointError, ConfigError) as error:
        if path.name in str(error):
            raise
        raise type(error)(f"{path}: {error}") from error
