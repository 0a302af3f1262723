"""What happens during a training, as plain data, for whoever shows it.

Nothing here imports torch.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from stemsplit.separation.events import Notice as Notice

HOLES = "holes"
"""What the score of a network that fills holes is called, in place of the name of a stem."""


@dataclass(frozen=True, kw_only=True)
class SongRead:
    """A song is about to be looked at, or decoded into the cache."""

    done: int
    total: int
    name: str


@dataclass(frozen=True, kw_only=True)
class SongLabelled:
    """A teacher has separated a song."""

    done: int
    """Songs that it has separated now; of this process, where several share the work."""
    total: int
    name: str
    score: float
    """Of its labels, from 0 to 100."""
    remaining_seconds: float
    """Until all have labels."""


@dataclass(frozen=True, kw_only=True)
class Preflight:
    """What a run will take, measured by a real step that finds everything set up."""

    network: str
    parameters: int
    training_songs: int
    training_hours: float
    validation_songs: int
    device: str
    step_seconds: float
    """Of the first phase that is left."""
    epoch_seconds: float
    """Likewise, without validation."""
    total_seconds: float
    """Of all epochs that are left, without validation."""
    memory_bytes: int | None
    """Of the device at its peak; of this process on a CPU. None where it cannot be told."""
    disk_bytes: int
    """Of states and kept weights."""
    free_bytes: int


@dataclass(frozen=True, kw_only=True)
class StepDone:
    """Means over the steps since the last of these events."""

    step: int
    total_steps: int
    epoch: int
    epochs: int
    loss: float
    terms: Mapping[str, float]
    """Parts of the loss, and the loss of every stem."""
    learning_rate: float
    gradient_norm: float
    audio_per_second: float
    """Seconds of music learnt from per second, over recent steps and without what came once."""
    remaining_seconds: float
    """Until all steps are done, at that pace; validation comes on top."""


@dataclass(frozen=True, kw_only=True)
class Validated:
    """A validation is done."""

    step: int
    epoch: int
    sdr_db: float
    """Mean over songs, and over stems if there are any, which count as in the loss: see
    `stemsplit.training.judging`."""
    stems_db: Mapping[str, float]
    weights: str
    """Which weights are the best of those validated: the latest, or an average of them."""
    is_best: bool
    others_db: Mapping[str, float] = field(default_factory=dict)
    """Scores of the other weights."""
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Finished:
    """The run has come to its end, or was stopped."""

    step: int
    is_complete: bool
    best: Path | None
    """The best weights so far."""
    best_sdr_db: float | None


Event = Notice | SongRead | SongLabelled | Preflight | StepDone | Validated | Finished
EventSink = Callable[[Event], None]
