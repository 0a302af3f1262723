"""Transition windows for overlap-add."""

import torch
from torch import Tensor


def triangle(num_samples: int) -> Tensor:
    """Weights (N,) that rise to 1 in the middle and fall again, never 0.

    Neighbouring segments that overlap by at most half thereby fade linearly into each other.

    Args:
        num_samples: N, at least 1.

    Source: demucs/apply.py 4.1.0, `apply_model` with `transition_power` 1.
    """
    half = num_samples // 2
    rising = torch.arange(1, half + 1)
    falling = torch.arange(num_samples - half, 0, -1)
    weights = torch.cat([rising, falling])
    return weights / weights.max()
