"""The sections of a recipe that say what is made small, and how.

Nothing in this file imports torch.
"""

from dataclasses import dataclass
from typing import Literal

from stemsplit.training.recipe_checks import require


@dataclass(frozen=True, kw_only=True)
class StftSection:
    """A spectrogram that a loss compares."""

    n_fft: int = 2048
    """Samples of a frame."""

    hop_length: int = 512
    """Samples from frame to frame."""

    def __post_init__(self) -> None:
        require(
            self.n_fft % 2 == 0 and 1 <= self.hop_length <= self.n_fft // 2,
            "n_fft of a loss must be even and at least twice hop_length, "
            f"got {self.n_fft} and {self.hop_length}.",
        )


RESOLUTIONS = (
    StftSection(n_fft=2048, hop_length=512),
    StftSection(n_fft=1024, hop_length=256),
    StftSection(n_fft=512, hop_length=128),
)


@dataclass(frozen=True, kw_only=True)
class LossSection:
    """What is made small: a sum of terms, each with its weight; 0 leaves a term out."""

    waveform_l1: float = 1.0
    """Mean absolute difference of the samples."""

    waveform_l2: float = 0.0
    """Mean squared difference of the samples."""

    log_mse: float = 0.0
    """Mean over excerpts of the level of the error, in dB above a threshold: what lowers it by 1
    raises the SDR by up to 1 dB, in quiet and in loud excerpts."""

    log_mse_max_sdr: float = 30.0
    """The threshold of `log_mse`, in dB below the mix: what lies under it hardly counts."""

    magnitude_l1: float = 0.0
    """Mean absolute difference of the magnitudes of one spectrogram, plain sums over its window."""

    multi_resolution: float = 0.0
    """Differences of magnitudes and of their logarithms, mean over several spectrograms."""

    mix_consistency: float = 0.0
    """Mean absolute difference of the sums over all stems."""

    perceptual: float = 0.0
    """Difference of features: those of `perceptual_model`, or what Python passes to `train`."""

    perceptual_model: str | None = None
    """A model that `stemsplit separate` can load, whose encoders hear the features; of a bag its
    first network."""

    magnitude: StftSection = StftSection()
    """The spectrogram of `magnitude_l1`."""

    resolutions: tuple[StftSection, ...] = RESOLUTIONS
    """The spectrograms of `multi_resolution`."""

    stem_weights: tuple[float, ...] = ()
    """How much each stem counts, in the order of the network's stems; empty for all the same. The
    score that chooses the best weights counts them alike."""

    def __post_init__(self) -> None:
        terms = {name: getattr(self, name) for name in LOSS_TERMS}
        for name, weight in terms.items():
            require(weight >= 0, f"loss.{name} must be 0 or more, got {weight}.")
        require(any(terms.values()), f"loss needs a weight above 0: {', '.join(LOSS_TERMS)}.")
        require(
            self.perceptual_model is None or self.perceptual > 0,
            "loss.perceptual_model has no weight: set loss.perceptual above 0 too.",
        )
        require(bool(self.resolutions), "loss.resolutions must have one spectrogram at least.")
        require(
            not self.stem_weights or (min(self.stem_weights) >= 0 < max(self.stem_weights)),
            "loss.stem_weights must be 0 or more, one of them above 0, "
            f"got {list(self.stem_weights)}.",
        )


LOSS_TERMS = (
    "waveform_l1",
    "waveform_l2",
    "log_mse",
    "magnitude_l1",
    "multi_resolution",
    "mix_consistency",
    "perceptual",
)


@dataclass(frozen=True, kw_only=True)
class GroupSection:
    """Parameters that are treated in another way than the rest."""

    match: str
    """Pattern of their names, such as `"transformer.*"`."""

    lr_scale: float = 1.0
    """What the learning rate is multiplied by; 0 keeps them as they are."""

    weight_decay: float | None = None
    """Their weight decay; none takes that of the rest."""

    def __post_init__(self) -> None:
        require(bool(self.match), "optim.groups: match must be a pattern of names.")
        for name in ("lr_scale", "weight_decay"):
            value = getattr(self, name)
            require(
                value is None or value >= 0, f"optim.groups: {name} must be 0 or more, got {value}."
            )


