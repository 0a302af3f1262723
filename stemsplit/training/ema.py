"""Running means of the weights of a network, which often separate better than the weights."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn


class WeightAverage:
    """The exponential moving mean of everything in a state dict that is a floating point number.

    The first updates weigh more, so that the mean is that of what was seen and not of the initial
    weights: update n counts for (1 - decay) / (1 - decay^n). What is no such number, as the counter
    of a norm, is that of the network.

    Args:
        network: whose weights are averaged; it must outlive this.
        decay: how much of the mean an update keeps.

    Source: demucs/ema.py 4.1.0, `ModelEMA`.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self._network = network
        self.decay = decay
        self._count = 0.0
        self._mean = {name: value.clone() for name, value in self._weights().items()}

    @torch.no_grad()
    def update(self) -> None:
        """Take the present weights into the mean."""
        self._count = self._count * self.decay + 1
        weights = self._weights()
        means = [self._mean[name] for name in weights]
        torch._foreach_lerp_(means, list(weights.values()), 1 / self._count)

    @property
    def weights(self) -> dict[str, Tensor]:
        """The state dict with the mean in place of the weights; not copied."""
        return {**self._network.state_dict(), **self._mean}

    @contextmanager
    def swapped_in(self) -> Iterator[None]:
        """The network has the mean as its weights inside this context, and its own after it."""
        own = {name: value.clone() for name, value in self._weights().items()}
        self._copy_in(self._mean)
        try:
            yield
        finally:
            self._copy_in(own)

    def state_dict(self) -> dict[str, Any]:
        """All that `load_state_dict` needs to go on; not copied."""
        return {"decay": self.decay, "count": self._count, "mean": self._mean}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a state.

        Raises:
            ValueError: it is that of another decay or of another network.
        """
        mean = state["mean"]
        if state["decay"] != self.decay or mean.keys() != self._mean.keys():
            raise ValueError("the state is that of a mean with another decay or of other weights")
        self._count = float(state["count"])
        for name, value in mean.items():
            self._mean[name].copy_(value)

    def _weights(self) -> dict[str, Tensor]:
        return {
            name: value.detach()
            for name, value in self._network.state_dict().items()
            if value.is_floating_point()
        }

    @torch.no_grad()
    def _copy_in(self, values: Mapping[str, Tensor]) -> None:
        for name, value in self._weights().items():
            value.copy_(values[name])
