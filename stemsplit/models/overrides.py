"""Single fields of nested configurations, set by text such as `optim.lr=3e-4`.

The value is read as what the field holds: text needs no quotation marks, and a list of plain values
no brackets, as in `stems=vocals,drums`. Nothing here imports torch.
"""

import dataclasses
import tomllib
import types
import typing
from collections.abc import Iterable, Mapping
from typing import Any

from stemsplit.errors import ConfigError, suggest
from stemsplit.models.toml_tables import merge


def override(kind: type, plain: Mapping[str, Any], texts: Iterable[str]) -> dict[str, Any]:
    """Plain data of a configuration with some fields changed.

    Types are looked at only as far as the text needs to be understood; `from_plain` checks them.

    Args:
        kind: the dataclass that `plain` is of.
        plain: what `to_plain` returned.
        texts: `key=value`, the key with dots between the levels; later ones win.

    Raises:
        ConfigError: a text has no `=`, or its key does not exist; the message offers the nearest.
    """
    changed = dict(plain)
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals:
            raise ConfigError(f"{text!r} sets nothing: write it as key=value.")
        names = key.strip().split(".")
        change = _read(_hint(kind, names), value.strip())
        for name in reversed(names):
            change = {name: change}
        changed = merge(changed, change)
    return changed


def field_names(kind: type) -> list[str]:
    """Every field of a dataclass and of those in it, such as `optim.lr`."""
    names = []
    for name, hint in typing.get_type_hints(kind).items():
        names.append(name)
        inner = _without_none(hint)
        if dataclasses.is_dataclass(inner) and isinstance(inner, type):
            names += [f"{name}.{more}" for more in field_names(inner)]
    return names


def _hint(kind: type, names: list[str]) -> Any:
    hint: Any = kind
    for depth, name in enumerate(names):
        fields = (
            typing.get_type_hints(hint)
            if isinstance(hint, type) and dataclasses.is_dataclass(hint)
            else {}
        )
        if name not in fields:
            raise ConfigError(_unknown(kind, names, ".".join(names[:depth])))
        hint = _without_none(fields[name])
    return hint


def _unknown(kind: type, names: list[str], parent: str) -> str:
    key, known = ".".join(names), field_names(kind)
    same = [name for name in known if name.rpartition(".")[2] == names[-1]]
    hint = f" Did you mean {' or '.join(same)}?" if same else suggest(key, known)
    if not hint:
        siblings = [name for name in known if name.rpartition(".")[0] == parent]
        hint = f" There are {', '.join(siblings)}." if siblings else ""
    return f"{key} does not exist.{hint}"


def _without_none(hint: Any) -> Any:
    if typing.get_origin(hint) is types.UnionType:
        (hint,) = (part for part in typing.get_args(hint) if part is not type(None))
    return hint


def _read(hint: Any, text: str) -> Any:
    """The value that a text stands for; what cannot be understood stays text."""
    try:
        table = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        table = {}
    value = table["value"] if len(table) == 1 else text
    if hint is str and not isinstance(value, str):  # a name such as 955717e8 is no number
        return text
    if typing.get_origin(hint) is tuple and not isinstance(value, list) and text != "none":
        (item, *_) = typing.get_args(hint)
        return [_read(item, part.strip()) for part in text.split(",") if part.strip()]
    return value
