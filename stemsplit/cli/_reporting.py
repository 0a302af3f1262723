"""What all reporters of a run have in common."""

from types import TracebackType
from typing import Self

from stemsplit.cli._console import Console


class ConsoleReporter:
    """Tells the course of a run to a console, for as long as a `with` block lasts."""

    def __init__(self, console: Console) -> None:
        """Report to a console."""
        self.console = console

    def close(self) -> None:
        """End the output."""

    def __enter__(self) -> Self:
        """Begin the output."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the output, however the run ended."""
        self.close()


def kind_of(event: object) -> str:
    """The name of an event's class in JSON style: ``SongFinished`` is ``song_finished``."""
    name = type(event).__name__
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")
