"""Everything that shows the course of a run to people: curves as a PNG, TensorBoard, and W&B.

None of it can end a run: what cannot be written is said once, and then left alone.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Protocol

from stemsplit.errors import ConfigError
from stemsplit.training.curves import Curves
from stemsplit.training.event_file import EventFile
from stemsplit.training.events import Event, EventSink, Notice, StepDone, Validated
from stemsplit.training.run_folder import RunFolder, write_bytes, write_text


class Board(Protocol):
    """Takes in numbers over steps."""

    def add(self, step: int, values: Mapping[str, float]) -> None:
        """Add the values of a step.

        Raises:
            OSError: they cannot be written.
        """


class RunCharts:
    """Passes events on, and draws from them."""

    def __init__(self, folder: RunFolder, on_event: EventSink, *, first_step: int) -> None:
        """Draw into the folder of a run.

        Args:
            folder: whose log the curves are drawn from; written to only once there are events.
            on_event: who is told everything first.
            first_step: that the run takes; 1, or more when it goes on.
        """
        self._folder = folder
        self._on_event = on_event
        self._first_step = first_step
        self._curves = Curves(folder.log_file)
        self.boards: list[Board] = []
        self._has_begun = False
        self._faults: set[str] = set()

    def __call__(self, event: Event) -> None:
        """Take in an event that is in the log."""
        self._on_event(event)
        values = _values(event)
        if values and not self._has_begun:
            self._has_begun = True
            self._try("TensorBoard files", self._begin)
        if values and isinstance(event, StepDone | Validated):
            for board in list(self.boards):
                if not self._try("numbers", partial(board.add, event.step, values)):
                    self.boards.remove(board)
        if isinstance(event, Validated):
            self._try("curves", self._draw)

    def _begin(self) -> None:
        self.boards.append(EventFile(self._folder.tensorboard, first_step=self._first_step))

    def _draw(self) -> None:
        self._curves.update()
        write_bytes(self._folder.curves, self._curves.draw())

    def _try(self, what: str, call: Callable[[], None]) -> bool:
        """Do what a run can do without."""
        try:
            call()
        except (OSError, ValueError, ArithmeticError) as error:
            if what not in self._faults:
                self._faults.add(what)
                message = f"The {what} of this run cannot be written: {error}. The run goes on."
                self._on_event(Notice(message=message, is_warning=True))
            return False
        return True


class WandbBoard:
    """A run of Weights & Biases, which is not installed with stemsplit."""

    def __init__(
        self, project: str, folder: RunFolder, recipe: Mapping[str, Any], *, offline: bool = False
    ) -> None:
        """Begin a run there, or go on with the one of the same folder.

        Args:
            project: where it belongs.
            folder: of the run, which gives it its name.
            recipe: what is trained.
            offline: keep everything in the folder; `wandb sync` sends it later.

        Raises:
            ConfigError: wandb is not there, or refuses.
        """
        wandb = find_wandb()
        path = folder.path.resolve()
        name_file = path / "wandb.id"
        try:
            self._run = wandb.init(
                project=project,
                name=path.name,
                id=name_file.read_text() if name_file.is_file() else None,
                resume="allow",
                dir=str(path),
                mode="offline" if offline else None,
                config=dict(recipe),
            )
            write_text(name_file, self._run.id)
        except (wandb.Error, OSError) as error:
            raise ConfigError(f"--wandb {project} cannot be used: {error}") from error
        self._error = wandb.Error

    def add(self, step: int, values: Mapping[str, float]) -> None:
        """See `Board`."""
        try:
            self._run.log(dict(values), step=step)
        except self._error as error:
            raise OSError(str(error)) from error


def find_wandb() -> Any:
    """The module of Weights & Biases.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        import wandb
    except ImportError as error:
        raise ConfigError(
            "--wandb needs the package wandb, which is not installed: pip install wandb. Without "
            "it, a run has curves.png, log.jsonl and files for TensorBoard."
        ) from error
    return wandb


def _values(event: Event) -> dict[str, float]:
    """What of an event is a number over steps."""
    if isinstance(event, StepDone):
        return {
            "loss/all": event.loss,
            **{f"loss/{name}": value for name, value in event.terms.items()},
            "learning rate": event.learning_rate,
            "gradient norm": event.gradient_norm,
            "seconds of music per second": event.audio_per_second,
        }
    if isinstance(event, Validated):
        return {
            "SDR/all": event.sdr_db,
            **{f"SDR/{name}": value for name, value in event.stems_db.items()},
        }
    return {}
