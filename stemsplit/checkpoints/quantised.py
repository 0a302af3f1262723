"""Decodes weights that diffq quantised (mdx_q, mdx_extra_q), without diffq and its compiler.

A quantised parameter is a grid of integer levels between its smallest and largest value. Levels are
packed bit plane by bit plane. DiffQuantizer gives every group of weights its own number of bits,
UniformQuantizer one number to all. The state holds no names: parameters come in the order in which
the reference's network registers them, the quantised ones in one list, the small ones in another.

Source: diffq 0.2.4, `base.py`, `diffq.py`, `uniform.py`, `torch_pack.py` and `bitpack.pyx`; written
anew, vectorised, from the format. Results are bit for bit the same (tests/checkpoints).
"""

from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatch
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stemsplit.checkpoints.plain_data import ClassName
from stemsplit.errors import CheckpointError

Parameter = tuple[str, tuple[int, ...]]
"""Name and shape."""

_MAX_BITS = 15
_DEFAULTS: dict[str, dict[str, Any]] = {
    "diffq.diffq.DiffQuantizer": {
        "min_size": 0.01, "float16": False, "exclude": [], "group_size": 1, "min_bits": 2,
    },
    "diffq.uniform.UniformQuantizer": {
        "min_size": 0.01, "float16": False, "exclude": [], "bits": 8.0,
    },
}  # fmt: skip


def is_quantised(state: Mapping[str, Any]) -> bool:
    """Whether a package's state is a quantiser's rather than parameters by name."""
    return bool(state.get("__quantized")) and "quantized" in state


def decode(state: Mapping[str, Any], parameters: Sequence[Parameter]) -> dict[str, Tensor]:
    """The parameters of a quantised network, in float32.

    Args:
        state: what `get_quantized_state` of diffq returned, with `ClassName` for the class.
        parameters: names and shapes in the order of the reference's network.

    Raises:
        CheckpointError: the state is of an unknown quantiser, or does not fit the parameters.
    """
    try:
        kind, options, packed = _read_meta(state["meta"])
        large, small = _split(parameters, options)
        kept = state["float16"] if options["float16"] else state["others"]
        decoded = {
            name: _decode_parameter(entry, shape, kind, options, packed)
            for (name, shape), entry in _pairs(large, state["quantized"])
        }
        for (name, shape), tensor in _pairs(small, kept):
            if tuple(tensor.shape) != shape:
                raise ValueError(f"{name} has the shape {tuple(tensor.shape)}, not {shape}")
            decoded[name] = tensor.float()
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        raise CheckpointError(f"the quantised weights are damaged: {error}.") from error
    return {name: decoded[name] for name, _ in parameters}


def _read_meta(meta: Mapping[str, Any]) -> tuple[str, dict[str, Any], bool]:
    name = meta["klass"]
    if not isinstance(name, ClassName) or name.name not in _DEFAULTS:
        raise ValueError("they name no quantiser that stemsplit knows")
    return name.name, _DEFAULTS[name.name] | dict(meta["init_kwargs"]), bool(meta["packed"])


def _split(
    parameters: Sequence[Parameter], options: Mapping[str, Any]
) -> tuple[list[Parameter], list[Parameter]]:
    """The parameters that were quantised, and those too small to be."""
    most = options["min_size"] * 2**20 // 4  # megabytes of float32
    large: list[Parameter] = []
    small: list[Parameter] = []
    for name, shape in parameters:
        own_name = name.rpartition(".")[2]
        excluded = any(fnmatch(name, p) or fnmatch(own_name, p) for p in options["exclude"])
        (small if excluded or int(np.prod(shape)) <= most else large).append((name, shape))
    return large, small


def _pairs(
    parameters: Sequence[Parameter], entries: Sequence[Any]
) -> Iterator[tuple[Parameter, Any]]:
    if len(parameters) != len(entries):
        raise ValueError(f"{len(entries)} parameters where the network has {len(parameters)}")
    return zip(parameters, entries, strict=True)


def _decode_parameter(
    entry: Any, shape: tuple[int, ...], kind: str, options: Mapping[str, Any], packed: bool
) -> Tensor:
    if kind == "diffq.diffq.DiffQuantizer":
        levels, scale, bits = entry
        group_size = int(options["group_size"])
        if group_size < 1:
            raise ValueError("a group size below 1")
        num_groups = int(np.prod(shape)) // group_size
        if packed:
            bits = _unpack(bits, num_groups) + int(options["min_bits"])
            levels = _unpack_groups(levels, bits, group_size)
        else:
            levels, bits = levels.numpy(), bits.numpy().reshape(-1)
        return _dequantise(levels, scale, bits[:, None]).reshape(shape)
    levels, scale = entry
    bits = np.asarray([options["bits"]])
    levels = _unpack(levels, int(np.prod(shape))) if packed else levels.numpy()
    return _dequantise(levels, scale, bits).reshape(shape)


def _dequantise(levels: NDArray[Any], scale: Sequence[float], bits: NDArray[Any]) -> Tensor:
    # The same operations in the same order and precision as diffq, so that no bit differs.
    low, high = (float(value) for value in scale)
    unit = 1 / (2 ** torch.from_numpy(bits).float() - 1)
    return torch.from_numpy(levels).float() * unit * (high - low) + low


def _unpack_groups(
    planes: Sequence[Any], bits: NDArray[np.int16], group_size: int
) -> NDArray[np.int16]:
    """Levels (groups, group_size) from one packed run per number of bits, 1 first."""
    levels = np.zeros((len(bits), group_size), dtype=np.int16)
    found = 0
    for index, packed in enumerate(planes):
        if packed is not None:
            mask = bits == index + 1
            count = int(mask.sum())
            levels[mask] = _unpack(packed, count * group_size).reshape(count, group_size)
            found += count
    if found != len(bits):
        raise ValueError(f"levels for {found} of {len(bits)} groups")
    return levels


def _unpack(packed: Tensor, length: int) -> NDArray[np.int16]:
    """Integers out of bit planes.

    Two layouts exist. The compiled packer writes int64 words (lines, bits, words per line), the
    torch one words (bits, words), which is the same with one line. Within a line, bit i of word j
    belongs to number i * words + j.

    Args:
        packed: bit planes, lowest bit first.
        length: how many numbers there are; the rest is padding.
    """
    words = packed.numpy()
    if words.ndim == 2:
        words = words[None]
    lines, num_bits, width = words.shape
    word_bits = words.itemsize * 8
    if num_bits > _MAX_BITS or lines * width * word_bits < length:
        raise ValueError(f"packed numbers of shape {tuple(packed.shape)} for {length} weights")
    numbers = np.zeros((lines, word_bits, width), dtype=np.int16)
    little_endian = words.astype(words.dtype.newbyteorder("<"), copy=False)
    for bit in range(num_bits):
        plane = np.ascontiguousarray(little_endian[:, bit]).view(np.uint8)
        plane = np.unpackbits(plane, axis=-1, bitorder="little").reshape(lines, width, word_bits)
        numbers |= plane.transpose(0, 2, 1).astype(np.int16) << bit
    return numbers.reshape(-1)[:length]
