"""Scores that others published for models of the catalogue; imports no torch."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from stemsplit.errors import CatalogFormatError

UNSTATED = "unstated"
ALL_STEMS = "all"


@dataclass(frozen=True, kw_only=True)
class PublishedFigure:
    """What somebody measured of a model."""

    model: str
    data: str
    """Data set and split, as `set:split`."""
    metric: str
    """Name of a metric of ours that is defined alike, or `unstated`."""
    statistic: str
    """How tracks are summarised: `median`, `mean`, `pooled_median`, `pooled_mean`, `unstated`."""
    values: Mapping[str, float]
    """Stem to decibels; `all` is the mean over the stems."""
    definition: str
    """In words."""
    source: str
    """Address."""


@cache
def load_published() -> tuple[PublishedFigure, ...]:
    """The figures that come with the package."""
    text = resources.files(__package__).joinpath("published.toml").read_text(encoding="utf-8")
    return parse_published(text)


def parse_published(text: str) -> tuple[PublishedFigure, ...]:
    """Read and check a list of figures.

    Raises:
        CatalogFormatError: a table lacks something, or holds something else.
    """
    try:
        tables = tomllib.loads(text)["figure"]
        return tuple(_figure(table) for table in tables)
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise CatalogFormatError(f"The list of published figures is faulty: {error}.") from error


def _figure(table: Mapping[str, Any]) -> PublishedFigure:
    values = {str(stem): float(value) for stem, value in table["values"].items()}
    words = {key: str(value) for key, value in table.items() if key != "values"}
    return PublishedFigure(values=values, **words)
