"""The settings of a separation: their names, defaults and limits, stated once.

Python, command line and server read their defaults from here. Nothing here imports torch.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from stemsplit.errors import ConfigError, UnknownModelError, suggest

Precision = Literal["auto", "fp32", "fp16", "bf16"]
ClipPolicy = Literal["shared", "clamp", "none"]
REPO_MODEL = "htdemucs"  # what ``auto`` means with a folder of weights: the default of demucs
MAX_SHIFTS = 100  # all passes are held at once; the paper used 10 and nobody reports gains beyond


@dataclass(frozen=True, kw_only=True)
class SeparationOptions:
    """How a mix is turned into stems; says nothing about files."""

    stems: tuple[str, ...] | None = None
    """Stems to produce, or None for all of the model's."""

    two_stems: str | None = None
    """Produce this stem and ``no_<stem>``, the mix minus this stem."""

    shifts: int = 0
    """Average this many predictions of randomly shifted input; 0 predicts once, unshifted."""

    seed: int = 0
    """Seed of the random shifts; the same seed gives the same stems."""

    overlap: float = 0.25
    """Share of a segment that overlaps the next one, from 0 up to but not including 1."""

    segment_seconds: float | None = None
    """Length of a segment; None takes the model's own."""

    batch: int | None = None
    """Segments per forward pass; None lets the device decide."""

    jobs: int = 1
    """Forward passes computed side by side on a CPU."""

    device: str = "auto"
    """``auto``, or a torch device such as ``cpu``, ``cuda``, ``cuda:1``, ``mps`` or ``xpu``."""

    precision: Precision = "auto"
    """Arithmetic of the network: ``auto`` is fp32; fp16 and bf16 give slightly other stems."""

    exact_sum: str | None = None
    """Add what the model left over to this stem, so that all stems sum to the mix."""

    def __post_init__(self) -> None:
        if self.stems is not None and self.two_stems is not None:
            raise ConfigError("--stems and --two-stems exclude each other: choose one of them.")
        if self.stems is not None and (not self.stems or len(set(self.stems)) != len(self.stems)):
            raise ConfigError(
                f"--stems needs distinct names, got {','.join(self.stems) or 'none'}."
            )
        if self.exact_sum is not None and (self.stems or self.two_stems) is not None:
            raise ConfigError(
                "--exact-sum needs all stems of the model: leave out --stems and --two-stems."
            )
        if not 0 <= self.shifts <= MAX_SHIFTS:
            raise ConfigError(f"--shifts must be from 0 to {MAX_SHIFTS}, got {self.shifts}.")
        if not 0 <= self.overlap < 1:
            raise ConfigError(f"--overlap must be at least 0 and below 1, got {self.overlap}.")
        if self.segment_seconds is not None and self.segment_seconds <= 0:
            raise ConfigError(f"--segment must be above 0 seconds, got {self.segment_seconds}.")
        if self.batch is not None and self.batch < 1:
            raise ConfigError(f"--batch must be 1 or more, got {self.batch}.")
        if self.jobs < 1:
            raise ConfigError(f"--jobs must be 1 or more, got {self.jobs}.")
        if self.precision not in get_args(Precision):
            allowed = ", ".join(get_args(Precision))
            raise ConfigError(f"--precision must be one of {allowed}; got {self.precision}.")

    @property
    def needed_stems(self) -> tuple[str, ...] | None:
        """The stems that networks have to predict, in no order; None for all of the model's."""
        return self.stems if self.two_stems is None else (self.two_stems,)

    def predicted_stems(self, model: str, model_stems: Sequence[str]) -> tuple[str, ...]:
        """The stems that the networks predict, in the model's order.

        Args:
            model: its name, for the message.
            model_stems: the stems it has.

        Raises:
            UnknownModelError: the model has no such stem.
        """
        needed = self.needed_stems
        for name in (*(needed or ()), *((self.exact_sum,) if self.exact_sum else ())):
            if name not in model_stems:
                raise UnknownModelError(
                    f"Model {model} has no stem {name!r}: it has {', '.join(model_stems)}."
                    + suggest(name, model_stems)
                )
        return tuple(stem for stem in model_stems if needed is None or stem in needed)

    def output_stems(self, model: str, model_stems: Sequence[str]) -> tuple[str, ...]:
        """The stems that come out, in order; see `predicted_stems`."""
        predicted = self.predicted_stems(model, model_stems)
        return predicted if self.two_stems is None else (*predicted, f"no_{self.two_stems}")


@dataclass(frozen=True, kw_only=True)
class OutputOptions:
    """Which files a separation writes, where, and under which names."""

    folder: Path = Path("separated")
    """Folder that all results go into."""

    template: str = "{model}/{track}/{stem}.{ext}"
    """Path below `folder`; fields are model, track, stem, ext and the tags of the song."""

    format: str = "wav"
    """Name of an audio format, see `stemsplit.audio.formats`."""

    bit_depth: int | None = None
    """16, 24 or 32 (32 is floating point for wav); None takes the format's own default."""

    bitrate: int | None = None
    """Bit rate of a lossy format in kbit/s; None takes the format's own default."""

    clip: ClipPolicy = "shared"
    """When a stem exceeds full scale: one gain for all stems, clamping, or nothing."""

    start_seconds: float = 0.0
    """Where in the song to begin."""

    stop_seconds: float | None = None
    """Where in the song to stop; None is its end."""

    skip_existing: bool = False
    """Leave songs alone whose stems were made by the same model, settings and input."""

    overwrite: bool = False
    """Replace files that are in the way."""

    def __post_init__(self) -> None:
        if self.clip not in get_args(ClipPolicy):
            raise ConfigError(
                f"--clip must be one of {', '.join(get_args(ClipPolicy))}; got {self.clip}."
            )
        if self.start_seconds < 0:
            raise ConfigError(f"--from must be 0 or later, got {self.start_seconds} s.")
        if self.stop_seconds is not None and self.stop_seconds <= self.start_seconds:
            raise ConfigError(
                f"--to ({self.stop_seconds} s) must lie after --from ({self.start_seconds} s)."
            )
        if self.skip_existing and self.overwrite:
            raise ConfigError("--skip-existing and --overwrite exclude each other: choose one.")
