"""Configurations as plain data and back, for any frozen dataclass made of plain values.

Fields may hold numbers, strings, booleans, literals, tuples of one kind, other such dataclasses,
and None where the type says so. TOML has no None: there the text "none" stands for it.
"""

import dataclasses
import math
import types
import typing
from collections.abc import Mapping
from typing import Any, Literal, TypeVar

from stemsplit.errors import ConfigError, suggest

T = TypeVar("T")

_NONE = "none"

_KINDS = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}


def to_plain(value: Any) -> Any:
    """Dicts, lists and scalars that JSON can hold."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: to_plain(getattr(value, field.name)) for field in dataclasses.fields(value)
        }
    if isinstance(value, tuple):
        return [to_plain(item) for item in value]
    return value


def from_plain(kind: type[T], data: Mapping[str, Any], *, prefix: str | None = None) -> T:
    """The dataclass that `to_plain` was given.

    Args:
        kind: the dataclass.
        data: what `to_plain` returned, perhaps through JSON. Fields with a default may be missing.
        prefix: what stands before the names of fields in messages; None for that of the dataclass
            and a dot.

    Raises:
        ConfigError: a field is unknown, missing, or of another type than the dataclass says.
    """
    prefix = f"{kind.__name__}." if prefix is None else prefix
    hints = typing.get_type_hints(kind)
    fields = {field.name: field for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    for name in data:
        if name not in fields:
            hint = suggest(name, fields) or f" There are {', '.join(fields)}."
            raise ConfigError(f"{prefix}{name} does not exist.{hint}")
    for name, field in fields.items():
        optional = (field.default, field.default_factory) != (dataclasses.MISSING,) * 2
        if name not in data and not optional:
            raise ConfigError(f"{prefix}{name} is missing.")
    return kind(
        **{name: _convert(hints[name], value, f"{prefix}{name}") for name, value in data.items()}
    )


def _convert(hint: Any, value: Any, where: str) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is types.UnionType:
        if value in (None, _NONE) and type(None) in arguments:
            return None
        (hint,) = (kind for kind in arguments if kind is not type(None))
        return _convert(hint, value, where)
    if origin is Literal and value in arguments:
        return value
    if origin is tuple and isinstance(value, (list, tuple)):
        return tuple(
            _convert(arguments[0], item, f"{where}[{index}]") for index, item in enumerate(value)
        )
    if dataclasses.is_dataclass(hint) and isinstance(value, Mapping):
        return from_plain(hint, value, prefix=f"{where}.")  # type: ignore[arg-type]
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if hint in (int, float, str, bool) and type(value) is hint and _is_finite(value):
        return value
    raise ConfigError(f"{where} cannot be {value!r}: it takes {_expected(hint)}.")


def _is_finite(value: Any) -> bool:
    return not isinstance(value, float) or math.isfinite(value)


def _expected(hint: Any) -> str:
    if typing.get_origin(hint) is Literal:
        return " or ".join(str(choice) for choice in typing.get_args(hint))
    if typing.get_origin(hint) is tuple:
        return "a list"
    return "a table" if dataclasses.is_dataclass(hint) else _KINDS[hint]
