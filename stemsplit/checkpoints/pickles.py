"""Reads what a pickle describes, without `pickle`: nothing named in a file is imported or called.

A pickle is a program for a small stack machine. `pickle.Unpickler` runs it with real Python
objects, so a file can call any function. Here `pickletools` only decodes the instructions, and this
module carries out those that build plain data. Functions and classes exist as names: a short table
says which names are known, and what each may build. Every other name is refused, in words.

What comes out: None, bool, int, float, str, bytes, list, tuple, dict, `Fraction`, and the stand-ins
`ClassName`, `Storage` and `TensorSpec`. Nothing here imports torch or numpy.
"""

import pickletools
import re
import struct
from collections.abc import Callable, Collection
from fractions import Fraction
from typing import IO, Any, BinaryIO, NamedTuple, cast

from stemsplit.errors import CheckpointError, UnsafeCheckpointError

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
        """Whether every element lies inside the storage and none is used twice.

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


_STORAGE_DTYPES = {
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


def read_pickle(
    source: BinaryIO,
    *,
    name: str,
    classes: Collection[str] = (),
    load_storage: Callable[[Any], Any] | None = None,
) -> Any:
    """The plain data that a pickle describes.

    Reads up to and including the pickle's end, so that several in a row can be read.

    Args:
        source: open at the beginning of the pickle.
        name: what to call the file in messages.
        classes: full names of classes that may be mentioned; they come back as `ClassName`.
        load_storage: turns a persistent identifier, plain data itself, into what it stands for;
            None refuses them.

    Raises:
        UnsafeCheckpointError: the pickle asks for anything that is not plain data.
        CheckpointError: the pickle is damaged.
    """
    machine = _Machine(name, frozenset(classes), load_storage)
    try:
        for opcode, argument, _ in pickletools.genops(cast("IO[bytes]", _Bounded(source))):
            if opcode.name == "STOP":
                return machine.stack.pop()
            machine.step(opcode.name, argument)
    except (ValueError, TypeError, LookupError, ArithmeticError, struct.error) as error:
        raise CheckpointError(
            f"{name} is damaged: its pickle breaks off or makes no sense."
        ) from error
    raise CheckpointError(f"{name} is damaged: its pickle has no end.")


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


class _Bounded:
    """A file that is never asked for more bytes than it has left, whatever a length claims."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        begin = file.tell()
        self._end = file.seek(0, 2)
        file.seek(begin)
        self.tell = file.tell
        self.readline = file.readline

    def read(self, length: int) -> bytes:
        return self._file.read(min(length, self._end - self._file.tell()))


class _Builder(NamedTuple):
    """The name of a function of the table below."""

    name: str


class _NumpyType:
    """A numpy number type; `build` sets its byte order, as numpy's own pickles do."""

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
    return {_key(key): value for key, value in pairs}


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


def _build_numpy_type(code: Any, *_flags: Any) -> _NumpyType:
    if code not in _NUMPY_CODES:
        raise ValueError("a numpy type that is no number")
    return _NumpyType(code)


def _build_numpy_number(kind: Any, data: Any) -> int | float | bool:
    if not isinstance(kind, _NumpyType) or not isinstance(data, bytes):
        raise ValueError("a numpy number without its type or bytes")
    number: int | float | bool = struct.unpack(kind.order + _NUMPY_CODES[kind.code], data)[0]
    return number


