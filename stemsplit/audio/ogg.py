"""The end of an Ogg file: is it whole, and at which sample does it stop.

Source: RFC 3533, section 6, for the page header; Vorbis I specification, section A.2, for the last
page's position, by which a decoder drops the padding of the last packet.
"""

import struct
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

_HEADER = struct.Struct("<4sBBqIIIB")  # magic, version, flags, position, serial, number, CRC, table
_CRC_OFFSET = 22
_POSITION_OFFSET = 6
_LONGEST_PAGE_BYTES = _HEADER.size + 255 + 255 * 255
_CRC_POLYNOMIAL = 0x04C1_1DB7


def missing_from_last_page(file: BinaryIO) -> int:
    """How many bytes of its last page an Ogg file lacks; 0 where it is whole."""
    page = _last_pages(file, 1)[-1:]
    if not page or len(page[0]) < _HEADER.size:
        return _HEADER.size - len(page[0]) if page else 0
    num_segments = page[0][_HEADER.size - 1]
    table = page[0][_HEADER.size : _HEADER.size + num_segments]
    return max(_HEADER.size + num_segments + sum(table) - len(page[0]), 0)


def set_last_position(path: Path, num_samples: int) -> None:
    """State at which sample a complete file with a single stream ends.

    Encoders count in whole packets; without this a decoder returns the padding of the last one.
    A position that the page before has already passed is left alone.
    """
    with path.open("r+b") as file:
        pages = _last_pages(file, 2)
        if len(pages) < 2 or _position(pages[0]) >= num_samples:
            return
        if _position(pages[1]) <= num_samples:
            return
        page = bytearray(pages[1])
        struct.pack_into("<q", page, _POSITION_OFFSET, num_samples)
        struct.pack_into("<I", page, _CRC_OFFSET, 0)
        struct.pack_into("<I", page, _CRC_OFFSET, _crc(page))
        file.seek(-len(page), 2)
        file.write(page)


def _position(page: bytes) -> int:
    return int(_HEADER.unpack_from(page)[3])


def _last_pages(file: BinaryIO, count: int) -> list[bytes]:
    """The last pages of a file, as far as they are there."""
    size_bytes = file.seek(0, 2)
    file.seek(max(size_bytes - (count + 1) * _LONGEST_PAGE_BYTES, 0))
    tail = file.read()
    pages: list[bytes] = []
    stop = len(tail)
    while len(pages) < count and (start := tail.rfind(b"OggS", 0, stop)) >= 0:
        pages.insert(0, tail[start:stop])
        stop = start
    return pages


def _crc(page: bytearray) -> int:
    table = _crc_table()
    crc = 0
    for byte in page:
        crc = (crc << 8) & 0xFFFF_FFFF ^ table[crc >> 24 ^ byte]
    return crc


@lru_cache(maxsize=1)
def _crc_table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        value = byte << 24
        for _ in range(8):
            value = value << 1 ^ (_CRC_POLYNOMIAL if value & 0x8000_0000 else 0)
        table.append(value & 0xFFFF_FFFF)
    return tuple(table)
