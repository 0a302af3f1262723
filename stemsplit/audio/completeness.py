"""Whether a file holds all the bytes that it announces, where ffmpeg does not look.

Most formats state their length and ffmpeg passes it on. Two do not reach us that way: of a wav file
cut short ffmpeg reports the length that is left, and of an Ogg file the position of the last whole
page. Both say plainly in their own headers that something is missing.

Source: RFC 3533, section 6, for the pages of Ogg; EBU Tech 3306 for RF64.
"""

import struct
from pathlib import Path
from typing import BinaryIO

_OGG_HEADER_BYTES = 27
_OGG_PAGE_BYTES = 27 + 255 + 255 * 255  # the longest there is
_STREAMED_SIZE_BYTES = 0x7FFF_F000  # sizes from here on, and zero, say "unknown": written to a pipe


def missing_bytes(path: Path) -> int:
    """How many bytes a file lacks by its own headers; 0 where it lacks none or does not say.

    Args:
        path: an existing file of any kind.
    """
    with path.open("rb") as file:
        magic = file.read(4)
        size_bytes = file.seek(0, 2)
        file.seek(0)
        if magic in (b"RIFF", b"RF64"):
            return _missing_from_wav(file, size_bytes)
        if magic == b"OggS":
            return _missing_from_ogg(file, size_bytes)
    return 0


def _missing_from_wav(file: BinaryIO, size_bytes: int) -> int:
    header = file.read(12)
    if header[8:] != b"WAVE":
        return 0
    long_size = 0
    while len(chunk := file.read(8)) == 8:
        name, length = struct.unpack("<4sI", chunk)
        if name == b"ds64":
            sizes = file.read(16)
            if len(sizes) < 16:
                return 16 - len(sizes)
            long_size = struct.unpack("<8xQ", sizes)[0]
            file.seek(length - 16, 1)
        elif name == b"data":
            length = long_size if length == 0xFFFF_FFFF else length
            is_known = length == long_size or 0 < length < _STREAMED_SIZE_BYTES
            return max(file.tell() + length - size_bytes, 0) if is_known else 0
        else:
            file.seek(length + length % 2, 1)
    return 0


def _missing_from_ogg(file: BinaryIO, size_bytes: int) -> int:
    file.seek(max(size_bytes - _OGG_PAGE_BYTES, 0))
    tail = file.read()
    page = tail[max(tail.rfind(b"OggS"), 0) :]
    if len(page) < _OGG_HEADER_BYTES:
        return _OGG_HEADER_BYTES - len(page)
    num_segments = page[_OGG_HEADER_BYTES - 1]
    table = page[_OGG_HEADER_BYTES : _OGG_HEADER_BYTES + num_segments]
    announced = _OGG_HEADER_BYTES + num_segments + sum(table)
    return max(announced - len(page), 0) if page.startswith(b"OggS") else 0
