"""Transformer over the tokens of two branches, with self and cross attention in turn.

Shapes: B batch, D features, F bins, T frames, N tokens, M tokens attended to.

Source: Rouard et al. 2023, arXiv:2211.08553; demucs/transformer.py 4.1.0, with the options that
published weights use: sine encodings, norm before, group norm after, LayerScale, GELU.
"""

from torch import Tensor, nn
from torch.nn import functional as F

from stemsplit.layers.attention import MultiHeadAttention
from stemsplit.layers.embedding import sine_1d, sine_2d
from stemsplit.layers.norms import LayerScale, TokenGroupNorm
from stemsplit.models.htdemucs.config import CrossTransformerConfig

_SCALE_INIT = 1e-4


class CrossTransformer(nn.Module):
    """A stack of layers for the spectrogram and one for the waveform."""

    def __init__(self, width: int, config: CrossTransformerConfig) -> None:
        """Build both stacks.

        Args:
            width: D.
            config: all else.
        """
        super().__init__()
        self.config = config
        self.norm = nn.LayerNorm(width)
        self.time_norm = nn.LayerNorm(width)
        self.layers = nn.ModuleList()
        self.time_layers = nn.ModuleList()
        for index in range(config.layers):
            is_cross = (index % 2 == 0) == config.cross_first
            self.layers.append(TransformerLayer(width, config, is_cross=is_cross))
            self.time_layers.append(TransformerLayer(width, config, is_cross=is_cross))

    def forward(self, x: Tensor, wave: Tensor) -> tuple[Tensor, Tensor]:
        """Features of the same shapes (B, D, F, T) and (B, D, N)."""
        _, width, bins, frames = x.shape
        period, weight = self.config.max_period, self.config.position_weight
        positions = sine_2d(bins, frames, width, max_period=period, device=x.device)
        tokens = x.permute(0, 3, 2, 1).flatten(1, 2)  # (B, T * F, D)
        tokens = self.norm(tokens) + weight * positions.flatten(0, 1)
        positions = sine_1d(wave.shape[-1], width, max_period=period, device=x.device)
        time_tokens = self.time_norm(wave.transpose(1, 2)) + weight * positions

        for layer, time_layer in zip(self.layers, self.time_layers, strict=True):
            # Both look at what the other was before this layer.
            tokens, time_tokens = layer(tokens, time_tokens), time_layer(time_tokens, tokens)

        x = tokens.unflatten(1, (frames, bins)).permute(0, 3, 2, 1)
        return x, time_tokens.transpose(1, 2)


class TransformerLayer(nn.Module):
    """Attention to itself or to the other branch, then a feed-forward network."""

    def __init__(self, width: int, config: CrossTransformerConfig, *, is_cross: bool) -> None:
        """Build one layer.

        Args:
            width: D.
            config: heads, hidden features and dropout.
            is_cross: attend to the other branch.
        """
        super().__init__()
        self.norm_attention = nn.LayerNorm(width)
        self.norm_memory = nn.LayerNorm(width) if is_cross else None
        self.attention = MultiHeadAttention(width, config.heads, dropout=config.dropout)
        self.scale_attention = LayerScale(width, _SCALE_INIT, channels_last=True)
        self.norm_feedforward = nn.LayerNorm(width)
        self.linear_in = nn.Linear(width, config.hidden)
        self.linear_out = nn.Linear(config.hidden, width)
        self.scale_feedforward = LayerScale(width, _SCALE_INIT, channels_last=True)
        self.norm_out = TokenGroupNorm(width)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, tokens: Tensor, other: Tensor) -> Tensor:
        """Transform.

        Args:
            tokens: (B, N, D) of this branch.
            other: (B, M, D) of the other branch; only a cross layer looks at them.

        Returns:
            (B, N, D).
        """
        memory = None if self.norm_memory is None else self.norm_memory(other)
        found = self.dropout(self.attention(self.norm_attention(tokens), memory))
        tokens = tokens + self.scale_attention(found)
        hidden = self.dropout(F.gelu(self.linear_in(self.norm_feedforward(tokens))))
        tokens = tokens + self.scale_feedforward(self.dropout(self.linear_out(hidden)))
        y: Tensor = self.norm_out(tokens)
        return y
