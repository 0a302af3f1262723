"""Which model is taken where none is named, and how soon that is known."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from stemsplit.checkpoints.automatic import choose_model
from stemsplit.checkpoints.beginning import begin_fetching
from stemsplit.checkpoints.cache import Cache
from stemsplit.checkpoints.catalog import load_catalog
from stemsplit.checkpoints.download import TIMEOUT_SECONDS
from stemsplit.checkpoints.load import load_model
from stemsplit.checkpoints.manage import add_model
from stemsplit.errors import UnknownModelError
from tests.checkpoints import tiny
from tests.checkpoints.hub_server import Server
from tests.checkpoints.shelf import Shelf, make_shelf


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    return make_shelf(tmp_path, tiny.write_own, monkeypatch)


@pytest.fixture
def silent_hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=20) as door:
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{door.getsockname()[1]}")
        yield


@pytest.fixture
def closed_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuses connections."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        port = door.getsockname()[1]
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{port}")


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize(
    ("warm", "stems", "name"),
    [
        (["old"], None, "mdx_q"),
        (["old", "ht"], None, "htdemucs"),
        (["ht", "ft-drums"], None, "htdemucs"),
        (["ht", "ft-drums"], ["drums"], "htdemucs_ft"),
        (["ht", "ft-drums"], ["bass"], "htdemucs"),
        (["ht", "six"], ["guitar", "bass"], "htdemucs_6s"),
        (["old", "six"], ["other"], "mdx_q"),
    ],
)
def test_the_best_model_in_the_cache_that_gives_the_stems_is_taken(
    shelf: Shelf, warm: list[str], stems: list[str] | None, name: str
) -> None:
    shelf.warm(*warm)
    for offline in (False, True):
        choice = choose_model(stems, offline=offline)
        assert (choice.name, choice.is_here, choice.spare) == (name, True, None)


def test_a_model_below_the_recommended_one_is_used_with_a_hint(shelf: Shelf) -> None:
    shelf.warm("old")
    notice = choose_model().notice
    assert notice is not None
    assert notice.startswith("Using mdx_q")
    assert notice.endswith("stemsplit models download htdemucs")
    shelf.warm("ht")
    assert choose_model().notice is None


@pytest.mark.usefixtures("no_network")
def test_an_empty_cache_asks_for_the_recommended_one_with_a_spare(shelf: Shelf) -> None:
    choice = choose_model()
    assert (choice.name, choice.is_here, choice.spare) == ("htdemucs", False, "htdemucs_nn")
    six = choose_model(["guitar"])
    assert (six.name, six.is_here, six.spare) == ("htdemucs_6s", False, None)
    shelf.bundled.unlink()
    assert choose_model().spare is None


@pytest.mark.usefixtures("no_network", "shelf")
def test_offline_takes_the_spare_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for offline in (True, False):
        choice = choose_model(offline=offline)
        assert choice.name == "htdemucs_nn"
        assert choice.notice is not None
        assert "offline" in choice.notice
        assert not choice.is_warning
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert choose_model(["piano"], offline=True).name == "htdemucs_6s"


def test_a_stem_that_no_model_gives_is_refused_with_the_nearest() -> None:
    with pytest.raises(UnknownModelError, match=r"stem 'gitar'; .*Did you mean guitar"):
        choose_model(["vocals", "gitar"])


def test_the_real_catalogue_ranks_models_of_all_stems() -> None:
    ranked = load_catalog().by_quality
    assert len(ranked) == len(load_catalog().models)
    assert [model.name for model in ranked[:2]] == ["htdemucs_ft", "htdemucs"]
    assert ranked[-1].name == "htdemucs_nn"


def test_no_model_of_ones_own_can_be_called_auto(tmp_path: Path) -> None:
    with pytest.raises(UnknownModelError, match="means the best one"):
        add_model(tiny.write_own(tmp_path / "x.safetensors"), "auto")


def test_what_has_begun_to_arrive_is_gone_on_with(shelf: Shelf, server: Server) -> None:
    shelf.put(server)
    assert begin_fetching("htdemucs") is None
    assert Cache().find("ht") is None
    (part,) = Cache().incoming.iterdir()
    assert part.stat().st_size > 0
    assert load_model("htdemucs").name == "htdemucs"
    assert server.bodies()[-1][1] is not None  # asked for the rest only
    assert begin_fetching("htdemucs") is None  # nothing is missing


def test_a_slow_download_is_gone_on_with_once_bytes_flow(shelf: Shelf, server: Server) -> None:
    shelf.put(server)
    assert begin_fetching("htdemucs") is None  # also imports the hub's client
    (part,) = Cache().incoming.iterdir()
    part.unlink()
    server.delay_after, server.delay_seconds = 100, 60.0
    began = time.monotonic()
    assert begin_fetching("htdemucs", seconds=90.0) is None
    assert part.stat().st_size == 100
    assert time.monotonic() - began < 30  # the rest was not waited for
    server.delay_after = 0
    assert begin_fetching("htdemucs", seconds=0.3) is not None


@pytest.mark.usefixtures("shelf", "silent_hub")
def test_a_server_that_never_answers_is_given_up_in_time() -> None:
    began = time.monotonic()
    reason = begin_fetching("htdemucs", seconds=0.5)
    assert time.monotonic() - began < TIMEOUT_SECONDS
    assert reason is not None
    assert "no answer" in reason or "timed out" in reason


@pytest.mark.usefixtures("shelf", "closed_hub")
def test_a_closed_door_is_said_at_once() -> None:
    began = time.monotonic()
    assert "connection refused" in str(begin_fetching("htdemucs", seconds=60.0))
    assert time.monotonic() - began < 30


def test_what_the_server_refuses_is_the_reason(shelf: Shelf, server: Server) -> None:
    shelf.put(server)
    server.status["blobs"] = 503
    assert "503" in str(begin_fetching("htdemucs"))
    server.status.clear()
    server.spoil = lambda data: data[::-1]
    assert begin_fetching("htdemucs") is None  # what arrives is checked when it is complete


def test_another_process_that_fetches_the_same_is_waited_for(shelf: Shelf, server: Server) -> None:
    shelf.put(server)
    with Cache().lock("ht"):
        assert begin_fetching("htdemucs", seconds=0.3) is not None
    assert begin_fetching("htdemucs", seconds=2.0) is None


def test_a_file_put_there_by_hand_needs_no_network(shelf: Shelf, no_network: None) -> None:
    incoming = Cache().make(Cache().incoming)
    (incoming / "ht.safetensors").write_bytes(shelf.data["ht"])
    assert begin_fetching("htdemucs") is None
