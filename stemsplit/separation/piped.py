"""Songs that can be read only once: standard input and pipes are copied to disk first.

A song is read twice, for its statistics and to be separated.
"""

import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO

from stemsplit.errors import DecodeError
from stemsplit.separation.collect import STANDARD_INPUT, is_pipe


@dataclass(frozen=True)
class SpooledInput:
    """A file that can be read any number of times."""

    path: Path

    copy: IO[bytes] | None = None
    """The temporary copy behind `path`, deleted with this object; None for an ordinary file."""


def spool_if_pipe(path: Path) -> SpooledInput:
    """An ordinary file as it is, a pipe as a temporary copy.

    Raises:
        DecodeError: the pipe breaks, or the disk for temporary files is full.
    """
    if not is_pipe(path) or path.is_dir():
        return SpooledInput(path)
    copy = tempfile.NamedTemporaryFile(prefix="stemsplit-")  # noqa: SIM115 (lives as long as the result)
    try:
        if path == STANDARD_INPUT:
            _copy(sys.stdin.buffer, copy)
        else:
            with path.open("rb") as pipe:
                _copy(pipe, copy)
        copy.flush()
    except OSError as error:
        copy.close()
        raise DecodeError(
            f"Cannot read {path}: {error.strerror or error}. Save the audio to a file first."
        ) from error
    return SpooledInput(Path(copy.name), copy)


def _copy(source: BinaryIO | IO[bytes], target: IO[bytes]) -> None:
    shutil.copyfileobj(source, target, 1 << 20)
