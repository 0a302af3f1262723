"""Quantised weights come out bit for bit as diffq itself restores them.

tests/data/diffq.safetensors was made once with diffq 0.2.4 and demucs 4.1.0 from
`Demucs(sources, channels=4, depth=1, segment=1)` with normal random weights (seed 3) and random
numbers of bits, with these quantisers:

    packed          DiffQuantizer(group_size=4, min_size=0.0003)
    torch_packed    DiffQuantizer(group_size=2, min_size=0.0003, float16=True,
                                  exclude=["decoder.0.3.*"]), packed by torch_pack
    plain           DiffQuantizer(group_size=2, min_size=0.0003), not packed
    uniform         UniformQuantizer(bits=5, min_size=0.0003), not packed

Its metadata hold each state's structure as demucs 4.1 writes it for the hub; the tensors
`CASE.expected.NAME` are what `diffq.restore_quantized_state` made of it. diffq packs no uniform
state: its packer wants a whole number of bits and gets 5.0.
"""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from stemsplit.checkpoints.plain_data import ClassName
from stemsplit.checkpoints.quantised import _unpack, decode, is_quantised
from stemsplit.checkpoints.reading import _unflatten, read_checkpoint
from stemsplit.errors import CheckpointError
from stemsplit.models import registry
from tests.checkpoints import tiny

GOLDEN = Path(__file__).parents[1] / "data" / "diffq.safetensors"
CASES = ["packed", "torch_packed", "plain", "uniform"]


class Case:
    """One stored state, the parameters it is for, and what it must become."""

    def __init__(self, name: str) -> None:
        with safe_open(GOLDEN, framework="pt") as file:
            metadata = file.metadata()
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        own = {
            key.removeprefix(f"{name}."): t
            for key, t in tensors.items()
            if key.startswith(f"{name}.")
        }
        self.expected = {
            key.removeprefix("expected."): t
            for key, t in own.items()
            if key.startswith("expected.")
        }
        self.tensors = {key: t for key, t in own.items() if key.startswith("state.")}
        self.structure = metadata[name]
        self.kwargs: dict[str, Any] = json.loads(metadata["kwargs"])
        self.state: dict[str, Any] = _unflatten(json.loads(self.structure), self.tensors)
        self.parameters = registry.reference_parameters(tiny.CLASS, [], self.kwargs)


@pytest.mark.parametrize("name", CASES)
def test_decoding_equals_diffq(name: str) -> None:
    case = Case(name)
    assert is_quantised(case.state)
    decoded = decode(case.state, case.parameters)
    assert list(decoded) == [name for name, _ in case.parameters]
    assert set(decoded) == set(case.expected)
    for key, tensor in case.expected.items():
        assert decoded[key].dtype == torch.float32
        assert torch.equal(decoded[key], tensor), key


@pytest.mark.parametrize("name", CASES)
def test_some_parameters_are_quantised_and_some_not(name: str) -> None:
    state = Case(name).state
    assert state["quantized"]
    assert state["float16"] if name == "torch_packed" else state["others"]


@pytest.mark.parametrize("suffix", [".th", ".safetensors"])
def test_a_quantised_file_is_read_as_any_other(tmp_path: Path, suffix: str) -> None:
    case = Case("packed")
    path = tmp_path / f"x{suffix}"
    if suffix == ".th":
        write_package(path, case)
    else:
        metadata = {
            "klass": tiny.CLASS,
            "args": "[]",
            "kwargs": json.dumps(case.kwargs),
            "structure": case.structure,
        }
        save_file(case.tensors, path, metadata=metadata)
    checkpoint = read_checkpoint(path)
    expected = tiny.ours(case.kwargs, case.expected)
    assert set(checkpoint.state) == set(expected)
    for key, tensor in expected.items():
        assert torch.equal(checkpoint.state[key], tensor)


def write_package(path: Path, case: Case) -> None:
    with (
        tiny.reference_class() as klass,
        tiny.reference_class("diffq.diffq.DiffQuantizer") as quantiser,
    ):
        state = {**case.state, "meta": {**case.state["meta"], "klass": quantiser}}
        torch.save({"klass": klass, "args": (), "kwargs": case.kwargs, "state": state}, path)


