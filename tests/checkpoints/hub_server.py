"""A small hub on the loopback: as much as the real client needs, and ways to misbehave."""

import hashlib
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Repository:
    """Files by path, and what the card says."""

    files: dict[str, bytes]
    licence: str | None = "mit"
    commit: str = COMMIT


@dataclass
class Server:
    """A hub and a publisher's plain file server in one.

    Hub files are at `/owner/name/resolve/...` and redirect to `/blobs/SHA` under another host name,
    as the hub does for large files. Plain files are at `/plain/NAME`.
    """

    repositories: dict[str, Repository] = field(default_factory=dict)
    plain: dict[str, bytes] = field(default_factory=dict)
    status: dict[str, int] = field(default_factory=dict)
    """Answer any path that contains the key with this status."""
    headers: dict[str, str] = field(default_factory=dict)
    """Sent with every error status."""
    cut_after: list[int] = field(default_factory=list)
    """Cut the connection of the next bodies after so many bytes."""
    spoil: Callable[[bytes], bytes] | None = None
    """Change bodies before they are sent."""
    ignores_range: bool = False
    delay_seconds: float = 0.0
    delay_after: int = 0
    """Bytes of a body that are sent before the delay."""
    requests: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)

    def __enter__(self) -> Self:
        handler = type("Handler", (_Handler,), {"state": self})
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    @property
    def port(self) -> int:
        return int(self._http.server_address[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def bodies(self) -> list[tuple[str, str | None]]:
        """Path and Range of every request for a large body."""
        return [
            (path, headers.get("range"))
            for method, path, headers in self.requests
            if method == "GET" and path.startswith(("/blobs/", "/plain/"))
        ]


class _Handler(BaseHTTPRequestHandler):
    state: Server
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None: ...

    def do_HEAD(self) -> None:
        self._answer(has_body=False)

    def do_GET(self) -> None:
        self._answer(has_body=True)

    def _answer(self, *, has_body: bool) -> None:
        path = unquote(urlsplit(self.path).path)
        headers = {key.lower(): value for key, value in self.headers.items()}
        self.state.requests.append((self.command, path, headers))
        for part, status in self.state.status.items():
            if part in path:
                self._send(status, b"no", self.state.headers, has_body=has_body)
                return
        if path.startswith("/api/models/"):
            self._repository(path.removeprefix("/api/models/"), has_body)
        elif "/resolve/" in path:
            self._resolve(path, has_body)
        else:
            self._body(path, headers.get("range"), has_body)

    def _repository(self, path: str, has_body: bool) -> None:
        name, _, revision = path.partition("/revision/")
        repository = self.state.repositories.get(name)
        if repository is None or revision not in ("", "main", repository.commit):
            code = "RepoNotFound" if repository is None else "RevisionNotFound"
            self._send(404, b"{}", {"X-Error-Code": code}, has_body=has_body)
            return
        answer = {
            "id": name,
            "modelId": name,
            "sha": repository.commit,
            "siblings": [{"rfilename": path} for path in repository.files],
            "cardData": {"license": repository.licence} if repository.licence else None,
        }
        self._send(
            200,
            json.dumps(answer).encode(),
            {"Content-Type": "application/json"},
            has_body=has_body,
        )

    def _resolve(self, path: str, has_body: bool) -> None:
        name, _, rest = path.removeprefix("/").partition("/resolve/")
        _revision, _, file = rest.partition("/")
        repository = self.state.repositories.get(name)
        if repository is None or file not in repository.files:
            code = "RepoNotFound" if repository is None else "EntryNotFound"
            self._send(404, b"", {"X-Error-Code": code}, has_body=has_body)
            return
        data = repository.files[file]
        digest = hashlib.sha256(data).hexdigest()
        common = {"X-Repo-Commit": repository.commit}
        if not file.endswith(".safetensors"):
            etag = {"ETag": f'"{digest[:40]}"'}
            self._send(200, data, common | etag, has_body=has_body)
            return
        large = {
            "X-Linked-Etag": f'"{digest}"',
            "X-Linked-Size": str(len(data)),
            # Another host name for the same server, as the hub's storage is.
            "Location": f"http://localhost:{self.state.port}/blobs/{digest}",
        }
        self._send(302, b"", common | large, has_body=has_body)

    def _body(self, path: str, range_header: str | None, has_body: bool) -> None:
        data = self._find(path)
        if data is None:
            self._send(404, b"", {}, has_body=has_body)
            return
        if self.state.spoil is not None:
            data = self.state.spoil(data)
        if range_header and not self.state.ignores_range:
            first, _, last = range_header.removeprefix("bytes=").partition("-")
            begin, end = int(first), min(int(last or len(data) - 1), len(data) - 1)
            if begin >= len(data):
                self._send(416, b"", {"Content-Range": f"bytes */{len(data)}"}, has_body=has_body)
                return
            headers = {"Content-Range": f"bytes {begin}-{end}/{len(data)}"}
            self._send(206, data[begin : end + 1], headers, has_body=has_body)
            return
        self._send(200, data, {}, has_body=has_body)

    def _find(self, path: str) -> bytes | None:
        if path.startswith("/plain/"):
            return self.state.plain.get(path.removeprefix("/plain/"))
        for repository in self.state.repositories.values():
            for data in repository.files.values():
                if path == f"/blobs/{hashlib.sha256(data).hexdigest()}":
                    return data
        return None

    def _send(self, status: int, data: bytes, headers: dict[str, str], *, has_body: bool) -> None:
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(data)))
        is_cut = has_body and status in (200, 206) and len(data) > 2000 and self.state.cut_after
        if is_cut:
            data = data[: self.state.cut_after.pop(0)]
            self.send_header("Connection", "close")
        self.end_headers()
        begun = self.state.delay_after if has_body else 0
        self.wfile.write(data[:begun])
        if self.state.delay_seconds:
            threading.Event().wait(self.state.delay_seconds)
        if has_body:
            self.wfile.write(data[begun:])
        if is_cut:
            self.close_connection = True
