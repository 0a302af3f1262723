"""Native Instruments Stems: one MP4 file with the mix and four stems, for DJ software.

Five stereo audio tracks of equal length. The first is the mix and the only one that is enabled, so
that any player plays the song. The box `moov/udta/stem` holds JSON with names and colours of the
stems and settings of a compressor and a limiter, which are switched off here: they would change the
sum of the stems.

Source: the format as NI's Stem Creator writes it (github.com/axeldelafosse/stemgen, folder ni-stem)
and as Mixxx reads it (src/track/steminfoimporter.cpp, src/sources/soundsourcestem.cpp). The box is
written here, where others need MP4Box.
"""

import json
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

_COLOURS = {"drums": "#009E73", "bass": "#D55E00", "other": "#CC79A7", "vocals": "#56B4E9"}
_OTHER_COLOURS = ("#E69F00", "#0072B2", "#F0E442", "#999999")  # for stems of other names
_MASTERING = {
    "compressor": {
        "enabled": False,
        "ratio": 3,
        "output_gain": 0.5,
        "release": 0.3,
        "attack": 0.003,
        "input_gain": 0.5,
        "threshold": 0,
        "hp_cutoff": 300,
        "dry_wet": 50,
    },
    "limiter": {"enabled": False, "release": 0.05, "threshold": 0, "ceiling": -0.35},
}


def stem_manifest(stems: Sequence[str]) -> dict[str, Any]:
    """What the `stem` box says about the stems, in the order of their tracks."""
    return {
        "mastering_dsp": _MASTERING,
        "version": 1,
        "stems": [
            {"color": _COLOURS.get(stem, _OTHER_COLOURS[place % 4]), "name": track_name(stem)}
            for place, stem in enumerate(stems)
        ],
    }


def track_name(stem: str) -> str:
    """How a stem is called in players: `no_vocals` becomes `No vocals`."""
    return stem.replace("_", " ").capitalize()


def add_stem_box(path: Path, stems: Sequence[str]) -> None:
    """Put the `stem` box into an MP4 file whose `moov` box comes last, as ffmpeg writes it.

    Args:
        path: the file, changed in place.
        stems: names of the four stems, in the order of their tracks.

    Raises:
        ValueError: this is no MP4 file with `moov` at its end; nothing is changed.
    """
    payload = json.dumps(stem_manifest(stems), ensure_ascii=False).encode("utf-8")
    with path.open("r+b") as file:
        start = _find_last_moov(file)
        file.seek(start)
        moov = _with_stem_box(file.read(), _box(b"stem", payload))
        file.seek(start)
        file.write(moov)


def _find_last_moov(file: BinaryIO) -> int:
    size_bytes = file.seek(0, 2)
    offset = 0
    name = b""
    start = 0
    while offset + 8 <= size_bytes:
        start = offset
        file.seek(offset)
        length, name = struct.unpack(">I4s", file.read(8))
        if length == 1:  # the length follows, in 64 bits
            length = struct.unpack(">Q", file.read(8))[0]
        if length < 8:
            break
        offset += length
    if name != b"moov" or offset != size_bytes:
        raise ValueError("an MP4 file with `moov` as its last box is needed")
    return start


def _with_stem_box(moov: bytes, stem_box: bytes) -> bytes:
    children = list(_children(moov))
    user_data = next((box for box in children if box[4:8] == b"udta"), _box(b"udta", b""))
    others = [box for box in children if box[4:8] != b"udta"]
    return _box(b"moov", b"".join(others) + _box(b"udta", user_data[8:] + stem_box))


def _children(box: bytes) -> Any:
    offset = 8
    while offset + 8 <= len(box):
        length = struct.unpack_from(">I", box, offset)[0]
        if length < 8:
            raise ValueError("an MP4 box of impossible length")
        yield box[offset : offset + length]
        offset += length


def _box(name: bytes, payload: bytes) -> bytes:
    return struct.pack(">I", 8 + len(payload)) + name + payload
