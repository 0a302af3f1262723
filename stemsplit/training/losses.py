"""What a training makes small.

Every loss compares estimates with references of the same shape, in float32, and gives one value for
each stem; values are averaged over excerpts, channels and what else the loss looks at.

Shapes: B batch, S stems, C audio channels, N samples, F bins, T frames.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from stemsplit.dsp.stft import centered_stft
from stemsplit.errors import ConfigError, TrainingError
from stemsplit.training.learning_recipe import LossSection, StftSection

Features = Callable[[Tensor], Sequence[Tensor]]
"""Signals (*, C, N) to any number of tensors whose first axis is the same; must be
differentiable, and is never read from a file."""

_FLOOR = 1e-5  # of magnitudes and powers before a logarithm: silence must not outweigh music


@dataclass(frozen=True)
class LossValues:
    """A loss and what it is made of."""

    total: Tensor
    """Scalar with a gradient."""

    terms: dict[str, Tensor]
    """Scalar of every term before its weight, without a gradient."""

    stems: Tensor
    """(S,) the weighted sum of the terms for each stem, without a gradient."""


@dataclass(frozen=True)
class _Signals:
    """What a loss looks at, in float32."""

    estimate: Tensor
    reference: Tensor
    rest: Tensor | None

    @property
    def mix(self) -> Tensor:
        """(B, C, N), without masks."""
        stems = self.reference.sum(dim=1)
        return stems if self.rest is None else stems + self.rest.float()


class Objective:
    """The weighted sum of losses that a recipe names.

    Args:
        section: of the recipe.
        num_stems: S of the estimates.
        features: what the perceptual loss compares, if the recipe has one.

    Raises:
        ConfigError: there are not as many weights as stems, or features for a perceptual loss are
            missing.
    """

    def __init__(
        self, section: LossSection, *, num_stems: int, features: Features | None = None
    ) -> None:
        weights = section.stem_weights or (1.0,) * num_stems
        if len(weights) != num_stems:
            raise ConfigError(
                f"loss.stem_weights has {len(weights)} numbers for {num_stems} stems."
            )
        if section.perceptual and features is None:
            raise ConfigError("loss.perceptual compares features, and none are given.")
        self._section = section
        self._features = features
        self._stem_weights = torch.tensor(weights) / sum(weights)
        self._names = [name for name in _PER_STEM if getattr(section, name)]

    def __call__(
        self, estimate: Tensor, reference: Tensor, rest: Tensor | None = None
    ) -> LossValues:
        """Compare stems.

        Args:
            estimate: (B, S, C, N), of any floating type.
            reference: (B, S, C, N).
            rest: (B, C, N), what else is in the mix; None for nothing.

        Raises:
            TrainingError: a term is not finite; the message names it.
        """
        with torch.autocast(estimate.device.type, enabled=False):
            given = _Signals(estimate.float(), reference.float(), rest)
            values = self._compare(given)
        if not torch.isfinite(values.total):
            raise TrainingError(_diverged(values.terms))
        return values

    def _compare(self, given: _Signals) -> LossValues:
        estimate, reference = given.estimate, given.reference
        weights = self._stem_weights = self._stem_weights.to(estimate.device)
        stems = torch.zeros_like(weights)
        terms = {}
        for name in self._names:
            values = _PER_STEM[name](self, given)  # (S,)
            terms[name] = (values * weights).sum().detach()
            stems = stems + getattr(self._section, name) * values
        total = (stems * weights).sum()
        if self._section.mix_consistency:
            value = (estimate.sum(dim=1) - reference.sum(dim=1)).abs().mean()
            terms["mix_consistency"] = value.detach()
            total = total + self._section.mix_consistency * value
        return LossValues(total=total, terms=terms, stems=stems.detach())

    def _waveform_l1(self, given: _Signals) -> Tensor:
        return _per_stem((given.estimate - given.reference).abs())

    def _waveform_l2(self, given: _Signals) -> Tensor:
        return _per_stem((given.estimate - given.reference).square())

    def _log_mse(self, given: _Signals) -> Tensor:
        """The negative SDR up to a constant, limited where a stem is silent or nearly right.

        Source: S. Wisdom et al., "What's all the fuss about free universal sound separation data?",
        ICASSP 2021, section 3, with the threshold of silent sources for all.
        """
        power = _power(given.mix[:, None]).clamp(min=_FLOOR)
        threshold = 10 ** (-self._section.log_mse_max_sdr / 10) * power
        return _per_stem(10 * torch.log10(1 + _power(given.estimate - given.reference) / threshold))

    def _magnitude_l1(self, given: _Signals) -> Tensor:
        ours, theirs = _magnitudes(given, self._section.magnitude)
        return _per_stem((ours - theirs).abs())

    def _multi_resolution(self, given: _Signals) -> Tensor:
        values = []
        for resolution in self._section.resolutions:
            ours, theirs = _magnitudes(given, resolution)
            logs = ours.clamp(min=_FLOOR).log() - theirs.clamp(min=_FLOOR).log()
            values.append(_per_stem((ours - theirs).abs()) + _per_stem(logs.abs()))
        return torch.stack(values).mean(dim=0)

    def _perceptual(self, given: _Signals) -> Tensor:
        assert self._features is not None
        batch, num_stems = given.estimate.shape[:2]
        ours = self._features(given.estimate.flatten(0, 1))
        with torch.no_grad():
            theirs = self._features(given.reference.flatten(0, 1))
        layers = [
            (own - other).abs().flatten(1).mean(dim=1)
            for own, other in zip(ours, theirs, strict=True)
        ]
        return torch.stack(layers).mean(dim=0).reshape(batch, num_stems).mean(dim=0)


_PER_STEM: dict[str, Callable[[Objective, _Signals], Tensor]] = {
    "waveform_l1": Objective._waveform_l1,
    "waveform_l2": Objective._waveform_l2,
    "log_mse": Objective._log_mse,
    "magnitude_l1": Objective._magnitude_l1,
    "multi_resolution": Objective._multi_resolution,
    "perceptual": Objective._perceptual,
}


def _per_stem(values: Tensor) -> Tensor:
    """Mean (S,) of values (B, S, ...)."""
    return values.transpose(0, 1).flatten(1).mean(dim=1)


def _power(signals: Tensor) -> Tensor:
    """Mean square (*, S) of signals (*, S, C, N)."""
    return signals.square().mean(dim=(-2, -1))


def _magnitudes(given: _Signals, grid: StftSection) -> tuple[Tensor, Tensor]:
    return _magnitude(given.estimate, grid), _magnitude(given.reference, grid)


def _magnitude(signal: Tensor, grid: StftSection) -> Tensor:
    """(B, S, C, F, T) as plain sums over the window, on which the floor of logarithms is defined.

    Its gradient is zero, and not infinite, where it is zero.
    """
    spectrum = centered_stft(signal.flatten(0, 1), grid.n_fft, grid.hop_length)
    magnitude = math.sqrt(grid.n_fft) * spectrum.abs().to(signal.device)
    return magnitude.reshape(*signal.shape[:3], *magnitude.shape[-2:])


def _diverged(terms: dict[str, Tensor]) -> str:
    broken = [name for name, value in terms.items() if not torch.isfinite(value)]
    name = broken[0] if broken else "total"
    value = f" is {terms[name].item()}" if broken else " is not finite"
    return (
        f"The loss {name}{value}: the training has diverged. Lower optim.lr, set optim.clip_norm, "
        "or use precision=fp32."
    )
