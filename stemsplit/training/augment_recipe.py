"""The sections of a recipe that say how stems are changed before they are added up.

A probability is how often a change is made: 0 never, 1 always. What it is counted over stands with
each section. Nothing in this file imports torch.
"""

from dataclasses import dataclass

from stemsplit.training.recipe_checks import require


def _check_probability(name: str, value: float) -> None:
    require(0 <= value <= 1, f"augment.{name} must be from 0 to 1, got {value}.")


def _check_range(name: str, low: float, high: float) -> None:
    require(
        0 < low <= high,
        f"augment.{name} must be a range of positive numbers, got {low} to {high}.",
    )


def _check_at_least(name: str, value: float, low: float) -> None:
    require(value >= low, f"augment.{name} must be at least {low:g}, got {value}.")


@dataclass(frozen=True, kw_only=True)
class ShiftSection:
    """Cutting each excerpt out of a longer one."""

    seconds: float = 0.0
    """How much later it may begin; excerpts are read longer by this."""

    together: bool = True
    """Cut all stems of an excerpt at the same place, so that they stay in time."""

    def __post_init__(self) -> None:
        _check_at_least("shift.seconds", self.seconds, 0)


@dataclass(frozen=True, kw_only=True)
class GainSection:
    """Making stems louder or softer."""

    probability: float = 0.0
    """Per group of excerpts (see `AugmentSection.group_size`)."""

    low: float = 0.7
    """The smallest factor; every stem of every excerpt draws its own."""

    high: float = 1.3
    """The largest factor."""

    def __post_init__(self) -> None:
        _check_probability("gain.probability", self.probability)
        _check_range("gain", self.low, self.high)


@dataclass(frozen=True, kw_only=True)
class RepitchSection:
    """Changing pitch and tempo."""

    probability: float = 0.0
    """Per excerpt."""

    semitones: float = 2.0
    """How far the pitch may move, up or down."""

    whole_semitones: bool = True
    """Move it by whole semitones only."""

    tempo_low: float = 0.9
    """The slowest tempo, relative to the song's; excerpts are read longer for the fastest."""

    tempo_high: float = 1.1
    """The fastest tempo."""

    tempo_deviation: float | None = None
    """Standard deviation of a normal draw, cut at the ends; none draws all tempos alike."""

    together: bool = True
    """Change all stems of an excerpt in the same way."""

    def __post_init__(self) -> None:
        _check_probability("repitch.probability", self.probability)
        _check_range("repitch.tempo", self.tempo_low, self.tempo_high)
        _check_at_least("repitch.semitones", self.semitones, 0)
        require(
            self.semitones <= 12 and self.tempo_low >= 0.5 and self.tempo_high <= 2,
            "augment.repitch goes up to 12 semitones and from 0.5 to 2 times the tempo, got "
            f"{self.semitones} semitones and {self.tempo_low} to {self.tempo_high}.",
        )
        require(
            self.tempo_deviation is None or self.tempo_deviation > 0,
            f"augment.repitch.tempo_deviation must be positive, got {self.tempo_deviation}.",
        )


@dataclass(frozen=True, kw_only=True)
class MaskSection:
    """Silencing stripes of the spectrogram of the mix that the network hears."""

    frequency_probability: float = 0.0
    """Per excerpt: of a band of frequencies."""

    time_probability: float = 0.0
    """Per excerpt: of a stretch of time."""

    max_hz: float = 1720.0
    """Greatest width of a band."""

    max_seconds: float = 0.46
    """Greatest length of a stretch."""

    n_fft: int = 2048
    """Samples of a frame of the spectrogram."""

    hop_length: int = 512
    """Samples from frame to frame."""

    def __post_init__(self) -> None:
        _check_probability("mask.frequency_probability", self.frequency_probability)
        _check_probability("mask.time_probability", self.time_probability)
        _check_at_least("mask.max_hz", self.max_hz, 0)
        _check_at_least("mask.max_seconds", self.max_seconds, 0)
        require(
            self.n_fft % 2 == 0 and 1 <= self.hop_length <= self.n_fft // 2,
            "augment.mask.n_fft must be even and at least twice hop_length, "
            f"got {self.n_fft} and {self.hop_length}.",
        )


@dataclass(frozen=True, kw_only=True)
class AugmentSection:
    """All changes of the stems and of the mix.

    Their order is `repitch` where excerpts are read, then `shift`, `flip_channels`, `flip_sign`,
    `gain`, `doubling` and `remix`, and at last `mask` on the mix.
    """

    flip_channels: float = 0.0
    """Probability that left and right of a stem change places; of stereo only."""

    flip_sign: float = 0.0
    """Probability that a stem is turned upside down."""

    doubling: float = 0.0
    """Probability that the same stem of another excerpt is added to a stem."""

    remix: float = 0.0
    """Probability that the stems of a group of excerpts are dealt out anew."""

    group_size: int = 4
    """Neighbours in the batch that `doubling` and `remix` take stems from."""

    shift: ShiftSection = ShiftSection()
    gain: GainSection = GainSection()
    repitch: RepitchSection = RepitchSection()
    mask: MaskSection = MaskSection()

    def __post_init__(self) -> None:
        for name in ("flip_channels", "flip_sign", "doubling", "remix"):
            _check_probability(name, getattr(self, name))
        _check_at_least("group_size", self.group_size, 1)
