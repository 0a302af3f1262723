"""`stemsplit data synth`: what it makes, prints and refuses."""

import json
from pathlib import Path

from tests.cli.conftest import Command


def test_a_set_is_made_and_left_alone_the_second_time(stemsplit: Command, tmp_path: Path) -> None:
    words = ("data", "synth", tmp_path / "set", "--songs", "2", "--seconds", "1")
    first = stemsplit(*words)
    assert first.status == 0
    assert "2 songs made, 0 were there" in first.out
    assert (tmp_path / "set" / "train" / "synth train 1-00001" / "vocals.wav").is_file()
    assert "0 songs made, 2 were there" in stemsplit(*words).out


def test_json(stemsplit: Command, tmp_path: Path) -> None:
    result = stemsplit(
        "data", "synth", tmp_path, "--songs", "1", "--seconds", "1", "--split", "test", "--json"
    )
    song, made = (json.loads(line) for line in result.out.splitlines())
    assert (song["event"], song["was_there"]) == ("song", False)
    assert song["facts"]["split"] == "test"
    assert (made["event"], made["made"], made["kept"]) == ("set", 1, 0)


def test_bad_options_are_refused_in_a_line(stemsplit: Command, tmp_path: Path) -> None:
    for option, value in (("--songs", "0"), ("--seconds", "0"), ("--split", "dev")):
        result = stemsplit("data", "synth", tmp_path / "set", option, value)
        assert result.status == 2
        assert len(result.err.strip().splitlines()) == 1
    assert not (tmp_path / "set").exists()
