"""Gets weights into the cache: from the best place that gives them, converted once, checked first.

Order of places: a file the user put into the cache's `incoming` folder by hand, the hub, then the
publisher's own server. Whatever comes, only our own safetensors file stays: `incoming` is a letter
box, emptied once its contents are checked and converted.
"""

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from stemsplit.checkpoints import hub
from stemsplit.checkpoints.cache import Cache, StoredWeights, sha256_of
from stemsplit.checkpoints.catalog import PublishedFile
from stemsplit.checkpoints.download import ByteSink, DownloadProgress, Patience, fetch
from stemsplit.checkpoints.network import unreachable
from stemsplit.checkpoints.resolved import Member
from stemsplit.errors import CheckpointError, ChecksumError, DownloadError, OfflineError

logger = logging.getLogger(__name__)

ProgressSink = Callable[[DownloadProgress], None]


def obtain(
    members: Sequence[Member],
    cache: Cache,
    *,
    model: str = "",
    offline: bool = False,
    progress: ProgressSink | None = None,
    is_repair: bool = False,
) -> tuple[StoredWeights, ...]:
    """The weights of these networks, fetched where the cache does not have them.

    Two processes that want the same weights fetch them once: the second waits for the first.

    Args:
        members: networks whose weights are kept in the cache.
        cache: where to keep them.
        model: name of the model they are for, to be told in messages.
        offline: whether fetching is forbidden; then no socket is opened.
        progress: told about every piece that arrives.
        is_repair: whether to check what is stored, and to fetch again what is broken.

    Raises:
        OfflineError: something is missing, and the network may not or cannot be used.
        ChecksumError: no place has the published file.
        DownloadError: no place gives the file.
        CheckpointError: a file is faulty, or the cache cannot be written.
    """
    stored = [_present(cache, member.id, is_repair) for member in members]
    count = sum(weights is None for weights in stored)
    index = 0
    for position, member in enumerate(members):
        if stored[position] is None:
            job = _Job(
                member=member,
                model=model,
                cache=cache,
                is_offline=offline or hub.is_offline(),
                progress=progress,
                index=index,
                count=count,
                is_repair=is_repair,
            )
            stored[position] = job.run()
            index += 1
    return tuple(weights for weights in stored if weights is not None)


def _present(cache: Cache, weights_id: str, is_repair: bool) -> StoredWeights | None:
    stored = cache.find(weights_id)
    if stored is not None and is_repair:
        try:
            stored.check()
        except CheckpointError as error:
            logger.warning("%s", error)
            return None
    return stored


@dataclass(frozen=True, kw_only=True)
class _Job:
    """Getting the weights of one network."""

    member: Member
    model: str
    cache: Cache
    is_offline: bool
    progress: ProgressSink | None
    index: int
    count: int
    is_repair: bool

    def run(self) -> StoredWeights:
        with self.cache.lock(self.member.id):
            self.cache.make(self.cache.incoming)  # there to put a file into, when told to
            # Another process may have been faster.
            found = _present(self.cache, self.member.id, self.is_repair) or self._from_hand()
            if found is not None:
                return found
            if not self.member.files:
                raise CheckpointError(
                    f"{self._what} are gone from the cache, and no place is known "
                    "to get them from: register the model again with `stemsplit models add`."
                )
            if self.is_offline:
                raise OfflineError(
                    f"{self._what} are not in the cache, and the network may not be used (offline)."
                    f" Run once with it, or {self._by_hand}."
                )
            return self._from_network()

    @property
    def _what(self) -> str:
        of_model = f" of {self.model}" if self.model not in ("", self.member.id) else ""
        return f"The weights {self.member.id}{of_model}"

    @property
    def _by_hand(self) -> str:
        file = self.member.files[-1]
        return f"put {file.name} (from {file.address}) into {self.cache.incoming}"

    def _from_hand(self) -> StoredWeights | None:
        for file in self.member.files:
            path = self.cache.incoming / file.name
            if path.is_file():
                digest = sha256_of(path)
                if file.sha256 is not None and not digest.startswith(file.sha256):
                    raise ChecksumError(
                        f"{path} has the SHA-256 {digest[:16]}… where {file.sha256[:16]} was "
                        "published, so it is not used: delete it or get it again."
                    )
                stored = self._keep(path, file, digest)
                with suppress(OSError):
                    path.unlink()
                return stored
        return None

    def _from_network(self) -> StoredWeights:
        silent = unreachable(address_of(file) for file in self.member.files)
        failures: list[tuple[str, Exception | str]] = []
        for file in self.member.files:
            host = urlsplit(address_of(file)).netloc
            if host in silent:
                failures.append((host, silent[host]))
                continue
            part = part_of(self.cache, self.member, file)
            try:
                digest = self._fetch(file, part, host)
            except (DownloadError, ChecksumError) as error:
                logger.warning("%s cannot be had from %s: %s.", self.member.id, host, error)
                failures.append((host, error))
                continue
            try:
                return self._keep(part, file, digest)
            finally:
                part.unlink(missing_ok=True)
        raise self._failure(failures)

    def _fetch(self, file: PublishedFile, part: Path, host: str) -> str:
        def tell(received: int, total: int | None) -> None:
            if self.progress is not None:
                self.progress(
                    DownloadProgress(
                        file=self.member.id,
                        received_bytes=received,
                        total_bytes=total,
                        source=host,
                        index=self.index,
                        count=self.count,
                    )
                )

        return fetch_file(file, part, on_bytes=tell)

    def _keep(self, path: Path, file: PublishedFile, digest: str) -> StoredWeights:
        """Convert a complete file into the cache."""
        return convert_into(
            self.cache, self.member, path, origin=file.address, origin_sha256=digest
        )

    def _failure(self, failures: list[tuple[str, Exception | str]]) -> CheckpointError:
        reasons = "; ".join(f"{host}: {reason}" for host, reason in failures)
        if all(isinstance(reason, str) for _, reason in failures):
            return OfflineError(
                f"{self._what} are not in the cache, and there is no connection ({reasons}). Check "
                f"the network, or {self._by_hand}."
            )
        if any(isinstance(reason, ChecksumError) for _, reason in failures):
            return ChecksumError(f"{self._what} cannot be fetched intact ({reasons}).")
        return DownloadError(
            f"{self._what} cannot be fetched ({reasons}). You can also {self._by_hand}."
        )


