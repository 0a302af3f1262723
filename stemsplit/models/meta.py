"""Networks on the `meta` device, which knows shapes and computes nothing."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from stemsplit.errors import ConfigError
from stemsplit.models.base import ModelConfig
from stemsplit.models.custom import NamedNetwork
from stemsplit.models.registry import build_network

META = "meta"


def build_on_meta(network: NamedNetwork, config: ModelConfig | None = None) -> nn.Module:
    """The network in eval mode.

    Args:
        network: what to build.
        config: to build it from, if not its own.

    Raises:
        ConfigError: the configuration is of a network that cannot be.
    """
    try:
        with torch.device(META):
            return build_network(network.architecture, config or network.config).eval()
    except (RuntimeError, ValueError, ArithmeticError, TypeError) as error:
        raise ConfigError(f"{network.name} cannot be built: {reason(error)}") from error


@contextmanager
def running(network: NamedNetwork, mix: torch.Tensor) -> Iterator[None]:
    """A context in which the network takes a mix (B, C, N).

    Raises:
        ConfigError: it cannot.
    """
    try:
        yield
    except (RuntimeError, ValueError) as error:
        seconds = mix.shape[-1] / network.config.sample_rate
        raise ConfigError(f"{network.name} cannot take {seconds:g} s: {reason(error)}") from error


def reason(error: BaseException) -> str:
    """The first line of what torch says, as the end of a sentence."""
    text = str(error).strip().partition("\n")[0] or type(error).__name__
    return text.rstrip(".") + "."
