"""Weights get into the cache once, from the best place that gives them, or not at all."""

import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from safetensors import safe_open

from stemsplit.checkpoints.cache import Cache
from stemsplit.checkpoints.catalog import PublishedFile
from stemsplit.checkpoints.download import DownloadProgress
from stemsplit.checkpoints.obtain import obtain
from stemsplit.checkpoints.resolved import Member
from stemsplit.errors import (
    CheckpointError,
    ChecksumError,
    DownloadError,
    KeyMismatchError,
    OfflineError,
    UnsafeCheckpointError,
)
from tests.checkpoints import tiny
from tests.checkpoints.hub_server import Repository, Server

Publish = Callable[..., Member]


@pytest.fixture
def package(tmp_path: Path) -> bytes:
    return tiny.write_legacy(tmp_path / "source.th", seed=3).read_bytes()


@pytest.fixture
def hub_file(tmp_path: Path) -> bytes:
    return tiny.write_reference(tmp_path / "source.safetensors", seed=3).read_bytes()


def both(server: Server, hub_data: bytes, plain_data: bytes, **hashes: str | None) -> Member:
    """A network that the hub and the publisher have."""
    server.repositories["owner/repo"] = Repository({"abc.safetensors": hub_data})
    server.plain["abc-00.th"] = plain_data
    return Member(
        id="abc",
        architecture="demucs",
        licence="ask",
        trained_on="songs",
        files=(
            PublishedFile(
                format="reference",
                hub="owner/repo",
                path="abc.safetensors",
                sha256=hashes.get("hub"),
            ),
            PublishedFile(
                format="legacy", url=f"{server.url}/plain/abc-00.th", sha256=hashes.get("plain")
            ),
        ),
    )


def test_an_old_package_is_converted_once(
    published: Publish, package: bytes, cache: Cache, server: Server
) -> None:
    digest = hashlib.sha256(package).hexdigest()
    member = published("abc.th", package, sha256=digest[:8])
    (stored,) = obtain([member], cache)
    assert stored.origin_sha256 == digest
    assert stored.origin == member.files[0].url
    stored.check()
    with safe_open(stored.path, framework="pt") as file:
        assert file.metadata()["format"] == "stemsplit"
        assert file.metadata()["origin_sha256"] == digest
    assert obtain([member], cache) == (stored,)
    assert len(server.bodies()) == 1
    kept = sorted(path.suffix for path in cache.root.rglob("*") if path.is_file())
    assert kept == [".json", ".lock", ".safetensors"]


def test_the_hub_is_asked_first(
    server: Server, hub_file: bytes, package: bytes, cache: Cache
) -> None:
    digest = hashlib.sha256(hub_file).hexdigest()
    member = both(server, hub_file, package, hub=digest)
    (stored,) = obtain([member], cache)
    assert stored.origin == "hf:owner/repo/abc.safetensors"
    assert stored.origin_sha256 == digest
    assert server.bodies() == [(f"/blobs/{digest}", None)]


def test_a_hub_file_without_a_published_hash_is_held_to_the_hubs_own(
    server: Server, hub_file: bytes, package: bytes, cache: Cache, caplog: pytest.LogCaptureFixture
) -> None:
    member = both(server, hub_file, package)
    server.spoil = lambda data: data[:-1] + b"!" if data == hub_file else data
    (stored,) = obtain([member], cache)
    assert stored.origin.endswith("abc-00.th")
    assert "cannot be had from 127.0.0.1" in caplog.text
    assert "was published" in caplog.text


@pytest.mark.parametrize("status", [401, 403, 404, 500])
def test_where_the_hub_fails_the_publisher_is_asked(
    server: Server, hub_file: bytes, package: bytes, cache: Cache, status: int
) -> None:
    member = both(server, hub_file, package)
    server.status["/resolve/"] = status
    (stored,) = obtain([member], cache)
    assert stored.origin.endswith("abc-00.th")


def test_where_all_fail_every_reason_is_told(
    server: Server, hub_file: bytes, package: bytes, cache: Cache
) -> None:
    member = both(server, hub_file, package)
    server.status |= {"/resolve/": 404, "/plain/": 403}
    server.headers = {"X-Error-Code": "EntryNotFound"}
    with pytest.raises(DownloadError) as caught:
        obtain([member], cache)
    message = str(caught.value)
    assert "the repository has no such file" in message
    assert "access was refused (403)" in message
    assert f"put abc-00.th (from {server.url}/plain/abc-00.th) into {cache.incoming}" in message
    assert "\n" not in message


