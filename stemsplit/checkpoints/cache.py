"""Where downloaded and registered weights live, and who may touch them when.

    <root>/weights/<id>.safetensors    our own format, whatever the weights came as
    <root>/weights/<id>.json           its identifier, SHA-256 and length; written last: it vouches
    <root>/models/<name>.json          ensembles from the hub or registered by the user
    <root>/incoming/                   unfinished downloads, and files put there by hand
    <root>/locks/                      one lock per file that is being made

The root is the user's cache folder, or `STEMSPLIT_CACHE`. Files appear under their names only when
they are complete. Every file is hashed again each time it is loaded: that costs 0.1 s for htdemucs
and tells a broken file from a bad model. Nothing here imports torch.
"""

import hashlib
import json
import logging
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import platformdirs
from filelock import FileLock, Timeout

from stemsplit.checkpoints.replacing import replacing
from stemsplit.errors import CheckpointError, ChecksumError

logger = logging.getLogger(__name__)


def default_root() -> Path:
    """`STEMSPLIT_CACHE`, or the user's cache folder of this system."""
    chosen = os.environ.get("STEMSPLIT_CACHE")
    if chosen:
        return Path(chosen).expanduser().absolute()
    return Path(platformdirs.user_cache_dir("stemsplit", appauthor=False))


def sha256_of(path: Path, on_bytes: Callable[[int], None] | None = None) -> str:
    """SHA-256 of a file, in hexadecimal digits.

    Args:
        path: the file.
        on_bytes: called with the length of every piece read.

    Raises:
        CheckpointError: the file cannot be read.
    """
    digest = hashlib.sha256()
    try:
        with path.open("rb", buffering=0) as file:
            while block := file.read(2**20):
                digest.update(block)
                if on_bytes is not None:
                    on_bytes(len(block))
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}.") from error
    return digest.hexdigest()


@dataclass(frozen=True, kw_only=True)
class StoredWeights:
    """A file of weights in the cache, and what it was when it was stored."""

    id: str
    path: Path
    sha256: str
    bytes: int
    origin: str
    """Address the weights came from."""
    origin_sha256: str
    """SHA-256 of the file they came in."""

    def check(self) -> None:
        """Make sure that the file is still what was stored.

        Raises:
            ChecksumError: it is not.
            CheckpointError: it cannot be read.
        """
        try:
            length = self.path.stat().st_size
        except OSError as error:
            raise CheckpointError(f"{self.path} cannot be read: {error.strerror}.") from error
        if length != self.bytes:
            what = f"has {length:,} bytes instead of {self.bytes:,}"
        elif sha256_of(self.path) != self.sha256:
            what = "has other contents than when it was stored"
        else:
            return
        raise ChecksumError(
            f"{self.path} {what}, so it is not used. Remove it with "
            f"`stemsplit models remove {self.id}`; the next use fetches it again."
        )


@dataclass(frozen=True, kw_only=True)
class StoredModel:
    """An ensemble of stored weights that the catalogue does not have."""

    name: str
    kind: str
    """`registered` by the user, or `hub`."""
    members: tuple[str, ...]
    """Identifiers of weights."""
    files: tuple[dict[str, Any], ...] = ()
    """For a hub model, where each member is fetched from: fields of a `PublishedFile`."""
    stem_weights: tuple[tuple[float, ...], ...]
    stems: tuple[str, ...]
    sample_rate: int
    channels: int
    architectures: tuple[str, ...]
    segment_seconds: float | None = None
    licence: str | None = None
    trained_on: str | None = None
    trained_sets: tuple[str, ...] = ()
    origin: str = ""


