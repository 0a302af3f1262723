"""From a name to networks that run: from files, from the cache, and from a hub."""

import hashlib
import shutil
import socket
from pathlib import Path
from typing import Any

import pytest
import torch

from stemsplit.checkpoints import resolve as resolving
from stemsplit.checkpoints.cache import Cache
from stemsplit.checkpoints.catalog import Catalog, ModelEntry, PublishedFile, WeightsEntry
from stemsplit.checkpoints.describe import describe_model
from stemsplit.checkpoints.load import LoadedModel, load_model
from stemsplit.checkpoints.weights import read_info
from stemsplit.errors import (
    CheckpointError,
    ChecksumError,
    DownloadError,
    OfflineError,
    UnknownModelError,
)
from tests.checkpoints import tiny
from tests.checkpoints.hub_server import Repository, Server


def run(model: LoadedModel) -> list[torch.Tensor]:
    mix = torch.linspace(-1, 1, 2 * 3000).view(1, model.channels, -1)
    with torch.inference_mode():
        return [member.network(mix) for member in model.members]


def weights_of(model: LoadedModel, position: int) -> dict[str, torch.Tensor]:
    return model.members[position].network.state_dict()


def assert_seed(model: LoadedModel, position: int, seed: int) -> None:
    kwargs = tiny.options()
    expected = tiny.ours(kwargs, tiny.state(kwargs, seed))
    for name, tensor in weights_of(model, position).items():
        assert torch.equal(tensor, expected[name])


@pytest.mark.usefixtures("no_network")
def test_a_bag_of_files_runs(tmp_path: Path) -> None:
    tiny.write_own(tmp_path / "one.safetensors", seed=1)
    tiny.write_legacy(tmp_path / "two.th", seed=2)
    tiny.write_reference(tmp_path / "three.safetensors", seed=3)
    (tmp_path / "bag.yaml").write_text(
        "models: [one, two, three]\nsegment: 3\n"
        "weights: [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 1]]\n"
    )
    model = load_model(str(tmp_path))
    assert model.name == "bag"
    assert model.stems == tuple(tiny.STEMS)
    assert (model.sample_rate, model.channels) == (44_100, 2)
    assert [member.architecture for member in model.members] == ["demucs"] * 3
    assert [member.segment_samples for member in model.members] == [3 * 44_100] * 3
    for position in range(3):
        assert_seed(model, position, seed=position + 1)
    digest = hashlib.sha256((tmp_path / "two.th").read_bytes()).hexdigest()
    assert model.members[1].digest == digest
    for member, estimate in zip(model.members, run(model), strict=True):
        assert not member.network.training
        assert estimate.shape == (1, 4, 2, 3000)
        assert estimate.isfinite().all()
    assert not Cache().root.exists()


@pytest.mark.usefixtures("no_network")
def test_only_the_networks_of_the_asked_stems_are_read(tmp_path: Path) -> None:
    tiny.write_own(tmp_path / "one.safetensors", seed=1)
    broken = tiny.write_own(tmp_path / "two.safetensors", seed=2)
    broken.write_bytes(broken.read_bytes()[:-10])  # its head is whole
    (tmp_path / "bag.yaml").write_text(
        "models: [one, two]\nweights: [[1, 1, 0, 1], [0, 0, 1, 1]]\n"
    )
    model = load_model(str(tmp_path), stems=["bass", "drums"])
    assert model.stems == tuple(tiny.STEMS)
    assert model.stem_weights == ((1.0, 1.0, 0.0, 1.0),)
    assert_seed(model, 0, seed=1)
    with pytest.raises(CheckpointError, match=r"two\.safetensors is damaged"):
        load_model(str(tmp_path), stems=["other"])
    with pytest.raises(UnknownModelError, match="no stem 'voice'"):
        load_model(str(tmp_path), stems=["voice"])


def test_a_repo_folder_is_read_as_demucs_reads_it(tmp_path: Path) -> None:
    tiny.write_legacy(tmp_path / "x.th", seed=5)
    digest = hashlib.sha256((tmp_path / "x.th").read_bytes()).hexdigest()
    (tmp_path / "x.th").rename(tmp_path / f"abcd1234-{digest[:8]}.th")
    (tmp_path / "htdemucs.yaml").write_text("models: ['abcd1234']\n")
    for name in ("htdemucs", "abcd1234"):
        model = load_model(name, repo=tmp_path)
        assert_seed(model, 0, seed=5)


