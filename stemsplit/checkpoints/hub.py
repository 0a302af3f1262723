"""The Hugging Face hub: where a file lies, what it must hash to, what a repository holds.

`huggingface_hub` answers these questions, so `HF_ENDPOINT`, `HF_TOKEN`, a login and its proxies all
count. The bytes themselves come through `download.py`, straight into our cache: no second copy is
left in the hub's own.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from stemsplit.checkpoints.catalog import PublishedFile
from stemsplit.checkpoints.download import explain_status
from stemsplit.errors import DownloadError

_TIMEOUT_SECONDS = 5.0


@dataclass(frozen=True)
class HubFile:
    """Where to fetch a file of the hub."""

    url: str
    headers: dict[str, str]
    sha256: str | None
    """As the hub states it for large files; None for small ones."""


@dataclass(frozen=True)
class HubRepository:
    """What a repository holds."""

    commit: str
    files: tuple[str, ...]
    licence: str | None


def endpoint() -> str:
    """Address of the hub: `HF_ENDPOINT`, or huggingface.co."""
    return os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")


def is_offline() -> bool:
    """Whether `HF_HUB_OFFLINE` forbids the network."""
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE")


def cache_name(repository: str, revision: str | None) -> str:
    """Name under which the cache keeps a hub model."""
    return f"hf:{repository}{f'@{revision}' if revision else ''}"


def locate(file: PublishedFile, *, timeout_seconds: float = _TIMEOUT_SECONDS) -> HubFile:
    """Where a file of the hub is to be fetched.

    Args:
        file: a file of the hub.
        timeout_seconds: how long to wait for an answer.

    Raises:
        DownloadError: the hub does not have it, does not give it, or does not answer.
    """
    from huggingface_hub import get_hf_file_metadata, get_token, hf_hub_url

    if file.hub is None or file.path is None:
        raise ValueError(f"{file} is no file of the hub")
    with _in_words():
        url = hf_hub_url(file.hub, file.path, revision=file.revision, endpoint=endpoint())
        metadata = get_hf_file_metadata(url, timeout=timeout_seconds, library_name="stemsplit")
        # Elsewhere the address carries its own signature, and the token is nobody's business.
        is_own_host = metadata.location.startswith(f"{endpoint()}/")
        token = get_token() if is_own_host else None
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        etag = metadata.etag or ""
        sha256 = etag if re.fullmatch(r"[0-9a-f]{64}", etag) else None
        return HubFile(metadata.location, headers, sha256)


def look_into(repository: str, revision: str | None) -> HubRepository:
    """What a repository holds at a revision.

    Raises:
        DownloadError: there is no such repository or revision, or the hub does not answer.
    """
    from huggingface_hub import HfApi

    with _in_words():
        info = HfApi(endpoint=endpoint(), library_name="stemsplit").model_info(
            repository, revision=revision, timeout=_TIMEOUT_SECONDS
        )
    card: Any = info.card_data
    return HubRepository(
        commit=info.sha or revision or "main",
        files=tuple(sibling.rfilename for sibling in info.siblings or ()),
        licence=str(card.license) if card is not None and card.license else None,
    )


def safetensors_metadata(file: PublishedFile) -> dict[str, str]:
    """The metadata of a safetensors file on the hub; fetches only its head.

    Raises:
        DownloadError: the hub does not have it, does not give it, or does not answer.
    """
    from huggingface_hub import HfApi

    if file.hub is None or file.path is None:
        raise ValueError(f"{file} is no file of the hub")
    with _in_words():
        header = HfApi(
            endpoint=endpoint(), library_name="stemsplit"
        ).parse_safetensors_file_metadata(file.hub, file.path, revision=file.revision)
    return {str(key): str(value) for key, value in (header.metadata or {}).items()}


@contextmanager
def _in_words() -> Iterator[None]:
    """Turn the hub client's errors into ours."""
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        RemoteEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        yield
    except GatedRepoError as error:
        raise DownloadError(explain_status(403)) from error
    except RepositoryNotFoundError as error:
        raise DownloadError(
            "there is no such repository, or it is private (then set HF_TOKEN)"
        ) from error
    except RevisionNotFoundError as error:
        raise DownloadError("the repository has no such revision") from error
    except RemoteEntryNotFoundError as error:
        raise DownloadError("the repository has no such file") from error
    except HfHubHTTPError as error:
        status = getattr(error.response, "status_code", 0)
        raise DownloadError(explain_status(status)) from error
    except HFValidationError as error:
        raise DownloadError(f"this is no name of a repository: {error}") from error
    # The client's own transport errors come from whichever HTTP library it uses, and have no
    # common name that could be imported from it.
    except Exception as error:
        if isinstance(error, DownloadError):
            raise
        reason = str(error).strip().splitlines()
        raise DownloadError(reason[0] if reason else type(error).__name__) from error
