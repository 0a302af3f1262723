"""The only file that prints.

Results go to stdout, everything else to stderr. A person at a terminal gets bars and colour, a log
gets plain lines, a program gets one JSON object per line (`--json`) or bare paths (`--quiet`).
"""

import dataclasses
import json
import math
import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Any, TextIO


class Mode(Enum):
    """For whom the output is."""

    HUMAN = "human"
    JSON = "json"
    QUIET = "quiet"


class Console:
    """Where a command sends what it has to say."""

    def __init__(self, mode: Mode = Mode.HUMAN) -> None:
        """Print for readers of one kind."""
        self.mode = mode

    @property
    def has_terminal(self) -> bool:
        """Whether a person watches stderr."""
        return self.mode is Mode.HUMAN and sys.stderr.isatty()

    def result(self, text: str) -> None:
        """A line of what was asked for."""
        _write(sys.stdout, text)

    def say(self, text: str) -> None:
        """A line for a person who waits: nothing to quiet readers and programs."""
        if self.mode is Mode.HUMAN:
            _write(sys.stderr, text)

    def complain(self, text: str) -> None:
        """A line about something wrong, for every kind of reader."""
        _write(sys.stderr, text)

    def busy(self, text: str) -> None:
        """What is being worked on: one line at a terminal that changes, a line each in a log."""
        if self.has_terminal:
            sys.stderr.write(f"\r\x1b[K{text}")  # back to the start, and empty
            sys.stderr.flush()
        else:
            self.say(text)

    def idle(self) -> None:
        """End what `busy` began."""
        if self.has_terminal:
            self.busy("")

    def record(self, kind: str, facts: Any) -> None:
        """One JSON object of a kind; `facts` is a dataclass or a mapping."""
        _write(sys.stdout, json.dumps({"event": kind, **_plain(facts)}))

    def document(self, facts: Any) -> None:
        """One JSON value on its own, laid out to be read."""
        _write(sys.stdout, json.dumps(_plain(facts), indent=2, ensure_ascii=False))

    def table(self, head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """A table: ruled and folded at a terminal, aligned columns of whole text elsewhere."""
        cells = [list(row) for row in rows]
        if sys.stdout.isatty():
            _rich_table(head, cells)
            return
        widths = [max(_width(row[i]) for row in (head, *cells)) for i in range(len(head))]
        for row in (head, *cells):
            pairs = zip(row, widths, strict=True)
            line = "  ".join(cell + " " * (width - _width(cell)) for cell, width in pairs)
            _write(sys.stdout, line.rstrip())


def make_console(*, is_json: bool, is_quiet: bool = False) -> Console:
    """The console that `--json` and `--quiet` ask for."""
    if is_json:
        return Console(Mode.JSON)
    return Console(Mode.QUIET if is_quiet else Mode.HUMAN)


def prepare_streams() -> None:
    """Let any file name be printed, whatever the encoding of the streams."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            is_utf8 = (stream.encoding or "").lower().replace("-", "") == "utf8"
            reconfigure(errors="surrogateescape" if is_utf8 else "backslashreplace")


def duration(seconds: float) -> str:
    """A length of time as people write it: 0:42, 3:05, 1:02:03."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def size(num_bytes: float) -> str:
    """A number of bytes as people write it: 84 MB, 1.2 GB."""
    for unit in ("bytes", "kB", "MB"):
        if num_bytes < 1000:
            return f"{num_bytes:.0f} {unit}"
        num_bytes /= 1000
    return f"{num_bytes:.1f} GB"


def _write(stream: TextIO, text: str) -> None:
    stream.write(text + "\n")
    stream.flush()


def _width(text: str) -> int:
    """Columns that `text` takes; those of East Asian scripts and emoji take two each."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def _plain(value: Any) -> Any:
    """`value` in the types of JSON."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = dataclasses.fields(value)
        return {field.name: _plain(getattr(value, field.name)) for field in fields}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)  # "-inf": JSON has no such number
    return str(value) if isinstance(value, Path) else value


def _rich_table(head: Sequence[str], cells: Sequence[Sequence[str]]) -> None:
    from rich import box
    from rich.console import Console as RichConsole
    from rich.table import Table
    from rich.text import Text

    table = Table(*head, box=box.SIMPLE_HEAD)
    for row in cells:
        table.add_row(*(Text(cell) for cell in row))
    RichConsole(file=sys.stdout).print(table)
