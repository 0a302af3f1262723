"""Configurations as plain data and back, for any frozen dataclass made of plain values.

Fields may hold numbers, strings, booleans, literals, tuples of one kind, other such dataclasses,
and None where the type says so.
"""

import dataclasses
import types
import typing
from collections.abc import Mapping
from typing import Any, Literal, TypeVar

from stemsplit.errors import ConfigError, suggest

T = TypeVar("T")


def to_plain(value: Any) -> Any:
    """Dicts, lists and scalars that JSON can hold."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: to_plain(getattr(value, field.name)) for field in dataclasses.fields(value)
        }
    if isinstance(value, tuple):
        return [to_plain(item) for item in value]
    return value


def from_plain(kind: type[T], data: Mapping[str, Any]) -> T:
    """The dataclass that `to_plain` was given.

    Args:
        kind: the dataclass.
        data: what `to_plain` returned, perhaps through JSON. Fields with a default may be missing.

    Raises:
        ConfigError: a field is unknown, missing, or of another type than the dataclass says.
    """
    hints = typing.get_type_hints(kind)
    fields = {field.name: field for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    for name in data:
        if name not in fields:
            raise ConfigError(f"{kind.__name__} has no field {name!r}.{suggest(name, fields)}")
    for name, field in fields.items():
        optional = (field.default, field.default_factory) != (dataclasses.MISSING,) * 2
        if name not in data and not optional:
            raise ConfigError(f"{kind.__name__} lacks its field {name!r}.")
    return kind(
        **{
            name: _convert(hints[name], value, f"{kind.__name__}.{name}")
            for name, value in data.items()
        }
    )


def _convert(hint: Any, value: Any, where: str) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is types.UnionType:
        if value is None and type(None) in arguments:
            return None
        (hint,) = (kind for kind in arguments if kind is not type(None))
        return _convert(hint, value, where)
    if origin is Literal and value in arguments:
        return value
    if origin is tuple and isinstance(value, (list, tuple)):
        return tuple(_convert(arguments[0], item, where) for item in value)
    if dataclasses.is_dataclass(hint) and isinstance(value, Mapping):
        return from_plain(hint, value)  # type: ignore[arg-type]
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if hint in (int, float, str, bool) and type(value) is hint:
        return value
    raise ConfigError(f"{where} cannot be {value!r}.")
