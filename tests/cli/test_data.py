"""`stemsplit data check`: what it prints, and its status."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Command
from tests.evaluation.data_sets import mix_of, song, write_song


@pytest.fixture
def good(tmp_path: Path) -> Path:
    for split, name in (("train", "a"), ("test", "b")):
        write_song(tmp_path / "set" / split / name, song(), mix_of(song()))
    return tmp_path / "set"


def test_a_good_set(stemsplit: Command, good: Path) -> None:
    result = stemsplit("data", "check", good)
    assert result.status == 0
    assert result.out.startswith("2 of 2 fine, 0 with warnings, 0 with errors.\n")
    assert "equal the sums of their stems to -1" in result.out
    assert "train and test" in result.err
    assert "ok       train/a (0:01)" in result.err


def test_only_one_part(stemsplit: Command, good: Path) -> None:
    result = stemsplit("data", "check", good, "--split", "test")
    assert result.out.startswith("1 of 1 fine")
    assert "test/b" in result.err


def test_broken_songs_are_listed_and_change_the_status(stemsplit: Command, good: Path) -> None:
    folder = write_song(good / "test" / "c", song(), 0.5 * mix_of(song()))
    result = stemsplit("data", "check", good)
    assert result.status == 0  # a warning
    assert "warning  test/c: the mix is not the sum of its stems" in result.out
    (folder / "drums.wav").write_bytes(b"no audio")
    result = stemsplit("data", "check", good)
    assert result.status == 1
    assert "ERROR    test/c: Cannot use" in result.out
    assert "2 of 3 fine, 0 with warnings, 1 with errors." in result.out


def test_json(stemsplit: Command, good: Path) -> None:
    (good / "test" / "b" / "bass.wav").unlink()
    result = stemsplit("data", "check", good, "--json")
    assert result.status == 1
    facts = json.loads(result.out)
    assert (facts["name"], facts["splits"]) == ("set", ["train", "test"])
    first, second = facts["tracks"]
    assert (first["track"], first["is_usable"], first["findings"]) == ("a", True, [])
    assert second["is_usable"] is False
    assert second["findings"][0]["kind"] == "missing"
    assert second["findings"][0]["stem"] == "bass"


def test_different_rates_in_a_set_are_said(stemsplit: Command, good: Path) -> None:
    write_song(good / "test" / "c", song(rate=16_000), rate=16_000)
    assert "Sample rates: 8000, 16000 Hz." in stemsplit("data", "check", good).out


@pytest.mark.parametrize("words", [("nowhere",), (".", "--split", "dev")])
def test_what_is_no_data_set_is_one_line(stemsplit: Command, words: tuple[str, ...]) -> None:
    result = stemsplit("data", "check", *words)
    assert (result.status, result.out) == (1, "")
    assert len(result.err.splitlines()) == 1


def test_a_missing_set_is_told_how_to_get(
    stemsplit: Command, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MUSDB_PATH", raising=False)
    monkeypatch.setenv("STEMSPLIT_CONFIG", str(folder / "none.toml"))
    monkeypatch.setattr(Path, "home", lambda: folder)
    result = stemsplit("data", "check", "musdb")
    assert result.status == 1
    assert len(result.err.splitlines()) == 3
    assert "https://zenodo.org" in result.err
