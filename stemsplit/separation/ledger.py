"""What an output folder holds from earlier runs: of which input, by which model and settings.

The ledger is a text file in the output folder with one JSON object per finished song. Lines are
only ever appended, each with one write, so that runs beside each other lose nothing and a run that
is killed leaves at worst a torn line, which is passed over when reading.
"""

import dataclasses
import hashlib
import json
import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stemsplit.separation.options import OutputOptions, SeparationOptions

LEDGER_NAME = ".stemsplit.jsonl"

_REVISION = 1  # raised when the same settings begin to give other stems
_MTIME_SLACK_NS = 2_000_000_000  # FAT keeps times to two seconds

# What cannot change the stems: where and how fast they are computed, and what is done about files.
_IDLE_SEPARATION = {"device", "batch", "jobs"}
_IDLE_OUTPUT = {"folder", "template", "skip_existing", "overwrite"}


@dataclass(frozen=True)
class InputMark:
    """A song's file as it was when it was read."""

    sha256: str
    size: int
    mtime_ns: int

    def fits(self, path: Path) -> bool:
        """Whether `path` has these contents; hashed only if size and time do not tell already."""
        try:
            now = path.stat()
        except OSError:
            return False
        if (now.st_size, now.st_mtime_ns) == (self.size, self.mtime_ns):
            return True
        return now.st_size == self.size and _sha256(path) == self.sha256


@dataclass(frozen=True)
class MadeFile:
    """A result as it was left by the run that wrote it."""

    source: str
    """Absolute path of the song it was made from."""
    input: InputMark | None
    """The song's file, None when it was a pipe."""
    settings: str
    """What `settings_digest` gave for the model and the options."""
    size: int
    mtime_ns: int
    start_seconds: float = 0.0
    """Where in the song it begins."""
    stop_seconds: float | None = None
    """Where in the song it stops; None is the end."""
    model: str | None = None
    """The name of the model."""

    def holds_more_than(self, start_seconds: float, stop_seconds: float | None) -> bool:
        """Whether another stretch of the song is only a part of what is in this file."""
        stop = math.inf if stop_seconds is None else stop_seconds
        own_stop = math.inf if self.stop_seconds is None else self.stop_seconds
        is_equal = (start_seconds, stop) == (self.start_seconds, own_stop)
        return self.start_seconds <= start_seconds and stop <= own_stop and not is_equal


