"""Fetches files over HTTP: resumable, verified, and quick to say that there is no network.

A download goes to a `.part` file that keeps what arrived; the next attempt, in this run or another,
asks for the rest. The finished file is used only if its SHA-256 is the published one. Proxies are
taken from the environment. Nothing here imports torch.
"""

import errno
import hashlib
import http.client
import logging
import re
import shutil
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from stemsplit import __version__
from stemsplit.errors import ChecksumError, DownloadError

logger = logging.getLogger(__name__)

TIMEOUT_SECONDS = 10.0  # without a single byte
_BLOCK_BYTES = 2**18
_DELAYS_SECONDS = (0.3, 1.0, 2.0)  # before each further attempt that brings nothing new
_PASSING = frozenset((408, 425, 429, 500, 502, 503, 504))


@dataclass(frozen=True, kw_only=True)
class DownloadProgress:
    """How far a download is."""

    file: str
    """What is fetched: an identifier of weights."""
    received_bytes: int
    total_bytes: int | None
    source: str
    """Host it comes from."""
    index: int = 0
    """Position among the files of one model, from 0."""
    count: int = 1
    """Files of the model that have to be fetched."""


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long to wait for a server."""

    seconds: float = TIMEOUT_SECONDS
    """Without a single byte."""
    retries: int = len(_DELAYS_SECONDS)
    """Further attempts that may bring nothing new."""


ByteSink = Callable[[int, int | None], None]
"""Called with the bytes that are there and the bytes there will be, where known."""


def fetch(
    url: str,
    part: Path,
    *,
    headers: Mapping[str, str] | None = None,
    sha256: str | None = None,
    on_bytes: ByteSink | None = None,
    patience: Patience | None = None,
) -> str:
    """Fetch a file to `part`, continuing what is there.

    Args:
        url: http or https address.
        part: where to keep the bytes; after an interruption it stays for the next attempt.
        headers: sent to this host, and to no other that it redirects to.
        sha256: what the file must have, or the first digits of it; None accepts anything complete.
        on_bytes: told about progress; what it raises ends the transfer.
        patience: how long to wait for a server; None is that of a download that is wanted.

    Returns:
        The file's SHA-256.

    Raises:
        ChecksumError: the complete file is not the published one; it was deleted.
        DownloadError: the file could not be fetched, with the reason in words.
    """
    was_begun = part.exists()
    patience = patience or Patience()
    digest = _fetch_whole(url, part, headers or {}, on_bytes, patience)
    if sha256 is None or digest.startswith(sha256):
        return digest
    part.unlink(missing_ok=True)
    if was_begun:
        # The beginning may have come from another version of the file: once more, from scratch.
        logger.info("%s does not match after resuming; fetching it again.", url)
        return fetch(
            url, part, headers=headers, sha256=sha256, on_bytes=on_bytes, patience=patience
        )
    raise ChecksumError(
        f"the file has the SHA-256 {digest[:16]}… where {sha256[:16]} was published, so it was "
        "deleted"
    )


def _fetch_whole(
    url: str,
    part: Path,
    headers: Mapping[str, str],
    on_bytes: ByteSink | None,
    patience: Patience,
) -> str:
    failures = 0
    while True:
        before = part.stat().st_size if part.exists() else 0
        try:
            return _Transfer(url, part, headers, on_bytes, patience.seconds).run()
        except urllib.error.HTTPError as error:
            error.close()
            if error.code not in _PASSING:
                raise DownloadError(explain(error)) from error
            reason: Exception = error
        except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
            _raise_if_final(error, part)
            reason = error
        grew = part.exists() and part.stat().st_size > before
        failures = 1 if grew else failures + 1
        if failures > patience.retries:
            raise DownloadError(explain(reason)) from reason
        logger.info("%s broke off (%s); trying again.", url, explain(reason))
        _pause(_DELAYS_SECONDS[failures - 1])


def _pause(seconds: float) -> None:
    time.sleep(seconds)


def _raise_if_final(error: Exception, part: Path) -> None:
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(cause, ssl.SSLCertVerificationError):
        raise DownloadError(explain(error)) from error
    if isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT):
        raise DownloadError(f"the disk of {part.parent} is full") from error
    # Only what a socket does may pass; a folder that cannot be written stays that way.
    if isinstance(cause, PermissionError | FileNotFoundError | IsADirectoryError):
        raise DownloadError(f"{part} cannot be written: {cause.strerror}") from error


class _Transfer:
    """One request and its body."""

    def __init__(
        self,
        url: str,
        part: Path,
        headers: Mapping[str, str],
        on_bytes: ByteSink | None,
        timeout_seconds: float,
    ) -> None:
        self._url = url
        self._part = part
        self._headers = headers
        self._on_bytes = on_bytes
        self._timeout_seconds = timeout_seconds
        self._digest = hashlib.sha256()

    def run(self) -> str:
        """Receive until the end; returns the SHA-256 of the whole file."""
        have = self._part.stat().st_size if self._part.exists() else 0
        request = urllib.request.Request(self._url, headers=dict(self._headers))
        request.add_header("User-Agent", f"stemsplit/{__version__}")
        request.add_header("Accept-Encoding", "identity")
        if have:
            request.add_header("Range", f"bytes={have}-")
        try:
            response = _opener().open(request, timeout=self._timeout_seconds)
        except urllib.error.HTTPError as error:
            if error.code == 416 and have:
                return self._resume_at_end(error, have)
            raise
        with response:
            return self._receive(response, have)

    def _resume_at_end(self, error: urllib.error.HTTPError, have: int) -> str:
        # Asked for more than there is: either everything arrived before, or it is another file.
        total = _total_of_range(error.headers.get("Content-Range"))
        error.close()
        if total != have:
            self._part.unlink()
            return self.run()
        self._read_begun(have)
        return self._digest.hexdigest()

    def _receive(self, response: Any, have: int) -> str:
        begin = have if response.status == 206 and _starts_at(response, have) else 0
        length = response.headers.get("Content-Length")
        total = begin + int(length) if length and length.isdecimal() else None
        _check_space(self._part.parent, total, have)
        if begin:
            self._read_begun(begin)
        received = begin
        with self._part.open("ab" if begin else "wb") as file:
            block = response.read1(_BLOCK_BYTES)  # whatever comes first: it tells that bytes flow
            while block:
                file.write(block)
                self._digest.update(block)
                received += len(block)
                self._tell(received, total)
                block = response.read(_BLOCK_BYTES)
        # A connection that is cut looks like an end: only the announced length tells.
        if total is not None and received < total:
            raise http.client.IncompleteRead(b"", total - received)
        return self._digest.hexdigest()

    def _read_begun(self, length: int) -> None:
        with self._part.open("rb") as file:
            _update_digest(self._digest, file, length)

    def _tell(self, received: int, total: int | None) -> None:
        if self._on_bytes is not None:
            self._on_bytes(received, total)


def _update_digest(digest: Any, file: IO[bytes], length: int) -> None:
    while length > 0 and (block := file.read(min(_BLOCK_BYTES, length))):
        digest.update(block)
        length -= len(block)


def _starts_at(response: Any, have: int) -> bool:
    match = re.match(r"bytes (\d+)-", response.headers.get("Content-Range") or "")
    return match is not None and int(match[1]) == have


def _total_of_range(value: str | None) -> int | None:
    match = re.fullmatch(r"bytes \*/(\d+)", value or "")
    return int(match[1]) if match else None


def _check_space(folder: Path, total: int | None, have: int) -> None:
    if total is None:
        return
    # The converted copy is written beside the download before the download is deleted.
    needed, free = 2 * total - have, shutil.disk_usage(folder).free
    if free < needed:
        raise DownloadError(
            f"the disk of {folder} is full: {needed / 1e6:,.0f} MB are needed and "
            f"{free / 1e6:,.0f} MB free"
        )


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but takes no token to another host and never leaves https."""

    def redirect_request(
        self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        old, new = urlsplit(req.full_url), urlsplit(newurl)
        if old.scheme == "https" and new.scheme != "https":
            raise urllib.error.URLError(f"a redirect to the unprotected address of {new.hostname}")
        request = super().redirect_request(req, fp, code, msg, headers, newurl)
        if request is not None and old.netloc != new.netloc:
            request.remove_header("Authorization")
        return request


def _opener() -> urllib.request.OpenerDirector:
    # Not `build_opener`, which would read file: and ftp: addresses as well.
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.UnknownHandler(),
        _Redirects(),
    ):
        opener.add_handler(handler)
    return opener


