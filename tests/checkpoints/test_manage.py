"""Listing, fetching, checking, removing, registering and exporting models."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from stemsplit.checkpoints import manage
from stemsplit.checkpoints.cache import Cache
from stemsplit.checkpoints.describe import describe_model, list_models
from stemsplit.checkpoints.export import export_model
from stemsplit.checkpoints.load import load_model
from stemsplit.checkpoints.manage import (
    add_model,
    cache_path,
    download_model,
    remove_model,
    verify_models,
)
from stemsplit.checkpoints.reading import read_checkpoint
from stemsplit.checkpoints.weights import read_info, write_checkpoint
from stemsplit.errors import (
    CheckpointError,
    DownloadError,
    UnknownModelError,
    UnsafeCheckpointError,
)
from tests.checkpoints import tiny
from tests.checkpoints.hub_server import Repository, Server
from tests.checkpoints.test_load import assert_seed


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A bag of two networks in other formats than ours."""
    folder = tmp_path / "source"
    folder.mkdir()
    tiny.write_legacy(folder / "one.th", seed=1)
    tiny.write_reference(folder / "two.safetensors", seed=2)
    (folder / "bag.yaml").write_text(
        "models: [one, two]\nweights: [[1, 0, 0.5, 0], [0, 1, 0.5, 1]]\nsegment: 2\n"
    )
    return folder


@pytest.mark.usefixtures("no_network")
def test_all_models_are_listed_with_what_a_user_must_know() -> None:
    models = {model.name: model for model in list_models()}
    assert len(models) == 14
    ft = models["htdemucs_ft"]
    assert ft.stems == tuple(tiny.STEMS)
    assert [member.stems for member in ft.members] == [
        ("drums",),
        ("bass",),
        ("other",),
        ("vocals",),
    ]
    assert ft.missing_bytes() == 4 * 84_025_440
    assert ft.missing_bytes(["vocals"]) == 84_025_440
    assert models["HDEMUCS_HIGH_MUSDB"].missing_bytes() is None
    assert ft.licence is not None
    assert "scientific use only" in ft.licence
    assert models["mdx_extra"].has_musdb_test
    assert not ft.is_cached
    assert ft.stored_bytes == 0
    assert len({model.fingerprint for model in models.values()}) == 14


@pytest.mark.usefixtures("no_network")
def test_a_registered_model_outlives_its_files(folder: Path) -> None:
    described = add_model(folder, "mine", licence="my own", trained_on="my songs")
    for file in folder.iterdir():
        file.unlink()
    assert described.is_cached
    assert (described.licence, described.trained_on) == ("my own", "my songs")
    model = load_model("mine", offline=True)
    assert model.name == "mine"
    assert model.stem_weights == ((1.0, 0.0, 0.5, 0.0), (0.0, 1.0, 0.5, 1.0))
    assert model.members[0].segment_samples == 88_200
    assert_seed(model, 0, seed=1)
    assert_seed(model, 1, seed=2)
    assert [one.name for one in list_models() if one.kind == "registered"] == ["mine"]
    assert model.fingerprint == describe_model("mine").fingerprint


def test_a_registered_model_keeps_what_it_was_trained_on(tmp_path: Path) -> None:
    path = tiny.write_own(tmp_path / "a.safetensors", trained_sets=("musdb:train",))
    assert add_model(path, "mine").trained_sets == ("musdb:train",)
    path.unlink()
    assert describe_model("mine").trained_sets == ("musdb:train",)


def test_registering_again_replaces_only_when_told(folder: Path) -> None:
    add_model(folder, "mine")
    with pytest.raises(UnknownModelError, match="'mine' is registered already"):
        add_model(folder / "one.th", "mine")
    before = load_model("mine").fingerprint
    add_model(folder / "one.th", "mine", is_replacing=True)
    assert len(load_model("mine").members) == 1
    assert load_model("mine").fingerprint != before
    assert len(Cache().all_weights()) == 1


