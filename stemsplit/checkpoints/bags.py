"""Bag files: which networks answer together, in the YAML that demucs uses and that we write too.

```yaml
models: [f7e0c4bc, d12395a8]     # names of the files beside it, without the ending
weights: [[1, 0], [0, 1]]        # optional: one row per model, one number per stem
segment: 44                      # optional: seconds of audio per forward pass
licence: ...                     # optional, ours
trained_on: ...                  # optional, ours
```
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from stemsplit.checkpoints.catalog import check_stem_weights
from stemsplit.checkpoints.weights import CheckpointInfo
from stemsplit.errors import CatalogFormatError

_MAX_BYTES = 100_000
_KEYS = ("models", "weights", "segment", "licence", "trained_on")


@dataclass(frozen=True, kw_only=True)
class Bag:
    """The members of an ensemble by file name, and how they are combined."""

    members: tuple[str, ...]
    stem_weights: list[list[float]] | None = None
    """As in the file; checked against the stems once these are known."""
    segment_seconds: float | None = None
    licence: str | None = None
    trained_on: str | None = None


def is_bag(data: bytes) -> bool:
    """Whether a YAML file is meant as a bag: it has a list `models`, or may have one but is faulty.

    Args:
        data: contents of the file.
    """
    try:
        found = yaml.safe_load(data[:_MAX_BYTES])
    except (yaml.YAMLError, ValueError, RecursionError):
        return b"models" in data
    return isinstance(found, dict) and isinstance(found.get("models"), list)


def parse_bag(text: str, *, origin: str) -> Bag:
    """Read a bag file.

    Args:
        text: YAML.
        origin: what to call it in messages.

    Raises:
        CatalogFormatError: the text is no YAML, or no bag.
    """
    if len(text) > _MAX_BYTES:
        raise CatalogFormatError(f"{origin} is too large for a bag of models.")
    try:
        data = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        reason = str(error).splitlines()[0] if str(error) else "too deeply nested"
        raise CatalogFormatError(f"{origin} is not valid YAML: {reason}.") from error
    if not isinstance(data, dict) or not isinstance(data.get("models"), list):
        raise CatalogFormatError(f"{origin} is no bag of models: it has no list `models`.")
    members = tuple(_name(value) for value in data["models"])
    if not all(members) or not members:
        raise CatalogFormatError(f"{origin}: `models` must be names of files beside it.")
    segment = data.get("segment")
    is_number = isinstance(segment, int | float) and not isinstance(segment, bool)
    if segment is not None and not (is_number and 0 < segment < 1e6):
        raise CatalogFormatError(f"{origin}: `segment` must be seconds above 0.")
    return Bag(
        members=members,
        stem_weights=data.get("weights"),
        segment_seconds=None if segment is None else float(segment),
        licence=_text(data, "licence"),
        trained_on=_text(data, "trained_on"),
    )


def format_bag(bag: Bag) -> str:
    """The text of a bag file that `parse_bag` reads back."""
    data: dict[str, Any] = {
        "models": list(bag.members),
        "weights": bag.stem_weights,
        "segment": bag.segment_seconds,
        "licence": bag.licence,
        "trained_on": bag.trained_on,
    }
    kept = {key: data[key] for key in _KEYS if data[key] is not None}
    return yaml.safe_dump(kept, sort_keys=False, allow_unicode=True, default_flow_style=None)


def combine(
    infos: Sequence[CheckpointInfo], bag: Bag | None, *, origin: str
) -> tuple[CheckpointInfo, tuple[tuple[float, ...], ...]]:
    """Check that networks can answer together.

    Args:
        infos: what the files say about their networks.
        bag: how they are combined; None weighs them equally.
        origin: what to call the ensemble in messages.

    Returns:
        What they have in common, and the stem weights.

    Raises:
        CatalogFormatError: they differ in stems, sample rate or channels, or the stem weights do
            not fit.
    """
    first = infos[0]
    for info in infos[1:]:
        if (info.stems, info.sample_rate, info.channels) != (
            first.stems,
            first.sample_rate,
            first.channels,
        ):
            raise CatalogFormatError(
                f"{origin}: its networks differ in stems, sample rate or channels."
            )
    rows = bag.stem_weights if bag is not None else None
    return first, check_stem_weights(rows, len(infos), first.stems, origin)


def _name(value: Any) -> str:
    """A file name, or nothing if it is none.

    A bag from the internet must not point anywhere but beside itself. Only scalars become text: by
    aliases, a list of a few lines can be longer than any memory.
    """
    name = str(value) if isinstance(value, str | int) else ""
    return "" if name in (".", "..") or any(char in name for char in "/\\\0:") else name


def _text(data: dict[str, Any], key: str) -> str | None:
    value = data.get(key)
    return str(value) if isinstance(value, str | int | float) else None