def explain(error: BaseException) -> str:
    """Why a request failed, in words, with what a user can do about it."""
    if isinstance(error, urllib.error.HTTPError):
        return explain_status(error.code)
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(cause, ssl.SSLCertVerificationError):
        return (
            f"its certificate is not trusted ({cause.verify_message}): behind a company proxy, set "
            "SSL_CERT_FILE to the company's certificate"
        )
    if isinstance(cause, TimeoutError):
        return "it did not answer in time"
    if isinstance(cause, http.client.IncompleteRead | ConnectionResetError):
        return "the connection broke off again and again"
    text = str(getattr(cause, "strerror", None) or cause) or type(cause).__name__
    if "Tunnel connection failed" in text:
        return f"the proxy refused ({text}): check HTTPS_PROXY"
    return text


def explain_status(code: int) -> str:
    """What an HTTP status means for a download, in words."""
    known = {
        401: "access was refused (401): the repository is private, gated or missing; accept its "
        "terms on its web page and set HF_TOKEN",
        403: "access was refused (403): if the repository is gated, accept its terms on its web "
        "page and set HF_TOKEN",
        404: "there is no such file (404)",
        407: "the proxy wants a password (407): check HTTPS_PROXY",
        429: "it has had too many requests (429): wait some minutes",
    }
    return known.get(code, f"it answered with status {code}")
