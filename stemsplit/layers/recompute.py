"""Trading time for memory in training."""

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

Result = TypeVar("Result")


def call(function: Callable[..., Result], *inputs: Tensor | int | None, recompute: bool) -> Result:
    """Call a function, or a module, on tensors.

    Args:
        function: what to call. With `recompute` it runs twice, so it must not change any state:
            a batch norm inside would count every batch double. Dropout repeats itself exactly.
        inputs: its arguments.
        recompute: forget the intermediate results, and compute them again when the backward pass
            needs them. Results and gradients stay the same.
    """
    if not recompute or not torch.is_grad_enabled():
        return function(*inputs)
    y: Result = checkpoint(function, *inputs, use_reentrant=False)
    return y