def pack_by_hand(numbers: list[int], num_bits: int, lines: int, width: int) -> Tensor:
    """Bit planes by the definition: bit i of word j of a line is number i * width + j."""
    words = torch.zeros(lines, num_bits, width, dtype=torch.int64)
    for position, number in enumerate(numbers):
        line, rest = divmod(position, 64 * width)
        bit, word = divmod(rest, width)
        for plane in range(num_bits):
            if number >> plane & 1:
                value = 1 << bit
                words[line, plane, word] |= value - 2**64 if value >= 2**63 else value
    return words


@pytest.mark.parametrize(("num_bits", "length"), [(1, 1), (3, 64), (7, 300), (15, 400)])
def test_unpacking_follows_the_definition(num_bits: int, length: int) -> None:
    generator = torch.Generator().manual_seed(num_bits)
    numbers = torch.randint(2**num_bits, (length,), generator=generator).tolist()
    packed = pack_by_hand(numbers, num_bits, lines=2, width=4)
    assert _unpack(packed, length).tolist() == numbers


def spoil_quantiser(state: dict[str, Any]) -> None:
    state["meta"]["klass"] = ClassName("diffq.lsq.LSQ")


def spoil_count(state: dict[str, Any]) -> None:
    state["quantized"].pop()


def spoil_small(state: dict[str, Any]) -> None:
    state["others"].append(torch.zeros(1))


def spoil_shape(state: dict[str, Any]) -> None:
    state["others"][0] = torch.zeros(1, 2, 3)


def spoil_levels(state: dict[str, Any]) -> None:
    planes, scale, bits = state["quantized"][0]
    state["quantized"][0] = ([None] * len(planes), scale, bits)


def spoil_length(state: dict[str, Any]) -> None:
    planes, scale, bits = state["quantized"][0]
    state["quantized"][0] = (planes, scale, bits[..., :1][:0])


def spoil_group(state: dict[str, Any]) -> None:
    state["meta"]["init_kwargs"]["group_size"] = 0


def spoil_scale(state: dict[str, Any]) -> None:
    planes, _scale, bits = state["quantized"][0]
    state["quantized"][0] = (planes, ("low", "high"), bits)


def spoil_meta(state: dict[str, Any]) -> None:
    del state["meta"]["packed"]


@pytest.mark.parametrize(
    "spoil",
    [
        spoil_quantiser,
        spoil_count,
        spoil_small,
        spoil_shape,
        spoil_levels,
        spoil_length,
        spoil_group,
        spoil_scale,
        spoil_meta,
    ],
)
def test_a_state_that_does_not_fit_is_an_error(spoil: Any) -> None:
    case = Case("packed")
    spoil(case.state)
    with pytest.raises(CheckpointError, match="quantised weights are damaged"):
        decode(case.state, case.parameters)


def test_the_class_of_a_structure_is_never_imported(tmp_path: Path) -> None:
    case = Case("packed")
    metadata = {
        "klass": tiny.CLASS,
        "args": "[]",
        "kwargs": json.dumps(case.kwargs),
        "structure": case.structure.replace("diffq.diffq.DiffQuantizer", "antigravity.Quantizer"),
    }
    path = tmp_path / "x.safetensors"
    save_file(case.tensors, path, metadata=metadata)
    with pytest.raises(CheckpointError, match="no quantiser that stemsplit knows"):
        read_checkpoint(path)


@pytest.mark.parity
@pytest.mark.parametrize(
    ("name", "kwargs"),
    [
        ("demucs.demucs.Demucs", {"channels": 4, "lstm_layers": 1}),
        ("demucs.demucs.Demucs", {"channels": 4, "rewrite": False, "dconv_mode": 3}),
        ("demucs.hdemucs.HDemucs", {"channels": 4}),
        ("demucs.hdemucs.HDemucs", {"channels": 4, "cac": False, "multi_freqs": [0.25, 0.5]}),
        ("demucs.htdemucs.HTDemucs", {"channels": 8, "t_layers": 3, "bottom_channels": 16}),
    ],
)
def test_parameters_are_listed_in_the_reference_order(name: str, kwargs: dict[str, Any]) -> None:
    module = pytest.importorskip(name.rpartition(".")[0])
    kwargs = {"sources": tiny.STEMS, **kwargs}
    network = getattr(module, name.rpartition(".")[2])(**kwargs)
    expected = [(key, tuple(parameter.shape)) for key, parameter in network.named_parameters()]
    assert registry.reference_parameters(name, [], kwargs) == expected
