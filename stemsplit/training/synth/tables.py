"""Tables of data that are shared out between training, validation and test.

A row belongs to one split. A song takes rows of its own split only, so that what a network is
tested with has styles, sounds and voices that it has never been trained with.
"""

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol, TypeVar, get_args

import numpy as np

from stemsplit.errors import ConfigError, suggest

Split = Literal["train", "valid", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)

Range = tuple[float, float]  # from, to; a song draws a value between

T = TypeVar("T")


class Row(Protocol):
    """A row of a table."""

    @property
    def split(self) -> Split:
        """The songs that may use it."""


R = TypeVar("R", bound=Row)


def check_split(name: str) -> Split:
    """The split of a name.

    Raises:
        ConfigError: there is no such split.
    """
    for split in SPLITS:
        if name == split:
            return split
    raise ConfigError(f"{name!r} is no split: choose {', '.join(SPLITS)}.{suggest(name, SPLITS)}")


def rows_of(table: Mapping[str, R], split: Split) -> dict[str, R]:
    """The rows that songs of a split may use, in the order of the table."""
    return {name: row for name, row in table.items() if row.split == split}


def choose(draw: np.random.Generator, among: Sequence[T]) -> T:
    """One of some things, each as likely; listed twice is twice as likely."""
    return among[int(draw.integers(len(among)))]


def between(draw: np.random.Generator, limits: Range) -> float:
    """A value from a range."""
    return float(draw.uniform(*limits))


def chance(draw: np.random.Generator, probability: float) -> bool:
    """True as often as `probability` says."""
    return bool(draw.random() < probability)
