"""Songs that can be read only once: standard input and pipes are copied to disk first.

A song is read twice, for its statistics and to be separated.
"""

import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO

from stemsplit.errors import AudioError, Cancelled, DecodeError
from stemsplit.separation.collect import STANDARD_INPUT, is_pipe

_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True)
class SpooledInput:
    """A file that can be read any number of times."""

    path: Path

    copy: IO[bytes] | None = None
    """The temporary copy behind `path`, deleted with this object; None for an ordinary file."""


def spool_if_pipe(path: Path, cancel: threading.Event) -> SpooledInput:
    """An ordinary file as it is, a pipe as a temporary copy.

    Raises:
        DecodeError: the pipe breaks, or the disk for temporary files is full.
        Cancelled: `cancel` was set; the copy is deleted.
    """
    if not is_pipe(path) or path.is_dir():
        return SpooledInput(path)
    copy = tempfile.NamedTemporaryFile(prefix="stemsplit-")  # noqa: SIM115 (lives as long as the result)
    try:
        if path == STANDARD_INPUT:
            _copy(sys.stdin.buffer, copy, cancel)
        else:
            with path.open("rb") as pipe:
                _copy(pipe, copy, cancel)
        copy.flush()
    except OSError as error:
        copy.close()
        raise DecodeError(
            f"Cannot read {path}: {error.strerror or error}. Save the audio to a file first."
        ) from error
    except Cancelled:
        copy.close()
        raise
    return SpooledInput(Path(copy.name), copy)


@contextmanager
def called(path: Path, spooled: SpooledInput) -> Iterator[None]:
    """Let errors speak of the pipe that the user named, not of its copy."""
    try:
        yield
    except AudioError as error:
        raise type(error)(str(error).replace(str(spooled.path), str(path))) from error


def _copy(source: BinaryIO | IO[bytes], target: IO[bytes], cancel: threading.Event) -> None:
    while block := source.read(_BLOCK_BYTES):
        if cancel.is_set():
            raise Cancelled("Stopped.")
        target.write(block)