def test_a_gated_repository_is_named(server: Server, hub_file: bytes, cache: Cache) -> None:
    member = both(server, hub_file, b"")
    member = replace(member, files=member.files[:1])
    server.status["/resolve/"] = 403
    server.headers = {"X-Error-Code": "GatedRepo"}
    with pytest.raises(DownloadError, match=r"gated, accept its terms .* HF_TOKEN"):
        obtain([member], cache)


def test_a_token_goes_to_the_hub_and_nowhere_else(
    server: Server, hub_file: bytes, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    obtain([both(server, hub_file, b"")], cache)
    tokens = {
        path.split("/")[1]: headers.get("authorization") for _, path, headers in server.requests
    }
    assert tokens == {"owner": "Bearer hf_secret", "blobs": None}


def test_wrong_files_everywhere_are_a_checksum_error(
    server: Server, hub_file: bytes, package: bytes, cache: Cache
) -> None:
    member = both(server, hub_file, package, hub="00" * 32, plain="11111111")
    with pytest.raises(ChecksumError, match=r"cannot be fetched intact .*0000.*1111") as caught:
        obtain([member], cache)
    assert "\n" not in str(caught.value)
    assert cache.find("abc") is None
    assert list(cache.incoming.iterdir()) == []


def test_an_interrupted_download_is_continued_in_the_next_run(
    published: Publish, package: bytes, cache: Cache, server: Server
) -> None:
    member = published("abc.th", package, sha256=hashlib.sha256(package).hexdigest())

    def stop(progress: DownloadProgress) -> None:
        raise KeyboardInterrupt

    server.cut_after = [1500]
    with pytest.raises(KeyboardInterrupt):
        obtain([member], cache, progress=stop)
    (part,) = cache.incoming.iterdir()
    assert part.stat().st_size == 1500
    obtain([member], cache)
    assert server.bodies()[-1] == ("/plain/abc.th", "bytes=1500-")
    assert list(cache.incoming.iterdir()) == []


def test_progress_tells_file_host_and_place(
    published: Publish, package: bytes, cache: Cache
) -> None:
    members = [published(f"{name}.th", package) for name in ("one", "two", "three")]
    obtain([members[1]], cache)
    seen: list[DownloadProgress] = []
    obtain(members, cache, progress=seen.append)
    places = dict.fromkeys((p.file, p.index, p.count) for p in seen)  # a slow one is told often
    assert list(places) == [("one", 0, 2), ("three", 1, 2)]
    assert seen[-1].received_bytes == seen[-1].total_bytes == len(package)
    assert seen[0].source.startswith("127.0.0.1:")


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("how", ["option", "HF_HUB_OFFLINE"])
def test_offline_opens_no_socket(how: str, cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    file = PublishedFile(format="legacy", url="https://example.org/a.th", bytes=5)
    if how == "HF_HUB_OFFLINE":
        monkeypatch.setenv(how, "1")
    with pytest.raises(OfflineError) as caught:
        obtain(
            [Member(id="abc", architecture="demucs", files=(file,))], cache, offline=how == "option"
        )
    message = str(caught.value)
    assert "The weights abc are not in the cache" in message
    assert f"put a.th (from https://example.org/a.th) into {cache.incoming}" in message
    assert cache.incoming.is_dir()


@pytest.mark.usefixtures("no_network")
def test_what_is_in_the_cache_needs_no_network(tmp_path: Path, cache: Cache) -> None:
    path = tiny.write_legacy(tmp_path / "x.th")
    cache.make(cache.incoming)
    file = PublishedFile(format="legacy", url="https://example.org/abc-00.th")
    member = Member(id="abc", architecture="demucs", files=(file,))
    path.rename(cache.incoming / "abc-00.th")
    (stored,) = obtain([member], cache, offline=True)
    assert list(cache.incoming.iterdir()) == []
    assert obtain([member], cache, offline=True) == (stored,)


def test_a_file_put_by_hand_is_checked(package: bytes, cache: Cache) -> None:
    digest = hashlib.sha256(package).hexdigest()
    file = PublishedFile(format="legacy", url="https://example.org/a.th", sha256=digest[:8])
    member = Member(id="abc", architecture="demucs", files=(file,))
    place = cache.make(cache.incoming) / "a.th"
    place.write_bytes(package + b"!")
    with pytest.raises(ChecksumError, match=r"a\.th has the SHA-256 .* was published"):
        obtain([member], cache, offline=True)
    place.write_bytes(package)
    assert obtain([member], cache, offline=True)[0].origin_sha256 == digest


def test_without_a_connection_nothing_is_tried_twice(
    cache: Cache, no_such_host: str, no_waiting: list[float]
) -> None:
    # Nothing listens on port 9 of the loopback.
    files = (
        PublishedFile(format="legacy", url=f"https://{no_such_host}/abc.th"),
        PublishedFile(format="legacy", url="http://127.0.0.1:9/abc.th"),
    )
    with pytest.raises(OfflineError) as caught:
        obtain([Member(id="abc", architecture="demucs", files=files)], cache)
    assert no_waiting == []
    message = str(caught.value)
    assert "there is no connection (no.such.host.invalid: the name" in message
    assert "127.0.0.1:9: connection refused" in message
    assert str(cache.incoming) in message


def test_a_dead_hub_costs_no_retries(
    published: Publish,
    package: bytes,
    cache: Cache,
    monkeypatch: pytest.MonkeyPatch,
    no_waiting: list[float],
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr("stemsplit.checkpoints.hub.locate", None)  # is not asked
    member = published("abc.th", package)
    hub = PublishedFile(format="reference", hub="owner/repo", path="abc.safetensors")
    (stored,) = obtain([replace(member, files=(hub, *member.files))], cache)
    assert no_waiting == []
    assert stored.origin.endswith("abc.th")


def test_a_broken_file_is_fetched_again_only_when_asked(
    published: Publish, package: bytes, cache: Cache, server: Server
) -> None:
    member = published("abc.th", package)
    (stored,) = obtain([member], cache)
    stored.path.write_bytes(b"broken")
    assert obtain([member], cache) == (stored,)
    assert len(server.bodies()) == 1
    (again,) = obtain([member], cache, is_repair=True)
    again.check()
    assert len(server.bodies()) == 2


def test_a_hostile_file_is_refused_and_not_kept(
    published: Publish, tmp_path: Path, cache: Cache
) -> None:
    data = tiny.write_legacy(tmp_path / "x.th", extra=tmp_path).read_bytes()
    with pytest.raises(UnsafeCheckpointError, match="pathlib"):
        obtain([published("abc.th", data)], cache)
    assert cache.find("abc") is None
    assert list(cache.incoming.iterdir()) == []


def test_weights_of_another_network_are_refused_and_not_kept(
    published: Publish, tmp_path: Path, cache: Cache
) -> None:
    kwargs = tiny.options()
    with tiny.reference_class() as klass:
        import torch

        state = tiny.state(kwargs)
        state["extra.weight"] = torch.zeros(3)
        package = {"klass": klass, "args": (), "kwargs": kwargs, "state": state}
        torch.save(package, tmp_path / "x.th")
    with pytest.raises(KeyMismatchError, match=r"unexpected: extra\.weight"):
        obtain([published("abc.th", (tmp_path / "x.th").read_bytes())], cache)
    assert cache.find("abc") is None


def test_weights_that_nobody_has_are_said_to_be_gone(cache: Cache) -> None:
    with pytest.raises(CheckpointError, match=r"gone from the cache.*models add"):
        obtain([Member(id="user-0", architecture="demucs")], cache)


CLIENT = """
import sys, time
from pathlib import Path
from stemsplit.checkpoints.cache import Cache
from stemsplit.checkpoints.catalog import PublishedFile
from stemsplit.checkpoints.obtain import obtain
from stemsplit.checkpoints.resolved import Member
file = PublishedFile(format="legacy", url=sys.argv[1])
import torch, stemsplit.checkpoints.networks
Path(sys.argv[2]).touch()
while not Path(sys.argv[3]).exists():
    time.sleep(0.01)
print(obtain([Member(id="abc", architecture="demucs", files=(file,))], Cache())[0].sha256)
"""


def test_two_processes_fetch_a_file_once(
    published: Publish, package: bytes, server: Server, tmp_path: Path
) -> None:
    member = published("abc.th", package)
    server.delay_seconds = 0.3
    ready, go = tmp_path / "ready", tmp_path / "go"
    other = subprocess.Popen(
        [sys.executable, "-c", CLIENT, str(member.files[0].url), str(ready), str(go)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    try:
        while not ready.exists():
            assert other.poll() is None
            time.sleep(0.02)
        go.touch()
        (stored,) = obtain([member], Cache())
        output, errors = other.communicate(timeout=60)
    finally:
        other.kill()
        other.communicate()
    assert other.returncode == 0, errors
    assert output.strip() == stored.sha256
    assert len(server.bodies()) == 1
