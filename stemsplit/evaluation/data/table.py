"""A data set that is a list of files: a CSV table with a row for each stem.

    instrum,path                     the first column is also understood as stem or type
    vocals,/music/vocals_1.wav
    drums,takes/beat.flac            relative to the folder of the table

A third column, song, names the song that a file belongs to. Without it every file is a song of its
own with a single stem, which is enough to train with.

Source: Music-Source-Separation-Training @3de4044, docs/dataset_types.md, type 3.
"""

import csv
from collections.abc import Iterator
from pathlib import Path

from stemsplit.errors import DatasetError
from stemsplit.evaluation.data.dataset import MIX_NAMES, Track
from stemsplit.evaluation.data.sources import FileSource

SUFFIX = ".csv"
_STEM_COLUMNS = ("instrum", "stem", "type")


def read_table(path: Path) -> list[Track]:
    """The tracks that a CSV table lists.

    Raises:
        DatasetError: it cannot be read, has no such columns, or names a stem of a song twice.
    """
    songs: dict[str, dict[str, FileSource]] = {}
    for line, song, stem, file in _rows(path):
        files = songs.setdefault(song, {})
        if stem in files:
            raise DatasetError(
                f"Cannot use {path}: line {line} names the stem {stem} of {song} a second time. "
                "Remove one of the rows, or add a column song."
            )
        files[stem] = FileSource(file)
    tracks = []
    for song, files in songs.items():
        mixes = [files.pop(name) for name in MIX_NAMES if name in files]
        if files:
            stored_mix = mixes[0] if mixes else None
            tracks.append(Track(name=song, split="", stems=dict(files), stored_mix=stored_mix))
    return tracks


def _rows(path: Path) -> Iterator[tuple[int, str, str, Path]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            table = csv.DictReader(file)
            columns = table.fieldnames or ()
            stem_column = next((name for name in _STEM_COLUMNS if name in columns), None)
            if stem_column is None or "path" not in columns:
                raise DatasetError(
                    f"Cannot use {path} as a list of stems: its first line must name the columns "
                    "instrum and path."
                )
            for row in table:
                if not row[stem_column] or not row["path"]:
                    raise DatasetError(
                        f"Cannot use {path}: line {table.line_num} lacks a stem or a path."
                    )
                place = path.parent / Path(row["path"]).expanduser()
                song = row.get("song") or str(place.with_suffix("").name)
                yield table.line_num, song, row[stem_column], place
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"Cannot read {path}: {error}. Check that it is a CSV table.") from error