class Ledger:
    """The results that runs left in one output folder."""

    def __init__(self, folder: Path) -> None:
        """Read the ledger of `folder`; a missing or damaged one counts as far as it can be read."""
        self._folder = folder
        self._entries: dict[str, MadeFile] = {}
        try:
            lines = (folder / LEDGER_NAME).read_text("utf-8", errors="replace").splitlines()
        except OSError:
            lines = []
        for line in lines:
            self._entries.update(_parse(line))

    def files(self) -> set[Path]:
        """Every file that the ledger knows of, whether or not it still exists."""
        return {self._folder / name for name in self._entries}

    def models_of(self, sources: Iterable[Path]) -> tuple[str, ...]:
        """The models that made what is there of these songs, in order of their names."""
        wanted = {os.path.abspath(source) for source in sources}  # noqa: PTH100 (as in `record`)
        found = {
            made.model
            for name, made in self._entries.items()
            if made.model and made.source in wanted and self.find(self._folder / name)
        }
        return tuple(sorted(found))

    def find(self, path: Path) -> MadeFile | None:
        """The entry of a file that is on disk exactly as it was left, else None."""
        entry = self._entries.get(self._name(path))
        try:
            now = path.stat()
        except OSError:
            return None
        if entry is None or now.st_size != entry.size:
            return None
        return entry if abs(now.st_mtime_ns - entry.mtime_ns) <= _MTIME_SLACK_NS else None

    def is_current(self, files: Iterable[Path], *, source: Path, settings: str) -> bool:
        """Whether all of `files` are what this input and these settings would give again.

        Args:
            files: the results that are wanted.
            source: the song; it is read only when everything else agrees.
            settings: what `settings_digest` gives for the model and the options.
        """
        inputs = set()
        for path in files:
            made = self.find(path)
            if made is None or made.settings != settings:
                return False
            inputs.add(made.input)
        mark = inputs.pop() if len(inputs) == 1 else None
        return mark is not None and mark.fits(source)

    def record(
        self,
        files: Iterable[Path],
        *,
        source: Path,
        mark: InputMark | None,
        settings: str,
        start_seconds: float = 0.0,
        stop_seconds: float | None = None,
        about: Mapping[str, Any] | None = None,
    ) -> None:
        """Add the results of a finished song, as they are on disk now.

        Args:
            files: the results.
            source: the song they were made from.
            mark: what `mark_input` gave for the song before it was read.
            settings: what `settings_digest` gave.
            start_seconds: where in the song they begin.
            stop_seconds: where they stop; None is its end.
            about: what a reader of the file may want to know beside that.

        Raises:
            OSError: the ledger cannot be written.
        """
        made = {path: path.stat() for path in files}
        line = {
            "source": os.path.abspath(source),  # noqa: PTH100 (links are kept as the user named them)
            "input": None if mark is None else dataclasses.asdict(mark),
            "settings": settings,
            "range": [start_seconds, stop_seconds],
            **(about or {}),
            "files": {
                self._name(path): [now.st_size, now.st_mtime_ns] for path, now in made.items()
            },
        }
        text = json.dumps(line)
        self._append(text)
        self._entries.update(_parse(text))

    def _append(self, line: str) -> None:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0)
        handle = os.open(self._folder / LEDGER_NAME, flags, 0o644)
        try:
            size = os.lseek(handle, 0, os.SEEK_END)
            if size:
                os.lseek(handle, size - 1, os.SEEK_SET)
            torn = size > 0 and os.read(handle, 1) != b"\n"
            os.write(handle, (b"\n" if torn else b"") + line.encode() + b"\n")
        finally:
            os.close(handle)

    def _name(self, path: Path) -> str:
        return path.relative_to(self._folder).as_posix()


def settings_digest(fingerprint: str, options: SeparationOptions, output: OutputOptions) -> str:
    """A digest of everything besides the input that decides what is in the stems.

    Args:
        fingerprint: of the model, changing with its weights.
        options: of the separation.
        output: of the files.
    """
    files = dataclasses.asdict(output)
    facts = {
        "revision": _REVISION,
        "model": fingerprint,
        "separation": separation_facts(options),
        "output": {k: v for k, v in files.items() if k not in _IDLE_OUTPUT},
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def separation_facts(options: SeparationOptions) -> dict[str, Any]:
    """The options that can change the stems."""
    facts = dataclasses.asdict(options)
    facts["stems"] = sorted(options.stems or ())
    if not options.shifts:
        facts["seed"] = None
    return {key: value for key, value in facts.items() if key not in _IDLE_SEPARATION}


def mark_input(path: Path) -> InputMark | None:
    """The contents of a song's file; None for a pipe, or what cannot be read."""
    try:
        if not path.is_file():
            return None
        before = path.stat()
    except OSError:
        return None
    digest = _sha256(path)
    return None if digest is None else InputMark(digest, before.st_size, before.st_mtime_ns)


def _sha256(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def _parse(line: str) -> dict[str, MadeFile]:
    """The entries of one line; none when the line is not one of ours."""
    try:
        facts = json.loads(line)
        mark = None if facts["input"] is None else InputMark(**facts["input"])
        start, stop = facts.get("range", (0.0, None))  # earlier versions did not keep it
        return {
            str(name): MadeFile(
                source=str(facts["source"]),
                input=mark,
                settings=str(facts["settings"]),
                size=int(size),
                mtime_ns=int(mtime_ns),
                start_seconds=float(start),
                stop_seconds=None if stop is None else float(stop),
                model=facts.get("model"),
            )
            for name, (size, mtime_ns) in facts["files"].items()
        }
    except (ValueError, TypeError, KeyError, AttributeError):
        return {}
