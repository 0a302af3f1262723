"""The command line: puts the commands together and turns errors into one line and a status."""

import contextlib
import difflib
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from stemsplit import __version__
from stemsplit.cli import data, demo, doctor, evaluate, models, separate, train
from stemsplit.cli._console import Console, prepare_streams
from stemsplit.errors import Cancelled, ConfigError, StemsplitError

FAILED, WRONG_USAGE, STOPPED = 1, 2, 130

_APP_OPTIONS = ("--help", "-h", "--version")
_DEBUG = "--debug"
_HEARD = ("stemsplit.audio", "stemsplit.training")  # others' warnings come as errors or events
_STOPPED_LINES = {
    "separate": "stopped; finished songs stay, and --skip-existing goes on with the rest."
}

app = typer.Typer(
    name="stemsplit",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(separate.separate)
app.command()(demo.demo)
app.add_typer(models.app, name="models")
app.command()(train.train)
app.command("eval")(evaluate.evaluate)
app.add_typer(data.app, name="data")
app.command()(doctor.doctor)

COMMANDS = ("separate", "demo", "models", "train", "eval", "data", "doctor")


def _print_version(wanted: bool) -> None:
    if wanted:
        Console().result(f"stemsplit {__version__}")
        raise typer.Exit


@app.callback()
def stemsplit(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", callback=_print_version, is_eager=True
        ),
    ] = False,
    debug: Annotated[bool, typer.Option(_DEBUG, help="Show where an error came from.")] = False,
) -> None:
    """Split a song into vocals, drums, bass and the rest.

    `stemsplit song.mp3` is short for `stemsplit separate song.mp3`.
    All its options: `stemsplit separate --help`.
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and end the process with its status.

    Args:
        arguments: what follows the program's name; None takes the process's own.
    """
    prepare_streams()
    words, wants_trace = _take_debug(sys.argv[1:] if arguments is None else list(arguments))
    status = 0
    said = _Said(logging.WARNING)
    for name in _HEARD:
        logging.getLogger(name).addHandler(said)
    words = with_command(words)
    command = words[0] if words else ""
    try:
        app(words, prog_name="stemsplit")
    except StemsplitError as error:
        if wants_trace:
            raise
        status = status_of(error)
        line = _STOPPED_LINES.get(command, "stopped.") if status == STOPPED else error
        Console().complain(f"stemsplit: {line}")
    except SystemExit as stop:
        status = stop.code if isinstance(stop.code, int) else FAILED
    finally:
        for name in _HEARD:
            logging.getLogger(name).removeHandler(said)
    if status == STOPPED:
        _leave()
    sys.exit(status)


class _Said(logging.Handler):
    """Tells the user what the library warns of."""

    def emit(self, record: logging.LogRecord) -> None:
        Console().complain(f"Warning: {record.getMessage()}")


def _leave() -> NoReturn:
    """End now, without waiting for threads: one may be reading a pipe that never ends."""
    from stemsplit.separation.piped import delete_copies

    delete_copies()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):
            stream.flush()
    os._exit(STOPPED)


def status_of(error: StemsplitError) -> int:
    """The exit status that tells of an error."""
    if isinstance(error, Cancelled):
        return STOPPED
    return WRONG_USAGE if isinstance(error, ConfigError) else FAILED


def with_command(words: Sequence[str]) -> list[str]:
    """The arguments with the command that they leave out.

    Whatever begins with neither a command nor an option of the program itself is for `separate`.
    A file called like a command therefore needs `separate` in front. A media file whose name begins
    with a dash, as a pattern of the shell may give it, gets a ``./``.
    """
    words = [_as_path(word) for word in words]
    if not words or words[0] in COMMANDS or words[0] in _APP_OPTIONS:
        return words
    is_typo = words[0].isalpha() and difflib.get_close_matches(words[0], COMMANDS, cutoff=0.8)
    if is_typo and not Path(words[0]).exists():
        return words  # the parser names the command that was meant
    return ["separate", *words]


def _as_path(word: str) -> str:
    if not word.startswith("-") or "." not in word:
        return word
    try:
        return f"./{word}" if Path(word).is_file() else word
    except (OSError, ValueError):
        return word


def _take_debug(words: Sequence[str]) -> tuple[list[str], bool]:
    """Take ``--debug`` out, which may stand anywhere."""
    end = words.index("--") if "--" in words else len(words)
    options = [word for word in words[:end] if word != _DEBUG]
    return [*options, *words[end:]], len(options) < end
