"""A transformer layer with its norms in front.

Shapes: B batch, N tokens, M tokens attended to, D features.
"""

from torch import Tensor, nn
from torch.nn import functional as F

from stemsplit.layers.attention import MultiHeadAttention


class FeedForward(nn.Module):
    """Two linear maps with GELU between them, on tokens (B, N, D)."""

    def __init__(self, features: int, hidden: int, *, dropout: float = 0.0) -> None:
        """Widen `features` to `hidden` and back.

        Args:
            features: D.
            hidden: features between the two maps.
            dropout: share of the features dropped in training, after either map.
        """
        super().__init__()
        self.linear_in = nn.Linear(features, hidden)
        self.linear_out = nn.Linear(hidden, features)
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens of the same shape."""
        hidden = self.dropout(F.gelu(self.linear_in(tokens)))
        y: Tensor = self.dropout(self.linear_out(hidden))
        return y


class TransformerLayer(nn.Module):
    """Self-attention, then a feed-forward network, each added to what came in.

    Source: Xiong et al. 2020, arXiv:2002.04745, the pre-norm layer.
    """

    def __init__(self, features: int, heads: int, hidden: int, *, dropout: float = 0.0) -> None:
        """Build one layer.

        Args:
            features: D, a multiple of `heads`.
            heads: attention heads.
            hidden: features inside the feed-forward network.
            dropout: share of attention weights and features dropped in training.
        """
        super().__init__()
        self.norm_attention = nn.LayerNorm(features)
        self.attention = MultiHeadAttention(features, heads, dropout=dropout)
        self.norm_feedforward = nn.LayerNorm(features)
        self.feedforward = FeedForward(features, hidden, dropout=dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Tensor, positions: Tensor | None = None) -> Tensor:
        """Transform.

        Args:
            tokens: (B, N, D).
            positions: (N, D), told to the attention only; None when order does not count.

        Returns:
            (B, N, D).
        """
        asking = self.norm_attention(tokens)
        if positions is not None:
            asking = asking + positions
        tokens = tokens + self.dropout(self.attention(asking))
        y: Tensor = tokens + self.feedforward(self.norm_feedforward(tokens))
        return y
