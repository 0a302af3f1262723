"""Where data sets lie: a path, or a name that is looked up.

A name such as musdb is looked for in this order: the environment variable `MUSDB_PATH`, the user's
configuration, the usual places.
"""

import os
from pathlib import Path

from stemsplit.errors import DatasetError
from stemsplit.evaluation.data.dataset import Dataset
from stemsplit.evaluation.data.layouts import read_layout

_VARIABLES = {"musdb": "MUSDB_PATH", "moisesdb": "MOISESDB_PATH"}


def open_dataset(path_or_name: Path | str, split: str | None = None) -> Dataset:
    """Find a data set and list its tracks; audio is opened only when it is read.

    Args:
        path_or_name: a folder of any layout that `stemsplit.evaluation.data.layouts` knows, or a
            name: musdb or moisesdb.
        split: which part; None takes ``test`` if there is one, else everything. For MUSDB ``train``
            is without the usual fourteen tracks of ``valid``.

    Raises:
        DatasetError: it is not there, has no such split, or holds no tracks.
    """
    return read_layout(find_dataset(path_or_name), split)


def find_dataset(path_or_name: Path | str) -> Path:
    """The folder of a data set.

    Raises:
        DatasetError: it is not there.
    """
    variable = _VARIABLES.get(str(path_or_name))
    if variable is not None and os.environ.get(variable):
        return Path(os.environ[variable]).expanduser()
    path = Path(path_or_name).expanduser()
    if not path.is_dir():
        raise DatasetError(f"Cannot find a data set at {path}: there is no such folder.")
    return path
