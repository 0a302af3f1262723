"""A name is looked for in a fixed order, and an unknown one is answered with the nearest."""

import hashlib
from pathlib import Path

import pytest

from stemsplit.checkpoints.cache import Cache, StoredModel
from stemsplit.checkpoints.resolve import parse_hub_name, resolve
from stemsplit.errors import (
    CatalogFormatError,
    ChecksumError,
    OfflineError,
    UnknownModelError,
    UnsafeCheckpointError,
)
from tests.checkpoints import tiny

pytestmark = pytest.mark.usefixtures("no_network")


def register(name: str, kind: str = "registered") -> StoredModel:
    model = StoredModel(
        name=name,
        kind=kind,
        members=("user-0",),
        stem_weights=((1.0, 1.0),),
        stems=("a", "b"),
        sample_rate=8_000,
        channels=1,
        architectures=("demucs",),
        origin="/my/file",
    )
    Cache().store_model(model)
    return model


def test_the_catalogue_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    register("htdemucs")
    tiny.write_own(tmp_path / "htdemucs")
    monkeypatch.chdir(tmp_path)
    assert resolve("htdemucs").kind == "catalogue"
    assert resolve("./htdemucs").kind == "path"


def test_a_registered_name_comes_before_a_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    register("mine")
    tiny.write_own(tmp_path / "mine")
    monkeypatch.chdir(tmp_path)
    found = resolve("mine")
    assert found.kind == "registered"
    assert found.stems == ("a", "b")
    assert found.channels == 1
    assert resolve("./mine").kind == "path"


def test_a_path_comes_before_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "hf:someone").mkdir()
    tiny.write_own(tmp_path / "hf:someone" / "model")
    monkeypatch.chdir(tmp_path)
    assert resolve("hf:someone/model").kind == "path"


def test_a_hub_model_in_the_cache_needs_no_network() -> None:
    register("hf:someone/model@v1", kind="hub")
    assert resolve("hf:someone/model@v1").kind == "hub"
    assert resolve("hf://someone/model@v1").name == "hf:someone/model@v1"
    with pytest.raises(OfflineError, match=r"hf:someone/model is not in the cache.*offline"):
        resolve("hf:someone/model", offline=True)


