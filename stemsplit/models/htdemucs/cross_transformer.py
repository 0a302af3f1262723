"""Transformer over the tokens of two branches, with self and cross attention.

Shapes: B batch, D features, F bins, T frames, N tokens, M tokens attended to.

Source: Rouard et al. 2023, arXiv:2211.08553; demucs/transformer.py 4.1.0, with the options that
published weights use: sine encodings, norm before, group norm after, LayerScale, GELU.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stemsplit.layers.attention import ATTENTIONS
from stemsplit.layers.embedding import sine_1d, sine_2d
from stemsplit.layers.norms import LayerScale, TokenGroupNorm
from stemsplit.layers.recompute import call
from stemsplit.models.htdemucs.config import CrossTransformerConfig

_SCALE_INIT = 1e-4


class CrossTransformer(nn.Module):
    """A stack of layers for the spectrogram and one for the waveform."""

    def __init__(
        self,
        width: int,
        config: CrossTransformerConfig,
        *,
        has_time_output: bool = True,
        checkpointing: bool = False,
    ) -> None:
        """Build both stacks.

        Args:
            width: D.
            config: all else.
            has_time_output: whether anything uses what comes out for the waveform; if not, it may
                come out unfinished.
            checkpointing: in training, compute activations again for the gradient.
        """
        super().__init__()
        self.config = config
        self._checkpointing = checkpointing
        self.norm = nn.LayerNorm(width)
        self.layers = nn.ModuleList(
            TransformerLayer(width, config, is_cross=config.is_cross(index))
            for index in range(config.layers)
        )
        self.gate = _gate(config)
        self.looks_at_time = config.kind != "self"
        if not self.looks_at_time:
            return
        self.time_norm = nn.LayerNorm(width)
        self.time_layers = nn.ModuleList(
            TransformerLayer(width, config, is_cross=config.is_cross(index))
            for index in range(config.time_layers(has_output=has_time_output))
        )
        self.time_gate = _gate(config) if has_time_output else None

    def forward(self, x: Tensor, wave: Tensor) -> tuple[Tensor, Tensor]:
        """Transform.

        Args:
            x: features of the spectrogram (B, D, F, T), or (B, D, T) where its bins are one.
            wave: features of the waveform (B, D, N); returned as they are by kind ``self``.

        Returns:
            Features of the same shapes.
        """
        grid = x.shape[2:]
        tokens = self._tokens(x if x.dim() == 4 else x[:, :, None])
        time_tokens = self._time_tokens(wave) if self.looks_at_time else None
        recompute = self._checkpointing and self.training
        for index, layer in enumerate(self.layers):
            # Both look at what the other was before this layer.
            before, tokens = tokens, call(layer, tokens, time_tokens, recompute=recompute)
            if time_tokens is not None and index < len(self.time_layers):
                layer = self.time_layers[index]
                time_tokens = call(layer, time_tokens, before, recompute=recompute)
        y = torch.unflatten(tokens.transpose(1, 2), 2, (grid[-1], -1)).transpose(
            2, 3
        )  # (B, D, F, T)
        y = _mix(self.gate, y.reshape(x.shape), x)
        if time_tokens is None:
            return y, wave
        return y, _mix(self.time_gate, time_tokens.transpose(1, 2), wave)

    def _tokens(self, x: Tensor) -> Tensor:
        """Normed and encoded tokens (B, T * F, D) of (B, D, F, T)."""
        _, width, bins, frames = x.shape
        period = self.config.max_period
        positions = sine_2d(bins, frames, width, max_period=period, device=x.device)
        tokens = self.norm(x.permute(0, 3, 2, 1).flatten(1, 2))
        y: Tensor = tokens + self.config.position_weight * positions.flatten(0, 1)
        return y

    def _time_tokens(self, wave: Tensor) -> Tensor:
        """Normed and encoded tokens (B, N, D) of (B, D, N)."""
        _, width, num = wave.shape
        positions = sine_1d(num, width, max_period=self.config.max_period, device=wave.device)
        y: Tensor = self.time_norm(wave.transpose(1, 2)) + self.config.position_weight * positions
        return y


class TransformerLayer(nn.Module):
    """Attention to itself or to the other branch, then a feed-forward network."""

    def __init__(self, width: int, config: CrossTransformerConfig, *, is_cross: bool) -> None:
        """Build one layer.

        Args:
            width: D.
            config: attention, heads, hidden features and dropout.
            is_cross: attend to the other branch.
        """
        super().__init__()
        self.norm_attention = nn.LayerNorm(width)
        self.norm_memory = nn.LayerNorm(width) if is_cross else None
        attention = ATTENTIONS[config.attention]
        self.attention = attention(width, config.heads, dropout=config.dropout)
        self.scale_attention = LayerScale(width, _SCALE_INIT, channels_last=True)
        self.norm_feedforward = nn.LayerNorm(width)
        self.linear_in = nn.Linear(width, config.hidden)
        self.linear_out = nn.Linear(config.hidden, width)
        self.scale_feedforward = LayerScale(width, _SCALE_INIT, channels_last=True)
        self.norm_out = TokenGroupNorm(width)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, tokens: Tensor, other: Tensor | None) -> Tensor:
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


def _gate(config: CrossTransformerConfig) -> nn.Parameter | None:
    """The logit of the share of what was transformed, at first one half."""
    return nn.Parameter(torch.zeros(())) if config.gated else None


def _mix(gate: nn.Parameter | None, transformed: Tensor, x: Tensor) -> Tensor:
    if gate is None:
        return transformed
    share = gate.sigmoid()
    return share * transformed + (1 - share) * x
