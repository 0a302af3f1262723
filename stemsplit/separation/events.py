"""What happens during a separation, as plain data: the one vocabulary of progress.

Callbacks, the progress bars of the command line and `--json` all speak it.
Nothing here imports torch.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Notice:
    """Something the user should read once: a downmix, a fallback, a licence."""

    message: str
    is_warning: bool = False


@dataclass(frozen=True, kw_only=True)
class ModelReady:
    """The networks are loaded and sit on their device."""

    model: str
    device: str
    precision: str
    networks: int
    seconds: float


@dataclass(frozen=True, kw_only=True)
class BatchStarted:
    """Which songs will be worked on."""

    songs: tuple[Path, ...]
    skipped: tuple[Path, ...] = ()


@dataclass(frozen=True, kw_only=True)
class RunEstimate:
    """What a long run will take on this machine, as far as is known."""

    songs: int
    audio_seconds: float
    """Audio to separate; an extrapolation when there are many songs."""
    work_seconds: float
    disk_bytes: int
    """Room that the stems will need."""
    waiting_bytes: int
    """Room besides, in which the stems of a song wait for their common level."""
    free_bytes: int
    """Room that there is."""
    memory_bytes: int | None
    """Main memory at its peak, where that was measured."""
    device_bytes: int | None
    """Memory of the GPU at its peak, where that was measured."""
    is_from_earlier_run: bool
    """Whether speed and memory come from an earlier run, or from the beginning of this one."""


@dataclass(frozen=True, kw_only=True)
class SongStarted:
    """A song's length is known and its separation begins."""

    song: Path
    index: int
    """Position in the batch, from 0."""
    duration_seconds: float


@dataclass(frozen=True, kw_only=True)
class SongProgress:
    """How far a song is."""

    song: Path
    fraction: float
    """Finished share, from 0 to 1."""
    speed: float
    """Seconds of audio per second of work so far."""
    remaining_seconds: float


@dataclass(frozen=True, kw_only=True)
class StemQuality:
    """How far a stem can be trusted, judged without the true one."""

    score: int
    """From 0 to 100; 100 where nothing speaks against it."""
    reasons: tuple[str, ...]
    """What speaks against it, in words, the weightiest first."""
    measures: dict[str, Any]
    """What was observed, under the names of `stemsplit.evaluation.verdict.Evidence`."""


@dataclass(frozen=True, kw_only=True)
class SongFinished:
    """A song's stems are on disk under their final names."""

    song: Path
    files: dict[str, Path]
    """Stem name to file; a single-file format has the same file under every name."""
    duration_seconds: float
    elapsed_seconds: float
    gain_db: float = 0.0
    """Gain applied to all stems alike so that none clips; 0 when none was needed."""
    clipped_samples: int = 0
    null_db: float | None = None
    """Level of mix minus sum of stems relative to the mix, when the sum was asked to be exact."""
    seed: int | None = None
    """Seed of the shifts, when shifts were used."""
    peaks: dict[str, float] = field(default_factory=dict)
    """Largest absolute sample per stem before any gain."""
    quality: dict[str, StemQuality] = field(default_factory=dict)
    """Verdict per stem, when one was asked for."""


@dataclass(frozen=True, kw_only=True)
class SongFailed:
    """A song could not be separated; nothing of it was left behind."""

    song: Path
    reason: str


@dataclass(frozen=True, kw_only=True)
class SongSkipped:
    """A song's stems are already there, made by the same model, settings and input."""

    song: Path
    files: dict[str, Path]


@dataclass(frozen=True, kw_only=True)
class BatchFinished:
    """The end of a run."""

    finished: int
    failed: int
    skipped: int
    duration_seconds: float
    """Audio separated, in seconds."""
    elapsed_seconds: float


Event = (
    Notice
    | ModelReady
    | BatchStarted
    | RunEstimate
    | SongStarted
    | SongProgress
    | SongFinished
    | SongFailed
    | SongSkipped
    | BatchFinished
)

EventSink = Callable[[Event], None]
