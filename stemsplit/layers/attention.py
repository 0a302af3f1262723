"""Multi-head attention, softmax and linear; the only place that calls scaled dot-product attention.

Shapes: B batch, H heads, N tokens, M tokens attended to, D features.
"""

import math
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import Tensor, nn
from torch.amp.autocast_mode import is_autocast_available
from torch.nn import functional as F

_MAX_SEQUENCES = 65_535  # the grid that CUDA can launch; fused kernels put one sequence in a block
_LINEAR_EPS = 1e-6


class MultiHeadAttention(nn.Module):
    """Softmax attention of a sequence to itself or to another one."""

    def __init__(self, features: int, heads: int, *, dropout: float = 0.0) -> None:
        """Attend with `heads` heads.

        Args:
            features: D, a multiple of `heads`.
            heads: H.
            dropout: share of the attention weights dropped in training.
        """
        super().__init__()
        self.heads = heads
        self.dropout = dropout
        self.recorded: list[Tensor] | None = None
        self.in_proj = nn.Linear(features, 3 * features)  # query, key and value in one
        self.out_proj = nn.Linear(features, features)
        nn.init.xavier_uniform_(self.in_proj.weight)
        nn.init.zeros_(self.in_proj.bias)
        nn.init.zeros_(self.out_proj.bias)

    def forward(self, tokens: Tensor, memory: Tensor | None = None) -> Tensor:
        """Attend.

        Args:
            tokens: (B, N, D), which ask.
            memory: (B, M, D), which answer; None for the tokens themselves.

        Returns:
            (B, N, D).
        """
        features = tokens.shape[-1]
        if memory is None:
            query, key, value = self.in_proj(tokens).chunk(3, dim=-1)
        else:
            weight, bias = self.in_proj.weight, self.in_proj.bias
            query = F.linear(tokens, weight[:features], bias[:features])
            key, value = F.linear(memory, weight[features:], bias[features:]).chunk(2, dim=-1)
        query, key, value = (
            torch.unflatten(part, -1, (self.heads, -1)).transpose(1, 2)
            for part in (query, key, value)
        )  # (B, H, N or M, D / H)
        found = self._attend(query, key, value)
        y: Tensor = self.out_proj(found.transpose(1, 2).flatten(2))
        return y

    def _attend(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        dropout = self.dropout if self.training else 0.0
        if self.recorded is not None:
            scores = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])
            weights = scores.softmax(dim=-1).to(value.dtype)
            self.recorded.append(weights.detach())
            return F.dropout(weights, dropout) @ value
        if query.shape[0] <= _MAX_SEQUENCES:
            return F.scaled_dot_product_attention(query, key, value, dropout_p=dropout)
        parts = (torch.split(part, _MAX_SEQUENCES) for part in (query, key, value))
        return torch.cat(
            [
                F.scaled_dot_product_attention(asking, telling, told, dropout_p=dropout)
                for asking, telling, told in zip(*parts, strict=True)
            ]
        )


class LinearAttention(MultiHeadAttention):
    """Attention whose weights are products of features and not a softmax, in linear time.

    The weight of a key for a query is phi(query) · phi(key) over its sum for all keys, with
    phi(z) = ELU(z) + 1, and without a scale. Sums run over thousands of tokens, so they are taken
    in float32 whatever the precision around them. Dropout falls on what was found.

    Source: Katharopoulos et al. 2020, arXiv:2006.16236, section 3.
    """

    def _attend(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        with _full_precision(query.device):
            query, key = F.elu(query.float()) + 1, F.elu(key.float()) + 1
            total = query @ key.sum(dim=-2)[..., None] + _LINEAR_EPS  # (B, H, N, 1)
            if self.recorded is not None:
                self.recorded.append((query @ key.transpose(-2, -1) / total).detach())
            found = query @ (key.transpose(-2, -1) @ value.float()) / total
        return F.dropout(found.to(value.dtype), self.dropout, self.training)


def _full_precision(device: torch.device) -> AbstractContextManager[object]:
    """Switch autocast off, on devices that know it."""
    if _knows_autocast(device.type):
        return torch.autocast(device.type, enabled=False)
    return nullcontext()


# The compiler cannot look into it, and it never changes.
@torch.compiler.assume_constant_result  # type: ignore[untyped-decorator]
def _knows_autocast(device_type: str) -> bool:
    return is_autocast_available(device_type)


ATTENTIONS: dict[str, type[MultiHeadAttention]] = {
    "softmax": MultiHeadAttention,
    "linear": LinearAttention,
}


@contextmanager
def record_attention(
    network: nn.Module, names: Collection[str] | None = None
) -> Iterator[dict[str, list[Tensor]]]:
    """Write down the attention weights of every call while the context is open.

    The weights are then computed one by one instead of inside the fused kernel, with the same
    result up to rounding. That takes memory quadratic in the number of tokens, and is for looking,
    not for training.

    Args:
        network: searched for `MultiHeadAttention` through and through.
        names: of the attention modules to record, as `named_modules` has them; None for all.

    Yields:
        Module name to the weights of its calls in order, each (B, H, N, M) with rows that sum to 1.

    Raises:
        ValueError: one of `names` is no attention module of the network.
    """
    modules = {
        name: module
        for name, module in network.named_modules()
        if isinstance(module, MultiHeadAttention)
    }
    wanted = list(modules) if names is None else list(names)
    for name in wanted:
        if name not in modules:
            raise ValueError(f"{name!r} is no attention module; there are {', '.join(modules)}.")
    maps: dict[str, list[Tensor]] = {name: [] for name in wanted}
    for name, found in maps.items():
        modules[name].recorded = found
    try:
        yield maps
    finally:
        for name in wanted:
            modules[name].recorded = None
