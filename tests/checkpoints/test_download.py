"""Downloads resume, verify, and fail in words, against a server that misbehaves."""

import errno
import hashlib
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.error
from collections import namedtuple
from pathlib import Path
from typing import Any

import pytest

from stemsplit.checkpoints import download, network
from stemsplit.checkpoints.download import Patience, explain, fetch
from stemsplit.errors import ChecksumError, DownloadError
from tests.checkpoints.hub_server import Server

DATA = bytes(range(256)) * 8192  # 2 MiB
SHA = hashlib.sha256(DATA).hexdigest()


pytestmark = pytest.mark.usefixtures("no_waiting")


@pytest.fixture
def url(server: Server) -> str:
    server.plain["x.th"] = DATA
    return f"{server.url}/plain/x.th"


@pytest.fixture
def part(tmp_path: Path) -> Path:
    return tmp_path / "x.part"


@pytest.mark.parametrize("sha256", [SHA, SHA[:8], None])
def test_a_file_arrives_whole_and_is_hashed(url: str, part: Path, sha256: str | None) -> None:
    seen: list[tuple[int, int | None]] = []
    assert fetch(url, part, sha256=sha256, on_bytes=lambda *at: seen.append(at)) == SHA
    assert part.read_bytes() == DATA
    assert seen[-1] == (len(DATA), len(DATA))
    assert len(seen) > 4
    assert seen == sorted(seen)


def test_a_cut_connection_is_resumed_where_it_broke(
    server: Server, url: str, part: Path, no_waiting: list[float]
) -> None:
    server.cut_after = [300_000, 500_000, 7]
    assert fetch(url, part, sha256=SHA) == SHA
    assert part.read_bytes() == DATA
    ranges = [range_header for _, range_header in server.bodies()]
    assert ranges == [None, "bytes=300000-", "bytes=800000-", "bytes=800007-"]
    # Every attempt brought something, so none had to wait longer than the shortest time.
    assert no_waiting == [0.3] * 3


def test_a_later_run_continues_what_an_earlier_one_left(
    server: Server, url: str, part: Path
) -> None:
    part.write_bytes(DATA[:1_000_000])
    seen: list[tuple[int, int | None]] = []
    assert fetch(url, part, sha256=SHA, on_bytes=lambda *at: seen.append(at)) == SHA
    assert server.bodies() == [("/plain/x.th", "bytes=1000000-")]
    assert seen[0][0] > 1_000_000
    assert seen[-1] == (len(DATA), len(DATA))


def test_a_finished_part_is_not_fetched_again(server: Server, url: str, part: Path) -> None:
    part.write_bytes(DATA)
    assert fetch(url, part, sha256=SHA) == SHA
    assert server.bodies() == [("/plain/x.th", f"bytes={len(DATA)}-")]


def test_a_part_that_is_too_long_is_thrown_away(url: str, part: Path) -> None:
    part.write_bytes(DATA + b"!")
    assert fetch(url, part, sha256=SHA) == SHA
    assert part.read_bytes() == DATA


def test_a_part_of_another_file_is_thrown_away(server: Server, url: str, part: Path) -> None:
    part.write_bytes(b"another version" * 1000)
    assert fetch(url, part, sha256=SHA) == SHA
    assert [range_header for _, range_header in server.bodies()] == ["bytes=15000-", None]


def test_a_server_without_ranges_starts_over(server: Server, url: str, part: Path) -> None:
    server.ignores_range = True
    part.write_bytes(DATA[:5])
    assert fetch(url, part, sha256=SHA) == SHA
    assert part.read_bytes() == DATA


def test_a_wrong_file_is_deleted_and_said(server: Server, url: str, part: Path) -> None:
    server.spoil = lambda data: data[:-1] + b"!"
    with pytest.raises(ChecksumError, match=f"where {SHA[:16]} was published"):
        fetch(url, part, sha256=SHA)
    assert not part.exists()
    assert len(server.bodies()) == 1


def test_a_connection_that_always_breaks_is_given_up(
    server: Server, url: str, part: Path, no_waiting: list[float]
) -> None:
    server.cut_after = [0] * 10
    with pytest.raises(DownloadError, match="broke off again and again"):
        fetch(url, part, sha256=SHA)
    assert no_waiting == [0.3, 1.0, 2.0]
    assert len(server.bodies()) == 4


def test_a_passing_fault_of_the_server_is_waited_out(
    server: Server, url: str, part: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.status["x.th"] = 503
    monkeypatch.setattr(download, "_pause", lambda _: server.status.clear())
    assert fetch(url, part, sha256=SHA) == SHA


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (401, r"refused \(401\).*HF_TOKEN"),
        (403, r"refused \(403\).*gated.*HF_TOKEN"),
        (404, r"no such file \(404\)"),
        (407, r"the proxy wants a password"),
        (410, r"status 410"),
    ],
)
def test_a_final_answer_is_not_asked_for_twice(
    server: Server, url: str, part: Path, status: int, message: str
) -> None:
    server.status["x.th"] = status
    with pytest.raises(DownloadError, match=message):
        fetch(url, part)
    assert len(server.requests) == 1


