"""A pickle is data here, whatever it asks for: hostile ones are refused by name and run nothing."""

import collections
import io
import os
import pickle
import struct
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stemsplit.checkpoints.pickles import read_pickle
from stemsplit.checkpoints.plain_data import (
    ClassName,
    Storage,
    StorageType,
    TensorSpec,
    check_plain,
)
from stemsplit.errors import CheckpointError, UnsafeCheckpointError

NETWORK = "demucs.htdemucs.HTDemucs"


def read(data: bytes, **options: Any) -> Any:
    return read_pickle(io.BytesIO(data), name="song.th", **options)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_data_come_out_as_they_went_in(protocol: int) -> None:
    data = {
        "none": None,
        "flags": [True, False],
        "numbers": (0, 1, -1, 255, 256, 65_536, 2**40, -(2**70), 0.5, -1e300),
        "text": ["", "drums", "gesungen: äöü", "鼓", "🎵" * 300],
        "nested": {"a": [{"b": (1, (2, (3, ())))}], 5: []},
        "fraction": Fraction(39, 5),
        "ordered": collections.OrderedDict([("x", 1), ("y", 2)]),
        "scalars": [np.float64(0.25), np.float32(1.5), np.int64(-7), np.bool_(True), np.uint8(9)],
        "bytes": b"\x00\xff" if protocol > 2 else "",
    }
    assert read(pickle.dumps(data, protocol)) == data


def test_a_value_used_twice_is_one_value() -> None:
    shared = [1]
    first, second = read(pickle.dumps([shared, shared]))
    assert first is second