class Cache:
    """A folder of weights; several processes may use it at once.

    Args:
        root: the folder; None takes `default_root`. It is made when something is stored.
    """

    def __init__(self, root: Path | None = None) -> None:
        self.root = default_root() if root is None else root

    @property
    def incoming(self) -> Path:
        """Folder of unfinished downloads, and of files that a user put there by hand."""
        return self.root / "incoming"

    def find(self, weights_id: str) -> StoredWeights | None:
        """The stored weights of this identifier, or None; their contents are not checked."""
        record = _read_json(self._record(weights_id))
        path = self._weights(weights_id)
        if record is None or not path.is_file():
            return None
        try:
            return StoredWeights(
                id=weights_id,
                path=path,
                sha256=str(record["sha256"]),
                bytes=int(record["bytes"]),
                origin=str(record["origin"]),
                origin_sha256=str(record["origin_sha256"]),
            )
        except (KeyError, ValueError, TypeError):
            return None

    def all_weights(self) -> tuple[StoredWeights, ...]:
        """Everything stored, by identifier."""
        records = sorted((self.root / "weights").glob("*.json"))
        found = (self.find(_identifier(record)) for record in records)
        return tuple(weights for weights in found if weights is not None)

    @contextmanager
    def lock(self, weights_id: str) -> Iterator[None]:
        """Keep other processes from making the same file meanwhile; waits for its turn.

        Raises:
            CheckpointError: the cache cannot be written.
        """
        folder = self.make(self.root / "locks")
        lock = FileLock(folder / f"{_file_name(weights_id)}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            logger.info("Waiting for another process that is fetching %s.", weights_id)
            lock.acquire()
        except OSError as error:
            raise self._unwritable(error) from error
        try:
            yield
        finally:
            lock.release()

    @contextmanager
    def lock_now(self, weights_id: str) -> Iterator[bool]:
        """As `lock`, but does not wait; whether the lock could be had.

        Raises:
            CheckpointError: the cache cannot be written.
        """
        lock = FileLock(self.make(self.root / "locks") / f"{_file_name(weights_id)}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            yield False
            return
        except OSError as error:
            raise self._unwritable(error) from error
        try:
            yield True
        finally:
            lock.release()

    def store(
        self,
        weights_id: str,
        write: Callable[[Path], object],
        *,
        origin: str,
        origin_sha256: str,
    ) -> StoredWeights:
        """Put weights into the cache; hold the lock of the identifier.

        Args:
            weights_id: the identifier to store them under; what it held before is replaced.
            write: writes the file at the path it is given, completely or not at all.
            origin: address the weights came from.
            origin_sha256: SHA-256 of the file they came in.

        Raises:
            CheckpointError: the cache cannot be written.
        """
        path = self._weights(weights_id)
        self.make(path.parent)
        # Without its record a file counts as absent, so no step in between can be mistaken.
        self._record(weights_id).unlink(missing_ok=True)
        write(path)
        stored = StoredWeights(
            id=weights_id,
            path=path,
            sha256=sha256_of(path),
            bytes=path.stat().st_size,
            origin=origin,
            origin_sha256=origin_sha256,
        )
        record = {key: value for key, value in asdict(stored).items() if key != "path"}
        self._write_json(self._record(weights_id), record)
        return stored

    def part(self, weights_id: str, contents: str) -> Path:
        """Where an unfinished download is kept.

        Args:
            weights_id: whose weights they will be.
            contents: what tells this file from any other, such as its published hash.

        Raises:
            CheckpointError: the cache cannot be written.
        """
        key = hashlib.sha256(contents.encode()).hexdigest()[:16]
        return self.make(self.incoming) / f"{_file_name(weights_id)}-{key}.part"

    def remove(self, weights_id: str) -> int:
        """Delete weights and everything left of their download.

        Returns:
            Bytes freed; 0 when there was nothing.
        """
        freed = 0
        name = _file_name(weights_id)
        leftovers = sorted(self.incoming.glob(f"{name}-{'?' * 16}.part"))
        for path in (self._record(weights_id), self._weights(weights_id), *leftovers):
            try:
                length = path.stat().st_size
                path.unlink()
                freed += length
            except FileNotFoundError:
                continue
            except OSError as error:
                raise self._unwritable(error) from error
        return freed

    def find_model(self, name: str) -> StoredModel | None:
        """The registered or hub model of this name, or None."""
        data = _read_json(self._model(name))
        try:
            return None if data is None else _stored_model(data)
        except (KeyError, ValueError, TypeError):
            logger.warning("Ignoring the damaged description %s.", self._model(name))
            return None

    def all_models(self) -> tuple[StoredModel, ...]:
        """Every registered or hub model, by name."""
        records = sorted((self.root / "models").glob("*.json"))
        found = [_read_json(record) for record in records]
        models = [self.find_model(str(data["name"])) for data in found if data and "name" in data]
        return tuple(model for model in models if model is not None)

    def store_model(self, model: StoredModel) -> None:
        """Keep the description of a model under its name.

        Raises:
            CheckpointError: the cache cannot be written.
        """
        self.make(self.root / "models")
        self._write_json(self._model(model.name), asdict(model))

    def remove_model(self, name: str) -> None:
        """Forget the description of a model; its weights stay."""
        self._model(name).unlink(missing_ok=True)

    def make(self, folder: Path) -> Path:
        """The folder, which exists afterwards.

        Raises:
            CheckpointError: the cache cannot be written.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._unwritable(error) from error
        return folder

    def _unwritable(self, error: OSError) -> CheckpointError:
        return CheckpointError(
            f"The cache {self.root} cannot be written: {error.strerror or error}. Make it "
            "writable, or set STEMSPLIT_CACHE to another folder."
        )

    def _weights(self, weights_id: str) -> Path:
        return self.root / "weights" / f"{_file_name(weights_id)}.safetensors"

    def _record(self, weights_id: str) -> Path:
        return self.root / "weights" / f"{_file_name(weights_id)}.json"

    def _model(self, name: str) -> Path:
        return self.root / "models" / f"{_file_name(name)}.json"

    def _write_json(self, path: Path, data: dict[str, Any]) -> None:
        try:
            with replacing(path) as temporary:
                temporary.write_text(json.dumps(data, indent=1), encoding="utf-8")
        except OSError as error:
            raise self._unwritable(error) from error


def _file_name(name: str) -> str:
    """A file name for any name; distinct for distinct names, also where case does not count."""
    plain = re.sub(r"[^a-z0-9._-]", "-", name.lower())
    if plain == name and len(name) <= 100 and not name.startswith("."):
        return name
    return f"{plain.lstrip('.')[:60]}-{hashlib.sha256(name.encode()).hexdigest()[:12]}"


def _identifier(record: Path) -> str:
    """Of the weights that a record vouches for; early records do not state it."""
    stated = (_read_json(record) or {}).get("id")
    return stated if isinstance(stated, str) and _file_name(stated) == record.stem else record.stem


def _read_json(path: Path) -> dict[str, Any] | None:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) else None


def _stored_model(data: dict[str, Any]) -> StoredModel:
    segment = data["segment_seconds"]
    return StoredModel(
        name=str(data["name"]),
        kind=str(data["kind"]),
        members=tuple(str(member) for member in data["members"]),
        files=tuple(dict(file) for file in data["files"]),
        stem_weights=tuple(tuple(float(x) for x in row) for row in data["stem_weights"]),
        stems=tuple(str(stem) for stem in data["stems"]),
        sample_rate=int(data["sample_rate"]),
        channels=int(data["channels"]),
        architectures=tuple(str(name) for name in data["architectures"]),
        segment_seconds=None if segment is None else float(segment),
        licence=data["licence"],
        trained_on=data["trained_on"],
        trained_sets=tuple(str(name) for name in data.get("trained_sets", ())),
        origin=str(data["origin"]),
    )