def test_aliases_and_signatures_are_names() -> None:
    assert resolve("hdemucs_high_musdb_plus").name == "HDEMUCS_HIGH_MUSDB_PLUS"
    single = resolve("f7e0c4bc")
    assert [member.id for member in single.members] == ["f7e0c4bc"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("htdemuc", "There is no model 'htdemuc'. Did you mean htdemucs"),
        ("mdxextra", "mdx_extra"),
        ("min", "Did you mean mine?"),
        ("zzz", "`stemsplit models list`"),
        ("models/x.th", "There is no file models/x.th"),
        ("x.safetensors", "There is no file x.safetensors"),
        ("", "There is no model ''"),
        ("x" * 5000, "There is no model 'xxx"),
        ("~nobody-here/x", "There is no file ~nobody-here/x"),
        ("a\0b", "There is no model"),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest(name: str, message: str) -> None:
    register("mine")
    with pytest.raises(UnknownModelError) as caught:
        resolve(name)
    assert message in str(caught.value)


@pytest.mark.parametrize("name", ["hf:model", "hf:a/b/c", "hf:", "hf:a/b@", "hf:a b/c", "hf:../x"])
def test_a_malformed_hub_name_is_refused(name: str) -> None:
    with pytest.raises(UnknownModelError, match="write hf:owner/repository"):
        resolve(name)


def test_hub_names_are_taken_apart() -> None:
    assert parse_hub_name("hf:a/b") == ("a/b", None)
    assert parse_hub_name("hf://some-one/The.Model_1@refs/pr/3") == (
        "some-one/The.Model_1",
        "refs/pr/3",
    )


def make_bag(folder: Path, name: str = "bag", extra: str = "") -> Path:
    folder.mkdir(exist_ok=True)
    tiny.write_own(folder / "one.safetensors", seed=1)
    tiny.write_legacy(folder / "two.th", seed=2)
    bag = folder / f"{name}.yaml"
    bag.write_text(f"models: [one, two]\n{extra}")
    return bag


def test_a_bag_is_found_by_file_or_folder(tmp_path: Path) -> None:
    bag = make_bag(
        tmp_path / "models", extra="weights: [[1, 0, 1, 0], [0, 1, 1, 2]]\nsegment: 44\n"
    )
    for path in (bag, bag.parent):
        model = resolve(str(path))
        assert model.name == "bag"
        assert [member.id for member in model.members] == ["one.safetensors", "two.th"]
        assert model.segment_seconds == 44
        assert model.stem_weights == ((1.0, 0.0, 1.0, 0.0), (0.0, 1.0, 1.0, 2.0))


def test_a_folder_of_several_bags_means_the_one_of_its_name(tmp_path: Path) -> None:
    folder = tmp_path / "mixed"
    make_bag(folder, "first")
    with_two = make_bag(folder, "second")
    with pytest.raises(UnknownModelError, match=r"holds several: first\.yaml, second\.yaml"):
        resolve(str(folder))
    with_two.rename(folder / "mixed.yaml")
    assert resolve(str(folder)).name == "mixed"


def test_a_folder_with_one_file_means_it(tmp_path: Path) -> None:
    with pytest.raises(UnknownModelError, match="holds no weights and no bag"):
        resolve(str(tmp_path))
    tiny.write_reference(tmp_path / "voice.safetensors")
    assert resolve(str(tmp_path)).name == "voice"
    tiny.write_own(tmp_path / "other.safetensors")
    with pytest.raises(UnknownModelError, match=r"holds several: other\.safetensors, voice"):
        resolve(str(tmp_path))


def test_trainings_are_called_like_their_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        tiny.write_own(tmp_path / "runs" / name / "best.safetensors")
        assert resolve(str(tmp_path / "runs" / name)).name == name
    monkeypatch.chdir(tmp_path / "runs/a")
    assert resolve(".").name == "a"
    assert resolve("./best.safetensors").name == "best"


@pytest.mark.parametrize(
    "text",
    [b"lr: 1e-3\n", b"name: caf\xe9\n", b"a: !!python/tuple [1]\n", b"a: [", b"day: 2001-99-99\n"],
)
def test_yaml_of_another_program_does_not_hide_the_weights_beside_it(
    tmp_path: Path, text: bytes
) -> None:
    tiny.write_own(tmp_path / "voice.safetensors")
    (tmp_path / "config.yaml").write_bytes(text)
    assert resolve(str(tmp_path)).name == "voice"
    (tmp_path / "bag.yaml").write_text("models: [voice]\nsegment: 3\n")
    assert resolve(str(tmp_path)).segment_seconds == 3


def test_a_faulty_bag_beside_its_weights_is_said(tmp_path: Path) -> None:
    tiny.write_own(tmp_path / "voice.safetensors")
    (tmp_path / "bag.yaml").write_text("models: [voice")
    with pytest.raises(CatalogFormatError, match="not valid YAML"):
        resolve(str(tmp_path))


def test_a_repo_is_looked_into_and_nothing_else(tmp_path: Path) -> None:
    make_bag(tmp_path, "htdemucs")
    digest = hashlib.sha256((tmp_path / "two.th").read_bytes()).hexdigest()
    (tmp_path / "two.th").rename(tmp_path / f"two-{digest[:8]}.th")
    assert resolve("htdemucs", repo=tmp_path).kind == "path"
    assert len(resolve("htdemucs", repo=tmp_path).members) == 2
    assert resolve("one", repo=tmp_path).members[0].id == "one.safetensors"
    assert resolve("two", repo=tmp_path).members[0].path == tmp_path / f"two-{digest[:8]}.th"
    with pytest.raises(UnknownModelError, match=r"holds no model 'twoo'; it holds .*two.*Did you"):
        resolve("twoo", repo=tmp_path)
    with pytest.raises(UnknownModelError, match="no model 'mdx'"):
        resolve("mdx", repo=tmp_path)
    with pytest.raises(UnknownModelError, match="is no folder"):
        resolve("x", repo=tmp_path / "none")


def test_the_hash_in_a_file_name_must_be_right(tmp_path: Path) -> None:
    tiny.write_legacy(tmp_path / "two-00000000.th")
    with pytest.raises(ChecksumError, match="SHA-256 that its name promises"):
        resolve("two", repo=tmp_path)


def test_two_files_of_one_signature_are_refused(tmp_path: Path) -> None:
    tiny.write_legacy(tmp_path / "two-00000000.th")
    tiny.write_legacy(tmp_path / "two-11111111.th")
    with pytest.raises(UnknownModelError, match="2 files of the name 'two'"):
        resolve("two", repo=tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("models: [one, none]", r"names none, but there is no such file"),
        ("models: [one]\nweights: [[1, 0]]", "1 rows of 4 numbers"),
        ("models: [one]\nweights: [[1, 0, 1, 0]]", "weight for the stem bass"),
        ("models: [one, three]", "differ in stems"),
    ],
)
def test_a_bag_that_does_not_fit_its_files_is_refused(
    tmp_path: Path, text: str, message: str
) -> None:
    bag = make_bag(tmp_path)
    tiny.write_own(tmp_path / "three.safetensors", kwargs=tiny.options(["drums"]))
    bag.write_text(text)
    with pytest.raises((CatalogFormatError, UnknownModelError), match=message):
        resolve(str(bag))


def test_a_network_named_twice_weighs_twice_and_runs_once(tmp_path: Path) -> None:
    bag = make_bag(tmp_path)
    bag.write_text("models: [one, two, one]\nweights: [[1, 0, 1, 1], [1, 1, 1, 1], [2, 0, 1, 0]]\n")
    model = resolve(str(bag))
    assert [member.id for member in model.members] == ["one.safetensors", "two.th"]
    assert model.stem_weights == ((3.0, 0.0, 2.0, 1.0), (1.0, 1.0, 1.0, 1.0))


def test_a_hostile_file_is_refused_before_anything_is_loaded(tmp_path: Path) -> None:
    tiny.write_legacy(tmp_path / "x.th", extra=tmp_path)
    with pytest.raises(UnsafeCheckpointError, match="pathlib"):
        resolve(str(tmp_path / "x.th"))


def test_only_the_networks_of_the_asked_stems_are_needed() -> None:
    model = resolve("htdemucs_ft")
    assert model.needed(None) == (0, 1, 2, 3)
    assert model.needed(["vocals"]) == (3,)
    assert model.needed(["vocals", "drums"]) == (0, 3)
    assert resolve("mdx").needed(["bass"]) == (0, 1)
    with pytest.raises(
        UnknownModelError, match=r"no stem 'vocal'; it has drums.*Did you mean vocals"
    ):
        model.needed(["vocal"])
