"""Folders for the hub: what is in them, what its own client reads, and that they work there."""

import json
from pathlib import Path

import pytest
from huggingface_hub import ModelCard, ModelCardData

from stemsplit.checkpoints.describe import describe_model
from stemsplit.checkpoints.load import load_model
from stemsplit.checkpoints.manage import add_model
from stemsplit.checkpoints.publish import Card, Scores, publish
from stemsplit.checkpoints.weights import read_info
from stemsplit.errors import CheckpointError, ConfigError
from tests.checkpoints import tiny
from tests.checkpoints.hub_server import Repository, Server
from tests.checkpoints.test_load import assert_seed


def metadata(text: str) -> ModelCardData:
    """What the hub's client reads from a card."""
    data = ModelCard(text).data
    assert isinstance(data, ModelCardData)
    return data


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return tiny.write_own(tmp_path / "own.safetensors", seed=3, trained_sets=("musdb:train",))


def test_what_was_written_runs_from_the_hub(server: Server, model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    written = publish(str(model), folder, repository="me/nn", licence="cc-by-nc-4.0")
    assert {file.name for file in written.files} == {file.name for file in folder.iterdir()}
    assert {file.name for file in written.files} == {
        *("nn.yaml", "nn.safetensors", "config.json", "README.md")
    }
    assert written.upload == f"hf upload me/nn {folder} ."
    files = {file.name: file.read_bytes() for file in written.files}
    stated = metadata(files["README.md"].decode()).license
    assert isinstance(stated, str)
    server.repositories["me/nn"] = Repository(files, licence=stated)
    assert_seed(load_model("hf:me/nn"), 0, seed=3)
    known = describe_model("hf:me/nn")
    assert (known.licence, known.trained_sets) == ("cc-by-nc-4.0", ("musdb:train",))


def test_the_card_is_metadata_that_the_hub_reads(model: Path, tmp_path: Path) -> None:
    scores = Scores(data="songs of mine", sdr_db=4.5, stems_db={"vocals": 6.25})
    publish(
        str(model),
        tmp_path / "folder",
        repository="me/nn",
        licence="mit",
        card=lambda terms: Card(text=f"# words\n\n{terms}\n", scores=scores),
    )
    text = (tmp_path / "folder/README.md").read_text()
    assert text.endswith("---\n\n# words\n\nmit\n")
    data = metadata(text)
    assert (data.license, data.library_name, data.pipeline_tag) == (
        *("mit", "stemsplit", "audio-to-audio"),
    )
    assert data.datasets == ["musdb"]
    assert data.metrics == ["sdr"]
    assert data.eval_results is not None
    assert [(one.metric_name, one.metric_value) for one in data.eval_results] == [
        ("SDR in dB, mean", 4.5),
        ("SDR in dB, vocals", 6.25),
    ]


def test_terms_of_ones_own_come_as_a_file(model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    publish(str(model), folder, repository="me/nn", licence="Only on Sundays.")
    assert (folder / "LICENSE").read_text() == "Only on Sundays.\n"
    data = metadata((folder / "README.md").read_text())
    assert (data.license, data.license_link) == ("other", "LICENSE")
    assert read_info(folder / "nn.safetensors").licence == "Only on Sundays."


def test_the_configuration_is_that_of_the_weights(model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    publish(str(model), folder, repository="me/nn", licence="mit")
    facts = json.loads((folder / "config.json").read_text())
    (network,) = facts["networks"]
    assert facts["stems"] == tiny.STEMS
    assert network["config"] == read_info(folder / network["file"]).config


def test_a_registered_bag_keeps_its_terms(tmp_path: Path) -> None:
    for seed, name in enumerate(("a", "b")):
        tiny.write_own(tmp_path / f"{name}.safetensors", seed=seed)
    (tmp_path / "bag.yaml").write_text("models: [a, b]\nlicence: mit\n")
    add_model(tmp_path / "bag.yaml", "mine")
    publish("mine", tmp_path / "folder", repository="me/ours")
    text = (tmp_path / "folder/README.md").read_text()
    assert metadata(text).license == "mit"
    assert "stemsplit song.mp3 --model hf:me/ours" in text
    assert len(load_model(str(tmp_path / "folder"), offline=True).members) == 2
    for file in (tmp_path / "folder").iterdir():  # nobody learns where things lay on this machine
        assert str(tmp_path).encode() not in file.read_bytes(), file.name
    weights = sorted((tmp_path / "folder").glob("*.safetensors"))
    assert [read_info(one).origin for one in weights] == ["a.safetensors", "b.safetensors"]
    with pytest.raises(ConfigError, match="state their terms, which --licence cannot change: mit"):
        publish("mine", tmp_path / "other", repository="me/ours", licence="cc0-1.0")


def test_nothing_is_written_where_something_is_missing(model: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="state no terms of use: name them with --licence"):
        publish(str(model), tmp_path / "folder", repository="me/nn")
    with pytest.raises(ConfigError, match="--repo-id nn is no name on the hub"):
        publish(str(model), tmp_path / "folder", repository="nn", licence="mit")
    assert not (tmp_path / "folder").exists()
    (tmp_path / "full").mkdir()
    (tmp_path / "full/mine.txt").write_text("mine")
    with pytest.raises(CheckpointError, match="not empty"):
        publish(str(model), tmp_path / "full", repository="me/nn", licence="mit")
    assert [file.name for file in (tmp_path / "full").iterdir()] == ["mine.txt"]
