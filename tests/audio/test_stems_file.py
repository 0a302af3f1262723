"""Native Instruments Stems, byte by byte."""

import json
import struct
from pathlib import Path
from typing import Any

import pytest

from stemsplit.audio.stems_file import add_stem_box, stem_manifest, track_name

STEMS = ("drums", "bass", "other", "vocals")


def box(name: bytes, payload: bytes = b"") -> bytes:
    return struct.pack(">I", 8 + len(payload)) + name + payload


def boxes(data: bytes) -> dict[str, bytes]:
    """The boxes at one level, name to payload."""
    found = {}
    while data:
        length, name = struct.unpack_from(">I4s", data)
        found[name.decode()] = data[8:length]
        data = data[length:]
    return found


def manifest_of(path: Path) -> dict[str, Any]:
    user_data = boxes(boxes(path.read_bytes())["moov"])["udta"]
    loaded: dict[str, Any] = json.loads(boxes(user_data)["stem"])
    return loaded


def test_the_manifest_has_what_dj_software_asks_for() -> None:
    manifest = stem_manifest(STEMS)
    assert manifest["version"] == 1
    assert [stem["name"] for stem in manifest["stems"]] == ["Drums", "Bass", "Other", "Vocals"]
    assert all(len(stem["color"]) == 7 for stem in manifest["stems"])
    assert len({stem["color"] for stem in manifest["stems"]}) == 4
    assert manifest["mastering_dsp"]["compressor"]["enabled"] is False
    assert manifest["mastering_dsp"]["limiter"]["enabled"] is False
    assert len({s["color"] for s in stem_manifest(("a", "b", "c", "d"))["stems"]}) == 4


def test_names_are_readable() -> None:
    assert track_name("no_vocals") == "No vocals"


@pytest.mark.parametrize("user_data", [b"", box(b"udta"), box(b"udta", box(b"meta", b"tags"))])
def test_the_box_is_added_and_the_rest_is_kept(tmp_path: Path, user_data: bytes) -> None:
    path = tmp_path / "x.stem.m4a"
    sound = bytes(range(200))
    moov = box(b"moov", box(b"mvhd", b"header") + user_data)
    path.write_bytes(box(b"ftyp", b"M4A ") + box(b"mdat", sound) + moov)
    add_stem_box(path, STEMS)
    found = boxes(path.read_bytes())
    assert list(found) == ["ftyp", "mdat", "moov"]
    assert found["mdat"] == sound
    inner = boxes(found["moov"])
    assert inner["mvhd"] == b"header"
    assert boxes(inner["udta"]).get("meta") == (b"tags" if b"meta" in user_data else None)
    assert manifest_of(path) == stem_manifest(STEMS)


def test_a_sound_box_beyond_4_gb_is_stepped_over(tmp_path: Path) -> None:
    path = tmp_path / "x.stem.m4a"
    long_box = struct.pack(">I4sQ", 1, b"mdat", 16 + 50) + bytes(50)
    path.write_bytes(long_box + box(b"moov"))
    add_stem_box(path, STEMS)
    assert boxes(boxes(path.read_bytes()[66:])["moov"])["udta"][4:8] == b"stem"


@pytest.mark.parametrize(
    "data", [b"", b"RIFF nonsense", box(b"moov") + box(b"mdat"), box(b"moov")[:-1] + b"\0\0"]
)
def test_other_files_are_refused_and_left_alone(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x"
    path.write_bytes(data)
    with pytest.raises(ValueError, match="moov"):
        add_stem_box(path, STEMS)
    assert path.read_bytes() == data
