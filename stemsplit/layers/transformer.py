"""A transformer layer with its norms in front.

Shapes: D features, * any leading axes.
"""

from torch import Tensor, nn
from torch.nn import functional as F


class FeedForward(nn.Module):
    """Two linear maps with GELU between them, on tokens (*, D)."""

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
    """Attention, then a feed-forward network, each behind a norm and added to what came in.

    Source: Xiong et al. 2020, arXiv:2002.04745, the pre-norm layer.
    """

    def __init__(
        self, features: int, attention: nn.Module, hidden: int, *, dropout: float = 0.0
    ) -> None:
        """Build one layer.

        Args:
            features: D.
            attention: maps (*, D) to the same shape, in whatever way it groups the tokens.
            hidden: features inside the feed-forward network.
            dropout: share of the features dropped in training.
        """
        super().__init__()
        self.norm_attention = nn.LayerNorm(features)
        self.attention = attention
        self.norm_feedforward = nn.LayerNorm(features)
        self.feedforward = FeedForward(features, hidden, dropout=dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens of the same shape (*, D)."""
        tokens = tokens + self.dropout(self.attention(self.norm_attention(tokens)))
        y: Tensor = tokens + self.feedforward(self.norm_feedforward(tokens))
        return y