def test_the_fingerprint_follows_everything_that_counts(tmp_path: Path) -> None:
    tiny.write_own(tmp_path / "one.safetensors", seed=1)
    bag = tmp_path / "bag.yaml"

    def fingerprint(text: str) -> str:
        bag.write_text(text)
        loaded, described = load_model(str(bag)), describe_model(str(bag))
        assert loaded.fingerprint == described.fingerprint
        return loaded.fingerprint

    plain = fingerprint("models: [one]\n")
    assert plain == fingerprint("models: [one]\nlicence: mine\n")
    assert plain != fingerprint("models: [one]\nweights: [[1, 1, 1, 2]]\n")
    assert plain != fingerprint("models: [one]\nsegment: 5\n")
    tiny.write_own(tmp_path / "one.safetensors", seed=2)
    assert plain != fingerprint("models: [one]\n")


def repository(tmp_path: Path, **seeds: int) -> dict[str, bytes]:
    """Files of a hub repository laid out as those of demucs 4.1."""
    return {
        f"{name}.safetensors": tiny.write_reference(tmp_path / f"{name}.st", seed=seed).read_bytes()
        for name, seed in seeds.items()
    }


def test_a_bag_on_the_hub_runs_and_stays(server: Server, tmp_path: Path) -> None:
    files = repository(tmp_path, aaaa=1, bbbb=2)
    files["htdemucs_ft.yaml"] = b"models: [aaaa, bbbb]\nweights: [[1, 0, 0, 0], [0, 1, 1, 1]]\n"
    files["README.md"] = b"hello"
    server.repositories["someone/HTDemucs-ft"] = Repository(files)
    name = "hf:someone/HTDemucs-ft"
    described = describe_model(name)
    assert described.stems == tuple(tiny.STEMS)
    assert described.licence == "mit, as someone/HTDemucs-ft states"
    assert not described.is_cached
    assert [member.stems for member in described.members] == [
        ("drums",),
        ("bass", "other", "vocals"),
    ]
    assert all(size is not None and size <= 100_001 for _, size in _sizes(server))

    vocals = load_model(name, stems=["vocals"])
    assert vocals.stem_weights == ((0.0, 1.0, 1.0, 1.0),)
    assert_seed(vocals, 0, seed=2)
    everything = load_model(name)
    assert_seed(everything, 0, seed=1)
    assert len({path for path, header in server.bodies() if header is None}) == 2
    assert everything.fingerprint == vocals.fingerprint == described.fingerprint

    asked = len(server.requests)
    assert load_model(name, offline=True).fingerprint == described.fingerprint
    assert describe_model(name).is_cached
    assert len(server.requests) == asked


def _sizes(server: Server) -> list[tuple[str, int | None]]:
    """How much of each large file was asked for."""
    sizes: list[tuple[str, int | None]] = []
    for path, header in server.bodies():
        first, _, last = (header or "bytes=0-").removeprefix("bytes=").partition("-")
        sizes.append((path, int(last) - int(first) + 1 if last else None))
    return sizes


def test_a_revision_of_the_hub_is_kept_apart(server: Server, tmp_path: Path) -> None:
    old = Repository(repository(tmp_path, aaaa=1), commit="a" * 40)
    server.repositories["someone/model"] = old
    assert_seed(load_model("hf:someone/model@" + "a" * 40), 0, seed=1)
    server.repositories["someone/model"] = Repository(repository(tmp_path, aaaa=2), commit="b" * 40)
    assert_seed(load_model("hf:someone/model"), 0, seed=2)
    assert_seed(load_model("hf:someone/model@" + "a" * 40, offline=True), 0, seed=1)


def test_our_own_file_on_the_hub_runs(server: Server, tmp_path: Path) -> None:
    own = tiny.write_own(tmp_path / "x.safetensors", seed=4, trained_sets=("musdb:train",))
    data = own.read_bytes()
    server.repositories["me/mine"] = Repository({"mine.safetensors": data}, licence=None)
    assert_seed(load_model("hf:me/mine"), 0, seed=4)
    assert describe_model("hf:me/mine").licence is None
    assert describe_model("hf:me/mine").trained_sets == ("musdb:train",)


@pytest.mark.parametrize("text", [b"lr: 1e-3\n", b"name: caf\xe9\n"])
def test_yaml_of_another_program_on_the_hub_hides_nothing(
    server: Server, tmp_path: Path, text: bytes
) -> None:
    files = {"config.yaml": text, **repository(tmp_path, aaaa=1)}
    server.repositories["a/b"] = Repository(files)
    assert_seed(load_model("hf:a/b"), 0, seed=1)
    files["name.yaml"] = b"models: [aaaa]\nsegment: 2\n"
    server.repositories["a/c"] = Repository(files)
    assert describe_model("hf:a/c").segment_seconds == 2


