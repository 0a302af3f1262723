"""The verdicts on a folder of results, in a table that any spreadsheet opens. Imports no torch."""

import csv
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO, cast

from filelock import FileLock

from stemsplit.audio.staging import StagedFiles, writing
from stemsplit.errors import OutputConflictError
from stemsplit.separation.collect import STANDARD_INPUT
from stemsplit.separation.events import StemQuality

TABLE_NAME = "quality.csv"
_LOCK_NAME = ".quality.lock"  # beside it: two runs may write to one folder
_HEAD = ("song", "stem", "score", "reasons")


class QualityTable:
    """One row per stem and song, kept from run to run; judging a song again replaces its rows.

    Songs stand there with their whole path; names that are not UTF-8 keep their bytes.
    """

    def __init__(self, folder: Path) -> None:
        """Use the table of an output folder.

        Raises:
            OutputConflictError: a file of its name is there that is no such table.
        """
        self.path = folder / TABLE_NAME
        self._rows = _read(self.path)

    def has(self, song: Path) -> bool:
        """Whether the song was judged, as far as is known since the last reading."""
        return any(row[0] == _key(song) for row in self._rows)

    def record(self, song: Path, quality: Mapping[str, StemQuality]) -> None:
        """Put down the verdict on a song.

        Args:
            song: as the user named it.
            quality: verdict per stem.

        Raises:
            EncodeError: the table cannot be written.
            OutputConflictError: another program has put a file in its place.
        """
        with writing(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(self.path.with_name(_LOCK_NAME)):
                self._replace(song, quality)

    def _replace(self, song: Path, quality: Mapping[str, StemQuality]) -> None:
        before = (_key(song), str(song))  # earlier versions put down the name as it was typed
        self._rows = [row for row in _read(self.path) if row[0] not in before]
        self._rows += [
            [_key(song), stem, str(one.score), "; ".join(one.reasons)]
            for stem, one in quality.items()
        ]
        staged = StagedFiles()
        try:
            temporary = staged.add(self.path)
            with writing(self.path), _open(temporary, "w") as file:
                csv.writer(file).writerows([_HEAD, *self._rows])
            staged.publish()
        finally:
            staged.discard()


def _key(song: Path) -> str:
    """What a song is called in the table, whatever folder a run is started in."""
    return str(song) if song == STANDARD_INPUT else os.path.abspath(song)  # noqa: PTH100 (keeps links)


def _open(path: Path, mode: str) -> TextIO:
    return cast(TextIO, path.open(mode, newline="", encoding="utf-8", errors="surrogateescape"))


def _read(path: Path) -> list[list[str]]:
    try:
        with _open(path, "r") as file:
            head, *rows = csv.reader(file)
        if tuple(head) == _HEAD and all(len(row) == len(_HEAD) for row in rows):
            return rows
    except FileNotFoundError:
        return []
    except (OSError, ValueError, csv.Error):
        pass
    raise OutputConflictError(
        f"{path} is in the way: it is no table of verdicts of ours. Move it, or choose another"
        " --out."
    )
