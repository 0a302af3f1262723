"""`stemsplit song` without --model: which model does it, and what is said."""

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stemsplit.checkpoints import beginning
from stemsplit.errors import Cancelled
from stemsplit.models.base import STEMS_4
from stemsplit.separation import batch
from stemsplit.separation.events import Notice
from stemsplit.separation.options import SeparationOptions
from stemsplit.separation.separator import Separator
from tests.checkpoints import tiny
from tests.checkpoints.hub_server import Server
from tests.checkpoints.shelf import Shelf, make_shelf
from tests.cli.conftest import Command
from tests.cli.tiny import write_song

COMES_ALONG = "Using htdemucs_nn, which comes with stemsplit, as htdemucs"


@pytest.fixture(autouse=True)
def shelf(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    write_song(folder / "song.wav")
    return make_shelf(folder, tiny.write_own, monkeypatch)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    with Server() as running:
        monkeypatch.setenv("HF_ENDPOINT", running.url)
        yield running


@pytest.fixture
def closed_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as door:
        port = door.getsockname()[1]
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{port}")


def models_used(folder: Path) -> list[str]:
    """The folders of the models that made something."""
    out = folder / "separated"
    return sorted(p.name for p in out.iterdir() if p.is_dir()) if out.is_dir() else []


def test_a_warm_cache_is_used_without_asking(
    stemsplit: Command, shelf: Shelf, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf.warm("ht")
    monkeypatch.setattr("stemsplit.checkpoints.beginning.begin_fetching", pytest.fail)
    result = stemsplit("song.wav", "--json")
    assert result.status == 0
    assert models_used(folder) == ["htdemucs"]
    assert result.objects[-1]["model"] == "htdemucs"
    assert not [one for one in result.objects if one["event"] == "notice"]


def test_a_server_gives_htdemucs(
    stemsplit: Command, shelf: Shelf, folder: Path, server: Server
) -> None:
    shelf.put(server)
    result = stemsplit("song.wav")
    assert result.status == 0
    assert models_used(folder) == ["htdemucs"]
    assert "Using" not in result.err


def test_a_stem_that_needs_another_model_brings_it(
    stemsplit: Command, shelf: Shelf, folder: Path, server: Server
) -> None:
    shelf.put(server)
    assert stemsplit("song.wav", "--stems", "guitar").status == 0
    assert models_used(folder) == ["htdemucs_6s"]
    result = stemsplit("song.wav", "--stems", "gitar")
    assert result.status == 1
    assert result.err == (
        "stemsplit: No model of the catalogue gives the stem 'gitar'; there are drums, bass, other,"
        " vocals, guitar, piano. Did you mean guitar?\n"
    )


@pytest.mark.usefixtures("closed_hub")
def test_without_a_network_the_bundled_model_is_used_and_said(
    stemsplit: Command, folder: Path
) -> None:
    result = stemsplit("song.wav")
    assert result.status == 0
    assert len(result.out.splitlines()) == len(STEMS_4)
    assert models_used(folder) == ["htdemucs_nn"]
    lines = [line for line in result.err.splitlines() if "Using" in line]
    assert len(lines) == 1
    assert lines[0].startswith(f"Warning: {COMES_ALONG} cannot be had now (127.0.0.1:")
    assert lines[0].endswith("connection refused). For better stems, once with a network: "
                             "stemsplit models download htdemucs")  # fmt: skip


def test_a_server_that_never_answers_costs_no_more_than_the_limit(
    stemsplit: Command, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert beginning.ANSWER_SECONDS == 3.0
    monkeypatch.setattr(beginning, "ANSWER_SECONDS", 0.5)
    begin = beginning.begin_fetching
    waited: list[float] = []

    def timed(*words: Any) -> str | None:
        began = time.monotonic()
        reason = begin(*words)
        waited.append(time.monotonic() - began)
        return reason

    monkeypatch.setattr(beginning, "begin_fetching", timed)
    assert stemsplit("song.wav", "--model", "htdemucs_nn").status == 0  # torch is loaded now
    with socket.create_server(("127.0.0.1", 0), backlog=20) as door:
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{door.getsockname()[1]}")
        result = stemsplit("song.wav", "--overwrite")
    assert waited[0] < 3.0
    assert result.status == 0
    assert COMES_ALONG in result.err
    assert models_used(folder) == ["htdemucs_nn"]


def test_a_download_that_breaks_off_says_how_to_do_without(
    stemsplit: Command, shelf: Shelf, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf.put(server)
    monkeypatch.setattr("stemsplit.checkpoints.download._pause", lambda _: None)
    monkeypatch.setattr("stemsplit.checkpoints.beginning.begin_fetching", lambda *_: None)
    server.cut_after = [1000] + [0] * 100
    result = stemsplit("song.wav", "--quiet")
    assert result.status == 1
    assert result.err.count("\n") == 1
    assert "run the same again to go on, or with --offline to use htdemucs_nn" in result.err
    assert list((shelf.folder / "cache").rglob("*.part*"))
    server.cut_after = []
    assert stemsplit("song.wav").status == 0


def test_offline_goes_straight_to_the_bundled_model(
    stemsplit: Command, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stemsplit.checkpoints.beginning.begin_fetching", pytest.fail)
    result = stemsplit("song.wav", "--offline", "--two-stems", "vocals")
    assert result.status == 0
    assert models_used(folder) == ["htdemucs_nn"]
    assert f"Note: {COMES_ALONG} is not in the cache" in result.err
    assert stemsplit("song.wav", "--offline", "--stems", "piano").status == 1


def test_a_batch_has_one_model_though_the_cache_fills_meanwhile(
    stemsplit: Command, shelf: Shelf, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_song(folder / "second.wav")
    load = batch.load_separator

    def fill_and_load(*words: Any, **options: Any) -> Any:
        shelf.warm("ht", "ft-drums", "ft-rest")
        return load(*words, **options)

    monkeypatch.setattr(batch, "load_separator", fill_and_load)
    assert stemsplit("song.wav", "second.wav", "--offline").status == 0
    assert models_used(folder) == ["htdemucs_nn"]
    assert len(list((folder / "separated/htdemucs_nn").iterdir())) == 2


def test_a_mistake_is_said_before_the_network_is_asked(
    stemsplit: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stemsplit.checkpoints.beginning.begin_fetching", pytest.fail)
    assert stemsplit("7.mp3").err == "stemsplit: 7.mp3: no such file or folder.\n"
    assert stemsplit("song.wav", "--format", "tape").status == 2


def test_what_is_done_already_needs_no_network(
    stemsplit: Command, shelf: Shelf, server: Server
) -> None:
    shelf.put(server)
    assert stemsplit("song.wav").status == 0
    (shelf.folder / "cache").rename(shelf.folder / "elsewhere")
    server.requests.clear()
    result = stemsplit("song.wav", "--skip-existing", "--quiet")
    assert len(result.out.splitlines()) == len(STEMS_4)
    assert server.requests == []


def test_a_download_ends_when_it_is_called_off(
    shelf: Shelf, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf.put(server)
    cancel = threading.Event()
    calls: list[object] = []

    def stop(progress: object) -> None:
        calls.append(progress)
        cancel.set()

    monkeypatch.setattr("stemsplit.checkpoints.download._BLOCK_BYTES", 500)
    with pytest.raises(Cancelled):
        batch.load_separator(
            "htdemucs",
            SeparationOptions(device="cpu"),
            offline=False,
            repo=None,
            on_event=lambda _: None,
            on_download=stop,
            cancel=cancel,
        )
    assert len(calls) == 1
    with pytest.raises(Cancelled):
        Separator("htdemucs", cancel=cancel)
    assert list((shelf.folder / "cache").rglob("*.part*"))


@pytest.mark.usefixtures("closed_hub")
def test_songs_that_another_model_has_done_are_said(stemsplit: Command, shelf: Shelf) -> None:
    assert stemsplit("song.wav").status == 0
    assert "not skipped" not in stemsplit("song.wav", "--skip-existing").err
    shelf.warm("ht")
    result = stemsplit("song.wav", "--skip-existing")
    assert result.status == 0
    assert "Warning: Songs that htdemucs_nn has separated before are not skipped" in result.err
    assert "add --model htdemucs_nn." in result.err


@pytest.mark.usefixtures("closed_hub")
def test_python_chooses_alike(shelf: Shelf) -> None:
    heard: list[object] = []
    assert Separator("auto", on_event=heard.append).model.name == "htdemucs_nn"
    (notice,) = (event for event in heard if isinstance(event, Notice))
    assert notice.is_warning
    assert notice.message.startswith(COMES_ALONG)
    shelf.warm("ht")
    assert Separator("auto").model.name == "htdemucs"


def test_a_folder_of_models_means_what_demucs_takes(stemsplit: Command, folder: Path) -> None:
    repo = folder / "repo"
    repo.mkdir()
    tiny.write_own(repo / "htdemucs.safetensors")
    assert stemsplit("song.wav", "--repo", "repo").status == 0
    assert models_used(folder) == ["htdemucs"]
    assert Separator("auto", repo=repo).model.name == "htdemucs"


def test_a_bundled_file_that_was_changed_is_one_line(stemsplit: Command, shelf: Shelf) -> None:
    shelf.bundled.write_bytes(shelf.bundled.read_bytes()[:-4] + b"\1\2\3\4")
    result = stemsplit("song.wav", "--offline", "--quiet")
    assert result.status == 1
    assert result.out == ""
    assert len(result.err.splitlines()) == 1
    assert "so it is not used: install stemsplit again" in result.err


def test_what_needs_a_name_says_so(stemsplit: Command) -> None:
    result = stemsplit("models", "info", "auto")
    assert result.status == 1
    assert result.err.startswith("stemsplit: auto chooses a model to separate songs with:")
