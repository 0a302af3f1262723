"""Tags and cover art: carried over from the song, with the stem and the model added.

The scheme, the same for every format:

- `title` becomes ``Song [vocals]``; a song without title goes by its file name.
- `comment` gains a line that names stem, model and program; the song's own comment stays above it.
- `stem` and `separated_by` hold stem and model for programs (formats with free tags: flac, ogg,
  opus, mp3).
- Everything else stays, but for what describes the old file and would be wrong about a stem:
  encoder, gapless and ReplayGain values, fingerprints.

Tags travel to ffmpeg in a file, because lyrics and pictures outgrow a command line. Imports no
torch.
"""

import base64
import logging
import re
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stemsplit.audio.ffmpeg import FFmpegProcess, file_input, file_output
from stemsplit.audio.formats import MIX_TRACK
from stemsplit.audio.probe import AudioInfo
from stemsplit.audio.stems_file import track_name

_ABOUT_THE_FILE = re.compile(
    r"encoder|encoded_by|encoder_options|encoding|tsse|tenc|tlen|length|duration|bps|filename"
    r"|major_brand|minor_version|compatible_brands|creation_time|handler_name|vendor_id|language"
    r"|timecode|number_of_.*|_statistics.*|itun(smpb|norm|pgap|es_cddb.*)|gapless_playback"
    r"|replaygain_.*|r128_.*|acoustid_fingerprint|id3v2_priv\..*|metadata_block_picture|coverart.*"
)
# One name inside the program for what formats call differently.
_OUR_NAMES = {
    "tbpm": "bpm",
    "tmpo": "bpm",
    "tkey": "initialkey",
    "tsrc": "isrc",
    "year": "date",
}
_THEIR_NAMES = {
    "mp3": {"bpm": "TBPM", "initialkey": "TKEY", "isrc": "TSRC"},
    "m4a": {"bpm": "tmpo"},
    "alac": {"bpm": "tmpo"},
    "stems": {"bpm": "tmpo"},
}
_PICTURES = {b"\xff\xd8\xff": "image/jpeg", b"\x89PNG": "image/png"}
_FRONT_COVER = 3  # in the picture blocks of FLAC and in ID3

_log = logging.getLogger(__name__)


def stem_tags(info: AudioInfo, *, stem: str, model: str) -> dict[str, str]:
    """The tags of one stem of a song.

    Args:
        info: the song.
        stem: which stem, or `MIX_TRACK` for a file that holds all of them.
        model: which model separated it.
    """
    tags = song_tags(info)
    title = tags.get("title") or info.path.stem
    what = "Stems" if stem == MIX_TRACK else track_name(stem)
    note = f"{what} separated with {model} by stemsplit"
    comment = tags.get("comment")
    tags["comment"] = f"{comment}\n{note}" if comment else note
    tags["separated_by"] = model
    if stem == MIX_TRACK:
        return {**tags, "title": title}
    return {**tags, "title": f"{title} [{track_name(stem).lower()}]", "stem": stem}


def song_tags(info: AudioInfo) -> dict[str, str]:
    """What a song's tags say about the song, and not about its file; keys in lower case."""
    return {
        _OUR_NAMES.get(key, key): value
        for key, value in info.tags.items()
        if value and not _ABOUT_THE_FILE.fullmatch(key)
    }


def write_tag_file(
    path: Path, tags: Mapping[str, str], *, format_name: str, cover: Path | None = None
) -> None:
    """Write tags in ffmpeg's own text format.

    Args:
        path: the file to write.
        tags: names and values; values may have several lines.
        format_name: an audio format, whose own names for some tags are used.
        cover: picture to put among the tags, as ogg and opus want it.
    """
    names = _THEIR_NAMES.get(format_name, {})
    lines = [";FFMETADATA1"]
    lines += [f"{_escaped(names.get(key, key))}={_escaped(tags[key])}" for key in tags]
    if cover is not None:
        lines.append(f"METADATA_BLOCK_PICTURE={_escaped(_picture_block(cover.read_bytes()))}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


def _escaped(text: str) -> str:
    printable = text.replace("\0", "").encode("utf-8", "replace").decode()
    escaped = re.sub(r"([=;#\\\n])", r"\\\1", printable)
    # ffmpeg takes any backslash before the end of a line for a continuation, an escaped one too.
    return f"{escaped} " if escaped.endswith("\\") else escaped


def _picture_block(picture: bytes) -> str:
    """A picture as tag text: FLAC's METADATA_BLOCK_PICTURE in base64 (RFC 9639, section 8.8)."""
    kind = next((mime for magic, mime in _PICTURES.items() if picture.startswith(magic)), "")
    mime = kind.encode()
    block = struct.pack(">II", _FRONT_COVER, len(mime)) + mime
    block += struct.pack(">I4II", 0, 0, 0, 0, 0, len(picture)) + picture  # no text, size unstated
    return base64.b64encode(block).decode()


def extract_cover(info: AudioInfo, folder: Path) -> Path | None:
    """Save a song's cover picture as it is.

    Returns:
        A jpeg or png file in `folder`; None where there is no cover, or none that can be read: a
        broken picture is logged and does not cost the song.

    Raises:
        FFmpegNotFoundError: there is no ffmpeg.
    """
    if info.cover_index is None:
        return None
    source: Any = file_input(info.path)[str(info.cover_index)]
    cover = folder / "cover"
    for codec in ("copy", "png"):  # what is neither jpeg nor png is turned into png
        options = {"c:v": codec, "frames:v": 1, "f": "image2pipe", "map_metadata": -1}
        with FFmpegProcess(file_output([source], cover, options)) as process:
            status, why = process.finish(), process.reason()
        picture = cover.read_bytes() if status == 0 and cover.exists() else b""
        if picture.startswith(tuple(_PICTURES)) and _is_picture(cover):
            return cover
    _log.warning("%s: the cover picture cannot be read: %s", info.path, why)
    return None


def _is_picture(cover: Path) -> bool:
    null = file_output([cover_input(cover)], cover.with_name("null"), {"f": "null"})
    with FFmpegProcess(null) as process:
        return process.finish() == 0 and not any("[error]" in line for line in process.lines)


def cover_input(cover: Path) -> Any:
    """A saved cover as ffmpeg-python input; naming its kind keeps `%` in paths from being read."""
    with cover.open("rb") as file:
        is_png = file.read(4).startswith(b"\x89PNG")
    return file_input(cover, f="png_pipe" if is_png else "jpeg_pipe")
