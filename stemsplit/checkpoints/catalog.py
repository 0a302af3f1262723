"""The published models as data: what exists, where it lies, and under which terms.

`catalog.toml` is read and checked here. Nothing in this module imports torch or opens a socket.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any, Literal, get_args

from stemsplit.errors import CatalogFormatError, suggest
from stemsplit.models.base import STEMS_4

FileFormat = Literal["stemsplit", "reference", "legacy", "torchaudio"]
"""How a file holds its weights.

`stemsplit` is our own safetensors file, `reference` the safetensors file of demucs 4.1, `legacy`
the `.th` package of older versions, `torchaudio` a bare state dictionary.
"""

FORMAT_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class PublishedFile:
    """One file that holds the weights of one network, on the internet or in this package."""

    format: FileFormat
    hub: str | None = None
    """Hub repository `owner/name`; None for a plain URL."""
    path: str | None = None
    """Path inside the hub repository."""
    revision: str | None = None
    """Branch, tag or commit of the hub repository; None is its default branch."""
    url: str | None = None
    bundled: str | None = None
    """File name in `stemsplit/bundled`; such a file is never fetched."""
    sha256: str | None = None
    """64 digits, or the first 8 or more that the publisher states; None where nobody states any."""
    bytes: int | None = None

    @property
    def name(self) -> str:
        """File name, as a browser would save it."""
        return str(self.bundled or self.path or self.url).rsplit("/", 1)[-1]

    @property
    def address(self) -> str:
        """Where the file lies, for a person to read."""
        if self.bundled is not None:
            return "comes with stemsplit"
        return (
            self.url or f"hf:{self.hub}{'@' + self.revision if self.revision else ''}/{self.path}"
        )


@dataclass(frozen=True, kw_only=True)
class WeightsEntry:
    """The weights of one network and the files they can be had from, best first."""

    id: str
    architecture: str
    variant: str | None = None
    """Named configuration, for files that do not carry their own."""
    stems: tuple[str, ...] = STEMS_4
    sample_rate: int
    licence: str
    """The terms, in a sentence or two."""
    trained_on: str
    trained_sets: tuple[str, ...] = ()
    """The public part of it, as `set:split`; empty where nothing is known."""
    source: str
    files: tuple[PublishedFile, ...]


@dataclass(frozen=True, kw_only=True)
class ModelEntry:
    """What a user names: one or more networks that answer together."""

    name: str
    aliases: tuple[str, ...] = ()
    summary: str
    members: tuple[str, ...]
    """Identifiers of weights."""
    stem_weights: tuple[tuple[float, ...], ...]
    """One row per member, one column per stem: how much the member says about the stem."""
    segment_seconds: float | None = None
    """Length of a forward pass, where the ensemble overrides the networks' own."""
    is_recommended: bool = False
    deprecated_by: str | None = None


@dataclass(frozen=True)
class Catalog:
    """All models and weights, by name."""

    weights: Mapping[str, WeightsEntry]
    models: Mapping[str, ModelEntry]
    _by_any_name: Mapping[str, ModelEntry] = field(repr=False)
    by_quality: tuple[ModelEntry, ...] = ()
    """The models that `--model auto` chooses from, best first."""

    def find(self, name: str) -> ModelEntry | None:
        """The model of this name, alias or single signature, or None."""
        if name in self._by_any_name:
            return self._by_any_name[name]
        if name in self.weights:
            return _single(self.weights[name])
        return None

    @property
    def names(self) -> tuple[str, ...]:
        """Every name, alias and signature that `find` knows."""
        return (*self._by_any_name, *self.weights)

    def stems_of(self, model: ModelEntry) -> tuple[str, ...]:
        """Stems of a model, in the order of its weights."""
        return self.weights[model.members[0]].stems


@cache
def load_catalog() -> Catalog:
    """The catalogue that comes with the package."""
    text = resources.files(__package__).joinpath("catalog.toml").read_text(encoding="utf-8")
    return parse_catalog(text, origin="catalog.toml")


