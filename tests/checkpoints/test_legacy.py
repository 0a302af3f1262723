"""Files of `torch.save` are read in both containers, run nothing, and are believed in nothing."""

import io
import struct
import tracemalloc
import warnings
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from stemsplit.checkpoints.legacy import read_package, read_state
from stemsplit.checkpoints.reading import describe_file
from stemsplit.errors import CheckpointError, UnsafeCheckpointError
from tests.checkpoints import tiny

CONTAINERS = pytest.mark.parametrize("is_zip", [True, False], ids=["zip", "stream"])


@CONTAINERS
def test_a_package_is_read(tmp_path: Path, is_zip: bool) -> None:
    kwargs = tiny.options(segment=Fraction(39, 5))
    path = tiny.write_legacy(
        tmp_path / "x.th",
        kwargs=kwargs,
        is_zip=is_zip,
        training_args={"optim": {"lr": 3e-4, "betas": [0.9, None]}, "seed": 42, "ema": (True, ())},
        metrics={"best": np.float64(0.125), "loss": np.float32(2), "epoch": np.int64(7)},
    )
    package = read_package(path)
    assert package.class_name == tiny.CLASS
    assert package.args == []
    assert package.kwargs == kwargs
    expected = tiny.state(kwargs)
    assert list(package.state) == list(expected)
    for name, tensor in expected.items():
        assert package.state[name].dtype == torch.float16
        assert torch.equal(package.state[name], tensor)


def test_a_class_that_was_stored_with_its_source_is_read(tmp_path: Path) -> None:
    kwargs = tiny.options()
    path = tmp_path / "x.th"
    with tiny.reference_class(base=nn.Module) as klass, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch cannot find the source of a class made here
        package = {"klass": klass, "args": (), "kwargs": kwargs, "state": tiny.state(kwargs)}
        torch.save(package, path, _use_new_zipfile_serialization=False)
    assert read_package(path).class_name == tiny.CLASS


@CONTAINERS
def test_tensors_of_every_kind_are_read(tmp_path: Path, is_zip: bool) -> None:
    base = torch.arange(24.0)
    module = nn.Linear(3, 2)
    state: dict[str, Any] = OrderedDict(
        whole=base,
        part=base[4:10].view(2, 3),
        transposed=base.view(4, 6).t(),
        scalar=torch.tensor(3.5),
        empty=torch.zeros(0, 4),
        parameter=module.weight,
        half=base.half(),
        brain=base.bfloat16(),
        double=base.double(),
        integers=torch.arange(-3, 3),
        bytes=torch.arange(5, dtype=torch.uint8),
        flags=torch.tensor([True, False]),
    )
    state._metadata = OrderedDict({"": {"version": 1}})  # type: ignore[attr-defined]
    path = tmp_path / "x.pt"
    torch.save(state, path, _use_new_zipfile_serialization=is_zip)
    read = read_state(path)
    assert list(read) == list(state)
    for name, tensor in state.items():
        assert read[name].dtype == tensor.dtype
        assert read[name].is_contiguous()
        assert torch.equal(read[name], tensor.detach())
    pointers = {tensor.untyped_storage().data_ptr() for tensor in read.values() if tensor.numel()}
    assert len(pointers) == len([tensor for tensor in read.values() if tensor.numel()])


@CONTAINERS
def test_a_package_that_asks_for_more_is_refused_whole(tmp_path: Path, is_zip: bool) -> None:
    # As a careless export does: settings that are still objects.
    path = tiny.write_legacy(
        tmp_path / "x.th", is_zip=is_zip, training_args={"folder": Path("/somewhere")}
    )
    with pytest.raises(UnsafeCheckpointError, match=r"x\.th is refused: it asks for pathlib\."):
        read_package(path)


def test_another_class_is_not_a_network(tmp_path: Path) -> None:
    path = tmp_path / "x.th"
    with tiny.reference_class("demucs.solver.Solver") as klass:
        torch.save({"klass": klass, "args": (), "kwargs": {}, "state": {}}, path)
    with pytest.raises(UnsafeCheckpointError, match=r"demucs\.solver\.Solver"):
        read_package(path)


def test_bare_weights_are_no_package(tmp_path: Path) -> None:
    torch.save({"weight": torch.zeros(3)}, tmp_path / "x.th")
    with pytest.raises(CheckpointError, match="without saying of which network"):
        read_package(tmp_path / "x.th")


