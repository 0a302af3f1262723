"""Stretches of plain wav files, read without a decoder.

A process of ffmpeg costs more than the stretch that a training reads. What is read here is the same
to the last bit; any file that is in the least unusual is left to ffmpeg, with all that may be wrong
with it: other sample formats, more than two channels, RF64, files that are cut short, chunks that
contradict each other, samples that are not numbers.

Source: Microsoft, "Multiple Channel Audio Data and WAVE Files"; libavformat/wavdec.c for what
ffmpeg takes for something else.
"""

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from torch import Tensor

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_SUBFORMAT_TAIL = bytes.fromhex("000000001000800000aa00389b71")
_USUAL_SPEAKERS = {1: (0, 0x4), 2: (0, 0x3)}  # others are mixed into these
_SIMPLE_BYTES, _EXTENSIBLE_BYTES = (16, 18), 40  # of the chunk that describes the samples
_TELLING_CHUNKS = frozenset({b"ds64", b"SMV0", b"XMA2"})  # after which nothing is plain

# Compressed streams that pass for 16-bit samples: DTS in its four spellings, and IEC 61937.
_DISGUISED = tuple(map(bytes.fromhex, ("7ffe8001", "fe7f0180", "1fffe800", "ff1f00e8", "72f81f4e")))
_DISGUISED_BYTES = 1 << 16  # more than a frame of them


@dataclass(frozen=True)
class PlainWav:
    """Where the samples of a file lie."""

    path: Path
    """The file."""

    sample_rate: int
    """In Hz."""

    channels: int
    """1 or 2."""

    bits: int
    """Of a sample: 16, 24 or 32."""

    is_float: bool
    """Whether the samples are floating-point numbers."""

    offset_bytes: int
    """Of the first sample."""

    num_samples: int
    """N of the whole file."""

    identity: tuple[int, int]
    """Length and time of the file, to notice a change."""

    def read(self, start: int, stop: int) -> Tensor | None:
        """A stretch, as `stemsplit.audio.reader.AudioReader` gives it.

        Args:
            start: first sample, 0 or more.
            stop: sample to stop before; the end is no obstacle.

        Returns:
            (C, n) float32; None where ffmpeg is to be asked: the file has changed, cannot be read,
            or has samples that are not numbers there.
        """
        width = self.channels * self.bits // 8
        count = max(0, min(stop, self.num_samples) - start)
        try:
            with self.path.open("rb") as file:
                if _identity(file) != self.identity:
                    return None
                file.seek(self.offset_bytes + start * width)
                data = file.read(count * width)
        except OSError:
            return None
        if len(data) < count * width:
            return None
        samples = self._numbers(data).reshape(count, self.channels)
        found = torch.from_numpy(np.ascontiguousarray(samples.T))
        return found if not self.is_float or bool(torch.isfinite(found).all()) else None

    def _numbers(self, data: bytes) -> "np.ndarray[tuple[int], np.dtype[np.float32]]":
        if self.is_float:
            return np.frombuffer(data, dtype="<f4").astype(np.float32)
        if self.bits == 24:
            wide = np.zeros((len(data) // 3, 4), dtype=np.uint8)
            wide[:, 1:] = np.frombuffer(data, dtype=np.uint8).reshape(-1, 3)
            whole = wide.reshape(-1).view("<i4")
        else:
            whole = np.frombuffer(data, dtype=f"<i{self.bits // 8}")
        full_scale = 2 ** (15 if self.bits == 16 else 31)
        return whole.astype(np.float32) * np.float32(1 / full_scale)


def find_plain_wav(path: Path) -> PlainWav | None:
    """The samples of a file, if it is a plain wav file of one or two channels.

    Args:
        path: any file; it need not be there.

    Returns:
        Where its samples lie; None for any other file.
    """
    try:
        if not path.is_file():  # opening a pipe would wait for its other end
            return None
        with path.open("rb") as file:
            return _parse(path, file)
    except (OSError, ValueError):  # ValueError: a name with a zero byte
        return None


@dataclass(frozen=True)
class _Samples:
    sample_rate: int
    channels: int
    bits: int
    is_float: bool


def _parse(path: Path, file: BinaryIO) -> PlainWav | None:
    identity = _identity(file)
    head = file.read(12)
    if head[:4] != b"RIFF" or head[8:] != b"WAVE":
        return None
    samples: _Samples | None = None
    place: tuple[int, int] | None = None
    for name, length in _chunks(file, identity[0]):
        if name is None or name in _TELLING_CHUNKS:
            return None
        if name == b"fmt ":
            if samples is not None or place is not None:
                return None
            samples = _described(file.read(length))
        elif name == b"data":
            if samples is None or place is not None:
                return None
            place = file.tell(), length
    if samples is None or place is None:
        return None
    num_samples, rest = divmod(place[1], samples.channels * samples.bits // 8)
    if rest or not num_samples or _is_disguised(file, samples, place):
        return None
    return PlainWav(
        path=path,
        sample_rate=samples.sample_rate,
        channels=samples.channels,
        bits=samples.bits,
        is_float=samples.is_float,
        offset_bytes=place[0],
        num_samples=num_samples,
        identity=identity,
    )


def _chunks(file: BinaryIO, size_bytes: int) -> Iterator[tuple[bytes | None, int]]:
    """Name and length of every chunk, with the file at its contents; None for half a chunk."""
    position = file.tell()
    while position < size_bytes:
        file.seek(position)
        header = file.read(8)
        name, length = struct.unpack("<4sI", header) if len(header) == 8 else (None, 0)
        if position + 8 + length > size_bytes:
            name = None
        yield name, length
        position += 8 + length + length % 2


def _described(text: bytes) -> _Samples | None:
    """What the chunk that describes the samples says, if it is something usual."""
    if len(text) not in (*_SIMPLE_BYTES, _EXTENSIBLE_BYTES):
        return None
    kind, channels, rate, byte_rate, frame_bytes, bits = struct.unpack("<HHIIHH", text[:16])
    speakers = _USUAL_SPEAKERS.get(channels)
    if speakers is None or text[16:18] not in (b"", bytes(2), struct.pack("<H", 22)):
        return None
    if kind == _EXTENSIBLE and len(text) == _EXTENSIBLE_BYTES:
        valid_bits, mask, kind = struct.unpack("<HIH", text[18:26])
        if valid_bits not in (0, bits) or mask not in speakers or text[26:] != _SUBFORMAT_TAIL:
            return None
    elif len(text) == _EXTENSIBLE_BYTES:
        return None
    is_known = (kind, bits) in {(_PCM, 16), (_PCM, 24), (_PCM, 32), (_FLOAT, 32)}
    is_consistent = frame_bytes == channels * bits // 8 and byte_rate == rate * frame_bytes
    if not is_known or not is_consistent or not 0 < rate < 2**31:
        return None
    return _Samples(rate, channels, bits, kind == _FLOAT)


def _is_disguised(file: BinaryIO, samples: _Samples, place: tuple[int, int]) -> bool:
    """Whether 16-bit samples may be a compressed stream, which ffmpeg would find out."""
    if samples.bits != 16:
        return False
    file.seek(place[0])
    beginning = file.read(min(place[1], _DISGUISED_BYTES))
    return any(mark in beginning for mark in _DISGUISED)


def _identity(file: BinaryIO) -> tuple[int, int]:
    status = os.fstat(file.fileno())
    return status.st_size, status.st_mtime_ns
