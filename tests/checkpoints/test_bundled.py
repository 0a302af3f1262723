"""Weights that come with the package: found, checked, and never fetched, copied or removed."""

import hashlib
import re
from pathlib import Path

import pytest
import torch

from stemsplit.checkpoints import bundled
from stemsplit.checkpoints.cache import Cache
from stemsplit.checkpoints.catalog import load_catalog
from stemsplit.checkpoints.describe import describe_model, list_models
from stemsplit.checkpoints.export import export_model
from stemsplit.checkpoints.load import load_model
from stemsplit.checkpoints.manage import download_model, remove_model, verify_models
from stemsplit.checkpoints.reading import read_checkpoint
from stemsplit.checkpoints.weights import CheckpointInfo, halved, read_tensors, write_checkpoint
from stemsplit.errors import CheckpointError, ChecksumError, ConfigError
from stemsplit.models.registry import build_network, config_to_dict, find_variant
from tests.checkpoints import tiny
from tests.checkpoints.shelf import Shelf, make_shelf

pytestmark = pytest.mark.usefixtures("no_network")


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    return make_shelf(tmp_path, tiny.write_own, monkeypatch)


def test_it_is_listed_as_here_and_described_with_its_card(shelf: Shelf) -> None:
    card = shelf.bundled.with_suffix(".md")
    card.write_text("# card\n")
    model = {one.name: one for one in list_models()}["htdemucs_nn"]
    assert model.is_cached
    assert model.stored_bytes == shelf.bundled.stat().st_size
    assert model.members[0].path == shelf.bundled
    assert model.members[0].addresses == ("comes with stemsplit",)
    assert model.card == card
    assert describe_model("htdemucs").card is None


def test_it_is_loaded_in_float32_where_it_lies(shelf: Shelf) -> None:
    loaded = load_model("htdemucs_nn", offline=True)
    assert {p.dtype for p in loaded.members[0].network.parameters()} == {torch.float32}
    assert loaded.members[0].digest == hashlib.sha256(shelf.bundled.read_bytes()).hexdigest()
    assert Cache().all_weights() == ()
    assert loaded.fingerprint == describe_model("htdemucs_nn").fingerprint


def test_it_is_verified_downloaded_and_exported_as_it_is(shelf: Shelf, tmp_path: Path) -> None:
    (checked,) = verify_models()
    assert (checked.path, checked.models, checked.problem) == (
        shelf.bundled,
        ("htdemucs_nn",),
        None,
    )
    assert verify_models("htdemucs_nn") == (checked,)
    assert download_model("htdemucs_nn").is_cached
    exported = export_model("htdemucs_nn", tmp_path / "out")
    assert exported.files[1].read_bytes() == shelf.bundled.read_bytes()


def test_a_changed_file_is_refused_in_one_line_everywhere(shelf: Shelf, tmp_path: Path) -> None:
    data = bytearray(shelf.bundled.read_bytes())
    data[-1] ^= 1
    shelf.bundled.write_bytes(data)
    said = re.escape(str(shelf.bundled)) + ".* was published, so it is not used: install"
    for use in (
        lambda: load_model("htdemucs_nn"),
        lambda: download_model("htdemucs_nn"),
        lambda: export_model("htdemucs_nn", tmp_path / "out"),
    ):
        with pytest.raises(ChecksumError, match=said) as caught:
            use()
        assert "\n" not in str(caught.value)
    assert re.match(said, str(verify_models()[0].problem))
    assert not list((tmp_path / "out").iterdir())


def test_a_missing_file_is_said_and_not_looked_for_on_the_network(shelf: Shelf) -> None:
    shelf.bundled.unlink()
    assert not describe_model("htdemucs_nn").is_cached
    assert verify_models() == ()
    with pytest.raises(CheckpointError, match="come with stemsplit, but this installation lacks"):
        load_model("htdemucs_nn")


def test_it_cannot_be_removed(shelf: Shelf) -> None:
    for name in ("htdemucs_nn", "nn"):
        with pytest.raises(ConfigError, match="comes with stemsplit and is not in the cache"):
            remove_model(name)
    assert shelf.bundled.is_file()


def test_export_in_half_precision_halves_and_keeps_the_rest(tmp_path: Path) -> None:
    architecture, config = find_variant("htdemucs_nn")
    torch.manual_seed(0)
    state = build_network(architecture, config).state_dict()
    info = CheckpointInfo(
        architecture=architecture,
        config=config_to_dict(config),
        stems=config.stems,
        sample_rate=config.sample_rate,
        channels=config.channels,
        trained_on="songs",
    )
    source = tmp_path / "best.safetensors"
    write_checkpoint(source, state, info)
    (_, file) = export_model(str(source), tmp_path / "out", precision="fp16", licence="MIT").files
    assert 19_000_000 < file.stat().st_size < 0.51 * source.stat().st_size
    found = read_checkpoint(file)
    assert (found.info.licence, found.info.trained_on) == ("MIT", "songs")
    assert found.config == config
    rounded = read_tensors(file)
    assert {tensor.dtype for tensor in rounded.values()} == {torch.float16}
    assert all(torch.equal(rounded[name], tensor.half()) for name, tensor in state.items())
    assert load_model(str(file)).members[0].config == config


def test_what_half_precision_cannot_hold_is_not_rounded() -> None:
    with pytest.raises(CheckpointError, match="x: a holds values that half precision cannot hold"):
        halved({"a": torch.tensor([1e6])}, name="x")


def test_an_unknown_precision_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="stored, fp16; got int8"):
        export_model("htdemucs", tmp_path / "out", precision="int8")
    assert not (tmp_path / "out").exists()


def test_every_file_of_the_package_is_what_the_catalogue_states() -> None:
    files = [file for one in load_catalog().weights.values() for file in one.files if file.bundled]
    stated = {str(file.bundled): (file.sha256, file.bytes) for file in files}
    there = {path.name: path for path in bundled.FOLDER.glob("*.safetensors")}
    assert set(there) == set(stated)
    for name, path in there.items():
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        assert stated[name] == (digest, path.stat().st_size)
        assert path.with_suffix(".md").is_file()
