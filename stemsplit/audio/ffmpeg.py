"""Find ffmpeg and run it; the only file that imports ffmpeg-python.

Every call goes through `FFmpegProcess`: error output is always drained, the exit status is always
looked at, and no process outlives the block that started it. A process gets its own group, so that
Ctrl-C in a terminal reaches this program alone, which then ends ffmpeg in an orderly way.
"""

import contextlib
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import ffmpeg
import imageio_ffmpeg

from stemsplit.errors import FFmpegNotFoundError

ENVIRONMENT_VARIABLE = "STEMSPLIT_FFMPEG"

_KEPT_LINES = 200  # of error output: enough for the cause, bounded for a file with endless faults
_EXCHANGE_BYTES = 262_144  # four times what a pipe holds
_GRACE_SECONDS = 5.0  # an ffmpeg whose pipes are closed ends within milliseconds

_CONTEXT = re.compile(r"^(?:\[[^\]]*(?: @ 0x[0-9a-f]+|#\d[^\]]*)\] )+")
_LEVEL = re.compile(r"\[(panic|fatal|error|warning|info)\] ")
_FAILURES = ("[panic] ", "[fatal] ", "[error] ")
_SUMMARIES = (  # what ffmpeg says after the line that names the cause
    "At least one output",
    "Conversion failed",
    "Could not open encoder before EOF",
    "Could not write header",
    "Error closing file",
    "Error initializing",
    "Error muxing",
    "Error opening",
    "Error sending frames",
    "Error submitting a packet to the muxer",
    "Error writing trailer",
    "Exiting",
    "Nothing was written",
    "Task finished",
    "Terminating thread",
)

_log = logging.getLogger(__name__)


def find_ffmpeg() -> str:
    """The ffmpeg program to run: the user's, else the one that was installed with stemsplit.

    Raises:
        FFmpegNotFoundError: STEMSPLIT_FFMPEG names no program, or none is there at all.
    """
    return _find_ffmpeg(os.environ.get(ENVIRONMENT_VARIABLE, ""))


@lru_cache
def _find_ffmpeg(wanted: str) -> str:
    if wanted:
        found = shutil.which(Path(wanted).expanduser())
        if found is None:
            raise FFmpegNotFoundError(
                f"Cannot run ffmpeg: {ENVIRONMENT_VARIABLE}={wanted} is not a program. "
                "Set it to a path or a name on PATH, or unset it to use the built-in ffmpeg."
            )
        return str(found)
    try:
        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError as error:
        raise FFmpegNotFoundError(
            "Cannot find ffmpeg: the package imageio-ffmpeg has none for this machine. "
            f"Install ffmpeg and set {ENVIRONMENT_VARIABLE}=ffmpeg."
        ) from error


def file_input(path: Path, **options: object) -> Any:
    """A file as ffmpeg-python input, whatever its name looks like.

    The `file:` prefix keeps ffmpeg from reading a leading dash as an option or `a:b` as a protocol.
    """
    return ffmpeg.input(_url(path), **options)


def pipe_input(**options: object) -> Any:
    """The process's standard input as ffmpeg-python input."""
    return ffmpeg.input("pipe:0", **options)


def file_output(streams: Sequence[Any], path: Path, options: Mapping[str, object]) -> Any:
    """An ffmpeg-python output that replaces the file at `path`."""
    return ffmpeg.output(*streams, _url(path), **options).overwrite_output()


def pipe_output(streams: Sequence[Any], options: Mapping[str, object]) -> Any:
    """An ffmpeg-python output to the process's standard output."""
    return ffmpeg.output(*streams, "pipe:1", **options)


class _Address(str):
    """An address that stands as it is on the command line, and that any name can be made into.

    ffmpeg-python hashes what `str` gives as UTF-8, which the bytes of a name need not be.
    """

    __slots__ = ()

    def __str__(self) -> str:
        return repr(self)  # has such bytes escaped, and no other name looks the same


def _url(path: Path) -> _Address:
    return _Address(f"file:{path.absolute()}")


