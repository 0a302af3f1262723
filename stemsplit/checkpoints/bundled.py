"""Weights that come with the package, and are read where they lie.

    stemsplit/bundled/NAME.safetensors   our own format, in half precision
    stemsplit/bundled/NAME.md            its model card

They are never fetched and never copied into the cache. Nothing here imports torch.
"""

from pathlib import Path

from stemsplit.checkpoints.cache import sha256_of
from stemsplit.checkpoints.catalog import PublishedFile
from stemsplit.checkpoints.resolved import Member
from stemsplit.errors import CheckpointError, ChecksumError

FOLDER = Path(__file__).parents[1] / "bundled"

_AGAIN = "install stemsplit again, or name another model with --model."


def bundled_path(file: PublishedFile) -> Path | None:
    """Where a file of the catalogue is in this installation; None if it is none of the package."""
    return None if file.bundled is None else FOLDER / file.bundled


def card_of(member: Member) -> Path | None:
    """The model card of weights that come with the package, where there is one."""
    if member.path is None or not member.is_bundled:
        return None
    card = member.path.with_suffix(".md")
    return card if card.is_file() else None


def check_in_place(member: Member) -> str:
    """SHA-256 of a file that is read in place; one of the package must be what was published.

    Raises:
        ChecksumError: a file of the package has other contents than the catalogue states.
        CheckpointError: the file is missing, or cannot be read.
    """
    if member.path is None:
        raise CheckpointError(f"The weights {member.id} are nowhere.")
    if not member.is_bundled:
        return sha256_of(member.path)
    if not member.path.is_file():
        raise CheckpointError(
            f"The weights {member.id} come with stemsplit, but this installation lacks "
            f"{member.path}: {_AGAIN}"
        )
    digest = sha256_of(member.path)
    published = member.files[0].sha256
    if published is not None and not digest.startswith(published):
        raise ChecksumError(
            f"{member.path} has the SHA-256 {digest[:16]}… where {published[:16]}… was published, "
            f"so it is not used: {_AGAIN}"
        )
    return digest
