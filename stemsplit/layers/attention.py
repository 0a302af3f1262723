"""Multi-head attention; the only place that calls scaled dot-product attention.

Shapes: B batch, H heads, N tokens, M tokens attended to, D features.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


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
        dropout = self.dropout if self.training else 0.0
        found = F.scaled_dot_product_attention(query, key, value, dropout_p=dropout)
        y: Tensor = self.out_proj(found.transpose(1, 2).flatten(2))
        return y
