"""What the options accept, and that their defaults are those of the library."""

import inspect
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from stemsplit.cli import _options as cli
from stemsplit.cli.app import app
from stemsplit.cli.separate import separate
from stemsplit.errors import ConfigError
from stemsplit.separation.options import OutputOptions, SeparationOptions
from tests.cli.conftest import Command


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("70", 70.0),
        ("1:10", 70.0),
        ("0:01:10.5", 70.5),
        ("90", 90.0),
        (".5", 0.5),
        ("2:00:00", 7200.0),
        ("100:00", 6000.0),
        (12.5, 12.5),
    ],
)
def test_times_as_people_write_them(text: str | float, seconds: float) -> None:
    assert cli.clock(text) == seconds


@pytest.mark.parametrize("text", ["", "x", "-1", "1:60", "1:2:3:4", "1:60:00", "nan", "inf", "1,5"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(ConfigError, match="is not a time"):
        cli.clock(text)


def test_bit_rates_as_people_write_them() -> None:
    assert [cli.kilobits(text) for text in ("320", "320k", "128K", 96)] == [320, 320, 128, 96]
    with pytest.raises(ConfigError, match="bit rate"):
        cli.kilobits("loud")


def test_lists_of_names() -> None:
    assert cli.names(" vocals, drums ,") == ("vocals", "drums")
    with pytest.raises(ConfigError, match="at least one name"):
        cli.names(" , ")


@pytest.mark.parametrize("text", ["nan", "inf", "-inf", "much"])
def test_a_number_must_be_usable(text: str) -> None:
    with pytest.raises(ConfigError, match="is not a number"):
        cli.number(text)


@pytest.mark.parametrize(
    ("values", "chosen"),
    [
        (("flac", False, False), "flac"),
        ((None, "mp3", False), "mp3"),
        (("mp3", "mp3", False), "mp3"),
        ((None, False, None), "wav"),
        (("wav", False, None), "wav"),
    ],
)
def test_one_thing_said_in_several_ways(values: tuple[Any, ...], chosen: str) -> None:
    assert cli.either("--format", *values, default="wav") == chosen


def test_things_that_contradict_each_other() -> None:
    with pytest.raises(ConfigError, match="--format is asked to be flac and mp3"):
        cli.either("--format", "flac", "mp3", default="wav")
    with pytest.raises(ConfigError, match="--format is asked to be wav and mp3"):
        cli.either("--format", "wav", "mp3", default="wav")


def test_nought_is_an_answer() -> None:
    assert cli.either("--bitrate", 0, None) == 0


def test_the_home_folder_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setenv("USERPROFILE", "/home/me")
    assert cli.folder("~/stems") == Path("/home/me/stems")
    assert cli.folder(Path("stems")) == Path("stems")
    assert cli.folder("~nobody-of-this-name/x") == Path("~nobody-of-this-name/x")


# Parameter of the command -> field of the library's options that it sets.
SEPARATION_FIELDS = {
    "stems": "stems",
    "two_stems": "two_stems",
    "shifts": "shifts",
    "seed": "seed",
    "overlap": "overlap",
    "segment": "segment_seconds",
    "batch": "batch",
    "jobs": "jobs",
    "device": "device",
    "precision": "precision",
}
OUTPUT_FIELDS = {
    "out": "folder",
    "bit_depth": "bit_depth",
    "bitrate": "bitrate",
    "start": "start_seconds",
    "stop": "stop_seconds",
    "skip_existing": "skip_existing",
    "overwrite": "overwrite",
}


SAID_TWICE = ("template", "format", "clip")  # by an option of demucs too: None is neither


@pytest.mark.parametrize(
    ("fields", "options"),
    [(SEPARATION_FIELDS, SeparationOptions()), (OUTPUT_FIELDS, OutputOptions())],
    ids=["separation", "output"],
)
def test_the_command_has_the_defaults_of_the_library(
    fields: dict[str, str], options: SeparationOptions | OutputOptions
) -> None:
    parameters = inspect.signature(separate).parameters
    for parameter, name in fields.items():
        assert parameters[parameter].default == getattr(options, name), parameter


def test_every_option_of_the_library_can_be_set() -> None:
    separation = {*SEPARATION_FIELDS.values(), "exact_sum"}
    assert separation == set(vars(SeparationOptions()))
    assert {*OUTPUT_FIELDS.values(), *SAID_TWICE} == set(vars(OutputOptions()))


def test_what_can_be_said_in_two_ways_shows_the_default_of_the_library() -> None:
    parameters = inspect.signature(separate).parameters
    assert [parameters[name].default for name in SAID_TWICE] == [None] * 3
    command = get_command(app).commands["separate"]  # type: ignore[attr-defined]
    shown = {option.name: option.show_default for option in command.params}
    for name in SAID_TWICE:
        assert shown[name] == getattr(OutputOptions(), name)


# What scripts rely on. Adding is fine; a name that goes breaks somebody's work.
OPTIONS = {
    *("--model", "--name", "-n", "--out", "-o", "--template", "--format", "--bit-depth"),
    *("--bitrate", "--stems", "--two-stems", "--shifts", "--seed", "--overlap", "--segment"),
    *("--batch", "--device", "-d", "--precision", "--clip", "--exact-sum", "--from", "--to"),
    *(
        "--skip-existing",
        "--overwrite",
        "--report",
        "--jobs",
        "-j",
        "--json",
        "--quiet",
        "-q",
        "--offline",
    ),
    *("--mp3", "--flac", "--int24", "--float32", "--repo", "--mp3-bitrate", "--filename"),
    *("--clip-mode", "--list-models", "--help", "-h"),
}
MODELS_COMMANDS = [
    *("list", "info", "profile", "download", "verify", "remove", "add", "export", "bag"),
    *("publish", "path"),
]


def test_the_options_of_separate_are_these(stemsplit: Command) -> None:
    text = stemsplit("separate", "--help").out
    assert [name for name in OPTIONS if name not in text] == []
    command = get_command(app).commands["separate"]  # type: ignore[attr-defined]
    declared = {name for option in command.params for name in option.opts if name[0] == "-"}
    assert {*declared, "--help", "-h"} == OPTIONS


def test_the_commands_of_models_are_these() -> None:
    group = get_command(app).commands["models"]  # type: ignore[attr-defined]
    assert list(group.commands) == MODELS_COMMANDS
