"""Reads the files that `torch.save` writes: `.th` packages of demucs, bare state dictionaries.

Two containers exist: a zip archive with the pickle and one entry per storage (since torch 1.6), and
a stream of pickles followed by the storages. Both go through `pickles.py`, so nothing in them runs.
Every length a file claims is held against the bytes that are there before memory is asked for.
"""

import io
import math
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from stemsplit.checkpoints.pickles import read_pickle
from stemsplit.checkpoints.plain_data import (
    ClassName,
    Storage,
    StorageType,
    TensorSpec,
    check_plain,
)
from stemsplit.errors import CheckpointError, UnsafeCheckpointError
from stemsplit.models.registry import REFERENCE_CLASSES

if TYPE_CHECKING:
    import torch
    from torch import Tensor

QUANTISERS = ("diffq.diffq.DiffQuantizer", "diffq.uniform.UniformQuantizer")

_ZIP_MAGIC = b"PK\x03\x04"
_STREAM_MAGIC = 0x1950A86A20F9469CFC6C  # torch/serialization.py, MAGIC_NUMBER
_STREAM_PROTOCOL = 1001
_ITEM_BYTES = {
    "float64": 8, "float32": 4, "float16": 2, "bfloat16": 2, "int64": 8,
    "int32": 4, "int16": 2, "int8": 1, "uint8": 1, "bool": 1,
}  # fmt: skip
_MAX_PICKLE_BYTES = 64 * 2**20


@dataclass(frozen=True)
class Package:
    """A network's class by name, its constructor's arguments, and its state.

    The state maps parameter names to tensors, or is the nested state of a quantised network.
    """

    class_name: str
    args: list[Any]
    kwargs: dict[str, Any]
    state: dict[str, Any]


class TorchFile:
    """An open file of `torch.save`: its data, with tensors that are read when asked for."""

    def __init__(self, path: Path) -> None:
        self.name = path.name
        try:
            self._file: BinaryIO = path.open("rb")
        except OSError as error:
            raise CheckpointError(f"{path} cannot be read: {error.strerror}.") from error
        try:
            self._open()
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> "TorchFile":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def _open(self) -> None:
        is_zip = self._file.read(4) == _ZIP_MAGIC
        self._num_bytes = self._file.seek(0, 2)
        self._file.seek(0)
        container = (
            _ZipContainer(self._file, self.name) if is_zip else _Stream(self._file, self.name)
        )
        self.data = container.data
        self._read_storage = container.read_storage
        check_plain(self.data, name=self.name)

    def tensors(self, data: Any) -> Any:
        """The same data with a tensor in place of every `TensorSpec`."""
        return _map_tensors(data, _TensorReader(self.name, self._num_bytes, self._read_storage))


def read_package(path: Path) -> Package:
    """A network's package, as demucs saves it: `{klass, args, kwargs, state, ...}`.

    Raises:
        UnsafeCheckpointError: the file asks for anything that is not plain data.
        CheckpointError: the file is damaged, or holds something else.
    """
    with TorchFile(path) as file:
        package = package_of(file.data, name=str(path))
        return replace(package, state=file.tensors(package.state))


def package_of(data: Any, *, name: str) -> Package:
    """The package in the data of a file, with descriptions in place of tensors.

    Args:
        data: what the file describes.
        name: what to call it in messages.

    Raises:
        CheckpointError: the data are something else.
    """
    if not isinstance(data, dict) or not {"klass", "args", "kwargs", "state"} <= set(data):
        raise CheckpointError(f"{name} holds weights without saying of which network.")
    class_name, args, kwargs, state = (data[key] for key in ("klass", "args", "kwargs", "state"))
    if not isinstance(class_name, ClassName) or class_name.name not in REFERENCE_CLASSES:
        raise CheckpointError(f"{name} does not name a network that stemsplit knows.")
    is_plain = (
        isinstance(args, list | tuple) and isinstance(kwargs, dict) and isinstance(state, dict)
    )
    if not is_plain or not all(isinstance(key, str) for key in (*kwargs, *state)):
        raise CheckpointError(f"{name} is damaged: its package has no state or arguments.")
    return Package(class_name.name, list(args), kwargs, state)