def test_a_replacement_that_fails_leaves_the_earlier_model_whole(folder: Path) -> None:
    add_model(folder, "mine")
    before = load_model("mine").fingerprint
    tiny.write_legacy(folder / "one.th", seed=3)
    second = folder / "two.safetensors"
    second.write_bytes(second.read_bytes()[:-100])
    with pytest.raises(CheckpointError):
        add_model(folder, "mine", is_replacing=True)
    assert load_model("mine").fingerprint == before
    assert_seed(load_model("mine"), 0, seed=1)
    assert len(Cache().all_weights()) == 2


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("htdemucs", "is a model of the catalogue"),
        ("955717e8", "is a model of the catalogue"),
        ("hdemucs_high_musdb", "is a model of the catalogue"),
        ("a/b", "cannot be the name of a model"),
        ("hf:a", "cannot be the name of a model"),
        ("", "cannot be the name of a model"),
        ("../x", "cannot be the name of a model"),
        ("x" * 65, "cannot be the name of a model"),
    ],
)
def test_some_names_cannot_be_given(folder: Path, name: str, message: str) -> None:
    with pytest.raises(UnknownModelError, match=message):
        add_model(folder, name)
    assert Cache().all_weights() == ()


def test_a_faulty_model_is_not_registered(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UnknownModelError, match="There is no file"):
        add_model(tmp_path / "none", "mine")
    tiny.write_legacy(folder / "one.th", extra=tmp_path)
    with pytest.raises(UnsafeCheckpointError, match="pathlib"):
        add_model(folder, "mine")
    assert Cache().find_model("mine") is None


def test_networks_of_a_model_with_a_dot_in_its_name_are_exported_apart(
    folder: Path, tmp_path: Path
) -> None:
    add_model(folder, "mine.v2", licence="my own")
    exported = export_model("mine.v2", tmp_path / "a")
    assert len(set(exported.files)) == 3
    model = load_model(str(tmp_path / "a"))
    assert_seed(model, 0, seed=1)
    assert_seed(model, 1, seed=2)


def test_an_exported_model_is_read_back(folder: Path, tmp_path: Path) -> None:
    add_model(folder, "mine", licence="my own")
    for name, target in (("mine", tmp_path / "a"), (str(folder), tmp_path / "b")):
        exported = export_model(name, target)
        assert all(file.is_file() for file in exported.files)
        assert [file.suffix for file in exported.files] == [".yaml", ".safetensors", ".safetensors"]
        model = load_model(str(target))
        assert model.stem_weights == ((1.0, 0.0, 0.5, 0.0), (0.0, 1.0, 0.5, 1.0))
        assert model.members[0].segment_samples == 88_200
        assert_seed(model, 0, seed=1)
        assert_seed(model, 1, seed=2)
        assert {path.suffix for path in target.iterdir()} == {".yaml", ".safetensors"}
    assert describe_model(str(tmp_path / "a")).licence == "my own"
    with pytest.raises(CheckpointError, match=r"mine\.yaml is there already"):
        export_model("mine", tmp_path / "a")


def test_weights_that_were_registered_with_their_path_are_exported_without(
    folder: Path, tmp_path: Path
) -> None:
    weights = Cache().find(add_model(folder / "one.th", "mine").members[0].id)
    assert weights is not None
    old = read_checkpoint(weights.path)
    Cache().store(
        weights.id,
        lambda path: write_checkpoint(
            path, old.state, replace(old.info, origin=str(folder / "one.th"))
        ),
        origin=str(folder / "one.th"),
        origin_sha256=weights.origin_sha256,
    )
    (_, file) = export_model("mine", tmp_path / "out").files
    assert read_info(file).origin == "one.th"
    assert_seed(load_model(str(file)), 0, seed=1)


def test_an_export_that_cannot_be_written_says_so(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CheckpointError, match="cannot be written: Not a directory"):
        export_model(str(folder), tmp_path / "file" / "out")


def test_verifying_tells_good_from_broken(folder: Path) -> None:
    add_model(folder, "mine")
    add_model(folder / "one.th", "other")
    added = [one for one in verify_models() if one.id.startswith("user-")]
    assert [one.problem for one in added] == [None] * 3
    broken = verify_models("other")[0]
    assert broken.models == ("other",)
    broken.path.write_bytes(broken.path.read_bytes()[:-5])
    problems = {one.id: one.problem for one in verify_models()}
    assert problems.pop(broken.id) is not None
    assert set(problems.values()) == {None}
    assert "so it is not used" in str(verify_models("other")[0].problem)
    assert verify_models("mine")[0].problem is None
    assert verify_models("htdemucs") == ()
    with pytest.raises(UnknownModelError, match="Did you mean mine"):
        verify_models("min")


