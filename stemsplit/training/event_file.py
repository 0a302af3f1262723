"""Numbers over steps, in the files that TensorBoard shows.

The format is small enough to be written here: length-prefixed records with checksums, each one
protocol buffer message. Whoever wants to look at them installs TensorBoard; a run does not need it.

Source: tensorflow/core/lib/io/record_writer.h (records), core/util/event.proto and
core/framework/summary.proto (fields and their numbers); RFC 3720, appendix B.4 (CRC-32C).
"""

import os
import socket
import struct
import time
from collections.abc import Mapping
from pathlib import Path

_POLYNOMIAL = 0x82F63B78  # of CRC-32C, lowest bit first
_MASK_DELTA = 0xA282EAD8
_DOUBLE, _VARINT, _BYTES, _FLOAT = 1, 0, 2, 5  # kinds of fields: how their values are written
_SESSION_START = 1


def _table_entry(byte: int) -> int:
    for _ in range(8):
        byte = byte >> 1 ^ (_POLYNOMIAL if byte & 1 else 0)
    return byte


_TABLE = tuple(_table_entry(byte) for byte in range(256))


class EventFile:
    """One file of a folder that TensorBoard is pointed at."""

    def __init__(self, folder: Path, *, first_step: int) -> None:
        """Begin a file.

        Args:
            folder: is made when it is needed.
            first_step: what earlier files of the folder tell of this step and later ones is taken
                back: a run that goes on repeats it.

        Raises:
            OSError: the file cannot be written.
        """
        folder.mkdir(parents=True, exist_ok=True)
        name = f"events.out.tfevents.{time.time_ns()}.{socket.gethostname()}.{os.getpid()}"
        self._path = folder / name
        self._write(_field(3, _BYTES, b"brain.Event:2"))
        start = _field(1, _VARINT, _SESSION_START)
        self._write(_field(2, _VARINT, first_step) + _field(7, _BYTES, start))

    def add(self, step: int, values: Mapping[str, float]) -> None:
        """Add the values of a step.

        Args:
            step: counted from 0.
            values: name, with `/` between a group and its members, to value.

        Raises:
            OSError: the file cannot be written.
        """
        summary = b"".join(
            _field(1, _BYTES, _field(1, _BYTES, name.encode()) + _field(2, _FLOAT, value))
            for name, value in values.items()
        )
        self._write(_field(2, _VARINT, step) + _field(5, _BYTES, summary))

    def _write(self, fields: bytes) -> None:
        event = _field(1, _DOUBLE, time.time()) + fields
        length = struct.pack("<Q", len(event))
        with self._path.open("ab") as file:
            file.write(length + _checksum(length) + event + _checksum(event))


def _field(number: int, kind: int, value: float | bytes) -> bytes:
    """A field of a protocol buffer message."""
    head = _varint(number << 3 | kind)
    if isinstance(value, bytes):
        return head + _varint(len(value)) + value
    if kind == _VARINT:
        return head + _varint(int(value))
    return head + struct.pack("<d" if kind == _DOUBLE else "<f", value)


def _varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first; all but the last byte have the eighth."""
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*parts, value])


def _checksum(data: bytes) -> bytes:
    """Four bytes: the CRC-32C, turned and moved so that it differs from that of a checksum."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _TABLE[(crc ^ byte) & 0xFF]
    crc ^= 0xFFFFFFFF
    turned = (crc >> 15 | crc << 17) & 0xFFFFFFFF
    return struct.pack("<I", (turned + _MASK_DELTA) & 0xFFFFFFFF)
