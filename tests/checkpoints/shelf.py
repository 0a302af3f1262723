"""A small catalogue in place of the real one: tiny networks on a loopback hub, and one bundled."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from stemsplit.checkpoints import (
    automatic,
    bundled,
    catalog,
    configurations,
    describe,
    manage,
    resolve,
)
from stemsplit.checkpoints.cache import Cache
from stemsplit.checkpoints.catalog import parse_catalog
from stemsplit.checkpoints.obtain import convert_into
from stemsplit.checkpoints.resolve import from_catalog
from tests.checkpoints import tiny
from tests.checkpoints.hub_server import Repository, Server

OWNER = "someone/models"
STEMS_6 = [*tiny.STEMS, "guitar", "piano"]

_HEAD = """
format = 1
by_quality = ["htdemucs_ft", "htdemucs", "htdemucs_6s", "mdx_q", "htdemucs_nn"]
[licences]
free = "Free."
[training_data.noise]
text = "noise"
"""
_MODEL = """
[[model]]
name = "{name}"
summary = "A tiny one"
members = {members}
"""
_FT_WEIGHTS = "stem_weights = [[1, 0, 0, 0], [0, 1, 1, 1]]\n"
_WEIGHTS = """
[[weights]]
id = "{id}"
architecture = "demucs"
stems = {stems}
sample_rate = 44_100
licence = "free"
trained_on = "noise"
source = "here"
files = [{{ format = "{format}", {place}, sha256 = "{sha256}" }}]
"""


@dataclass
class Shelf:
    """The files of the catalogue, by identifier of their weights."""

    folder: Path
    data: dict[str, bytes] = field(default_factory=dict)

    @property
    def bundled(self) -> Path:
        """The file that comes with the package."""
        return self.folder / "bundled" / "htdemucs_nn.safetensors"

    def put(self, server: Server) -> None:
        """Give everything to a hub."""
        files = {f"{name}.safetensors": data for name, data in self.data.items()}
        server.repositories[OWNER] = Repository(files)

    def warm(self, *ids: str) -> None:
        """Put weights into the cache, as a download would."""
        cache, listed = Cache(), parse_catalog(_text(self), origin="shelf.toml")
        for one in ids:
            entry = listed.find(one)
            assert entry is not None
            path = self.folder / f"{one}.safetensors"
            path.write_bytes(self.data[one])
            (member,) = from_catalog(entry, listed).members
            convert_into(cache, member, path, origin="here", origin_sha256="0" * 64)


def make_shelf(folder: Path, write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> Shelf:
    """Make the files, and let every lookup see the small catalogue.

    Args:
        folder: an existing one.
        write: writes a checkpoint of ours at a path, for `kwargs` of a tiny network, with a `seed`.
        monkeypatch: restores the real catalogue.
    """
    shelf = Shelf(folder)
    for seed, one in enumerate(("ft-drums", "ft-rest", "ht", "six", "old")):
        stems = STEMS_6 if one == "six" else tiny.STEMS
        path = folder / f"{one}.safetensors"
        tiny.write_reference(path, seed=seed, kwargs=tiny.options(stems))
        shelf.data[one] = path.read_bytes()
        path.unlink()
    shelf.bundled.parent.mkdir()
    write(shelf.bundled, seed=9)
    _install(shelf, monkeypatch)
    return shelf


def _text(shelf: Shelf) -> str:
    models = {
        "htdemucs_ft": ["ft-drums", "ft-rest"],
        "htdemucs": ["ht"],
        "htdemucs_6s": ["six"],
        "mdx_q": ["old"],
        "htdemucs_nn": ["nn"],
    }
    text = _HEAD
    for name, members in models.items():
        text += _MODEL.format(name=name, members=members)
        text += _FT_WEIGHTS if name == "htdemucs_ft" else ""
        text += "recommended = true\n" if name == "htdemucs" else ""
    for one, data in shelf.data.items():
        text += _WEIGHTS.format(
            id=one,
            stems=STEMS_6 if one == "six" else tiny.STEMS,
            format="reference",
            place=f'hub = "{OWNER}", path = "{one}.safetensors"',
            sha256=hashlib.sha256(data).hexdigest(),
        )
    return text + _WEIGHTS.format(
        id="nn",
        stems=tiny.STEMS,
        format="stemsplit",
        place=f'bundled = "{shelf.bundled.name}"',
        sha256=hashlib.sha256(shelf.bundled.read_bytes()).hexdigest(),
    )


def _install(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = parse_catalog(_text(shelf), origin="shelf.toml")
    for module in (automatic, catalog, configurations, describe, manage, resolve):
        monkeypatch.setattr(module, "load_catalog", lambda: listed)
    monkeypatch.setattr(bundled, "FOLDER", shelf.bundled.parent)
