"""Tiny networks as files, in every format that is read. No demucs package is needed."""

import json
import sys
import types
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from stemsplit.checkpoints.weights import CheckpointInfo, write_checkpoint
from stemsplit.models import registry

CLASS = "demucs.demucs.Demucs"
STEMS = ["drums", "bass", "other", "vocals"]


def options(stems: list[str] | None = None, **others: Any) -> dict[str, Any]:
    """Constructor arguments of a reference network with a few hundred weights."""
    return {"sources": stems or STEMS, "channels": 4, "depth": 2, "segment": 1, **others}


def state(
    kwargs: Mapping[str, Any], seed: int = 0, dtype: torch.dtype = torch.float16
) -> dict[str, Tensor]:
    """Random weights under the names of the reference."""
    generator = torch.Generator().manual_seed(seed)
    parameters = registry.reference_parameters(CLASS, [], kwargs)
    return {name: torch.randn(shape, generator=generator).to(dtype) for name, shape in parameters}


def ours(kwargs: Mapping[str, Any], weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same weights under our names, in float32."""
    return registry.import_reference(CLASS, [], kwargs, weights)[2]


def write_reference(path: Path, *, seed: int = 0, kwargs: dict[str, Any] | None = None) -> Path:
    """A safetensors file as demucs 4.1 has on the hub."""
    kwargs = kwargs or options()
    metadata = {
        "klass": CLASS,
        "args": "[]",
        "kwargs": json.dumps(kwargs, default=_encode),
    }
    save_file(state(kwargs, seed), path, metadata=metadata)
    return path


def _encode(value: Fraction) -> dict[str, Any]:
    return {
        "_type": "fraction",
        "numerator": value.numerator,
        "denominator": value.denominator,
    }


def write_legacy(
    path: Path,
    *,
    seed: int = 0,
    kwargs: dict[str, Any] | None = None,
    is_zip: bool = True,
    **extra: Any,
) -> Path:
    """A `.th` package as older versions of demucs have."""
    kwargs = kwargs or options()
    with reference_class() as klass:
        package = {
            "klass": klass,
            "args": (),
            "kwargs": kwargs,
            "state": state(kwargs, seed),
            **extra,
        }
        torch.save(package, path, _use_new_zipfile_serialization=is_zip)
    return path


def write_own(
    path: Path,
    *,
    seed: int = 0,
    kwargs: dict[str, Any] | None = None,
    trained_sets: tuple[str, ...] = (),
    licence: str | None = None,
    trained_on: str | None = None,
) -> Path:
    """A checkpoint of our own."""
    kwargs = kwargs or options()
    architecture, config, weights = registry.import_reference(
        CLASS, [], kwargs, state(kwargs, seed)
    )
    info = CheckpointInfo(
        architecture=architecture,
        config=registry.config_to_dict(config),
        stems=config.stems,
        sample_rate=config.sample_rate,
        channels=config.channels,
        licence=licence,
        trained_on=trained_on,
        trained_sets=trained_sets,
    )
    write_checkpoint(path, weights, info)
    return path


@contextmanager
def reference_class(name: str = CLASS, base: type = object) -> Iterator[type]:
    """A class that pickles as one of the reference's, whether or not that is installed."""
    module_name, _, class_name = name.rpartition(".")
    module = types.ModuleType(module_name)
    klass = type(class_name, (base,), {"__module__": module_name})
    setattr(module, class_name, klass)
    package = types.ModuleType(module_name.partition(".")[0])
    package.__path__ = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, package.__name__, package)
        patch.setitem(sys.modules, module_name, module)
        yield klass


__all__ = [
    "CLASS",
    "STEMS",
    "options",
    "ours",
    "reference_class",
    "state",
    "write_legacy",
    "write_own",
    "write_reference",
]