def parse_catalog(text: str, *, origin: str) -> Catalog:
    """Read and check a catalogue.

    Args:
        text: TOML, see `catalog.toml` for the schema.
        origin: what to call it in messages.

    Raises:
        CatalogFormatError: the text is no TOML, or breaks the schema anywhere.
    """
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise CatalogFormatError(f"{origin} is not valid TOML: {error}.") from error
    top = _Table(tables, origin)
    version = top.take("format", int)
    if version != FORMAT_VERSION:
        raise CatalogFormatError(
            f"{origin} has format {version}; this version reads {FORMAT_VERSION}."
        )
    licences = {key: str(text) for key, text in top.take("licences", dict).items()}
    training = top.take("training_data", dict)
    weights: dict[str, WeightsEntry] = {}
    for raw in top.take("weights", list):
        entry = _read_weights(_Table(raw, f"{origin}, weights"), licences, training)
        _add(weights, entry.id, entry, origin)
    models: dict[str, ModelEntry] = {}
    by_any_name: dict[str, ModelEntry] = {}
    for raw in top.take("model", list):
        model = _read_model(_Table(raw, f"{origin}, model"), weights)
        _add(models, model.name, model, origin)
        for name in (model.name, *model.aliases):
            _add(by_any_name, name, model, origin)
    ranking = top.take_names("by_quality", optional=True)
    top.finish()
    _check_names(weights, models, by_any_name, origin)
    for name in ranking:
        if name not in models:
            raise CatalogFormatError(f"{origin}: by_quality: unknown model {name!r}.")
    return Catalog(weights, models, by_any_name, tuple(models[name] for name in ranking))


def _single(weights: WeightsEntry) -> ModelEntry:
    """A signature on its own: an ensemble of one."""
    return ModelEntry(
        name=weights.id,
        summary=f"One {weights.architecture} network",
        members=(weights.id,),
        stem_weights=((1.0,) * len(weights.stems),),
    )


class _Table:
    """A TOML table whose keys are taken one by one; what is left at the end is an error."""

    def __init__(self, values: Any, where: str) -> None:
        if not isinstance(values, dict):
            raise CatalogFormatError(f"{where}: expected a table, found {values!r}.")
        label = values.get("name", values.get("id"))
        self.where = f"{where} {label!r}" if isinstance(label, str) else where
        self._values = dict(values)
        self._asked: set[str] = set()

    def take(self, key: str, kind: type | tuple[type, ...], *, optional: bool = False) -> Any:
        self._asked.add(key)
        value = self._values.pop(key, None)
        if value is None and optional:
            return None
        # A TOML boolean is a Python int, but never a number in this schema.
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            found = "is missing" if value is None else f"has the wrong type: {value!r}"
            raise CatalogFormatError(f"{self.where}: {key} {found}.")
        return value

    def take_names(self, key: str, *, optional: bool = False) -> tuple[str, ...]:
        values = self.take(key, list, optional=optional) or []
        if not all(isinstance(value, str) and value for value in values):
            raise CatalogFormatError(f"{self.where}: {key} must be a list of names.")
        if len(set(values)) != len(values) or not (values or optional):
            raise CatalogFormatError(f"{self.where}: {key} must be distinct and at least one.")
        return tuple(values)

    def finish(self) -> None:
        for key in self._values:
            hint = suggest(key, self._asked)
            raise CatalogFormatError(f"{self.where}: unknown key {key!r}.{hint}")


def _read_weights(
    table: _Table, licences: Mapping[str, str], training: Mapping[str, Any]
) -> WeightsEntry:
    licence = table.take("licence", str)
    if licence not in licences:
        raise CatalogFormatError(f"{table.where}: unknown licence {licence!r}.")
    trained_on = table.take("trained_on", str)
    if trained_on not in training:
        raise CatalogFormatError(f"{table.where}: unknown training data {trained_on!r}.")
    data = _Table(training[trained_on], f"{table.where}, training data")
    entry = WeightsEntry(
        id=table.take("id", str),
        architecture=table.take("architecture", str),
        variant=table.take("variant", str, optional=True),
        stems=table.take_names("stems"),
        sample_rate=table.take("sample_rate", int),
        licence=licences[licence],
        trained_on=data.take("text", str),
        trained_sets=data.take_names("sets", optional=True),
        source=table.take("source", str),
        files=tuple(
            _read_file(_Table(raw, f"{table.where}, files")) for raw in table.take("files", list)
        ),
    )
    data.finish()
    table.finish()
    for name in entry.trained_sets:
        if not re.fullmatch(r"[a-z0-9]+:[a-z0-9]+", name):
            raise CatalogFormatError(f"{table.where}: {name!r} is not set:split.")
    if any(file.bundled for file in entry.files) and len(entry.files) > 1:
        raise CatalogFormatError(f"{table.where}: a bundled file is the only one.")
    if not entry.files:
        raise CatalogFormatError(f"{table.where}: there is no file to get the weights from.")
    if any(file.format == "torchaudio" for file in entry.files) and entry.variant is None:
        raise CatalogFormatError(f"{table.where}: a torchaudio file needs a variant.")
    return entry