def read_state(path: Path) -> "dict[str, Tensor]":
    """A bare state dictionary: parameter names to tensors.

    Raises:
        UnsafeCheckpointError: the file asks for anything that is not plain data.
        CheckpointError: the file is damaged, or holds something else.
    """
    with TorchFile(path) as file:
        data = file.data
        is_state = isinstance(data, dict) and all(isinstance(v, TensorSpec) for v in data.values())
        if not data or not is_state:
            raise CheckpointError(f"{path} is no state dictionary.")
        state: dict[str, Tensor] = file.tensors(data)
        return state


class _ZipContainer:
    """The container of today: stored, never compressed, so that no entry outgrows the file."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._name = name
        try:
            self._archive = zipfile.ZipFile(file)
        except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError) as error:
            raise CheckpointError(f"{name} is damaged or cut short: {error}.") from error
        self._entries = {entry.filename: entry for entry in self._archive.infolist()}
        self._check_entries(file.seek(0, 2))
        pickles = [key for key in self._entries if key.endswith("/data.pkl")]
        if len(pickles) != 1:
            raise CheckpointError(f"{name} is a zip archive, but not one that torch wrote.")
        self._prefix = pickles[0].removesuffix("data.pkl")
        order = self._entries.get(f"{self._prefix}byteorder")
        if order is not None and order.file_size < 20 and self._read(order.filename) != b"little":
            raise CheckpointError(f"{name} was written on a big-endian machine; that is not read.")
        self._storages: dict[str, Storage] = {}
        self.data = self._read_pickle(pickles[0])

    def _check_entries(self, file_bytes: int) -> None:
        for entry in self._entries.values():
            if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1:
                raise UnsafeCheckpointError(
                    f"{self._name} is refused: {entry.filename[:80]} is compressed or encrypted, "
                    "which torch never does."
                )
        if sum(entry.file_size for entry in self._entries.values()) > file_bytes:
            raise UnsafeCheckpointError(
                f"{self._name} is refused: its entries claim more bytes than the file has."
            )

    def _read_pickle(self, entry: str) -> Any:
        if self._entries[entry].file_size > _MAX_PICKLE_BYTES:
            raise UnsafeCheckpointError(f"{self._name} is refused: its description is too large.")
        return read_pickle(
            io.BytesIO(self._read(entry)),
            name=self._name,
            classes=(*REFERENCE_CLASSES, *QUANTISERS),
            load_storage=self._find_storage,
        )

    def _find_storage(self, identifier: Any) -> Storage:
        storage = _storage(identifier, 5)
        entry = self._entries.get(f"{self._prefix}data/{storage.key}")
        if entry is None:
            raise CheckpointError(
                f"{self._name} is damaged: storage {storage.key[:20]} is missing."
            )
        claims = self._storages.setdefault(storage.key, storage)
        if entry.file_size != _num_bytes(storage) or claims != storage:
            raise UnsafeCheckpointError(
                f"{self._name} is refused: storage {storage.key[:20]} is not what it claims to be."
            )
        return storage

    def read_storage(self, storage: Storage) -> bytes:
        return self._read(f"{self._prefix}data/{storage.key}")

    def _read(self, entry: str) -> bytes:
        try:
            return self._archive.read(entry)
        except (zipfile.BadZipFile, NotImplementedError, EOFError, OSError, ValueError) as error:
            raise CheckpointError(f"{self._name} is damaged: {error}.") from error


class _Stream:
    """The container before torch 1.6: pickles one after another, then the storages' bytes."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._file = file
        self._name = name
        self._storages: dict[str, Storage] = {}
        self._end = file.seek(0, 2)
        file.seek(0)
        # The first instruction of every version: PROTO, or the magic number as a long.
        if self._end < 16 or file.read(1) not in (b"\x80", b"\x8a"):
            raise CheckpointError(f"{name} is neither a torch file nor a safetensors file.")
        file.seek(0)
        if self._next() != _STREAM_MAGIC or self._next() != _STREAM_PROTOCOL:
            raise CheckpointError(f"{name} is a pickle, but not one that torch wrote.")
        system = self._next()
        if not isinstance(system, dict) or system.get("little_endian") is not True:
            raise CheckpointError(f"{name} was written on a big-endian machine; that is not read.")
        self.data = self._next()
        self._offsets = self._locate(self._next())

    def _next(self) -> Any:
        return read_pickle(
            self._file,
            name=self._name,
            classes=(*REFERENCE_CLASSES, *QUANTISERS),
            load_storage=self._find_storage,
        )

    def _find_storage(self, identifier: Any) -> Storage | ClassName:
        # A class that is an nn.Module is stored with its source code, which is not looked at.
        if isinstance(identifier, tuple) and identifier and identifier[0] == "module":
            if len(identifier) == 4 and isinstance(identifier[1], ClassName):
                return identifier[1]
            raise ValueError("a class without a name")
        if isinstance(identifier, tuple) and len(identifier) == 6 and identifier[5] is not None:
            raise ValueError("a view of a storage, which torch has not written for years")
        storage = _storage(identifier, 6)
        if self._storages.setdefault(storage.key, storage) != storage:
            raise UnsafeCheckpointError(
                f"{self._name} is refused: storage {storage.key[:20]} has two types or lengths."
            )
        return storage

    def _locate(self, keys: Any) -> dict[str, int]:
        offsets: dict[str, int] = {}
        position = self._file.tell()
        for key in keys if isinstance(keys, list) else ():
            storage = self._storages.get(key) if isinstance(key, str) else None
            if storage is None:
                raise CheckpointError(f"{self._name} is damaged: it lists an unknown storage.")
            self._file.seek(position)
            claimed = int.from_bytes(self._file.read(8), "little")
            length = _num_bytes(storage)
            if claimed != storage.num_elements or position + 8 + length > self._end:
                raise CheckpointError(f"{self._name} is damaged or cut short.")
            offsets[storage.key] = position + 8
            position += 8 + length
        return offsets

    def read_storage(self, storage: Storage) -> bytes:
        if storage.key not in self._offsets:
            raise CheckpointError(f"{self._name} is damaged: storage {storage.key} is missing.")
        self._file.seek(self._offsets[storage.key])
        return self._file.read(_num_bytes(storage))