def test_a_bag_on_the_hub_states_the_terms_of_all_its_networks(
    server: Server, tmp_path: Path
) -> None:
    files = {"all.yaml": b"models: [a, b, c]\n"}
    for name, licence, songs in (("a", "mit", "one"), ("b", "cc-by-nc-4.0", "two"), ("c", "", "")):
        path = tmp_path / f"{name}.safetensors"
        tiny.write_own(path, licence=licence, trained_on=songs)
        files[path.name] = path.read_bytes()
    server.repositories["a/b"] = Repository(files, licence="mit")
    known = describe_model("hf:a/b")
    assert (known.licence, known.trained_on) == ("mit / cc-by-nc-4.0", "one / two")
    load_model("hf:a/b")
    stored = [read_info(one.path) for one in Cache().all_weights()]
    assert [(info.licence, info.trained_on) for info in stored] == [
        *(("mit", "one"), ("cc-by-nc-4.0", "two"), ("mit / cc-by-nc-4.0", "one / two")),
    ]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "holds no model that stemsplit reads"),
        ({"a.safetensors": b"", "b.safetensors": b""}, "it has 2"),
        ({"x.th": b"PK"}, "it has 0"),
        ({"x.yaml": b"models: [none]"}, r"x\.yaml names none\.safetensors, which it lacks"),
        ({"x.yaml": b"a: ["}, "not valid YAML"),
        ({"x.yaml": b"models: [\xe9]"}, r"x\.yaml cannot be read: 'utf-8' codec"),
    ],
)
def test_a_repository_without_a_model_is_refused(
    server: Server, files: dict[str, bytes], message: str
) -> None:
    server.repositories["a/b"] = Repository(files)
    with pytest.raises(Exception, match=message) as caught:
        load_model("hf:a/b")
    assert "hf:a/b" in str(caught.value)
    assert Cache().find_model("hf:a/b") is None


def test_a_missing_repository_or_revision_is_said(server: Server, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match=r"hf:a/b cannot be used: there is no such repository"):
        load_model("hf:a/b")
    server.repositories["a/b"] = Repository(repository(tmp_path, x=1))
    with pytest.raises(DownloadError, match="no such revision"):
        load_model("hf:a/b@v9")


@pytest.mark.usefixtures("no_network")
def test_an_uncached_hub_model_is_said_offline() -> None:
    with pytest.raises(OfflineError, match="hf:a/b is not in the cache"):
        load_model("hf:a/b", offline=True)


def test_a_dead_hub_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{port}")
    with pytest.raises(
        OfflineError, match=r"cannot be reached \(connection refused\): check the network"
    ):
        load_model("hf:a/b")


@pytest.fixture
def catalogue(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A catalogue of one model, whose file the server has."""
    data = tiny.write_legacy(tmp_path / "x.th", seed=6).read_bytes()
    server.plain["0000aaaa-1111.th"] = data
    url = f"{server.url}/plain/0000aaaa-1111.th"
    weights = WeightsEntry(
        id="0000aaaa",
        architecture="demucs",
        sample_rate=44_100,
        licence="ask first",
        trained_on="songs",
        source="test",
        files=(PublishedFile(format="legacy", url=url, sha256=hashlib.sha256(data).hexdigest()),),
    )
    fields: dict[str, Any] = {"stems": weights.stems}
    entry = ModelEntry(
        name="small",
        summary="small",
        members=("0000aaaa",),
        stem_weights=((1.0,) * 4,),
        segment_seconds=2.0,
    )
    monkeypatch.setattr(
        resolving,
        "load_catalog",
        lambda: Catalog({weights.id: weights}, {"small": entry}, {"small": entry}),
    )
    return fields


@pytest.mark.usefixtures("catalogue")
def test_a_model_of_the_catalogue_is_fetched_once_and_checked_always(server: Server) -> None:
    before = describe_model("small")
    assert not before.is_cached
    assert before.licence == "ask first"
    model = load_model("small")
    assert_seed(model, 0, seed=6)
    assert model.members[0].segment_samples == 88_200
    assert model.fingerprint == before.fingerprint
    load_model("small", offline=True)
    assert load_model("0000aaaa", offline=True).members[0].segment_samples == 44_100
    assert len(server.bodies()) == 1

    path = Cache().all_weights()[0].path
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(
        ChecksumError, match=r"has other contents .* `stemsplit models remove 0000aaaa`"
    ):
        load_model("small", offline=True)


@pytest.mark.usefixtures("catalogue")
def test_a_file_of_other_stems_than_announced_is_refused(server: Server, tmp_path: Path) -> None:
    load_model("small")
    stored = Cache().all_weights()[0]
    kwargs = tiny.options(["vocals", "drums", "bass", "other"])
    tiny.write_own(tmp_path / "x.safetensors", kwargs=kwargs)
    Cache().store(
        stored.id,
        lambda path: shutil.move(tmp_path / "x.safetensors", path),
        origin="",
        origin_sha256="",
    )
    with pytest.raises(
        CheckpointError, match=r"is for vocals, drums, bass, other .* not what small"
    ):
        load_model("small")
