"""The plain data that pickles may describe, and the only functions that pickles may name.

Files of weights need few: tensors, containers, fractions, and numbers that numpy wrote. Each has a
builder here that makes data out of data, and checks them. Nothing here imports torch or numpy.
"""

import re
import struct
from collections.abc import Callable
from fractions import Fraction
from typing import Any, NamedTuple

from stemsplit.errors import UnsafeCheckpointError

_MAX_NESTING = 64
_MAX_NODES = 1_000_000


class ClassName(NamedTuple):
    """The name of a class, standing in for the class."""

    name: str


class StorageType(NamedTuple):
    """The element type of a storage, as torch spells dtypes."""

    dtype: str


class Storage(NamedTuple):
    """A run of numbers elsewhere in the file."""

    key: str
    dtype: str
    num_elements: int


class TensorSpec(NamedTuple):
    """A tensor's shape and where its numbers lie."""

    storage: Storage
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]

    def fits(self) -> bool:
        """Whether every element lies inside the storage, and there are no more than it has.

        The second half refuses a file of a few bytes that claims terabytes by a stride of zero.
        """
        num_elements = 1
        last = self.offset
        for size, stride in zip(self.size, self.stride, strict=True):
            num_elements *= size
            last += (size - 1) * stride
        if num_elements == 0:
            return True
        return num_elements <= self.storage.num_elements and last < self.storage.num_elements


STORAGE_DTYPES = {
    "torch.DoubleStorage": "float64",
    "torch.FloatStorage": "float32",
    "torch.HalfStorage": "float16",
    "torch.BFloat16Storage": "bfloat16",
    "torch.LongStorage": "int64",
    "torch.IntStorage": "int32",
    "torch.ShortStorage": "int16",
    "torch.CharStorage": "int8",
    "torch.ByteStorage": "uint8",
    "torch.BoolStorage": "bool",
}


def check_plain(value: Any, *, name: str) -> None:
    """Refuse data nested or shared so deeply that walking it would take forever.

    Raises:
        UnsafeCheckpointError: the data, or a loop in it, is too large to be a checkpoint's.
    """
    pending = [(value, 0)]
    num_nodes = 0
    while pending:
        node, depth = pending.pop()
        num_nodes += 1
        if depth > _MAX_NESTING or num_nodes > _MAX_NODES:
            raise UnsafeCheckpointError(f"{name} is refused: its data is nested without end.")
        if isinstance(node, dict):
            pending.extend((item, depth + 1) for item in node.values())
        elif isinstance(node, list | tuple) and not isinstance(node, TensorSpec):
            pending.extend((item, depth + 1) for item in node)


class NumpyType:
    """A numpy number type; its byte order is set afterwards, as numpy's own pickles do."""

    __slots__ = ("code", "order")

    def __init__(self, code: str) -> None:
        self.code = code
        self.order = "<"


_NUMPY_CODES = {
    "f2": "e", "f4": "f", "f8": "d", "b1": "?",
    "i1": "b", "i2": "h", "i4": "i", "i8": "q",
    "u1": "B", "u2": "H", "u4": "I", "u8": "Q",
}  # fmt: skip


def _build_mapping(pairs: Any = ()) -> dict[Any, Any]:
    return {mapping_key(key): value for key, value in pairs}


def _build_fraction(numerator: Any, denominator: Any = None) -> Fraction:
    # Written as the text "39/5" by some versions of Python. `Fraction` itself would also read
    # "1e999999999", and spend the day on it.
    if isinstance(numerator, str):
        if not re.fullmatch(r"-?\d{1,18}(/\d{1,18})?", numerator):
            raise ValueError("a text that is no fraction")
        return Fraction(numerator)
    return Fraction(_integer(numerator), _integer(denominator))


def _build_tensor(
    storage: Any,
    offset: Any,
    size: Any,
    stride: Any,
    requires_grad: Any = False,
    hooks: Any = None,
    metadata: Any = None,
) -> TensorSpec:
    if not isinstance(storage, Storage) or hooks or metadata:
        raise ValueError("a tensor without a storage, or with hooks")
    spec = TensorSpec(
        storage,
        _integer(offset),
        tuple(_integer(n) for n in size),
        tuple(_integer(n) for n in stride),
    )
    if len(spec.size) != len(spec.stride) or len(spec.size) > 16 or not spec.fits():
        raise ValueError("a tensor reaches outside its storage")
    return spec


def _build_parameter(data: Any, requires_grad: Any = True, hooks: Any = None) -> TensorSpec:
    if not isinstance(data, TensorSpec) or hooks:
        raise ValueError("a parameter without a tensor, or with hooks")
    return data


def _build_bytes(text: Any, encoding: Any) -> bytes:
    if encoding != "latin1":
        raise ValueError("bytes are written as latin1")
    return str(text).encode("latin1")


def _build_numpy_type(code: Any, *_flags: Any) -> NumpyType:
    if code not in _NUMPY_CODES:
        raise ValueError("a numpy type that is no number")
    return NumpyType(code)


def _build_numpy_number(kind: Any, data: Any) -> int | float | bool:
    if not isinstance(kind, NumpyType) or not isinstance(data, bytes):
        raise ValueError("a numpy number without its type or bytes")
    number: int | float | bool = struct.unpack(kind.order + _NUMPY_CODES[kind.code], data)[0]
    return number


# The published packages need no more: tensors, containers, the 39/5 s segment, and losses kept as
# numpy numbers.
BUILDERS: dict[str, Callable[..., Any]] = {
    "collections.OrderedDict": _build_mapping,
    "fractions.Fraction": _build_fraction,
    "torch._utils._rebuild_tensor": _build_tensor,
    "torch._utils._rebuild_tensor_v2": _build_tensor,
    "torch._utils._rebuild_parameter": _build_parameter,
    "_codecs.encode": _build_bytes,
    "numpy.dtype": _build_numpy_type,
    "numpy.core.multiarray.scalar": _build_numpy_number,
    "numpy._core.multiarray.scalar": _build_numpy_number,
}


def mapping_key(value: Any) -> Any:
    """The key itself, if it is a name or a number.

    Raises:
        ValueError: it is something else.
    """
    # Nested tuples as keys would be hashed recursively, as deep as the file likes.
    if value is not None and not isinstance(value, str | int | float | bytes):
        raise ValueError("a mapping with a key that is no name or number")
    return value


def _integer(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**63:
        raise ValueError("expected a whole number from 0 up")
    return value
