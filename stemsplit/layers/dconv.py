"""Residual branches with dilated convolutions, local attention and a framed LSTM.

Shapes: B batch, D features, T positions, H heads.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stemsplit.layers.levels import Residual
from stemsplit.layers.norms import GroupNorm, LayerScale

_KERNEL = 3
_HEADS = 4
_DECAYS = 4
_LSTM_LAYERS = 2
_LSTM_WINDOW = 200  # positions that the LSTM sees at a time
_SELF_SCORE = -100.0  # of a position for itself: it is to look at the others


class ResidualStack(nn.Module):
    """Residual branches one after another, with growing dilation."""

    def __init__(self, channels: int, residual: Residual) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            ResidualBranch(channels, residual, dilation=2**index) for index in range(residual.depth)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Features of the same shape (B, D, T)."""
        for layer in self.layers:
            x = layer(x)
        return x


class ResidualBranch(nn.Module):
    """Compress, convolve, look around, expand, gate; the result is added to the input."""

    def __init__(self, channels: int, residual: Residual, *, dilation: int) -> None:
        super().__init__()
        hidden = int(channels / residual.compress)
        self.conv_in = nn.Conv1d(
            channels, hidden, _KERNEL, dilation=dilation, padding=dilation * (_KERNEL // 2)
        )
        self.norm_in = GroupNorm(1, hidden)
        self.lstm = FramedLSTM(hidden) if residual.lstm else None
        self.attention = LocalAttention(hidden) if residual.attention else None
        self.conv_out = nn.Conv1d(hidden, 2 * channels, 1)
        self.norm_out = GroupNorm(1, 2 * channels)
        self.scale = LayerScale(channels, residual.init)

    def forward(self, x: Tensor) -> Tensor:
        """Features of the same shape (B, D, T)."""
        y: Tensor = F.gelu(self.norm_in(self.conv_in(x)))
        if self.lstm is not None:
            y = self.lstm(y)
        if self.attention is not None:
            y = self.attention(y)
        # The gated half is scaled by the norm before it: a pass less over the wide features.
        scale = F.pad(self.scale.scale, (0, x.shape[1]), value=1.0)
        norm = self.norm_out
        y = torch.group_norm(self.conv_out(y), 1, scale * norm.weight, scale * norm.bias, norm.eps)
        y = F.glu(y, dim=1)
        return x + y if torch.is_grad_enabled() else y.add_(x)


class BidirectionalLSTM(nn.Module):
    """LSTM in both directions, and back to the number of features it was given."""

    def __init__(self, features: int, layers: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(features, features, layers, bidirectional=True)
        self.linear = nn.Linear(2 * features, features)

    def forward(self, x: Tensor) -> Tensor:
        """Features of the same shape (B, D, T)."""
        y, _ = self.lstm(x.permute(2, 0, 1))
        z: Tensor = self.linear(y)
        return z.permute(1, 2, 0)


class FramedLSTM(BidirectionalLSTM):
    """Bidirectional LSTM over windows of at most 200 positions, added to its input.

    Longer input is cut into windows that overlap by half; of every window the middle half is kept.
    """

    def __init__(self, features: int) -> None:
        super().__init__(features, _LSTM_LAYERS)

    def forward(self, x: Tensor) -> Tensor:
        """Features of the same shape (B, D, T)."""
        batch, _, length = x.shape
        if length <= _LSTM_WINDOW:
            return x + super().forward(x)
        stride = _LSTM_WINDOW // 2
        num_windows = math.ceil(length / stride)
        padded = F.pad(x, (0, (num_windows - 1) * stride + _LSTM_WINDOW - length))
        windows = padded.unfold(-1, _LSTM_WINDOW, stride).transpose(1, 2)  # (B, W, D, 200)
        y = torch.unflatten(super().forward(windows.flatten(0, 1)), 0, (batch, num_windows))
        edge = stride // 2
        middle = y[..., edge:-edge].transpose(1, 2).flatten(2)  # (B, D, W * stride)
        joined = torch.cat([y[:, 0, :, :edge], middle, y[:, -1, :, -edge:]], dim=-1)
        return x + joined[..., :length]


class LocalAttention(nn.Module):
    """Attention whose scores fall linearly with the distance, at a rate each query chooses.

    The result is added to the input.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.content = nn.Conv1d(features, features, 1)
        self.query = nn.Conv1d(features, features, 1)
        self.key = nn.Conv1d(features, features, 1)
        self.query_decay = nn.Conv1d(features, _HEADS * _DECAYS, 1)
        self.proj = nn.Conv1d(features, features, 1)
        with torch.no_grad():
            self.query_decay.weight *= 0.01
            assert self.query_decay.bias is not None
            self.query_decay.bias.fill_(-2.0)  # slow decay: at first it sees far

    def forward(self, x: Tensor) -> Tensor:
        """Features of the same shape (B, D, T)."""
        length = x.shape[-1]
        queries, keys, content = (
            torch.unflatten(layer(x), 1, (_HEADS, -1))
            for layer in (self.query, self.key, self.content)
        )  # (B, H, D / H, T) each
        scores = queries.transpose(2, 3) @ keys / keys.shape[2] ** 0.5  # (B, H, query, key)
        # In float32 also under autocast: half precision cannot count beyond a few hundred.
        position = torch.arange(length, device=x.device, dtype=torch.float32)
        distance = (position[:, None] - position).abs()
        scores = scores - self._decay(x)[..., None] * distance
        itself = torch.eye(length, device=x.device, dtype=torch.bool)
        weights = scores.masked_fill(itself, _SELF_SCORE).softmax(dim=-1).to(content.dtype)
        found = content @ weights.transpose(2, 3)  # (B, H, D / H, T)
        y: Tensor = x + self.proj(found.flatten(1, 2))
        return y

    def _decay(self, x: Tensor) -> Tensor:
        """Loss of score per position of distance, (B, H, T)."""
        strength = torch.unflatten(self.query_decay(x), 1, (_HEADS, _DECAYS)).sigmoid() / 2
        rates = torch.arange(1, _DECAYS + 1, device=x.device, dtype=x.dtype)
        decay: Tensor = torch.einsum("d,bhdt->bht", rates, strength) / _DECAYS**0.5
        return decay