@dataclass(frozen=True, kw_only=True)
class OptimSection:
    """How weights follow their gradients."""

    name: Literal["adam", "adamw", "nadam", "radam", "sgd"] = "adam"
    """The method."""

    lr: float = 3e-4
    """The learning rate after the warm-up."""

    betas: tuple[float, ...] = (0.9, 0.999)
    """How much of the mean gradient and of its square is kept from step to step."""

    eps: float = 1e-8
    """Added to what is divided by."""

    momentum: float = 0.9
    """Of `sgd`."""

    weight_decay: float = 0.0
    """How fast weights shrink: with the gradient, or apart from it for `adamw`."""

    clip_norm: float | None = None
    """Longest gradient over all weights; none takes it as it is."""

    groups: tuple[GroupSection, ...] = ()
    """Parameters that are treated in another way; the first pattern that fits counts."""

    def __post_init__(self) -> None:
        for name in ("lr", "eps", "clip_norm"):
            value = getattr(self, name)
            require(value is None or value > 0, f"optim.{name} must be positive, got {value}.")
        require(
            self.weight_decay >= 0,
            f"optim.weight_decay must be 0 or more, got {self.weight_decay}.",
        )
        require(
            len(self.betas) == 2 and all(0 <= beta < 1 for beta in self.betas),
            f"optim.betas must be two numbers from 0 to below 1, got {list(self.betas)}.",
        )
        require(
            0 <= self.momentum < 1,
            f"optim.momentum must be from 0 to below 1, got {self.momentum}.",
        )


@dataclass(frozen=True, kw_only=True)
class ScheduleSection:
    """How the learning rate changes."""

    name: Literal["constant", "cosine", "linear", "staircase", "plateau"] = "constant"
    """Its course after the warm-up: all the same; down to `min_lr` as half a cosine or as a
    straight line; times `factor` every `every_epochs`, or where validation gets no better."""

    warmup_steps: int = 0
    """Steps over which it rises from almost nothing."""

    warmup_epochs: float = 0.0
    """The same in epochs, in place of `warmup_steps`."""

    min_lr: float = 0.0
    """The lowest it falls to."""

    factor: float = 0.9
    """Of `staircase` and `plateau`."""

    every_epochs: float = 1.0
    """Of `staircase`."""

    patience: int = 5
    """Of `plateau`: as many validations in a row without a better score make the rate fall."""

    min_gain_db: float = 0.0
    """Of `plateau`: how much better a score must be to count."""

    per_epoch: bool = False
    """Set it once per epoch, and not at every step."""

    def __post_init__(self) -> None:
        for name in ("warmup_steps", "warmup_epochs", "min_lr", "min_gain_db"):
            value = getattr(self, name)
            require(value >= 0, f"schedule.{name} must be 0 or more, got {value}.")
        require(
            not (self.warmup_steps and self.warmup_epochs),
            "schedule takes warmup_steps or warmup_epochs, not both.",
        )
        require(0 < self.factor <= 1, f"schedule.factor must be up to 1, got {self.factor}.")
        require(self.patience > 0, f"schedule.patience must be positive, got {self.patience}.")
        require(
            self.every_epochs > 0,
            f"schedule.every_epochs must be positive, got {self.every_epochs}.",
        )


@dataclass(frozen=True, kw_only=True)
class EmaSection:
    """Running means of the weights, each of which is validated beside the weights themselves."""

    steps: tuple[float, ...] = ()
    """How much of each mean is kept from step to step, such as 0.9995."""

    epochs: tuple[float, ...] = ()
    """How much of each mean is kept from epoch to epoch."""

    def __post_init__(self) -> None:
        for name in ("steps", "epochs"):
            values = getattr(self, name)
            require(
                all(0 < value < 1 for value in values) and len(set(values)) == len(values),
                f"ema.{name} must be different numbers between 0 and 1, got {list(values)}.",
            )
