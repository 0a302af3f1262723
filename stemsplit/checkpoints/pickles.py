"""Reads what a pickle describes, without `pickle`: nothing named in a file is imported or called.

A pickle is a program for a small stack machine. `pickle.Unpickler` runs it with real Python
objects, so a file can call any function. Here `pickletools` only decodes the instructions, and this
module carries out those that build plain data. Functions and classes exist as names: a short table
says which names are known, and what each may build. Every other name is refused, in words.

What comes out: None, bool, int, float, str, bytes, list, tuple, dict, `Fraction`, and the stand-ins
of `plain_data.py`. Nothing here imports torch or numpy.
"""

import pickletools
import struct
from collections.abc import Callable, Collection
from typing import IO, Any, BinaryIO, NamedTuple, cast

from stemsplit.checkpoints.plain_data import (
    BUILDERS,
    STORAGE_DTYPES,
    ClassName,
    NumpyType,
    StorageType,
    mapping_key,
)
from stemsplit.errors import CheckpointError, UnsafeCheckpointError


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


class _Builder(NamedTuple):
    """The name of a function of the table below."""

    name: str


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
            target[mapping_key(key)] = value

    def _do_global(self, argument: Any) -> None:
        self.stack.append(self._find(str(argument).replace(" ", ".", 1)))

    def _do_stack_global(self, _: Any) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        if not (isinstance(name, str) and isinstance(module, str)):
            raise TypeError("a name that is no text")
        self.stack.append(self._find(f"{module}.{name}"))

    def _find(self, name: str) -> Any:
        if name in BUILDERS:
            return _Builder(name)
        if name in STORAGE_DTYPES:
            return StorageType(STORAGE_DTYPES[name])
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
        self.stack.append(BUILDERS[function.name](*arguments))

    def _do_build(self, _: Any) -> None:
        state, target = self.stack.pop(), self.stack[-1]
        if (
            isinstance(target, NumpyType)
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
