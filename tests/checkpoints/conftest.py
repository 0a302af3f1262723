"""A cache of its own for every test, and no network unless the test brings a server."""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stemsplit.checkpoints import download
from stemsplit.checkpoints.cache import Cache
from stemsplit.checkpoints.catalog import PublishedFile
from stemsplit.checkpoints.resolved import Member
from tests.checkpoints.hub_server import Server


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests that need the internet run only when asked for: `pytest -m network`."""
    if "network" not in config.option.markexpr:
        skip = pytest.mark.skip(reason="needs the internet: pytest -m network")
        for item in items:
            if item.get_closest_marker("network"):
                item.add_marker(skip)


@pytest.fixture(autouse=True)
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the machine's own settings reaches a test, and nothing of a test stays."""
    monkeypatch.setenv("STEMSPLIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "*")
    for name in (
        "HF_TOKEN",
        "HF_ENDPOINT",
        "HF_HUB_OFFLINE",
        "HTTP_PROXY",
        "http_proxy",
        "ALL_PROXY",
    ):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Opening any socket fails the test."""

    class Forbidden(socket.socket):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", Forbidden)
    monkeypatch.setattr(socket, "getaddrinfo", Forbidden)


@pytest.fixture
def no_such_host(monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a host that no lookup finds, without asking anybody."""
    name, look_up = "no.such.host.invalid", socket.getaddrinfo

    def fail(host: Any, *args: Any, **kwargs: Any) -> Any:
        if host == name:
            raise socket.gaierror(socket.EAI_NONAME, "not known")
        return look_up(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    return name


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Delays between attempts are recorded instead of slept."""
    slept: list[float] = []
    monkeypatch.setattr(download, "_pause", slept.append)
    return slept


@pytest.fixture
def cache() -> Cache:
    return Cache()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A hub on the loopback that `HF_ENDPOINT` points to."""
    with Server() as running:
        monkeypatch.setenv("HF_ENDPOINT", running.url)
        yield running


@pytest.fixture
def published(server: Server) -> Any:
    """Makes the description of a network whose weights the server has as plain files."""

    def make(name: str, data: bytes, **fields: Any) -> Member:
        server.plain[name] = data
        file = PublishedFile(format="legacy", url=f"{server.url}/plain/{name}", **fields)
        return Member(id=name.partition(".")[0], architecture="demucs", files=(file,))

    return make