def _storage(identifier: Any, length: int) -> Storage:
    """The storage that the identifier `("storage", type, key, device, length, ...)` names."""
    if not isinstance(identifier, tuple) or len(identifier) != length:
        raise ValueError("a reference that is no storage")
    kind, dtype, key, _device, num_elements = identifier[:5]
    if kind != "storage" or not isinstance(dtype, StorageType) or not isinstance(key, str):
        raise ValueError("a reference that is no storage")
    if not isinstance(num_elements, int) or not 0 <= num_elements < 2**48:
        raise ValueError("a storage of no sensible length")
    return Storage(key, dtype.dtype, num_elements)


def _num_bytes(storage: Storage) -> int:
    return storage.num_elements * _ITEM_BYTES[storage.dtype]


class _TensorReader:
    """Builds tensors that share no memory, out of storages that may be shared."""

    def __init__(
        self, name: str, file_bytes: int, read_storage: Callable[[Storage], bytes]
    ) -> None:
        self._name = name
        self._read_storage = read_storage
        self._shared: dict[str, Tensor] = {}
        # Tied parameters use a storage twice; a file that uses one a thousand times is a trap.
        self._budget = 4 * file_bytes

    def __call__(self, spec: TensorSpec) -> "Tensor":
        import torch

        dtype: torch.dtype = getattr(torch, spec.storage.dtype)
        if 0 in spec.size:
            return torch.zeros(spec.size, dtype=dtype)
        num_elements = math.prod(spec.size)
        self._budget -= num_elements * _ITEM_BYTES[spec.storage.dtype]
        if self._budget < 0:
            raise UnsafeCheckpointError(
                f"{self._name} is refused: its tensors claim more memory than the file has bytes."
            )
        if num_elements == spec.storage.num_elements:
            return (
                self._load(spec.storage, dtype)
                .as_strided(spec.size, spec.stride, spec.offset)
                .contiguous()
            )
        if spec.storage.key not in self._shared:
            self._shared[spec.storage.key] = self._load(spec.storage, dtype)
        flat = self._shared[spec.storage.key]
        return flat.as_strided(spec.size, spec.stride, spec.offset).clone().contiguous()

    def _load(self, storage: Storage, dtype: "torch.dtype") -> "Tensor":
        import torch

        return torch.frombuffer(bytearray(self._read_storage(storage)), dtype=dtype)


def _map_tensors(data: Any, read: Callable[[TensorSpec], Any]) -> Any:
    if isinstance(data, TensorSpec):
        return read(data)
    if isinstance(data, Mapping):
        return {key: _map_tensors(value, read) for key, value in data.items()}
    if isinstance(data, ClassName):
        return data
    if isinstance(data, list | tuple):
        return type(data)(_map_tensors(value, read) for value in data)
    return data
