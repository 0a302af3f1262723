"""Whether a model can be fetched now, found out by beginning to fetch it.

What arrives meanwhile is kept: `obtain` goes on from there. Nothing here imports torch.
"""

import importlib
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from stemsplit.checkpoints.automatic import Choice
from stemsplit.checkpoints.cache import Cache
from stemsplit.checkpoints.catalog import PublishedFile
from stemsplit.checkpoints.download import Patience
from stemsplit.checkpoints.network import unreachable
from stemsplit.checkpoints.obtain import address_of, fetch_file, part_of
from stemsplit.checkpoints.resolve import resolve
from stemsplit.checkpoints.resolved import Member
from stemsplit.errors import CheckpointError

ANSWER_SECONDS = 3.0
_POLL_SECONDS = 0.05


class _Begun(Exception):
    """The first bytes are there: ends the transfer."""


def attainable(choice: Choice, stems: Sequence[str] | None = None) -> Choice:
    """The choice itself, or its spare where that is to be fetched and cannot be.

    Args:
        choice: from `choose_model`.
        stems: what is asked of the model; None means all.
    """
    if choice.spare is None:
        return choice
    reason = begin_fetching(choice.name, stems)
    return choice if reason is None else choice.without_network(reason)


def begin_fetching(
    name: str,
    stems: Sequence[str] | None = None,
    *,
    seconds: float | None = None,
    cache: Cache | None = None,
) -> str | None:
    """Begin to fetch the first file that the cache lacks of a model.

    A slow connection is as good as a fast one: only the first bytes have to come in time.

    Args:
        name: as `resolve` takes it.
        stems: what is asked of the model; None means all.
        seconds: how long to wait; None is `ANSWER_SECONDS`.
        cache: where weights are kept; None takes the user's.

    Returns:
        None if bytes arrive or nothing is missing; else why the model cannot be had, in words.

    Raises:
        UnknownModelError: nothing has this name, or it has no such stem.
    """
    cache = cache or Cache()
    seconds = ANSWER_SECONDS if seconds is None else seconds
    model = resolve(name, cache=cache)
    needed = [model.members[position] for position in model.needed(stems)]
    missing = (one for one in needed if one.path is None and cache.find(one.id) is None)
    member = next(missing, None)
    if member is None or _lies_in_incoming(member, cache):
        return None
    # Not a question of the network, and it may take a second where the disk is slow.
    if any(file.hub for file in member.files):
        importlib.import_module("huggingface_hub")
    attempt = _Attempt(member, cache, seconds)
    attempt.start()
    attempt.join(seconds)
    return attempt.outcome() if attempt.is_over else f"no answer within {seconds:g} s"


def _lies_in_incoming(member: Member, cache: Cache) -> bool:
    """Whether the user has put the file into the cache by hand."""
    return any((cache.incoming / file.name).is_file() for file in member.files)


class _Attempt(threading.Thread):
    """Fetches the first bytes of a network's weights.

    It is a daemon: a server that never answers must not hold up the end of the program.
    """

    def __init__(self, member: Member, cache: Cache, seconds: float) -> None:
        super().__init__(daemon=True)
        self.is_over = False
        self._member, self._cache = member, cache
        self._deadline = time.monotonic() + seconds
        self._reasons: list[str] = []
        self._has_begun = False

    def outcome(self) -> str | None:
        """None if bytes arrived, else why not."""
        return None if self._has_begun else "; ".join(self._reasons) or "no answer"

    def run(self) -> None:
        try:
            self._has_begun = self._begin()
        except CheckpointError as error:
            self._reasons.append(str(error).rstrip("."))
        self.is_over = True

    def _begin(self) -> bool:
        """Whether bytes arrive, here or in another process that is fetching the same."""
        parts = [part_of(self._cache, self._member, file) for file in self._member.files]
        before = [_length(part) for part in parts]
        while self._left > 0:
            with self._cache.lock_now(self._member.id) as is_mine:
                if is_mine:
                    is_there = self._cache.find(self._member.id) is not None
                    return is_there or self._ask()
            if any(_length(part) > old for part, old in zip(parts, before, strict=True)):
                return True
            time.sleep(_POLL_SECONDS)
        self._reasons.append("another process is waiting for it")
        return False

    def _ask(self) -> bool:
        silent = unreachable(address_of(file) for file in self._member.files)
        for file in self._member.files:
            host = urlsplit(address_of(file)).netloc
            if host in silent:
                reason = silent[host]
                self._reasons.append(reason if host in reason else f"{host}: {reason}")
            elif self._left > 0:
                try:
                    self._fetch(file)
                except _Begun:
                    return True
                except CheckpointError as error:
                    self._reasons.append(f"{host}: {error}")
        return False

    def _fetch(self, file: PublishedFile) -> None:
        def stop(received: int, total: int | None) -> None:
            raise _Begun

        part = part_of(self._cache, self._member, file)
        patience = Patience(seconds=max(self._left, 0.1), retries=0)
        fetch_file(file, part, on_bytes=stop, patience=patience)
        raise _Begun  # everything had arrived before

    @property
    def _left(self) -> float:
        return self._deadline - time.monotonic()


def _length(part: Path) -> int:
    try:
        return part.stat().st_size
    except OSError:
        return 0