def convert_into(
    cache: Cache, member: Member, path: Path, *, origin: str, origin_sha256: str
) -> StoredWeights:
    """Keep a file of weights of any kind in the cache, in our own format; hold the member's lock.

    Args:
        cache: where to keep it.
        member: the network it is for.
        path: the file.
        origin: address it came from.
        origin_sha256: its SHA-256.

    Raises:
        KeyMismatchError: its tensors are not those of its network.
        CheckpointError: it is faulty or unsafe, or the cache cannot be written.
        ConfigError: its network has an option that stemsplit does not support.
    """
    from stemsplit.checkpoints.networks import build
    from stemsplit.checkpoints.reading import read_checkpoint
    from stemsplit.checkpoints.weights import write_checkpoint

    checkpoint = read_checkpoint(path, variant=member.variant)
    info = checkpoint.info
    # Nothing is kept that could not be loaded later.
    build(info.architecture, checkpoint.config, checkpoint.state, name=origin)
    info = replace(
        info,
        origin=origin,
        origin_sha256=origin_sha256,
        # Those of a member on the hub are the terms of the whole model.
        licence=info.licence or member.licence,
        trained_on=info.trained_on or member.trained_on,
        trained_sets=info.trained_sets or member.trained_sets,
    )
    return cache.store(
        member.id,
        lambda target: write_checkpoint(target, checkpoint.state, info),
        origin=origin,
        origin_sha256=origin_sha256,
    )


def address_of(file: PublishedFile) -> str:
    """An address of the host that a file comes from."""
    return file.url or hub.endpoint()


def part_of(cache: Cache, member: Member, file: PublishedFile) -> Path:
    """Where an unfinished download of a file is kept.

    Raises:
        CheckpointError: the cache cannot be written.
    """
    # Named after what it will be, so that bytes of one file never continue another.
    return cache.part(member.id, file.sha256 or file.address)


def fetch_file(
    file: PublishedFile, part: Path, *, on_bytes: ByteSink, patience: Patience | None = None
) -> str:
    """Fetch a file from the hub or its address, see `fetch`; returns its SHA-256.

    Args:
        file: what to fetch.
        part: where to keep the bytes.
        on_bytes: told about progress.
        patience: how long to wait for a server; None is that of a download that is wanted.

    Raises:
        ChecksumError: the complete file is not the published one; it was deleted.
        DownloadError: the file could not be fetched, with the reason in words.
    """
    headers: dict[str, str] = {}
    url, sha256 = file.url or "", file.sha256
    if file.hub is not None:
        place = hub.locate(file, timeout_seconds=patience.seconds) if patience else hub.locate(file)
        url, headers, sha256 = place.url, place.headers, file.sha256 or place.sha256
    return fetch(url, part, headers=headers, sha256=sha256, on_bytes=on_bytes, patience=patience)
