"""Training states: all that a run needs to go on as if it had never stopped.

A state is written under a temporary name and then renamed, so that a file with its final name is
whole. The two newest are kept, in case a disk loses the last one all the same.
"""

import logging
import os
import pickle
import re
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from stemsplit.checkpoints.replacing import replacing
from stemsplit.errors import CheckpointError

_KEEP = 2
_NAME = re.compile(r"step-(\d+)\.state")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class BestCheckpoint:
    """A checkpoint of the run that validated among the best."""

    step: int
    """Steps that it had been trained."""

    sdr_db: float
    """Mean over stems and songs, see `stemsplit.training.validation`."""

    file: str
    """Its name in the run's folder."""


@dataclass(frozen=True, kw_only=True)
class Ancestor:
    """A model whose weights a run began with; what is known of it holds for the run as well."""

    name: str
    licence: str | None
    trained_on: str | None
    trained_sets: tuple[str, ...]
    """As in `stemsplit.checkpoints.weights.CheckpointInfo`."""


@dataclass(frozen=True, kw_only=True)
class TrainingState:
    """Everything that changes while a network is trained."""

    run_hash: str
    """Says which run this belongs to; see `stemsplit.training.recipe`."""

    step: int
    """Steps done."""

    network: dict[str, Tensor]
    optimizer: dict[str, Any]
    averages: dict[str, Any]
    """Averaged weights."""

    scaler: dict[str, Any]
    """Of half precision; empty without."""

    random: Tensor
    """States of torch's generator on the CPU, which draws the dropout: a row for each process."""

    device_random: Tensor | None = None
    """The same of the GPU."""

    scores: tuple[float, ...] = ()
    """Of the validations so far, see `ScheduleSection.patience`."""

    best: tuple[BestCheckpoint, ...] = ()
    """The best checkpoints so far, the best one first."""

    seconds: float = 0.0
    """Time spent so far."""

    audio_seconds: float = 0.0
    """Audio the network has heard so far."""

    ancestor: Ancestor | None = None
    """What the weights were at first; None for random ones."""


def save_state(folder: Path, state: TrainingState) -> Path:
    """Write a state, and delete all but the newest two.

    Args:
        folder: of the states of one run.
        state: what to write.

    Raises:
        CheckpointError: the file cannot be written, for instance because the disk is full; older
            states are then still there.
    """
    path = folder / f"step-{state.step:08d}.state"
    data = {entry.name: getattr(state, entry.name) for entry in fields(state)}
    data["best"] = [asdict(best) for best in state.best]
    data["ancestor"] = None if state.ancestor is None else asdict(state.ancestor)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary, temporary.open("wb") as file:
            torch.save(data, file)
            file.flush()
            os.fsync(file.fileno())
    # torch reports a disk that fills up as a RuntimeError of its own.
    except (OSError, RuntimeError) as error:
        raise CheckpointError(
            f"The training state {path} cannot be written: {error}. The run can go on from the "
            "one before."
        ) from error
    for _, old in _states(folder)[_KEEP:]:
        old.unlink(missing_ok=True)
    return path


def load_newest(folder: Path, run_hash: str) -> TrainingState | None:
    """The newest state that can be read, or None if there is none at all.

    Args:
        folder: of the states of one run.
        run_hash: of the run that wants to go on.

    Raises:
        CheckpointError: the states belong to another run, or none of them can be read.
    """
    found = _states(folder)
    for _, path in found:
        try:
            state = _read(path)
        except CheckpointError as error:
            _log.warning("%s Trying the one before.", error)
            continue
        if state.run_hash != run_hash:
            raise CheckpointError(
                f"{path} belongs to a run with another recipe, network or data. Use its recipe, or "
                "another folder with --out."
            )
        return state
    if found:
        raise CheckpointError(
            f"None of the training states in {folder} can be read. Begin anew in another folder; "
            "--from takes the best weights of this one."
        )
    return None


def _states(folder: Path) -> list[tuple[int, Path]]:
    """Steps and files, the newest first."""
    named = ((_NAME.fullmatch(path.name), path) for path in folder.glob("step-*.state"))
    return sorted(((int(match[1]), path) for match, path in named if match), reverse=True)


def _read(path: Path) -> TrainingState:
    try:
        # Tensors, numbers and plain containers only: nothing in the file is run.
        data = torch.load(path, map_location="cpu", weights_only=True)
        data["best"] = tuple(BestCheckpoint(**best) for best in data["best"])
        if data["ancestor"] is not None:
            data["ancestor"] = Ancestor(**data["ancestor"])
        return TrainingState(**data)
    except (
        OSError,
        RuntimeError,
        ValueError,
        TypeError,
        KeyError,
        EOFError,
        pickle.UnpicklingError,
    ) as error:
        reason = str(error).splitlines()[0].split(". ")[0] if str(error) else type(error).__name__
        raise CheckpointError(f"The training state {path} is damaged: {reason}.") from error
