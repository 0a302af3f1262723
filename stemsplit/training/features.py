"""What a trained network hears in a signal: the outputs of its encoders, for a perceptual loss.

Shapes: C audio channels, N samples.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import torch
from torch import Tensor, nn

from stemsplit.audio.channels import match_channels
from stemsplit.checkpoints.load import LoadedMember, load_model
from stemsplit.errors import ConfigError
from stemsplit.separation.stopping import stopping
from stemsplit.training.losses import Features
from stemsplit.training.setup import TrainingPlan


def find_features(
    plan: TrainingPlan,
    given: Features | None,
    device: torch.device,
    *,
    offline: bool = False,
    stop: threading.Event | None = None,
) -> Features | None:
    """What the perceptual loss of a recipe compares; None for a recipe without one.

    Args:
        plan: of the training.
        given: by the caller.
        device: where to compute.
        offline: never open a network connection.
        stop: set it from another thread to end a download.

    Raises:
        ConfigError: nothing is given, or the model of the recipe does not fit.
        UnknownModelError: there is no such model.
        Cancelled: `stop` was set.
    """
    section = plan.recipe.loss
    if given is not None and (section.perceptual_model is not None or not section.perceptual):
        raise ConfigError(
            "The features that were passed to train() go with loss.perceptual above 0 and without "
            "loss.perceptual_model."
        )
    if not section.perceptual or given is not None:
        return given
    if section.perceptual_model is None:
        raise ConfigError(
            "loss.perceptual compares features: name a model that hears them with "
            "loss.perceptual_model, pass them to train() in Python, or set loss.perceptual=0."
        )
    progress = None if stop is None else stopping(stop)
    loaded = load_model(section.perceptual_model, offline=offline, progress=progress)
    return _of_model(plan, section.perceptual_model, loaded.members[0], device)


_HISS = 1e-5  # of full scale: networks that take magnitudes have no gradient at digital silence


class EncoderFeatures:
    """The outputs of all encoder levels of a network, which stays as it is.

    Nothing behind the last encoder is computed.

    Args:
        network: (B, C, N) to anything; what it calls `encoder` is listened to.
        channels: C that it takes; other signals are turned into that.

    Raises:
        ConfigError: it has no encoders.
    """

    def __init__(self, network: nn.Module, channels: int) -> None:
        self._network = network.eval().requires_grad_(False)
        self._channels = channels
        self._levels = [
            level
            for name, levels in network.named_modules()
            if name.rpartition(".")[2] == "encoder" and isinstance(levels, nn.ModuleList)
            for level in levels
        ]
        if not self._levels:
            raise ConfigError("it has no encoders to listen to.")

    def __call__(self, signals: Tensor) -> Sequence[Tensor]:
        """One tensor (B, ...) per level, of signals (B, C, N)."""
        generator = torch.Generator().manual_seed(0)  # the same for estimates and references
        hiss = _HISS * torch.randn(signals.shape[-2:], generator=generator).to(signals)
        with self._listening() as heard, suppress(_HeardAll):
            self._network(match_channels(signals + hiss, self._channels))
        return [one.reshape(signals.shape[0], -1) for one in heard]

    @contextmanager
    def _listening(self) -> Iterator[list[Tensor]]:
        heard: list[Tensor] = []

        def listen(_level: nn.Module, _inputs: Any, output: Tensor) -> None:
            heard.append(output)
            if len(heard) == len(self._levels):
                raise _HeardAll

        hooks = [level.register_forward_hook(listen) for level in self._levels]
        try:
            yield heard
        finally:
            for hook in hooks:
                hook.remove()


class _HeardAll(Exception):
    """Ends the forward pass of a network of which no more is needed."""


def _of_model(
    plan: TrainingPlan, name: str, member: LoadedMember, device: torch.device
) -> Features:
    """The features of a network."""
    ours, theirs = plan.config, member.config
    try:
        if theirs.sample_rate != ours.sample_rate:
            raise ConfigError(
                f"it is at {theirs.sample_rate} Hz, and the network at {ours.sample_rate} Hz."
            )
        longest = max(phase.segment_samples for phase in plan.phases)
        if theirs.fixed_length and longest > theirs.segment_samples:
            raise ConfigError(
                f"it takes {theirs.segment_seconds:g} s at most, and excerpts are "
                f"{longest / ours.sample_rate:g} s (data.segment_seconds)."
            )
        return EncoderFeatures(member.network.to(device), theirs.channels)
    except ConfigError as error:
        raise ConfigError(f"{name} cannot be loss.perceptual_model: {error}") from None
