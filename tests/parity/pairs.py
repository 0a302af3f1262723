"""The same network twice: from the reference package, and taken over from it."""

import re
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from stemsplit.models.base import ModelConfig
from stemsplit.models.registry import build_network, import_reference

TOLERANCE = 1e-5  # relative error allowed, in float32


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def relative_error(actual: Tensor, expected: Tensor) -> float:
    assert actual.shape == expected.shape
    size = float(expected.norm())
    return float((actual - expected).norm()) / (size or 1.0)


def assert_equal(actual: Tensor, expected: Tensor, tolerance: float = TOLERANCE) -> None:
    error = relative_error(actual, expected)
    assert error <= tolerance, f"relative error {error:.2e}"


def perturb(network: nn.Module, seed: int = 0) -> None:
    """Move every parameter away from its start, so that no branch hides behind a small factor."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.endswith("scale"):  # layer scales start close to nothing
                parameter.copy_(0.1 + 0.3 * torch.rand(parameter.shape, generator=generator))
            elif parameter.dim() == 1:
                parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))


def reference_class(class_name: str) -> type[nn.Module]:
    module, _, name = class_name.rpartition(".")
    found: type[nn.Module] = getattr(pytest.importorskip(module), name)
    return found


def make_pair(class_name: str, kwargs: dict[str, Any]) -> tuple[nn.Module, nn.Module, ModelConfig]:
    """The reference with random weights, ours with the same, and our configuration."""
    torch.manual_seed(0)
    theirs = reference_class(class_name)(**kwargs).eval()
    perturb(theirs)
    architecture, config, state = import_reference(class_name, (), kwargs, theirs.state_dict())
    with torch.device("meta"):
        ours = build_network(architecture, config).eval()
    ours.load_state_dict(state, assign=True)
    return theirs, ours, config


def submodules(network: nn.Module, pattern: str) -> list[str]:
    """Names of submodules that match a regular expression as a whole."""
    return [name for name, _ in network.named_modules() if re.fullmatch(pattern, name)]
