"""Files that appear all together or not at all.

Every file is made under a hidden temporary name in the folder it is meant for. Publishing renames
them; anything else, an exception included, removes them and the folders that were made for them.
"""

import contextlib
import itertools
import os
import secrets
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from stemsplit.errors import EncodeError

_PREFIX = ".stemsplit-"


def write_error(destination: Path, why: str) -> EncodeError:
    """The error of a file that cannot be written: what, why, and what to do."""
    lower = why.lower()
    if "no space" in lower or "quota" in lower or "file too large" in lower:
        hint = "Make room, or choose a folder on another disk."
    elif "permission" in lower or "read-only" in lower or "not permitted" in lower:
        hint = "Choose a folder that you may write to."
    else:
        hint = "Choose another folder, name or format."
    return EncodeError(f"Cannot write {destination}: {why}. {hint}")


@contextlib.contextmanager
def writing(destination: Path) -> Iterator[None]:
    """Say of a system's error which file it keeps from being written.

    Raises:
        EncodeError: instead of any OSError.
    """
    try:
        yield
    except OSError as error:
        raise write_error(destination, error.strerror or str(error)) from error


class StagedFiles:
    """A set of files on the way to their names."""

    def __init__(self) -> None:
        self._cleanup = contextlib.ExitStack()
        self._staged: dict[Path, Path] = {}  # destination to temporary file

    def add(self, destination: Path) -> Path:
        """Prepare a file; whether it can be written shows here, not at the end of the work.

        Args:
            destination: the name it will have. Its folder is made as needed; a file in the way
                will be replaced.

        Returns:
            The temporary name, of an empty file.

        Raises:
            EncodeError: the destination can never be written.
            ValueError: it was added before.
        """
        if destination in self._staged:
            raise ValueError(f"two files would be called {destination}")
        _refuse_impossible_name(destination)
        self._make_folder(destination.parent)
        temporary = destination.with_name(f"{_PREFIX}{secrets.token_hex(4)}")
        self._cleanup.callback(_remove, temporary)
        with writing(destination):
            temporary.touch()
        self._staged[destination] = temporary
        return temporary

    def _make_folder(self, folder: Path) -> None:
        with writing(folder):
            missing = list(itertools.takewhile(_is_missing, (folder, *folder.parents)))
            for made in reversed(missing):  # undone from the last one on: the deepest goes first
                self._cleanup.callback(_remove_folder, made)
            folder.mkdir(parents=True, exist_ok=True)

    def scratch_folder(self, beside: Path) -> Path:
        """A hidden folder beside a file, for things needed only while files are made."""
        with writing(beside):
            folder = tempfile.TemporaryDirectory(
                prefix=_PREFIX, dir=beside.parent, ignore_cleanup_errors=True
            )
        return Path(self._cleanup.enter_context(folder))

    def publish(self) -> None:
        """Give all files their names.

        Raises:
            EncodeError: one of them cannot have its name; none has then, and what had it before is
                there again.
        """
        replaced = []
        with contextlib.ExitStack() as undo:
            for destination, temporary in self._staged.items():
                with writing(destination):
                    before = _set_aside(destination)
                    undo.callback(_restore, before, destination)
                    temporary.replace(destination)
                replaced.append(before)
            undo.pop_all()
        for before in filter(None, replaced):
            _remove(before)
        self.discard()

    def discard(self) -> None:
        """Remove what has not been published."""
        self._cleanup.close()


def _refuse_impossible_name(destination: Path) -> None:
    try:
        with writing(destination):
            is_folder = stat.S_ISDIR(destination.stat().st_mode)
    except EncodeError as error:
        if isinstance(error.__cause__, FileNotFoundError | NotADirectoryError):
            return
        raise
    except ValueError as error:  # a name with a zero byte
        raise write_error(destination, str(error)) from error
    if is_folder:
        raise write_error(destination, "a folder of this name is in the way")


def _is_missing(path: Path) -> bool:
    return not path.exists()


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)


def _set_aside(destination: Path) -> Path | None:
    """Give the file that has a name a hidden one besides; None where there is no file."""
    if not os.path.lexists(destination):
        return None
    aside = destination.with_name(f"{_PREFIX}{secrets.token_hex(4)}")
    try:
        os.link(destination, aside)  # so that the name is never without a file
    except OSError:  # not every disk has second names
        destination.rename(aside)
    return aside


def _restore(before: Path | None, destination: Path) -> None:
    if before is None:
        _remove(destination)
        return
    with contextlib.suppress(OSError):  # the earlier file then keeps its hidden name
        before.replace(destination)
        before.unlink(missing_ok=True)  # where both were names of one file


def _remove_folder(folder: Path) -> None:
    with contextlib.suppress(OSError):  # it is kept if something else has been put into it
        folder.rmdir()
