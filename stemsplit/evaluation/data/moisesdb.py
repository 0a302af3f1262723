"""MoisesDB: 240 songs with up to eleven stems, each the sum of recordings.

    SONG/data.json                 artist, song, and the recordings of every stem
    SONG/vocals/RECORDING.wav      one recording, named by its id

Source: I. Pereira, F. Araújo, F. Korzeniowski, R. Vogl, "MoisesDB: A Dataset for Source Separation
Beyond 4-Stems", ISMIR 2023; file layout as in moises-db @08ca660, `moisesdb/track.py`.
"""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stemsplit.errors import DatasetError
from stemsplit.evaluation.data.dataset import Track
from stemsplit.evaluation.data.sources import FileSource, Source, SummedSource

DESCRIPTION = "data.json"


def read_songs(folders: Sequence[Path], split: str) -> list[Track]:
    """The tracks of some folders that hold a `data.json`.

    Recordings that end before the longest of their stem count as silent from there on.

    Raises:
        DatasetError: a description cannot be understood.
    """
    described = [(folder, _description(folder)) for folder in folders]
    names = [_name(folder, facts) for folder, facts in described]
    count = Counter(names)
    return [
        Track(
            name=name if count[name] == 1 else f"{name} ({folder.name[:8]})",
            split=split,
            stems=_stems(folder, facts),
        )
        for name, (folder, facts) in zip(names, described, strict=True)
    ]


def _description(folder: Path) -> dict[str, Any]:
    path = folder / DESCRIPTION
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DatasetError(
            f"Cannot read {path}: {error}. Unpack the data set again, or take its folder out."
        ) from error
    if not isinstance(facts, dict):
        raise _not_understood(path)
    return facts


def _name(folder: Path, facts: dict[str, Any]) -> str:
    words = [str(facts[key]).strip() for key in ("artist", "song") if facts.get(key)]
    return " - ".join(words).replace("/", "_") or folder.name


def _stems(folder: Path, facts: dict[str, Any]) -> dict[str, Source]:
    files: dict[str, list[FileSource]] = {}
    try:
        for stem in facts["stems"]:
            recordings = files.setdefault(str(stem["stemName"]), [])
            for track in stem["tracks"]:
                name = f"{track['id']}.{track['extension']}"
                recordings.append(FileSource(folder / str(stem["stemName"]) / name))
    except (KeyError, TypeError) as error:
        raise _not_understood(folder / DESCRIPTION) from error
    return {
        stem: parts[0] if len(parts) == 1 else SummedSource(tuple(parts))
        for stem, parts in files.items()
        if parts
    }


def _not_understood(path: Path) -> DatasetError:
    return DatasetError(
        f"Cannot read {path}: it is not the description of a song of MoisesDB. Unpack the data set "
        "again, or take its folder out."
    )
