"""Tables of TOML files, and how one changes another. Nothing here imports torch."""

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stemsplit.errors import ConfigError

_MAX_BYTES = 1_000_000  # a configuration has a few thousand


def read_table(path: Path) -> dict[str, Any]:
    """The table that a TOML file holds.

    Raises:
        FileNotFoundError: the file is not there.
        ConfigError: it cannot be read, or is no TOML; the message names it.
    """
    try:
        size = path.stat().st_size
        if size > _MAX_BYTES:
            raise ConfigError(f"{path} has {size} bytes, which is no configuration.")
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror or error}.") from error
    except RecursionError as error:
        raise ConfigError(
            f"{path} is no TOML file: its tables lie too deep in each other."
        ) from error
    except ValueError as error:  # of the encoding, the syntax, or a number without end
        reason = str(error).partition("\n")[0].rstrip(".")
        raise ConfigError(f"{path} is no TOML file: {reason}.") from error


def follow(path: Path, extending: Sequence[Path]) -> tuple[Path, ...]:
    """The files that led to a file by their `extends`, and the file itself.

    Args:
        path: the file.
        extending: what this returned for the file that extends it; empty for the first one.

    Raises:
        ConfigError: the file is among them.
    """
    if path.resolve() in extending:
        circle = " extends ".join(file.name for file in (*extending, path))
        raise ConfigError(f"{path}: its files extend each other in a circle: {circle}.")
    return (*extending, path.resolve())


def merge(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with every value of `changes`; a table changes a table, all else replaces."""
    merged = dict(base)
    for key, value in changes.items():
        before = base.get(key)
        if isinstance(value, Mapping) and isinstance(before, Mapping):
            merged[key] = merge(before, value)
        else:
            merged[key] = value
    return merged
