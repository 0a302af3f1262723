"""Networks by name or by a TOML file of one's own.

Such a file names what it starts from and states what differs:

    extends = "htdemucs"           # a network, or another file
    summary = "A thinner transformer"
    stems = ["vocals", "accompaniment"]

    [transformer]                  # a table changes the fields it names
    layers = 3

    [[levels]]                     # an array takes the place of the whole array
    channels = 32

A field that may be left empty takes `"none"`, as in `transformer = "none"`. Nothing here imports
torch.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stemsplit.errors import ConfigError, UnknownModelError, suggest
from stemsplit.models.base import ModelConfig
from stemsplit.models.registry import (
    ARCHITECTURES,
    config_class,
    config_to_dict,
    variant_rows,
)
from stemsplit.models.serialization import from_plain
from stemsplit.models.toml_tables import follow, merge, read_table

SUFFIX = ".toml"

_WORDS = ("extends", "name", "summary")
_NAME = re.compile(r"\w[\w.-]{0,63}")


@dataclass(frozen=True, kw_only=True)
class NamedNetwork:
    """A network that has not been built: what it is called, and what to build it from."""

    name: str
    architecture: str
    config: ModelConfig
    summary: str
    source: str
    """Where it was described; for a file of one's own, that file and what it extends."""


def network_names() -> tuple[str, ...]:
    """Every registered network, architecture by architecture."""
    return tuple(name for architecture in ARCHITECTURES for name in variant_rows(architecture))


def registered_networks() -> tuple[NamedNetwork, ...]:
    """Every registered network, architecture by architecture."""
    return tuple(
        NamedNetwork(
            name=name,
            architecture=architecture,
            config=row.config,
            summary=row.summary,
            source=row.source,
        )
        for architecture in ARCHITECTURES
        for name, row in variant_rows(architecture).items()
    )


def is_network_file(name: str | Path) -> bool:
    """Whether `load_network` takes this for a file and not for the name of a network."""
    return isinstance(name, Path) or name.endswith(SUFFIX)


def load_network(name: str | Path) -> NamedNetwork:
    """The network that a name or a file stands for.

    Args:
        name: a registered network, or a TOML file as at the head of this module; a text is taken
            for a file if it ends with `.toml`.

    Raises:
        UnknownModelError: no network has this name, or the file is not there; the message offers
            the nearest names.
        ConfigError: the file is no TOML, or something in it does not fit; the message names the
            file, the key and the nearest key.
    """
    if is_network_file(name):
        return _read_file(_expand(name), ())
    for network in registered_networks():
        if network.name == name:
            return network
    hint = suggest(str(name), network_names())
    more = " `stemsplit models list --networks` shows all there are."
    raise UnknownModelError(f"There is no network {str(name)!r}.{hint or more}")


def _read_file(path: Path, extending: Sequence[Path]) -> NamedNetwork:
    """The network of a file.

    Args:
        path: the file.
        extending: see `follow`.
    """
    table = _parse(path)
    base = _base(path, table.get("extends"), follow(path, extending))
    name, summary = (_text(path, table, key) for key in ("name", "summary"))
    if name is None:
        name = path.stem
    elif _NAME.fullmatch(name) is None:
        raise ConfigError(
            f"{path}: name cannot be {name!r}: up to 64 letters, digits, '_', '-' and '.'."
        )
    return NamedNetwork(
        name=name,
        architecture=base.architecture,
        config=_change(path, base, {key: table[key] for key in table if key not in _WORDS}),
        summary=base.summary if summary is None else summary,
        source=f"{path}, which extends {base.name}",
    )


def _parse(path: Path) -> dict[str, Any]:
    try:
        return read_table(path)
    except FileNotFoundError as error:
        near = suggest(path.name, _neighbours(path))
        raise UnknownModelError(f"There is no file {path}.{near}") from error


def _expand(name: str | Path) -> Path:
    try:
        return Path(name).expanduser()
    except RuntimeError as error:  # the home of nobody
        raise UnknownModelError(f"There is no file {name}.") from error


def _neighbours(path: Path) -> list[str]:
    try:
        return [file.name for file in path.parent.glob(f"*{SUFFIX}")]
    except OSError:
        return []


def _base(path: Path, extends: Any, extending: Sequence[Path]) -> NamedNetwork:
    if not isinstance(extends, str) or not extends:
        raise ConfigError(
            f"{path}: extends must name a network or another file, such as extends = "
            '"htdemucs"; `stemsplit models list --networks` shows all there are.'
        )
    if is_network_file(extends):
        file = path.parent / _expand(extends)
        if not file.exists():
            near = suggest(file.name, _neighbours(file))
            raise ConfigError(f"{path}: extends names {extends}, which is not there.{near}")
        return _read_file(file, extending)
    try:
        return load_network(extends)
    except UnknownModelError as error:
        raise ConfigError(f"{path}: extends: {error}") from error


def _text(path: Path, table: Mapping[str, Any], key: str) -> str | None:
    value = table.get(key)
    if value is None or isinstance(value, str):
        return value
    raise ConfigError(f"{path}: {key} cannot be {value!r}: it takes text.")


def _change(path: Path, base: NamedNetwork, changes: Mapping[str, Any]) -> ModelConfig:
    plain = config_to_dict(base.config)
    for key in changes:
        if key not in plain:
            known = [*plain, *_WORDS]
            hint = suggest(key, known) or f" There are {', '.join(known)}."
            raise ConfigError(f"{path}: {key} does not exist in {base.architecture}.{hint}")
    try:
        return from_plain(config_class(base.architecture), merge(plain, changes), prefix="")
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error
