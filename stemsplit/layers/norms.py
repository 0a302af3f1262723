"""Normalisation and scaling.

Shapes: B batch, N tokens or positions, D features.
"""

import torch
from torch import Tensor, nn

_EPS = 1e-5


class LayerScale(nn.Module):
    """A learnt factor per feature, which lets a residual branch start close to nothing.

    Source: Touvron et al. 2021, arXiv:2103.17239.
    """

    def __init__(self, features: int, init: float, *, channels_last: bool = False) -> None:
        """Scale `features` features, initially all by `init`.

        Args:
            features: D.
            init: initial factor.
            channels_last: features are the last axis (B, N, D) and not the second one (B, D, N).
        """
        super().__init__()
        self.scale = nn.Parameter(torch.full((features,), init))
        self.channels_last = channels_last

    def forward(self, values: Tensor) -> Tensor:
        """The scaled values, in the shape of `values`."""
        scale = self.scale if self.channels_last else self.scale[:, None]
        return scale * values


class GroupNorm(nn.GroupNorm):
    """Group norm over (B, D, ...) that also takes groups of a single value, which become 0."""

    def forward(self, values: Tensor) -> Tensor:
        """The normalised values, in the shape of `values`."""
        return torch.group_norm(values, self.num_groups, self.weight, self.bias, self.eps)


class TokenGroupNorm(nn.GroupNorm):
    """Group norm with one group over all tokens and features of (B, N, D)."""

    def __init__(self, features: int) -> None:
        super().__init__(1, features)

    def forward(self, tokens: Tensor) -> Tensor:
        """The normalised tokens (B, N, D)."""
        return super().forward(tokens.transpose(1, 2)).transpose(1, 2)


def standardize(values: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Shift and scale every item of a batch to mean 0 and standard deviation 1.

    Args:
        values: (B, ...).

    Returns:
        The standardised values, and mean and deviation as (B, 1, ...), for going back with
        ``values * deviation + mean``. Silence gives a deviation of 0 and stays silence.
    """
    dims = tuple(range(1, values.dim()))
    # A single value has no deviation; asking for the unbiased one would give NaN.
    correction = min(1, values[0].numel() - 1)
    deviation, mean = torch.std_mean(values, dim=dims, correction=correction, keepdim=True)
    return (values - mean) / (_EPS + deviation), mean, deviation


class ChannelNorm(nn.LayerNorm):
    """Layer norm over the features of (B, D, *), at every position by itself."""

    def forward(self, values: Tensor) -> Tensor:
        """The normalised values (B, D, *)."""
        return super().forward(values.movedim(1, -1)).movedim(-1, 1)
