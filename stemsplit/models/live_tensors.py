"""How much memory the tensors of a computation take at their peak.

Followed is the memory behind every tensor that an operation returns, from its first use until
nothing refers to it. Operations that are made of others are taken apart, but for attention, which
counts as the one kernel that it is on most devices. What a kernel takes for itself while it runs is
not seen.
"""

import weakref
from typing import Any

import torch
from torch import Tensor
from torch._ops import OpOverload
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class LiveTensors(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """A context that follows the tensors made in it, on any device, `meta` included."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.peak_bytes = 0
        """The most that was alive at once, of what was made since the context was entered."""
        self._bytes = 0
        self._alive: set[int] = set()

    def __torch_dispatch__(
        self,
        func: OpOverload[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        if func is not torch.ops.aten.scaled_dot_product_attention.default:
            with self:
                result = func.decompose(*args, **(kwargs or {}))
            if result is not NotImplemented:
                return result
        result = func(*args, **(kwargs or {}))
        before = {_address(tensor) for tensor in _tensors((args, kwargs))}
        for tensor in _tensors(result):
            if _address(tensor) not in before:  # else a view, or changed in place
                self._follow(tensor)
        return result

    def _follow(self, tensor: Tensor) -> None:
        storage, address = tensor.untyped_storage(), _address(tensor)
        if address in self._alive:
            return
        self._alive.add(address)
        self._bytes += storage.nbytes()
        self.peak_bytes = max(self.peak_bytes, self._bytes)
        weakref.finalize(storage, self._forget, address, storage.nbytes()).atexit = False

    def _forget(self, address: int, num_bytes: int) -> None:
        self._alive.discard(address)
        self._bytes -= num_bytes


def _tensors(values: Any) -> list[Tensor]:
    return [value for value in tree_leaves(values) if isinstance(value, Tensor)]


def _address(tensor: Tensor) -> int:
    address: int = tensor.untyped_storage()._cdata
    return address