def test_too_many_requests_is_said_after_some_attempts(
    server: Server, url: str, part: Path
) -> None:
    server.status["x.th"] = 429
    with pytest.raises(DownloadError, match=r"too many requests \(429\)"):
        fetch(url, part)
    assert len(server.requests) == 4


def test_a_silent_server_is_given_up_as_soon_as_patience_ends(
    server: Server, url: str, part: Path
) -> None:
    server.delay_seconds = 0.3
    for retries in (1, 0):
        server.requests.clear()
        with pytest.raises(DownloadError, match="did not answer in time"):
            fetch(url, part, patience=Patience(seconds=0.05, retries=retries))
        assert len(server.requests) == retries + 1


def test_a_full_disk_is_noticed_before_and_during(
    url: str, part: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**9, 10**9, 1_000_000))
    with pytest.raises(DownloadError, match="is full: 4 MB are needed and 1 MB free"):
        fetch(url, part)
    monkeypatch.undo()

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(DownloadError, match=r"the disk of .* is full"):
        fetch(url, part, on_bytes=full)


def test_a_folder_that_cannot_be_written_is_said_at_once(
    url: str, tmp_path: Path, no_waiting: list[float]
) -> None:
    with pytest.raises(DownloadError, match="cannot be written"):
        fetch(url, tmp_path / "none" / "x.part")
    assert no_waiting == []


def test_a_token_stays_with_its_host(server: Server, part: Path) -> None:
    server.plain["x.th"] = DATA
    server.status["/first"] = 302
    token = {"Authorization": "Bearer secret"}
    for host, expected in (("127.0.0.1", "Bearer secret"), ("localhost", None)):
        server.headers = {"Location": f"http://{host}:{server.port}/plain/x.th"}
        fetch(f"{server.url}/first", part, headers=token)
        part.unlink()
        assert server.requests[-2][2]["authorization"] == "Bearer secret"
        assert server.requests[-1][2].get("authorization") == expected


def test_a_protected_address_never_leads_to_an_unprotected_one() -> None:
    redirects = download._Redirects()
    request = urllib.request.Request("https://example.org/x")
    with pytest.raises(urllib.error.URLError, match=r"unprotected address of example\.net"):
        redirects.redirect_request(request, None, 302, "", {}, "http://example.net/x")


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://example.org/x", "data:,x"])
def test_only_the_web_is_fetched_from(url: str, part: Path) -> None:
    with pytest.raises(DownloadError, match="unknown url type"):
        fetch(url, part)


def test_a_refusing_proxy_is_named() -> None:
    error = urllib.error.URLError(OSError("Tunnel connection failed: 403 Forbidden"))
    assert "the proxy refused" in explain(error)
    assert "HTTPS_PROXY" in explain(error)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_hosts_that_cannot_be_reached_are_told_apart(server: Server, no_such_host: str) -> None:
    closed = f"127.0.0.1:{free_port()}"
    silent = network.unreachable(
        [
            f"{server.url}/a",
            f"{server.url}/b",
            f"http://{closed}/x",
            f"https://{no_such_host}/",
        ]
    )
    assert set(silent) == {closed, no_such_host}
    assert silent[closed] == "connection refused"
    assert "cannot be looked up" in silent[no_such_host]


def test_a_host_that_drops_everything_costs_two_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    end = threading.Event()

    def hang(*_: Any, **__: Any) -> None:
        end.wait(300)
        raise TimeoutError

    monkeypatch.setattr(socket, "create_connection", hang)
    monkeypatch.setattr(network, "CONNECT_SECONDS", 1.0)
    begin = time.monotonic()
    silent = network.unreachable([f"https://host{i}.example.org/" for i in range(60)])
    assert len(silent) == 60
    assert set(silent.values()) == {"no answer"}
    assert time.monotonic() - begin < 30  # half of what they would take one after the other
    end.set()


def test_with_a_proxy_the_proxy_is_what_must_be_reached(
    server: Server, monkeypatch: pytest.MonkeyPatch, no_such_host: str
) -> None:
    url = f"https://{no_such_host}/x"
    monkeypatch.delenv("NO_PROXY")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv("https_proxy", f"http://user:secret@127.0.0.1:{server.port}")
    assert network.unreachable([url]) == {}
    monkeypatch.setenv("https_proxy", f"127.0.0.1:{free_port()}")
    assert network.unreachable([url]) == {no_such_host: "connection refused"}
    monkeypatch.setenv("NO_PROXY", "*")
    assert "looked up" in network.unreachable([url])[no_such_host]


def test_a_thread_that_hangs_does_not_hold_up_the_end() -> None:
    code = (
        "import socket, time; from stemsplit.checkpoints import network;"
        "socket.create_connection = lambda *a, **k: time.sleep(300);"
        "network.CONNECT_SECONDS = 0.1; print(network.unreachable(['https://a.example.org/']))"
    )
    begin = time.monotonic()
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=250, check=True
    )
    assert "no answer" in result.stdout
    assert time.monotonic() - begin < 100  # a third of what hangs
