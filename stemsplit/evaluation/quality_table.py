"""The verdicts on a folder of results, in a table that any spreadsheet opens. Imports no torch."""

import csv
from collections.abc import Mapping
from pathlib import Path

from stemsplit.audio.staging import StagedFiles, writing
from stemsplit.errors import OutputConflictError
from stemsplit.separation.events import StemQuality

TABLE_NAME = "quality.csv"
_HEAD = ("song", "stem", "score", "reasons")


class QualityTable:
    """One row per stem and song, kept from run to run; judging a song again replaces its rows."""

    def __init__(self, folder: Path) -> None:
        """Use the table of an output folder.

        Raises:
            OutputConflictError: a file of its name is there that is no such table.
        """
        self.path = folder / TABLE_NAME
        self._rows = _read(self.path)

    def record(self, song: Path, quality: Mapping[str, StemQuality]) -> None:
        """Put down the verdict on a song.

        Args:
            song: as the user named it.
            quality: verdict per stem.

        Raises:
            EncodeError: the table cannot be written.
        """
        self._rows = [row for row in self._rows if row[0] != str(song)]
        self._rows += [
            [str(song), stem, str(one.score), "; ".join(one.reasons)]
            for stem, one in quality.items()
        ]
        staged = StagedFiles()
        try:
            temporary = staged.add(self.path)
            with writing(self.path), temporary.open("w", newline="", encoding="utf-8") as file:
                csv.writer(file).writerows([_HEAD, *self._rows])
            staged.publish()
        finally:
            staged.discard()


def _read(path: Path) -> list[list[str]]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
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
