"""Where data sets lie: a path, or a name that is looked up.

A name is looked for in this order:

1. the environment variable: `MUSDB_PATH` for any release of MUSDB, `MOISESDB_PATH`
2. the user's configuration, where any name can be given: `[data]` with `name = "/folder"`
3. the usual places: a folder called like the data set in the working directory, in `data` or
   `datasets` beside it, and likewise in the home directory

The configuration is the file `config.toml` in the user's configuration folder of this system, or
what `STEMSPLIT_CONFIG` names.
"""

import os
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from stemsplit.errors import ConfigError, DatasetError, suggest
from stemsplit.evaluation.data.dataset import Dataset
from stemsplit.evaluation.data.layouts import read_layout

CONFIG_VARIABLE = "STEMSPLIT_CONFIG"

_PARENTS = ("", "data", "datasets")


@dataclass(frozen=True)
class _KnownSet:
    variable: str
    folders: tuple[str, ...]
    """What its folder is usually called."""

    source: str
    """How to get it."""


_HQ_FOLDERS = ("musdb18hq", "musdb18-hq", "MUSDB18-HQ", "MUSDB18HQ")
_CODED_FOLDERS = ("musdb18", "MUSDB18", "MUSDB18/MUSDB18-7")
_HQ_SOURCE = "https://zenodo.org/records/3338373 (MUSDB18-HQ, 23 GB; research use only)"
_CODED_SOURCE = "https://zenodo.org/records/1117372 (MUSDB18, 5 GB; research use only)"
_KNOWN = {
    "musdb": _KnownSet("MUSDB_PATH", (*_HQ_FOLDERS, "musdb", *_CODED_FOLDERS), _HQ_SOURCE),
    "musdb18hq": _KnownSet("MUSDB_PATH", _HQ_FOLDERS, _HQ_SOURCE),
    "musdb18": _KnownSet("MUSDB_PATH", _CODED_FOLDERS, _CODED_SOURCE),
    "moisesdb": _KnownSet(
        "MOISESDB_PATH",
        ("moisesdb", "moises-db", "MoisesDB", "moises-db-data"),
        "https://music.ai/research (MoisesDB; not for commercial use)",
    ),
}


def open_dataset(path_or_name: Path | str, split: str | None = None) -> Dataset:
    """Find a data set and list its tracks; audio is opened only when it is read.

    Args:
        path_or_name: a folder or table of any layout that `stemsplit.evaluation.data.layouts`
            knows, or a name: musdb, musdb18, musdb18hq, moisesdb, or one from the configuration.
        split: which part, or several joined by ``+``; ``all`` is everything, None is ``test`` if
            there is one and else everything. For MUSDB ``train`` is without the usual fourteen
            tracks of ``valid``.

    Raises:
        DatasetError: it is not there, has no such split, or holds no tracks.
        ConfigError: the configuration cannot be read.
    """
    return read_layout(find_dataset(path_or_name), split)


def find_dataset(path_or_name: Path | str) -> Path:
    """The folder, or the table, of a data set.

    Raises:
        DatasetError: it is not there; the message tells in three lines how to get it, if it is one
            that is known.
        ConfigError: the configuration cannot be read.
    """
    name = str(path_or_name)
    known = _KNOWN.get(name)
    variable = known.variable if known is not None else ""
    if os.environ.get(variable):
        return _existing(Path(os.environ[variable]), f"as {variable} says")
    configured = _configured()
    if name in configured:
        return _existing(configured[name], f"as {config_path()} says")
    if known is None:
        return _path(Path(path_or_name), tuple(configured))
    place = next((place for place in _usual_places(known) if place.is_dir()), None)
    if place is None:
        raise DatasetError(_how_to_get(name, known))
    return place


def config_path() -> Path:
    """The user's configuration file, whether it exists or not."""
    chosen = os.environ.get(CONFIG_VARIABLE)
    if chosen:
        return Path(chosen).expanduser().absolute()
    return Path(platformdirs.user_config_dir("stemsplit", appauthor=False)) / "config.toml"


def _configured() -> dict[str, Path]:
    path = config_path()
    try:
        facts = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ConfigError(f"Cannot read {path}: {error}. Correct it, or take it away.") from error
    data = facts.get("data", {})
    if not isinstance(data, dict) or not all(isinstance(value, str) for value in data.values()):
        raise ConfigError(
            f'Cannot use {path}: [data] must hold lines such as musdb = "/music/musdb18hq".'
        )
    return {name: path.parent / Path(value).expanduser() for name, value in data.items()}


def _usual_places(known: _KnownSet) -> Iterator[Path]:
    for root in (Path.cwd(), Path.home()):
        for parent in _PARENTS:
            for folder in known.folders:
                yield root / parent / folder


def _existing(path: Path, why: str) -> Path:
    path = path.expanduser()
    if not path.exists():
        raise DatasetError(f"Cannot find a data set at {path}, {why}: there is nothing there.")
    return path


def _path(path: Path, configured: tuple[str, ...]) -> Path:
    found = path.expanduser()
    if not found.exists():
        near = suggest(str(path), (*_KNOWN, *configured))
        raise DatasetError(
            f"Cannot find a data set at {path}: there is no such folder.{near} Name a folder, or "
            f"one of {', '.join((*_KNOWN, *configured))}."
        )
    return found


def _how_to_get(name: str, known: _KnownSet) -> str:
    return (
        f"Cannot find {name}: {known.variable} is not set, {config_path()} does not name it, and "
        f"it lies in none of the usual places, such as {Path.home() / known.folders[0]}.\n"
        f"To get it, download it from {known.source} and unpack it.\n"
        f"Then set {known.variable} to its folder, or name the folder instead of {name}."
    )
