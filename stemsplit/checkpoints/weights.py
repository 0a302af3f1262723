"""Our checkpoint file: safetensors, with everything needed to build its network in the metadata.

Metadata of a safetensors file is a mapping of text to text. Ours has these keys:

format            "stemsplit"
format_version    "2"; 1 had other names for the weights of hybrid networks
architecture      a name of the registry
config            JSON, see `stemsplit.models.registry.config_to_dict`
stems             JSON list, repeated from the configuration for readers without it
sample_rate       in Hz, likewise
channels          likewise
version           the stemsplit that wrote it
origin            address of the file the weights came from
origin_sha256     its SHA-256
licence, trained_on   as in the catalogue, where known
trained_sets      JSON list, likewise

Weights are stored in 16 bits where that loses nothing, which halves most published models.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stemsplit import __version__
from stemsplit.checkpoints.replacing import replacing
from stemsplit.errors import CheckpointError
from stemsplit.models.registry import ARCHITECTURES

if TYPE_CHECKING:
    from torch import Tensor

_FORMAT = "stemsplit"
_FORMAT_VERSION = "2"
_MAX_HEADER_BYTES = 25_000_000


@dataclass(frozen=True, kw_only=True)
class CheckpointInfo:
    """What a checkpoint says about itself."""

    architecture: str
    config: Mapping[str, Any]
    """As `config_from_dict` takes it."""
    stems: tuple[str, ...]
    sample_rate: int
    channels: int
    origin: str = ""
    origin_sha256: str = ""
    licence: str | None = None
    trained_on: str | None = None
    trained_sets: tuple[str, ...] = ()
    """Public data sets among the training data, as `set:split`."""
    version: str = field(default=__version__)


def read_metadata(path: Path) -> dict[str, str]:
    """The metadata of a safetensors file; reads nothing but its head.

    Raises:
        CheckpointError: the file cannot be read, or is no safetensors file.
    """
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if not 2 <= length <= min(_MAX_HEADER_BYTES, path.stat().st_size - 8):
                raise CheckpointError(f"{path} is no safetensors file, or cut short.")
            header = json.loads(file.read(length))
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} is no safetensors file, or damaged.") from error
    metadata = header.get("__metadata__", {}) if isinstance(header, dict) else {}
    return {str(key): str(value) for key, value in metadata.items()}


def is_ours(metadata: Mapping[str, str]) -> bool:
    """Whether metadata is that of our own format."""
    return metadata.get("format") == _FORMAT


def read_info(path: Path, metadata: Mapping[str, str] | None = None) -> CheckpointInfo:
    """What a checkpoint of ours says about itself; imports no torch.

    Args:
        path: the file, or what to call it in messages.
        metadata: its metadata, where they are at hand; None reads them.

    Raises:
        CheckpointError: the file is damaged, of another version, or none of ours.
    """
    metadata = read_metadata(path) if metadata is None else metadata
    if not is_ours(metadata):
        raise CheckpointError(f"{path} is no checkpoint of stemsplit.")
    if metadata.get("format_version") == "1":
        raise CheckpointError(
            f"{path} was written by stemsplit {metadata.get('version', '0.1.0')}, whose files have "
            "other names for their weights. Remove the model with 'stemsplit models remove NAME', "
            "and it is made again from the original."
        )
    if metadata.get("format_version") != _FORMAT_VERSION:
        raise CheckpointError(f"{path} was written by a later stemsplit: update to read it.")
    try:
        info = CheckpointInfo(
            architecture=metadata["architecture"],
            config=json.loads(metadata["config"]),
            stems=tuple(str(stem) for stem in json.loads(metadata["stems"])),
            sample_rate=int(metadata["sample_rate"]),
            channels=int(metadata["channels"]),
            origin=metadata.get("origin", ""),
            origin_sha256=metadata.get("origin_sha256", ""),
            licence=metadata.get("licence"),
            trained_on=metadata.get("trained_on"),
            trained_sets=_trained_sets(metadata),
            version=metadata.get("version", ""),
        )
    except (KeyError, ValueError, TypeError, RecursionError) as error:
        raise CheckpointError(f"{path} is damaged: its description is incomplete.") from error
    if info.architecture not in ARCHITECTURES:
        known = ", ".join(ARCHITECTURES)
        raise CheckpointError(
            f"{path} is for the architecture {info.architecture!r}, which this stemsplit does not "
            f"have (it has {known}): update stemsplit."
        )
    return info


def _trained_sets(metadata: Mapping[str, str]) -> tuple[str, ...]:
    if metadata.get("has_musdb_test") == "true":  # as version 0.1.0 wrote it
        return ("musdb:train", "musdb:test")
    return tuple(str(name) for name in json.loads(metadata.get("trained_sets", "[]")))


def read_tensors(path: Path) -> "dict[str, Tensor]":
    """All tensors of a safetensors file, as stored.

    Raises:
        CheckpointError: the file is damaged or cut short.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} is damaged or cut short: {error}.") from error


def write_checkpoint(path: Path, state: "Mapping[str, Tensor]", info: CheckpointInfo) -> None:
    """Write a checkpoint under its final name; on any failure nothing is left there.

    Args:
        path: file to write; an existing one is replaced at the very end.
        state: parameter names to float tensors.
        info: what the checkpoint says about itself.

    Raises:
        CheckpointError: the file cannot be written, for instance because the disk is full.
    """
    from safetensors.torch import save_file

    stored = {name: _compact(tensor) for name, tensor in state.items()}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            temporary.touch()
            permissions = temporary.stat().st_mode
            save_file(stored, temporary, metadata=_to_metadata(info))
            temporary.chmod(permissions)  # safetensors lets only the owner read
    # safetensors reports a full disk as its own error, which is a plain Exception.
    except Exception as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise CheckpointError(f"{path} cannot be written: {reason}.") from error


def halved(state: "Mapping[str, Tensor]", *, name: str) -> "dict[str, Tensor]":
    """Weights rounded to 16 bits; they are cast back when a network is built.

    Args:
        state: parameter names to tensors.
        name: what to call the checkpoint in messages.

    Raises:
        CheckpointError: a weight is too large for 16 bits, or is no finite number.
    """
    rounded = {key: t.half() if t.is_floating_point() else t for key, t in state.items()}
    for key, tensor in rounded.items():
        if not tensor.isfinite().all():
            raise CheckpointError(
                f"{name}: {key} holds values that half precision cannot hold, so it is not rounded."
            )
    return rounded


def _compact(tensor: "Tensor") -> "Tensor":
    import torch

    if tensor.dtype == torch.float32:
        half = tensor.half()
        if torch.equal(half.float(), tensor):
            return half.contiguous()
    return tensor.contiguous()


def _to_metadata(info: CheckpointInfo) -> dict[str, str]:
    values = {
        "format": _FORMAT,
        "format_version": _FORMAT_VERSION,
        "architecture": info.architecture,
        "config": json.dumps(info.config),
        "stems": json.dumps(info.stems),
        "sample_rate": str(info.sample_rate),
        "channels": str(info.channels),
        "version": info.version,
        "origin": info.origin,
        "origin_sha256": info.origin_sha256,
        "licence": info.licence,
        "trained_on": info.trained_on,
        "trained_sets": json.dumps(info.trained_sets) if info.trained_sets else None,
    }
    return {key: value for key, value in values.items() if value}
