"""Data sets by name: the environment, the configuration, the usual places, and how to get them."""

from pathlib import Path

import pytest

from stemsplit.errors import ConfigError, DatasetError
from stemsplit.evaluation.data.find import config_path, find_dataset, open_dataset
from tests.evaluation.data_sets import song, write_song


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home directory, a working directory and a configuration without anything."""
    for variable in ("MUSDB_PATH", "MOISESDB_PATH"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("STEMSPLIT_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "home")
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "home"


def test_a_path_is_taken_as_it_is(tmp_path: Path) -> None:
    write_song(tmp_path / "set" / "a", song())
    assert find_dataset(tmp_path / "set") == tmp_path / "set"
    assert open_dataset(str(tmp_path / "set")).name == "set"


def test_the_environment_comes_first(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in (tmp_path / "mine", home / "musdb18hq"):
        folder.mkdir(parents=True)
    monkeypatch.setenv("MUSDB_PATH", str(tmp_path / "mine"))
    for name in ("musdb", "musdb18hq", "musdb18"):
        assert find_dataset(name) == tmp_path / "mine"
    monkeypatch.setenv("MUSDB_PATH", str(tmp_path / "nowhere"))
    with pytest.raises(DatasetError, match="nowhere, as MUSDB_PATH says"):
        find_dataset("musdb")


def test_the_configuration_names_any_set(tmp_path: Path, home: Path) -> None:
    (home / "musdb18hq").mkdir(parents=True)
    (tmp_path / "choir").mkdir()
    config_path().write_text(f'[data]\nmusdb = "{tmp_path.as_posix()}"\nchoir = "choir"\n')
    assert find_dataset("musdb") == tmp_path
    assert find_dataset("choir") == tmp_path / "choir"  # relative to the configuration
    with pytest.raises(DatasetError, match="Did you mean choir"):
        find_dataset("chior")


@pytest.mark.parametrize("text", ["[data", '[data]\nmusdb = ["a"]', "data = 1"])
def test_a_configuration_that_cannot_be_read(text: str) -> None:
    config_path().write_text(text)
    with pytest.raises(ConfigError, match=r"config\.toml"):
        find_dataset("musdb")


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("musdb", "musdb18hq"),
        ("musdb", "datasets/MUSDB18-HQ"),
        ("musdb", "musdb18"),
        ("musdb18", "data/musdb18"),
        ("moisesdb", "moisesdb"),
    ],
)
def test_the_usual_places(tmp_path: Path, home: Path, name: str, place: str) -> None:
    (home / place).mkdir(parents=True)
    assert find_dataset(name) == home / place
    (tmp_path / "work" / place).mkdir(parents=True)
    assert find_dataset(name) == tmp_path / "work" / place


def test_a_missing_set_is_told_how_to_get_in_three_lines(home: Path) -> None:
    (home / "musdb18").mkdir(parents=True)
    for name, address in (
        ("musdb18hq", "https://zenodo.org/records/3338373"),
        ("moisesdb", "https://music.ai/research"),
    ):
        with pytest.raises(DatasetError) as error:
            find_dataset(name)
        lines = str(error.value).splitlines()
        assert len(lines) == 3
        assert name in lines[0]
        assert address in lines[1]
        assert "_PATH" in lines[2]


def test_a_path_that_is_not_there() -> None:
    with pytest.raises(DatasetError, match=r"no such folder\. Did you mean musdb"):
        find_dataset("musdbb")