def _read_file(table: _Table) -> PublishedFile:
    file = PublishedFile(
        format=table.take("format", str),
        hub=table.take("hub", str, optional=True),
        path=table.take("path", str, optional=True),
        revision=table.take("revision", str, optional=True),
        url=table.take("url", str, optional=True),
        bundled=table.take("bundled", str, optional=True),
        sha256=table.take("sha256", str, optional=True),
        bytes=table.take("bytes", int, optional=True),
    )
    table.finish()
    if file.format not in get_args(FileFormat):
        raise CatalogFormatError(f"{table.where}: unknown format {file.format!r}.")
    given = tuple(key for key in ("hub", "path", "url", "bundled") if getattr(file, key))
    if given not in (("hub", "path"), ("url",), ("bundled",)):
        raise CatalogFormatError(f"{table.where}: give either hub and path, or url, or bundled.")
    if file.bundled is not None and not re.fullmatch(r"\w[\w.-]*\.safetensors", file.bundled):
        raise CatalogFormatError(f"{table.where}: bundled must be the name of a safetensors file.")
    if file.hub is not None and file.hub.count("/") != 1:
        raise CatalogFormatError(f"{table.where}: hub must be owner/name, got {file.hub!r}.")
    if file.url is not None and not file.url.startswith("https://"):
        raise CatalogFormatError(f"{table.where}: url must begin with https://, got {file.url!r}.")
    if file.sha256 is not None and not re.fullmatch(r"[0-9a-f]{8}|[0-9a-f]{64}", file.sha256):
        raise CatalogFormatError(f"{table.where}: sha256 must be 8 or 64 hexadecimal digits.")
    return file


def _read_model(table: _Table, weights: Mapping[str, WeightsEntry]) -> ModelEntry:
    members = table.take_names("members")
    for member in members:
        if member not in weights:
            hint = suggest(member, weights)
            raise CatalogFormatError(f"{table.where}: unknown weights {member!r}.{hint}")
    first = weights[members[0]]
    for member in members:
        if (weights[member].stems, weights[member].sample_rate) != (first.stems, first.sample_rate):
            raise CatalogFormatError(f"{table.where}: members differ in stems or sample rate.")
    rows = table.take("stem_weights", list, optional=True)
    seconds = table.take("segment_seconds", (int, float), optional=True)
    model = ModelEntry(
        name=table.take("name", str),
        aliases=table.take_names("aliases", optional=True),
        summary=table.take("summary", str),
        members=members,
        stem_weights=check_stem_weights(rows, len(members), first.stems, table.where),
        segment_seconds=None if seconds is None else float(seconds),
        is_recommended=bool(table.take("recommended", bool, optional=True)),
        deprecated_by=table.take("deprecated_by", str, optional=True),
    )
    table.finish()
    if model.segment_seconds is not None and model.segment_seconds <= 0:
        raise CatalogFormatError(f"{table.where}: segment_seconds must be above 0.")
    return model


def check_stem_weights(
    rows: Any, num_members: int, stems: tuple[str, ...], where: str
) -> tuple[tuple[float, ...], ...]:
    """The weights of an ensemble, checked; equal weights when none are given.

    Args:
        rows: a list with one row per member and one number per stem, or None.
        num_members: networks in the ensemble.
        stems: their stems, in order.
        where: what to call the table in messages.

    Raises:
        CatalogFormatError: the rows have another shape, a number is negative or no number, or a
            stem has no member that speaks for it.
    """
    if rows is None:
        return ((1.0,) * len(stems),) * num_members
    shape = f"{num_members} rows of {len(stems)} numbers"
    if not isinstance(rows, list) or len(rows) != num_members:
        raise CatalogFormatError(f"{where}: the stem weights must be {shape}.")
    for row in rows:
        if not isinstance(row, list) or len(row) != len(stems):
            raise CatalogFormatError(f"{where}: the stem weights must be {shape}.")
        for value in row:
            if not isinstance(value, int | float) or isinstance(value, bool):
                raise CatalogFormatError(f"{where}: a stem weight must be a number.")
            if not 0 <= value < float("inf"):
                raise CatalogFormatError(f"{where}: a stem weight cannot be {value!r}.")
    for stem, column in zip(stems, zip(*rows, strict=True), strict=True):
        if not any(column):
            raise CatalogFormatError(f"{where}: no member has a weight for the stem {stem}.")
    return tuple(tuple(float(value) for value in row) for row in rows)


def _add(table: dict[str, Any], name: str, entry: Any, origin: str) -> None:
    if name in table:
        raise CatalogFormatError(f"{origin}: the name {name!r} is given twice.")
    table[name] = entry


def _check_names(
    weights: Mapping[str, WeightsEntry],
    models: Mapping[str, ModelEntry],
    by_any_name: Mapping[str, ModelEntry],
    origin: str,
) -> None:
    for name in by_any_name:
        if name in weights:
            raise CatalogFormatError(f"{origin}: {name!r} names both a model and weights.")
    for model in models.values():
        if model.deprecated_by is not None and model.deprecated_by not in models:
            raise CatalogFormatError(
                f"{origin}: {model.name!r} is deprecated by the unknown {model.deprecated_by!r}."
            )
