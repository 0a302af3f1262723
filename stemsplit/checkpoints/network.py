"""Whether a host can be reached at all, found out in two seconds.

Retries are right for a connection that breaks and wrong for one that does not exist. So every host
is asked for a connection first, all at once, before any request is made.
"""

import socket
import threading
import time
import urllib.request
from collections.abc import Iterable
from urllib.parse import urlsplit

CONNECT_SECONDS = 2.0


def unreachable(urls: Iterable[str]) -> dict[str, str]:
    """The hosts that cannot be connected to, each with the reason.

    With a proxy in the environment, the proxy is what is connected to. Returns as soon as all
    answered, and at the latest after `CONNECT_SECONDS`; name lookup included.

    Args:
        urls: addresses; several with one host are asked once.
    """
    hosts = {urlsplit(url).netloc: _door(url) for url in urls}
    results: dict[str, str | None] = {}

    def ask(host: str, door: tuple[str, int]) -> None:
        results[host] = _connect(*door)

    # Plain daemon threads: a name lookup that hangs must not hold up the end of the program.
    threads = [
        threading.Thread(target=ask, args=(host, door), daemon=True) for host, door in hosts.items()
    ]
    deadline = time.monotonic() + CONNECT_SECONDS
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    answers = {host: results.get(host, "no answer") for host in hosts}
    return {host: reason for host, reason in answers.items() if reason is not None}


def _connect(host: str, port: int) -> str | None:
    try:
        socket.create_connection((host, port), timeout=CONNECT_SECONDS).close()
    except socket.gaierror:
        return f"the name {host} cannot be looked up"
    except TimeoutError:
        return "no answer"
    except OSError as error:
        return (error.strerror or str(error)).lower()
    return None


def _door(url: str) -> tuple[str, int]:
    """Host and port to connect to for a URL: its own, or those of the proxy in its way."""
    parts = urlsplit(url)
    proxy = urllib.request.getproxies().get(parts.scheme)
    if proxy and not urllib.request.proxy_bypass(parts.netloc):
        parts = urlsplit(proxy if "//" in proxy else f"http://{proxy}")
    return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
