"""The folder of a training run: what goes in, what comes out, and how to go on.

recipe.toml          the resolved recipe
log.jsonl            one JSON object per line: steps, validations, and what happened
states/              to go on from, see `stemsplit.training.state`
kept/                the best weights so far, by step
best.safetensors     the best of them: what `--model` and `stemsplit models add` take
README.md            the model card
curves.png           loss and scores, drawn again at each validation
tensorboard/         the same numbers for TensorBoard
"""

import json
import math
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from stemsplit.checkpoints.replacing import replacing
from stemsplit.checkpoints.weights import CheckpointInfo, write_checkpoint
from stemsplit.errors import CheckpointError, ConfigError, TrainingError
from stemsplit.training.recipe import TrainingRecipe
from stemsplit.training.recipe_files import load_recipe
from stemsplit.training.state import BestCheckpoint

BEST = "best.safetensors"


@dataclass(frozen=True)
class RunFolder:
    """Where a run writes."""

    path: Path

    @property
    def states(self) -> Path:
        """Folder of the training states."""
        return self.path / "states"

    @property
    def recipe(self) -> Path:
        """File of the resolved recipe."""
        return self.path / "recipe.toml"

    @property
    def best(self) -> Path:
        """File of the best weights."""
        return self.path / BEST

    @property
    def log_file(self) -> Path:
        """File of the log."""
        return self.path / "log.jsonl"

    @property
    def curves(self) -> Path:
        """Picture of loss and scores."""
        return self.path / "curves.png"

    @property
    def tensorboard(self) -> Path:
        """Folder of the files for TensorBoard."""
        return self.path / "tensorboard"

    @property
    def is_begun(self) -> bool:
        """Whether a run has written here."""
        return self.recipe.is_file()

    def read_recipe(self) -> TrainingRecipe:
        """The recipe of the run that has written here.

        Raises:
            TrainingError: there is none.
            ConfigError: it cannot be read.
        """
        if not self.is_begun:
            raise TrainingError(
                f"{self.path} is not the folder of a training run: it has no recipe.toml."
            )
        return load_recipe(self.recipe)

    def begin(self, recipe_text: str) -> None:
        """Make the folder and write the recipe.

        Raises:
            ConfigError: the folder holds other things, or cannot be written.
        """
        if not self.is_begun and self.path.is_dir() and any(self.path.iterdir()):
            raise ConfigError(
                f"{self.path} is not empty, and not the folder of a training run. Choose another "
                "with --out."
            )
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            write_text(self.recipe, recipe_text)
        except OSError as error:
            raise ConfigError(f"Cannot write into {self.path}: {error.strerror}.") from error

    def log(self, kind: str, **facts: Any) -> None:
        """Add a line to the log.

        Args:
            kind: what happened, such as ``step`` or ``validation``.
            facts: the rest of the line; paths become text, and what is no finite number null,
                which JSON has no other word for.

        Raises:
            CheckpointError: the log cannot be written, for instance because the disk is full.
        """
        facts = {"kind": kind, "time": round(time.time(), 3), **facts}
        line = json.dumps(_finite(facts), default=str, allow_nan=False)
        try:
            with self.log_file.open("a", encoding="utf-8") as file:
                file.write(line + "\n")
        except OSError as error:
            raise CheckpointError(
                f"The log {self.log_file} cannot be written: {error.strerror}. The run can go on "
                "from its newest state."
            ) from error

    def keep(
        self,
        state: Mapping[str, Tensor],
        info: CheckpointInfo,
        *,
        step: int,
        sdr_db: float,
        best: Sequence[BestCheckpoint],
        num: int,
    ) -> tuple[BestCheckpoint, ...]:
        """Keep weights if they are among the best, and let go of those that no longer are.

        Args:
            state: weights.
            info: what their file says about itself.
            step: steps that they had been trained.
            sdr_db: how good they are.
            best: those kept so far.
            num: how many to keep.

        Returns:
            Those that are kept now, the best first.

        Raises:
            CheckpointError: a file cannot be written; the best so far is still there.
        """
        # Of equals the later ones come first: they have seen more.
        ranked = sorted(
            [
                *best,
                BestCheckpoint(step=step, sdr_db=sdr_db, file=f"kept/step-{step:08d}.safetensors"),
            ],
            key=lambda one: (one.sdr_db, one.step),
            reverse=True,
        )
        kept, dropped = tuple(ranked[:num]), ranked[num:]
        if any(one.step == step for one in kept):
            path = self.path / f"kept/step-{step:08d}.safetensors"
            try:
                write_checkpoint(path, state, info)
                if kept[0].step == step:
                    _copy(path, self.best)
            except CheckpointError as error:
                raise CheckpointError(
                    f"{error} The best weights so far are whole; mend this, and the same command "
                    "goes on from the newest state."
                ) from error
        for one in dropped:
            (self.path / one.file).unlink(missing_ok=True)
        return kept

    def write_card(self, text: str) -> None:
        """Write the model card."""
        write_text(self.path / "README.md", text)


def write_text(path: Path, text: str) -> None:
    """Replace a file by another at once."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, data: bytes) -> None:
    """Replace a file by another at once."""
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write tensors for a person to look at.

    Raises:
        CheckpointError: the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file({name: value.contiguous() for name, value in tensors.items()}, path)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path} cannot be written: {error}.") from error


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _copy(source: Path, target: Path) -> None:
    try:
        with replacing(target) as temporary:
            shutil.copyfile(source, temporary)
    except OSError as error:
        raise CheckpointError(f"{target} cannot be written: {error.strerror}.") from error
