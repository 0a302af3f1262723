"""`stemsplit models`: what each command prints, and its status."""

import json
from pathlib import Path
from typing import Any

import pytest

from stemsplit.checkpoints.catalog import load_catalog
from stemsplit.errors import OfflineError
from tests.cli.conftest import Command


@pytest.fixture
def own(stemsplit: Command, tiny_model: Path) -> str:
    """The name of a registered model."""
    assert stemsplit("models", "add", tiny_model, "--name", "own").status == 0
    return "own"


def document(stemsplit: Command, *words: str | Path) -> Any:
    result = stemsplit("models", *words, "--json")
    assert result.status == 0
    return json.loads(result.out)


def test_the_list_has_every_model_with_terms_and_training_data(stemsplit: Command) -> None:
    lines = stemsplit("models", "list").out.splitlines()
    assert lines[0].split()[:3] == ["name", "stems", "here"]
    names = list(load_catalog().models)
    assert [line.split()[0] for line in lines[1:]] == names
    extra = next(line for line in lines if line.startswith("mdx_extra "))
    assert "TEST set" in extra
    assert "Disputed" in extra


def test_the_list_as_json(stemsplit: Command, own: str) -> None:
    models = {model["name"]: model for model in document(stemsplit, "list")}
    assert models["htdemucs"]["is_cached"] is False
    assert "licence" in models["htdemucs"]
    assert models["mdx_extra"]["has_musdb_test"] is True
    assert (models[own]["is_cached"], models[own]["trained_on"]) == (True, "noise")


def test_a_model_is_described_with_its_terms_in_full(stemsplit: Command) -> None:
    lines = stemsplit("models", "info", "htdemucs_ft").out
    assert "scientific use only" in lines
    assert lines.count("not here") == 4
    assert "hf:adefossez/HTDemucs-ft/" in lines
    assert document(stemsplit, "info", "htdemucs_ft")["name"] == "htdemucs_ft"


def test_a_model_of_ones_own_from_its_name_to_its_end(
    stemsplit: Command, own: str, folder: Path
) -> None:
    assert "MIT" in stemsplit("models", "info", own).out
    assert "as it was stored" in stemsplit("models", "verify", own).out
    exported = document(stemsplit, "export", own, folder / "exported")
    assert all(Path(file).is_file() for file in exported["files"])
    assert document(stemsplit, "info", folder / "exported")["stems"][0] == "drums"
    assert "freed" in stemsplit("models", "remove", own).out
    assert stemsplit("models", "info", own).status == 1


def test_a_damaged_model_is_found(stemsplit: Command, own: str, folder: Path) -> None:
    (stored,) = (folder / "cache" / "weights").glob("*.safetensors")
    stored.write_bytes(stored.read_bytes()[:-1] + b"\xff")
    result = stemsplit("models", "verify")
    assert result.status == 1
    assert "is not used" in result.out
    result = stemsplit("models", "verify", "--json")
    assert result.status == 1
    assert json.loads(result.out)[0]["problem"]


def test_nothing_to_verify(stemsplit: Command) -> None:
    result = stemsplit("models", "verify", "htdemucs")
    assert (result.status, result.out) == (0, "Nothing of it is here.\n")
    assert document(stemsplit, "verify", "htdemucs") == []


def test_a_download_that_the_network_is_not_asked_for(stemsplit: Command) -> None:
    result = stemsplit("models", "download", "htdemucs", "--offline")
    assert result.status == 1
    assert "the network may not be used" in result.err
    assert len(result.err.splitlines()) == 1


def test_what_is_here_needs_no_download(stemsplit: Command, own: str) -> None:
    assert stemsplit("models", "download", own, "--offline").out.startswith("own: ")
    assert document(stemsplit, "download", own, "--offline")["is_cached"] is True


def test_options_reach_the_download(stemsplit: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}

    def download(name: str, **settings: Any) -> None:
        asked.update(settings, name=name)
        raise OfflineError("no network")

    monkeypatch.setattr("stemsplit.checkpoints.manage.download_model", download)
    assert stemsplit("models", "download", "mdx", "--stems", "vocals,drums").status == 1
    assert (asked["name"], asked["stems"], asked["offline"]) == ("mdx", ("vocals", "drums"), False)
    assert callable(asked["progress"])


def test_a_name_that_is_taken(stemsplit: Command, own: str, tiny_model: Path) -> None:
    again = ("models", "add", tiny_model, "--name", own)
    result = stemsplit(*again)
    assert result.status == 1
    assert "registered already" in result.err
    assert stemsplit(*again, "--replace", "--licence", "CC0").status == 0
    assert "CC0" in stemsplit("models", "info", own).out


def test_the_folder_of_the_models(stemsplit: Command, folder: Path) -> None:
    assert stemsplit("models", "path").out == f"{folder / 'cache'}\n"
    assert document(stemsplit, "path") == {"path": str(folder / "cache")}


@pytest.mark.parametrize("command", ["info", "download", "remove", "verify"])
def test_an_unknown_name_is_answered_with_the_nearest(stemsplit: Command, command: str) -> None:
    result = stemsplit("models", command, "htdmucs_ft")
    assert result.status == 1
    assert "htdemucs_ft" in result.err
    assert len(result.err.splitlines()) == 1