@pytest.mark.parametrize("data", [{}, {"a": 1}, [torch.zeros(2)], {"a": {"b": torch.zeros(1)}}])
def test_a_state_dictionary_holds_tensors_and_nothing_else(tmp_path: Path, data: Any) -> None:
    torch.save(data, tmp_path / "x.pt")
    with pytest.raises(CheckpointError, match="no state dictionary"):
        read_state(tmp_path / "x.pt")


@CONTAINERS
def test_a_file_cut_anywhere_is_an_error_in_words(tmp_path: Path, is_zip: bool) -> None:
    whole = tiny.write_legacy(tmp_path / "whole.th", is_zip=is_zip).read_bytes()
    path = tmp_path / "cut.th"
    for length in (0, 1, 3, 10, 100, len(whole) // 2, len(whole) - 100, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(CheckpointError, match=r"cut\.th"):
            read_package(path)


def test_a_missing_file_is_an_error_in_words(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="cannot be read: No such file"):
        read_package(tmp_path / "none.th")


@pytest.mark.parametrize(
    "data", [b"<html>404</html>", b"\x80\x02N.", b"\x80\x02}." * 9, b"\x1f\x8b" * 9]
)
def test_other_files_are_no_checkpoints(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x.th"
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match=r"x\.th"):
        read_package(path)


def rewrite(
    source: Path,
    target: Path,
    change: Callable[[str, bytes], bytes] = lambda _name, data: data,
    compression: int = zipfile.ZIP_STORED,
) -> Path:
    """The same archive with changed entries."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", compression) as new:
        for entry in old.infolist():
            new.writestr(entry.filename, change(entry.filename, old.read(entry)))
    return target


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "good.pt"
    torch.save({"a": torch.arange(8.0), "b": torch.arange(4.0)}, path)
    return path


def test_the_rewriting_itself_changes_nothing(weights: Path, tmp_path: Path) -> None:
    assert torch.equal(read_state(rewrite(weights, tmp_path / "x.pt"))["a"], torch.arange(8.0))


def test_a_compressed_archive_is_refused(weights: Path, tmp_path: Path) -> None:
    path = rewrite(weights, tmp_path / "bomb.pt", compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(UnsafeCheckpointError, match=r"bomb\.pt is refused: .* compressed"):
        read_state(path)


def test_entries_that_claim_more_than_the_file_has_are_refused(
    weights: Path, tmp_path: Path
) -> None:
    data = weights.read_bytes()
    # The directory's two lengths of one storage: compressed and not, as signature + 20 and + 24.
    place = data.rindex(b"PK\x01\x02", 0, data.index(b"data/0", data.index(b"PK\x01\x02")))
    huge = struct.pack("<II", 2**31, 2**31)
    path = tmp_path / "huge.pt"
    path.write_bytes(data[: place + 20] + huge + data[place + 28 :])
    with pytest.raises(UnsafeCheckpointError, match="more bytes than the file has"):
        read_state(path)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"FloatStorage", b"DoubleStorage"),
        (b"FloatStorage", b"HalfStorage"),
        (b"FloatStorage", b"BoolStorage"),
    ],
)
def test_a_storage_of_another_type_than_its_bytes_is_refused(
    weights: Path, tmp_path: Path, old: bytes, new: bytes
) -> None:
    path = rewrite(weights, tmp_path / "x.pt", lambda _, data: data.replace(old, new))
    with pytest.raises(UnsafeCheckpointError, match="not what it claims to be"):
        read_state(path)


def make_archive(path: Path, pickled: bytes, storages: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x/data.pkl", pickled)
        for key, data in storages.items():
            archive.writestr(f"x/data/{key}", data)
    return path


def tensor(num_elements: int, size: str, stride: str, key: str = "0", kind: str = "Float") -> bytes:
    """A pickled tensor as torch writes it, with any claims."""
    storage = f"(S'storage'\nctorch\n{kind}Storage\nS'{key}'\nS'cpu'\nI{num_elements}\ntQ"
    return (
        f"ctorch._utils\n_rebuild_tensor_v2\n({storage}I0\n{size}{stride}I00\nccollections\n"
        "OrderedDict\n(tRtR"
    ).encode()


def as_state(*tensors: bytes) -> bytes:
    items = b"".join(b"S'%d'\n" % i + one + b"s" for i, one in enumerate(tensors))
    return b"}" + items + b"."


def test_the_tensors_made_by_hand_are_right(tmp_path: Path) -> None:
    data = as_state(tensor(3, "(I3\nt", "(I1\nt"))
    path = make_archive(tmp_path / "x.pt", data, {"0": struct.pack("<3f", 1, 2, 3)})
    assert read_state(path)["0"].tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("size", "stride"),
    [
        ("(I1000000000000\nt", "(I0\nt"),  # terabytes by a stride of zero
        ("(I4\nt", "(I1\nt"),
        ("(I3\nt", "(I2\nt"),
        ("(I-1\nt", "(I1\nt"),
        ("(I3\nt", "(I-1\nt"),
        ("(I3\nI1\nt", "(I1\nt"),
    ],
)
def test_a_tensor_outside_its_storage_is_an_error(tmp_path: Path, size: str, stride: str) -> None:
    data = as_state(tensor(3, size, stride))
    path = make_archive(tmp_path / "x.pt", data, {"0": bytes(12)})
    with pytest.raises(CheckpointError, match="damaged"):
        read_state(path)


def test_a_storage_has_one_type(tmp_path: Path) -> None:
    data = as_state(tensor(2, "(I2\nt", "(I1\nt"), tensor(2, "(I2\nt", "(I1\nt", kind="Int"))
    path = make_archive(tmp_path / "x.pt", data, {"0": bytes(8)})
    with pytest.raises(UnsafeCheckpointError, match="not what it claims to be"):
        read_state(path)


def test_a_missing_storage_is_an_error(tmp_path: Path) -> None:
    data = as_state(tensor(2, "(I2\nt", "(I1\nt", key="../../etc/passwd"))
    path = make_archive(tmp_path / "x.pt", data, {"0": bytes(8)})
    with pytest.raises(CheckpointError, match="is missing"):
        read_state(path)


def test_one_storage_used_a_thousand_times_is_refused(tmp_path: Path) -> None:
    one = tensor(100_000, "(I100000\nt", "(I1\nt")
    path = make_archive(tmp_path / "x.pt", as_state(*[one] * 1000), {"0": bytes(400_000)})
    with pytest.raises(UnsafeCheckpointError, match="more memory than the file has bytes"):
        read_state(path)


@pytest.mark.parametrize("claim", [2**31, 2**62])
def test_a_text_longer_than_the_file_costs_nothing(tmp_path: Path, claim: int) -> None:
    path = tmp_path / "x.th"
    path.write_bytes(b"\x80\x04\x8d" + struct.pack("<Q", claim) + b"x" * 100)
    tracemalloc.start()
    with pytest.raises(CheckpointError, match=r"x\.th is damaged"):
        read_package(path)
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()


@pytest.mark.parametrize("missing", ["klass", "args", "kwargs", "state"])
def test_a_package_without_one_of_its_parts_is_refused(tmp_path: Path, missing: str) -> None:
    kwargs = tiny.options()
    with tiny.reference_class() as klass:
        package = {"klass": klass, "args": (), "kwargs": kwargs, "state": tiny.state(kwargs)}
        del package[missing]
        torch.save(package, tmp_path / "x.th")
    for read in (read_package, describe_file):
        with pytest.raises(CheckpointError, match="without saying of which network"):
            read(tmp_path / "x.th")


def test_a_hostile_pickle_in_an_archive_is_refused(tmp_path: Path) -> None:
    path = make_archive(tmp_path / "x.th", b"cos\nsystem\n(S'true'\ntR.", {})
    with pytest.raises(UnsafeCheckpointError, match=r"os\.system"):
        read_package(path)


def test_an_archive_of_something_else_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.th", "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(CheckpointError, match="not one that torch wrote"):
        read_package(tmp_path / "x.th")


def test_a_stream_whose_storage_is_longer_than_the_file_is_refused(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    torch.save({"a": torch.arange(8.0)}, buffer, _use_new_zipfile_serialization=False)
    data = buffer.getvalue()
    lengths = struct.pack("<q", 8)
    path = tmp_path / "x.pt"
    path.write_bytes(data.replace(lengths, struct.pack("<q", 2**40)))
    with pytest.raises(CheckpointError, match="damaged or cut short"):
        read_state(path)