class Calls:
    """Pickles as a call of `function(*arguments)`."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


@pytest.fixture
def trap(tmp_path: Path) -> Path:
    """A file that exists if anything was run."""
    return tmp_path / "executed"


def hostile(trap: Path) -> dict[str, tuple[bytes, str]]:
    """Pickles that touch `trap` when unpickled, and what each must be refused for."""
    command = f"touch {trap}"
    code = f"open({str(trap)!r}, 'w').close()"
    line = command.encode()
    system = os.system.__module__.encode()  # posix or nt
    named = f"{os.system.__module__}.system"
    return {
        "os.system": (pickle.dumps(Calls(os.system, command)), named),
        "os.system, text protocol": (pickle.dumps(Calls(os.system, command), 0), named),
        "os.system, newest protocol": (pickle.dumps(Calls(os.system, command), 5), named),
        "eval": (pickle.dumps(Calls(eval, code)), "builtins.eval"),
        "eval, old name": (pickle.dumps(Calls(eval, code), 2), "__builtin__.eval"),
        "exec": (pickle.dumps(Calls(exec, code)), "builtins.exec"),
        "getattr": (b"cbuiltins\ngetattr\n.", "builtins.getattr"),
        "deep inside": (pickle.dumps({"state": {"x": [1, (Calls(os.system, command),)]}}), named),
        "INST": (b"(S'" + line + b"'\ni" + system + b"\nsystem\n.", named),
        "OBJ": (b"(c" + system + b"\nsystem\nS'" + line + b"'\no.", named),
        "NEWOBJ": (b"\x80\x02c" + system + b"\nsystem\n(U" + bytes([len(line)]) + line + b"t\x81.",
                   named),
        "STACK_GLOBAL": (
            b"\x80\x04\x8c" + bytes([len(system)]) + system + b"\x8c\x06system\x93"
            b"\x8c" + bytes([len(line)]) + line + b"\x85R.",
            named,
        ),
        "nested REDUCE": (
            b"cbuiltins\n__import__\n(S'os'\ntR(S'system'\ntR.", "builtins.__import__"
        ),
        "torch.load": (b"ctorch\nload\n(S'x'\ntR.", "torch.load"),
        "pickle.loads": (b"c_pickle\nloads\n(S'x'\ntR.", "_pickle.loads"),
        "numpy.load": (b"cnumpy\nload\n(S'x'\ntR.", "numpy.load"),
        "numpy object array": (b"cnumpy.core.multiarray\n_reconstruct\n.", "_reconstruct"),
        "runpy": (b"crunpy\n_run_code\n.", "runpy._run_code"),
        "omegaconf": (b"comegaconf.dictconfig\nDictConfig\n.", "omegaconf.dictconfig.DictConfig"),
        "pathlib": (pickle.dumps(Path("x")), "pathlib"),
        "a dotted attribute": (b"\x80\x04\x8c\x02os\x8c\x0bpath.exists\x93.", "os.path.exists"),
        "EXT1": (b"\x80\x02\x82\x01.", "EXT1"),
        "EXT2": (b"\x80\x02\x83\x01\x00.", "EXT2"),
        "EXT4": (b"\x80\x02\x84\x01\x00\x00\x00.", "EXT4"),
        "NEXT_BUFFER": (b"\x80\x05\x97.", "NEXT_BUFFER"),
        "a text identifier": (b"Pthing\n.", "PERSID"),
        "an identifier": (b"S'thing'\nQ.", "outside the file"),
        "an object of the network": (
            b"cdemucs.htdemucs\nHTDemucs\n(tR.", "an object of demucs.htdemucs.HTDemucs"
        ),
        "the network without __init__": (
            b"\x80\x02cdemucs.htdemucs\nHTDemucs\n)\x81.", "NEWOBJ"
        ),
        "the state of a class": (
            b"cdemucs.htdemucs\nHTDemucs\n}S'__init__'\nN" b"sb.", "a state of its own"
        ),
        "the state of a function": (
            b"ccollections\nOrderedDict\nN}S'__code__'\nNs\x86b.", "a state of its own"
        ),
        "slots of a mapping": (b"}N}S'items'\nNs\x86b.", "a state of its own"),
        "attributes of a mapping": (
            b"ccollections\nOrderedDict\n(tR}S'items'\nNsb.", "a state of its own"
        ),
        "a call of data": (b"S'x'\n(tR.", "no function"),
        "a set": (b"\x80\x04\x8f.", "EMPTY_SET"),
        "a bytearray": (b"\x80\x05\x96" + struct.pack("<Q", 1) + b"x.", "BYTEARRAY8"),
    }  # fmt: skip


@pytest.mark.parametrize("name", hostile(Path("x")))
def test_a_hostile_pickle_is_refused_by_name_and_runs_nothing(name: str, trap: Path) -> None:
    data, reason = hostile(trap)[name]
    with pytest.raises(UnsafeCheckpointError) as caught:
        read(data, classes=[NETWORK])
    message = str(caught.value)
    assert reason in message
    assert "song.th is refused" in message
    assert not trap.exists()


@pytest.mark.parametrize("name", ["os.system", "eval", "OBJ", "INST", "STACK_GLOBAL"])
def test_the_traps_are_real(name: str, trap: Path) -> None:
    data, _ = hostile(trap)[name]
    pickle.loads(data)
    assert trap.exists()


def test_classes_are_names() -> None:
    assert read(b"cdemucs.htdemucs\nHTDemucs\n.", classes=[NETWORK]) == ClassName(NETWORK)
    with pytest.raises(UnsafeCheckpointError, match=r"demucs\.htdemucs\.HTDemucs"):
        read(b"cdemucs.htdemucs\nHTDemucs\n.")


BROKEN = {
    "empty": b"",
    "no end": pickle.dumps([1, 2])[:-1],
    "cut in a string": pickle.dumps("x" * 300)[:100],
    "an empty stack": b".",
    "an empty stack under a tuple": b"\x87.",
    "no mark": b"t.",
    "an unknown instruction": b"\xfe.",
    "an unknown memo": b"h\x05.",
    "odd items": b"}(S'a'\nu.",
    "append to a number": b"I1\nI2\na.",
    "items of a list": b"]S'a'\nI1\ns.",
    "a tuple as a key": b"}I1\nI2\n\x86I3\ns.",
    "a list as a key": b"}]I3\ns.",
    "a claim of 2**62 bytes": b"\x80\x04\x8d" + struct.pack("<Q", 2**62) + b"x.",
    "a negative long": b"\x80\x02\x8b\xff\xff\xff\xff.",
    "a number of a million digits": b"L" + b"9" * 1_000_000 + b"L\n.",
    "a fraction by zero": b"cfractions\nFraction\n(I1\nI0\ntR.",
    "a fraction as large as memory": b"cfractions\nFraction\n(S'1e999999999'\ntR.",
    "a fraction of nothing": b"cfractions\nFraction\n(tR.",
    "a scalar of another size": (
        b"cnumpy.core.multiarray\nscalar\n(cnumpy\ndtype\n(S'f8'\ntRC\x01xtR."
    ),
    "a numpy type that is an object": b"cnumpy\ndtype\n(S'O8'\ntR.",
    "bytes in another encoding": b"c_codecs\nencode\n(S'x'\nS'rot13'\ntR.",
    "a tensor of nothing": b"ctorch._utils\n_rebuild_tensor_v2\n(I1\nI2\ntR.",
    "arguments that are a list": b"ccollections\nOrderedDict\n]R.",
}  # fmt: skip


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN)
def test_a_broken_pickle_is_an_error_in_words(data: bytes) -> None:
    with pytest.raises(CheckpointError, match=r"song\.th is damaged"):
        read(data)


def test_reading_stops_at_the_end_of_a_pickle() -> None:
    stream = io.BytesIO(pickle.dumps(1) + pickle.dumps("two"))
    assert read_pickle(stream, name="x") == 1
    assert read_pickle(stream, name="x") == "two"


def test_a_memo_index_of_billions_costs_nothing() -> None:
    assert read(b"I7\nr\xff\xff\xff\xff0j\xff\xff\xff\xff.") == 7


def test_data_without_end_are_refused() -> None:
    loop: list[Any] = []
    loop.append(loop)
    laughs: Any = ["ha"]
    for _ in range(60):
        laughs = [laughs] * 10
    for data in (loop, laughs):
        with pytest.raises(UnsafeCheckpointError, match="without end"):
            check_plain(read(pickle.dumps(data)), name="song.th")


def spec(
    num_elements: int, offset: int, size: tuple[int, ...], stride: tuple[int, ...]
) -> TensorSpec:
    return TensorSpec(Storage("0", "float32", num_elements), offset, size, stride)


@pytest.mark.parametrize(
    ("tensor", "fits"),
    [
        (spec(6, 0, (2, 3), (3, 1)), True),
        (spec(6, 0, (3, 2), (1, 3)), True),
        (spec(6, 5, (1,), (1,)), True),
        (spec(0, 0, (0, 4), (4, 1)), True),
        (spec(1, 0, (), ()), True),
        (spec(6, 1, (2, 3), (3, 1)), False),
        (spec(6, 0, (7,), (1,)), False),
        (spec(6, 0, (2, 3), (30, 1)), False),
        (spec(6, 0, (10**12,), (0,)), False),
        (spec(0, 0, (1,), (1,)), False),
    ],
)
def test_a_tensor_must_lie_in_its_storage(tensor: TensorSpec, fits: bool) -> None:
    assert tensor.fits() is fits


def test_a_storage_is_asked_for_with_its_type() -> None:
    seen = []

    def load(identifier: Any) -> Storage:
        seen.append(identifier)
        return Storage("0", "float16", 4)

    data = b"(S'storage'\nctorch\nHalfStorage\nS'0'\nS'cpu'\nI4\ntQ."
    assert read(data, load_storage=load) == Storage("0", "float16", 4)
    assert seen == [("storage", StorageType("float16"), "0", "cpu", 4)]
