"""Whether a file holds all the bytes that it announces, where ffmpeg does not look.

Most formats state their length and ffmpeg passes it on. Two do not reach us that way: of a wav file
cut short ffmpeg reports the length that is left, and of an Ogg file the position of the last whole
page. Both say plainly in their own headers that something is missing.
"""

import struct
from pathlib import Path
from typing import BinaryIO

from stemsplit.audio.ogg import missing_from_last_page

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
            return missing_from_last_page(file)
    return 0


def _missing_from_wav(file: BinaryIO, size_bytes: int) -> int:
    header = file.read(12)
    if header[8:] != b"WAVE":
        return 0
    long_size = 0
    while len(chunk := file.read(8)) == 8:
        name, length = struct.unpack("<4sI", chunk)
        if name == b"ds64":
            long_size = struct.unpack("<8xQ", file.read(16))[0]
            file.seek(length - 16, 1)
        elif name == b"data":
            length = long_size if length == 0xFFFF_FFFF else length
            is_known = length == long_size or 0 < length < _STREAMED_SIZE_BYTES
            return max(file.tell() + length - size_bytes, 0) if is_known else 0
        else:
            file.seek(length + length % 2, 1)
    return 0