# The published packages need no more: tensors, containers, the 39/5 s segment, and losses kept as
# numpy numbers.
_BUILDERS: dict[str, Callable[..., Any]] = {
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


def _key(value: Any) -> Any:
    # Nested tuples as keys would be hashed recursively, as deep as the file likes.
    if value is not None and not isinstance(value, str | int | float | bytes):
        raise ValueError("a mapping with a key that is no name or number")
    return value


def _integer(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**63:
        raise ValueError("expected a whole number from 0 up")
    return value


_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_ATOMS = frozenset(
    (
        *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
        *("STRING", "BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8"),
        *("UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
    )
)
_EMPTY: dict[str, Callable[[], Any]] = {
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
    "EMPTY_DICT": dict,
}
_IGNORED = frozenset(("PROTO", "FRAME"))


class _Machine:
    """The stack machine, reduced to the instructions that build plain data."""

    def __init__(
        self, name: str, classes: frozenset[str], load_storage: Callable[[Any], Any] | None
    ) -> None:
        self.stack: list[Any] = []
        self._name = name
        self._classes = classes
        self._load_storage = load_storage
        self._marks: list[int] = []
        self._memo: dict[int, Any] = {}

    def step(self, opcode: str, argument: Any) -> None:
        """Carry out one instruction."""
        if opcode in _CONSTANTS:
            self.stack.append(_CONSTANTS[opcode])
        elif opcode in _ATOMS:
            self.stack.append(argument)
        elif opcode in _EMPTY:
            self.stack.append(_EMPTY[opcode]())
        elif opcode not in _IGNORED:
            handler = getattr(self, f"_do_{opcode.lower()}", None)
            if handler is None:
                raise self._refusal(_describe_instruction(opcode, argument))
            handler(argument)

    def _refusal(self, what: str) -> UnsafeCheckpointError:
        return UnsafeCheckpointError(
            f"{self._name} is refused: it asks for {what}, which a file of weights does not need. "
            "Nothing was run. Get the file from another place."
        )

    def _pop_to_mark(self) -> list[Any]:
        start = self._marks.pop()
        if start > len(self.stack):
            raise IndexError("the stack is below its mark")
        items = self.stack[start:]
        del self.stack[start:]
        return items

    def _do_mark(self, _: Any) -> None:
        self._marks.append(len(self.stack))

    def _do_pop(self, _: Any) -> None:
        if self._marks and self._marks[-1] == len(self.stack):
            self._marks.pop()  # pickle lets POP drop a mark
        else:
            self.stack.pop()

    def _do_pop_mark(self, _: Any) -> None:
        self._pop_to_mark()

    def _do_dup(self, _: Any) -> None:
        self.stack.append(self.stack[-1])

    def _do_memoize(self, _: Any) -> None:
        self._memo[len(self._memo)] = self.stack[-1]

    def _do_put(self, index: Any) -> None:
        self._memo[int(index)] = self.stack[-1]

    _do_binput = _do_long_binput = _do_put

    def _do_get(self, index: Any) -> None:
        self.stack.append(self._memo[int(index)])

    _do_binget = _do_long_binget = _do_get

    def _do_list(self, _: Any) -> None:
        self.stack.append(self._pop_to_mark())

    def _do_append(self, _: Any) -> None:
        value = self.stack.pop()
        self._extend([value])

    def _do_appends(self, _: Any) -> None:
        self._extend(self._pop_to_mark())

    def _extend(self, values: list[Any]) -> None:
        target = self.stack[-1]
        if not isinstance(target, list):
            raise TypeError("appending to what is no list")
        target.extend(values)

    def _do_tuple(self, _: Any) -> None:
        self.stack.append(tuple(self._pop_to_mark()))

    def _do_tuple1(self, _: Any) -> None:
        self._pack(1)

    def _do_tuple2(self, _: Any) -> None:
        self._pack(2)

    def _do_tuple3(self, _: Any) -> None:
        self._pack(3)

    def _pack(self, count: int) -> None:
        if len(self.stack) < count:
            raise IndexError("the stack is empty")
        items = tuple(self.stack[-count:])
        del self.stack[-count:]
        self.stack.append(items)

    def _do_dict(self, _: Any) -> None:
        items = self._pop_to_mark()
        self.stack.append({})
        self._set(items)

    def _do_setitem(self, _: Any) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._set([key, value])

    def _do_setitems(self, _: Any) -> None:
        self._set(self._pop_to_mark())

    def _set(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if not isinstance(target, dict):
            raise TypeError("setting items of what is no mapping")
        for key, value in zip(items[::2], items[1::2], strict=True):
            target[_key(key)] = value

    def _do_global(self, argument: Any) -> None:
        self.stack.append(self._find(str(argument).replace(" ", ".", 1)))

    def _do_stack_global(self, _: Any) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        if not (isinstance(name, str) and isinstance(module, str)):
            raise TypeError("a name that is no text")
        self.stack.append(self._find(f"{module}.{name}"))

    def _find(self, name: str) -> Any:
        if name in _BUILDERS:
            return _Builder(name)
        if name in _STORAGE_DTYPES:
            return StorageType(_STORAGE_DTYPES[name])
        if name in self._classes:
            return ClassName(name)
        raise self._refusal(name[:200])

    def _do_reduce(self, _: Any) -> None:
        arguments, function = self.stack.pop(), self.stack.pop()
        if not isinstance(arguments, tuple):
            raise TypeError("arguments that are no tuple")
        if isinstance(function, ClassName):
            raise self._refusal(f"an object of {function.name}")
        if not isinstance(function, _Builder):
            raise self._refusal("a call of something that is no function")
        self.stack.append(_BUILDERS[function.name](*arguments))

    def _do_build(self, _: Any) -> None:
        state, target = self.stack.pop(), self.stack[-1]
        if (
            isinstance(target, _NumpyType)
            and isinstance(state, tuple)
            and state[1] in ("<", ">", "|")
        ):
            target.order = "<" if state[1] == "|" else state[1]
        elif not (isinstance(target, dict) and isinstance(state, dict) and set(state) <= _EXTRAS):
            raise self._refusal("an object with a state of its own")

    def _do_binpersid(self, _: Any) -> None:
        if self._load_storage is None:
            raise self._refusal("an object outside the file")
        self.stack.append(self._load_storage(self.stack.pop()))


# Attributes that torch hangs on a state dictionary; they do not matter here and are dropped.
_EXTRAS = frozenset(("_metadata",))


def _describe_instruction(opcode: str, argument: Any) -> str:
    if opcode == "INST":
        return str(argument).replace(" ", ".", 1)[:200]
    return f"the pickle instruction {opcode}"