class FFmpegProcess:
    """One running ffmpeg; a context manager that never leaves a process behind.

    Args:
        output: what to run, made by `file_output` or `pipe_output`.
        log_level: what ffmpeg reports: `level+warning` marks each line with its severity, `info`
            also describes the input.
        kept_lines: how many of the last lines that it reports are kept.
        has_input: whether this program will `write` to it.

    Raises:
        FFmpegNotFoundError: there is no ffmpeg, or it cannot be started.
    """

    def __init__(
        self,
        output: Any,
        *,
        log_level: str = "level+warning",
        has_input: bool = False,
        kept_lines: int = _KEPT_LINES,
    ) -> None:
        program = [find_ffmpeg(), "-hide_banner", "-nostdin", "-nostats", "-loglevel", log_level]
        self._arguments: list[str] = output.compile(cmd=program)
        _log.debug("running %s", self._arguments)
        try:
            self._process = subprocess.Popen(
                self._arguments,
                stdin=subprocess.PIPE if has_input else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                **_own_process_group(),
            )
        except OSError as error:
            raise FFmpegNotFoundError(
                f"Cannot run ffmpeg: {program[0]}: {error.strerror}. "
                f"Set {ENVIRONMENT_VARIABLE} to an ffmpeg that works on this machine."
            ) from error
        self._lines: deque[str] = deque(maxlen=kept_lines)
        self._drain = threading.Thread(target=self._keep_lines, name="ffmpeg-stderr", daemon=True)
        self._drain.start()

    def _keep_lines(self) -> None:
        with self._pipe(self._process.stderr) as stderr:
            for line in _text_lines(stderr):
                self._lines.append(line)

    @staticmethod
    def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
        if pipe is None:
            raise ValueError("this ffmpeg was started without that pipe")
        return pipe

    @property
    def lines(self) -> list[str]:
        """What ffmpeg has reported so far; complete once `finish` returned."""
        return list(self._lines)

    def read(self, num_bytes: int) -> bytearray:
        """The next bytes of its output; fewer than asked only at the end."""
        stdout = self._pipe(self._process.stdout)
        data = bytearray(num_bytes)
        view = memoryview(data)
        filled = 0
        while filled < num_bytes:
            count = stdout.readinto(view[filled:])  # type: ignore[attr-defined]
            if not count:
                break
            filled += count
        view.release()
        del data[filled:]
        return data

    def write(self, data: memoryview) -> None:
        """Hand bytes to its input.

        Raises:
            BrokenPipeError: ffmpeg has ended; `finish` and `reason` tell why.
        """
        stdin = self._pipe(self._process.stdin)
        try:
            while data:
                data = data[stdin.write(data) :]
        except OSError as error:  # Windows reports a closed pipe as EINVAL
            raise BrokenPipeError(str(error)) from error

    def exchange(self, data: memoryview) -> bytearray:
        """Hand it all of its input, and read all of its output meanwhile.

        Ends early where it does; `finish` and `reason` tell why.
        """
        feeder = threading.Thread(target=self._feed, args=(data,), name="ffmpeg-stdin", daemon=True)
        feeder.start()
        output = bytearray()
        while block := self.read(_EXCHANGE_BYTES):
            output += block
        feeder.join()
        return output

    def _feed(self, data: memoryview) -> None:
        with contextlib.suppress(BrokenPipeError):
            self.write(data)
        self._close(self._process.stdin)

    def finish(self) -> int:
        """Close its input, wait for its end and return the exit status."""
        self._close(self._process.stdin)
        status = self._process.wait()
        self._close(self._process.stdout)
        self._drain.join()
        return status

    def stop(self) -> None:
        """End it now, whatever it is doing; harmless when it has ended already."""
        if self._process.poll() is None:
            self._process.kill()
        self._close(self._process.stdin)
        self._close(self._process.stdout)
        self._process.wait(_GRACE_SECONDS)
        self._drain.join(_GRACE_SECONDS)

    @staticmethod
    def _close(pipe: IO[bytes] | None) -> None:
        if pipe is not None:
            pipe.close()

    def reason(self) -> str:
        """Why it failed, in its own words: the last reported line that says something."""
        status = self._process.poll()
        if status is not None and status < 0:
            return f"ffmpeg was ended by {signal.strsignal(-status) or f'signal {-status}'}"
        return reason(self.lines)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()


def reason(lines: Sequence[str]) -> str:
    """The line of ffmpeg's error output that names the cause, without addresses and summaries."""
    errors = [line for line in lines if any(level in line for level in _FAILURES)]
    plain = [message(line) for line in errors or lines]
    telling = [line for line in plain if line and not line.startswith(_SUMMARIES)]
    if telling:
        return telling[-1]
    with_cause = [line for line in plain if ": " in line]
    return with_cause[0].split(": ", 1)[1] if with_cause else "ffmpeg gave no reason"


def message(line: str) -> str:
    """One line of ffmpeg's error output without the parts that mean nothing to a user."""
    return _LEVEL.sub("", _CONTEXT.sub("", line), count=1).strip().rstrip(".")


def _text_lines(stream: IO[bytes]) -> Any:
    pending = b""
    while chunk := stream.read(65_536):
        *complete, pending = (pending + chunk).split(b"\n")
        yield from (line.decode("utf-8", "replace") for line in complete)
    if pending:
        yield pending.decode("utf-8", "replace")


def _own_process_group() -> dict[str, Any]:
    if sys.platform == "win32":
        return {
            "creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW,
        }
    return {"process_group": 0}
