"""Songs that can be read only once: standard input and pipes are copied to disk first.

A song is read twice, for its statistics and to be separated.
"""

import contextlib
import io
import select
import shutil
import sys
import tempfile
import threading
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from stemsplit.errors import AudioError, Cancelled, DecodeError
from stemsplit.separation.collect import STANDARD_INPUT, Song, is_pipe

_BLOCK_BYTES = 1 << 20
_POLL_SECONDS = 0.1


_folders: set[Path] = set()  # of copies, for a process that ends without cleaning up


@dataclass(frozen=True)
class SpooledInput:
    """A file that can be read any number of times; a temporary copy is deleted with this object."""

    path: Path


def spool_if_pipe(path: Path, cancel: threading.Event) -> SpooledInput:
    """An ordinary file as it is, a pipe as a temporary copy that is called as the song is.

    Raises:
        DecodeError: the pipe breaks, or the disk for temporary files is full.
        Cancelled: `cancel` was set; the copy is deleted.
    """
    if not is_pipe(path) or path.is_dir():
        return SpooledInput(path)
    with contextlib.ExitStack() as undo:
        try:
            folder = Path(tempfile.mkdtemp(prefix="stemsplit-"))
            _folders.add(folder)
            undo.callback(_delete, folder)
            copy = folder / Song(path).track
            with copy.open("wb") as target:
                if path == STANDARD_INPUT:
                    _copy(cast(io.BufferedReader, sys.stdin.buffer), target, cancel)
                else:
                    with path.open("rb") as pipe:
                        _copy(pipe, target, cancel)
        except OSError as error:
            raise DecodeError(
                f"Cannot read {path}: {error.strerror or error}. Save the audio to a file first."
            ) from error
        spooled = SpooledInput(copy)
        weakref.finalize(spooled, undo.pop_all().close)
        return spooled


def delete_copies() -> None:
    """Delete every copy that there is, before the process ends at once."""
    for folder in tuple(_folders):
        _delete(folder)


def _delete(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    _folders.discard(folder)


@contextlib.contextmanager
def called(path: Path, spooled: SpooledInput) -> Iterator[None]:
    """Let errors speak of the pipe that the user named, not of its copy."""
    try:
        yield
    except AudioError as error:
        raise type(error)(str(error).replace(str(spooled.path), str(path))) from error


def _copy(source: io.BufferedReader, target: BinaryIO, cancel: threading.Event) -> None:
    while True:
        while not _gives_something(source):
            _stop_if_set(cancel)
        block = source.read1(_BLOCK_BYTES)
        if not block:
            return
        _stop_if_set(cancel)
        target.write(block)


def _gives_something(source: io.BufferedReader) -> bool:
    """Whether a read would return now or in a moment; a system that cannot tell says yes."""
    try:
        return bool(select.select([source], [], [], _POLL_SECONDS)[0])
    except (OSError, ValueError):  # no file of the system, or Windows, where only sockets can tell
        return True


def _stop_if_set(cancel: threading.Event) -> None:
    if cancel.is_set():
        raise Cancelled("Stopped.")
