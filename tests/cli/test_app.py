"""Statuses, the command that may be left out, and what start-up costs."""

import logging
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import stemsplit
from stemsplit.cli import app as app_module
from stemsplit.cli.app import COMMANDS, app, main, status_of, with_command
from stemsplit.errors import Cancelled, ConfigError, DecodeError, StemsplitError

LIGHT = ("torch", "torchaudio", "numpy", "huggingface_hub")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_list_of_commands_is_that_of_the_program() -> None:
    names = {
        command.name or command.callback.__name__
        for command in app.registered_commands
        if command.callback
    }
    assert {*names, *(group.name for group in app.registered_groups)} == set(COMMANDS)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (["song.mp3"], ["separate", "song.mp3"]),
        (["--model", "mdx", "song.mp3"], ["separate", "--model", "mdx", "song.mp3"]),
        (["-n", "mdx", "song.mp3"], ["separate", "-n", "mdx", "song.mp3"]),
        (["--", "-song.mp3"], ["separate", "--", "-song.mp3"]),
        (["-"], ["separate", "-"]),
        (["my models", "x.mp3"], ["separate", "my models", "x.mp3"]),
        (["separate", "models"], ["separate", "models"]),
        (["models", "list"], ["models", "list"]),
        (["doctor"], ["doctor"]),
        (["--help"], ["--help"]),
        (["-h"], ["-h"]),
        (["--version"], ["--version"]),
        ([], []),
        (["modles", "list"], ["modles", "list"]),
    ],
)
def test_the_command_may_be_left_out(typed: list[str], meant: list[str]) -> None:
    assert with_command(typed) == meant


def test_a_file_is_taken_before_a_misspelt_command(folder: Path) -> None:
    (folder / "modles").touch()
    assert with_command(["modles"]) == ["separate", "modles"]


def test_a_file_whose_name_begins_with_a_dash_is_a_file(folder: Path) -> None:
    (folder / "-song.mp3").touch()
    assert with_command(["-song.mp3", "-other.mp3"]) == ["separate", "./-song.mp3", "-other.mp3"]


@pytest.mark.parametrize(
    ("error", "status"),
    [(StemsplitError(), 1), (DecodeError(), 1), (ConfigError(), 2), (Cancelled(), 130)],
)
def test_errors_have_a_status(error: StemsplitError, status: int) -> None:
    assert status_of(error) == status


def test_an_error_is_one_line_and_with_debug_a_trace(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise DecodeError("song.mp3: it ends early.")

    monkeypatch.setattr(app_module, "app", fail)
    with pytest.raises(SystemExit) as stop:
        main(["song.mp3"])
    assert stop.value.code == 1
    assert capsys.readouterr().err == "stemsplit: song.mp3: it ends early.\n"
    for words in (["--debug", "song.mp3"], ["song.mp3", "--debug"]):
        with pytest.raises(DecodeError):
            main(words)
    with pytest.raises(SystemExit):
        main(["--", "--debug"])


@pytest.mark.parametrize(("command", "advises"), [("song.mp3", True), ("demo", False)])
def test_who_stops_is_told_of_skip_existing_where_there_is_such_an_option(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: str,
    advises: bool,
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise Cancelled("Stopped.")

    monkeypatch.setattr(app_module, "app", stop)
    monkeypatch.setattr(app_module, "_leave", lambda: None)
    with pytest.raises(SystemExit) as end:
        main([command])
    assert end.value.code == 130
    line = capsys.readouterr().err
    assert line.startswith("stemsplit: stopped")
    assert ("--skip-existing" in line) == advises


def test_what_the_library_warns_of_is_told_by_the_program_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def warn(*_: object, **__: object) -> None:
        logging.getLogger("stemsplit.audio.tags").warning("%s: no cover", "song.mp3")

    monkeypatch.setattr(app_module, "app", warn)
    for _ in range(2):
        with pytest.raises(SystemExit):
            main(["song.mp3"])
        assert capsys.readouterr().err == "Warning: song.mp3: no cover\n"
    program = "import logging, stemsplit; logging.getLogger('stemsplit.audio').warning('no cover')"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert run.stderr == b""


def test_wrong_usage_gives_status_2() -> None:
    for words in (
        ["separate"],
        ["separate", "--nonsense", "x"],
        ["separate", "--shifts", "x", "y"],
    ):
        assert CliRunner().invoke(app, words).exit_code == 2


def test_a_misspelt_command_is_answered_with_the_right_one() -> None:
    result = CliRunner().invoke(app, with_command(["modles", "list"]))
    assert result.exit_code == 2
    assert "models" in result.stderr


def test_the_version_is_printed() -> None:
    assert CliRunner().invoke(app, ["--version"]).stdout == f"stemsplit {stemsplit.__version__}\n"


def test_ctrl_c_gives_status_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("stemsplit.cli.doctor.make_console", stop)
    assert CliRunner().invoke(app, ["doctor"]).exit_code == 130


@pytest.mark.parametrize("words", [["--help"], ["separate", "--help"], ["models", "list"]])
def test_help_and_lists_need_no_heavy_package(words: list[str], tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from stemsplit.cli.app import main\n"
        "try:\n"
        f"    main({words!r})\n"
        "except SystemExit as stop:\n"
        "    assert not stop.code, stop.code\n"
        f"loaded = [name for name in {LIGHT!r} if name in sys.modules]\n"
        "assert not loaded, loaded\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", program],
        env={"PATH": "", "STEMSPLIT_CACHE": str(tmp_path), "PYTHONPATH": str(_root())},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout


def _root() -> Path:
    return Path(stemsplit.__file__).parents[1]