def test_weights_of_any_identifier_name_the_models_that_use_them(
    server: Server, folder: Path
) -> None:
    files = {"X+Y.safetensors": (folder / "two.safetensors").read_bytes()}
    server.repositories["Some/One"] = Repository(files, commit="1" * 40)
    download_model("hf:Some/One")
    download_model("hf:Some/One@" + "1" * 40)
    users = {"hf:Some/One", "hf:Some/One@" + "1" * 40}
    (found,) = [one for one in verify_models() if one.id.startswith("hf-")]
    assert (found.id, set(found.models)) == ("hf-Some/One-111111111111-X+Y", users)
    record = found.path.with_suffix(".json")
    facts = json.loads(record.read_text())
    del facts["id"]  # as records were once
    record.write_text(json.dumps(facts))
    assert users in [set(one.models) for one in verify_models()]
    assert verify_models("hf:Some/One")[0].id == found.id
    server.repositories["Some/One"] = Repository(files, commit="2" * 40)
    download_model("hf:Some/One")  # the commit keeps its weights
    assert_seed(load_model("hf:Some/One@" + "1" * 40, offline=True), 0, seed=2)
    assert remove_model("hf:Some/One@" + "1" * 40).weights == (found.id,)


def test_a_branch_that_moved_stays_usable_until_the_new_weights_are_here(
    server: Server, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise DownloadError("no.")

    data = (folder / "two.safetensors").read_bytes()
    server.repositories["a/b"] = Repository({"x.safetensors": data}, commit="1" * 40)
    download_model("hf:a/b")
    server.repositories["a/b"] = Repository({"y.safetensors": data}, commit="2" * 40)
    monkeypatch.setattr(manage, "obtain", fail)
    with pytest.raises(DownloadError):
        download_model("hf:a/b")
    assert_seed(load_model("hf:a/b", offline=True), 0, seed=2)


def test_removing_forgets_a_registered_model(folder: Path) -> None:
    add_model(folder, "mine")
    stored = describe_model("mine").stored_bytes
    removed = remove_model("mine")
    assert [one.rpartition("-")[0] for one in removed.weights] == ["user-mine-0", "user-mine-1"]
    assert removed.freed_bytes >= stored
    with pytest.raises(UnknownModelError):
        describe_model("mine")
    with pytest.raises(UnknownModelError, match="no model 'mine' to remove"):
        remove_model("mine")
    assert remove_model("htdemucs").freed_bytes == 0


def test_weights_can_be_removed_by_their_identifier(folder: Path) -> None:
    first = add_model(folder, "mine").members[0].id
    assert remove_model(first).weights == (first,)
    with pytest.raises(CheckpointError, match=f"{first} of mine are gone from the cache"):
        load_model("mine")


def test_a_branch_of_the_hub_is_followed_by_downloading(server: Server, tmp_path: Path) -> None:
    first = tiny.write_reference(tmp_path / "1", seed=1).read_bytes()
    second = tiny.write_reference(tmp_path / "2", seed=2).read_bytes()
    server.repositories["a/b"] = Repository({"x.safetensors": first}, commit="1" * 40)
    assert download_model("hf:a/b").is_cached
    server.repositories["a/b"] = Repository({"x.safetensors": second}, commit="2" * 40)
    assert_seed(load_model("hf:a/b"), 0, seed=1)
    download_model("hf:a/b", offline=True)
    assert_seed(load_model("hf:a/b"), 0, seed=1)
    download_model("hf:a/b")
    assert_seed(load_model("hf:a/b"), 0, seed=2)
    assert [one.id for one in Cache().all_weights()] == ["hf-a/b-222222222222-x"]
    assert remove_model("hf:a/b").weights == ("hf-a/b-222222222222-x",)
    assert Cache().all_models() == ()


def test_downloading_mends_what_is_broken(server: Server, tmp_path: Path) -> None:
    data = tiny.write_reference(tmp_path / "1", seed=1).read_bytes()
    server.repositories["a/b"] = Repository({"x.safetensors": data})
    download_model("hf:a/b")
    Cache().all_weights()[0].path.write_bytes(b"broken")
    download_model("hf:a/b")
    assert verify_models("hf:a/b")[0].problem is None


def test_a_damaged_description_of_the_own_model_is_not_fatal(folder: Path) -> None:
    add_model(folder, "mine")
    model = Cache().find_model("mine")
    assert model is not None
    Cache().store_model(replace(model, stem_weights=()))
    (cache_path() / "models" / "mine.json").write_text("{")
    assert len(list_models()) == 14


def test_managing_imports_no_torch() -> None:
    code = (
        "import sys;"
        "from stemsplit.checkpoints import describe, export, manage, resolve;"
        "manage.verify_models(); describe.describe_model('htdemucs');"
        "assert not {'torch', 'numpy', 'huggingface_hub'} & set(sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
