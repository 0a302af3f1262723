"""Plain wav files are read without ffmpeg and as by ffmpeg, and all others are left to it."""

import math
import os
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from stemsplit.audio.plain_wav import PlainWav, find_plain_wav
from stemsplit.audio.reader import AudioReader
from tests.audio.material import ffmpeg, music, write_wav

RATE = 8_000
LENGTH = 20_001  # odd, so that mono files of 24 bits end at an odd byte
FORMATS = [(16, False), (24, False), (32, False), (32, True)]
PCM_TAIL = bytes.fromhex("000000001000800000aa00389b71")


def noise(bits: int, is_float: bool, channels: int) -> bytes:
    """Samples of every size, the largest and the smallest among them."""
    draw = np.random.default_rng(bits)
    count = LENGTH * channels
    if is_float:
        values = draw.normal(size=count).astype("<f4")
        values[:4] = (0.0, -0.0, 1e-42, 3e38)
        return values.tobytes()
    edges = [2 ** (bits - 1) - 1, -(2 ** (bits - 1)), -1, 0]
    values = draw.integers(-(2 ** (bits - 1)), 2 ** (bits - 1), size=count)
    values[:4] = edges
    wide = values.astype("<i4").view(np.uint8).reshape(-1, 4)
    return wide[:, : bits // 8].tobytes()


def chunk(name: bytes, contents: bytes) -> bytes:
    return name + struct.pack("<I", len(contents)) + contents + bytes(len(contents) % 2)


def description(
    bits: int,
    is_float: bool,
    channels: int,
    *,
    kind: int | None = None,
    byte_rate: int | None = None,
    more: bytes = b"",
) -> bytes:
    frame = channels * bits // 8
    kind = (3 if is_float else 1) if kind is None else kind
    rates = RATE, RATE * frame if byte_rate is None else byte_rate
    return chunk(b"fmt ", struct.pack("<HHIIHH", kind, channels, *rates, frame, bits) + more)


def extension(bits: int, is_float: bool, mask: int, *, valid_bits: int | None = None) -> bytes:
    valid_bits = bits if valid_bits is None else valid_bits
    return struct.pack("<HHIH", 22, valid_bits, mask, 3 if is_float else 1) + PCM_TAIL


def write(path: Path, *chunks: bytes, magic: bytes = b"RIFF") -> Path:
    body = b"WAVE" + b"".join(chunks)
    path.write_bytes(magic + struct.pack("<I", len(body)) + body)
    return path


def decoded(path: Path, start: int, stop: int) -> Tensor:
    reader = AudioReader(
        path, start_seconds=start / RATE, stop_seconds=stop / RATE, is_seeking=True
    )
    return torch.cat(list(reader), -1)


def same_bits(first: Tensor | None, second: Tensor) -> bool:
    assert first is not None
    return torch.equal(first.view(torch.int32), second.contiguous().view(torch.int32))


def found(path: Path) -> PlainWav:
    plain = find_plain_wav(path)
    assert plain is not None
    return plain


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize(("bits", "is_float"), FORMATS)
def test_every_sample_is_that_of_ffmpeg(
    tmp_path: Path, bits: int, is_float: bool, channels: int
) -> None:
    data = chunk(b"data", noise(bits, is_float, channels))
    path = write(tmp_path / "x.wav", description(bits, is_float, channels), data)
    plain = found(path)
    assert (plain.sample_rate, plain.channels, plain.num_samples) == (RATE, channels, LENGTH)
    for start, stop in ((0, LENGTH), (0, 1), (12_345, 15_000), (LENGTH - 10, LENGTH + 500)):
        assert same_bits(plain.read(start, stop), decoded(path, start, stop))
    for start in (LENGTH, LENGTH + 1, 10 * LENGTH):
        nothing = plain.read(start, start + 100)
        assert nothing is not None
        assert nothing.shape == (channels, 0)


@pytest.mark.parametrize("mask", [0, 3])
@pytest.mark.parametrize(("bits", "is_float"), FORMATS)
def test_an_extensible_file(tmp_path: Path, bits: int, is_float: bool, mask: int) -> None:
    more = extension(bits, is_float, mask)
    path = write(
        tmp_path / "x.wav",
        description(bits, is_float, 2, kind=0xFFFE, more=more),
        chunk(b"data", noise(bits, is_float, 2)),
    )
    assert same_bits(found(path).read(9_000, 11_000), decoded(path, 9_000, 11_000))


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "PCM_32", "FLOAT"])
def test_files_of_other_programs_are_plain(tmp_path: Path, subtype: str) -> None:
    signal = music(RATE, 2, RATE)
    first = write_wav(tmp_path / "a.wav", signal, RATE, subtype)
    codec = {"PCM_16": "s16", "PCM_24": "s24", "PCM_32": "s32", "FLOAT": "f32"}[subtype]
    ffmpeg("-i", first, "-c:a", f"pcm_{codec}le", tmp_path / "b.wav")
    for path in (first, tmp_path / "b.wav"):
        assert same_bits(found(path).read(100, RATE), decoded(path, 100, RATE))


@pytest.mark.parametrize(
    ("before", "between", "after"),
    [
        (chunk(b"JUNK", bytes(29)), chunk(b"fact", struct.pack("<I", LENGTH)), b""),
        (
            b"",
            chunk(b"LIST", b"INFOINAM\x03\x00\x00\x00abc\x00"),
            chunk(b"id3 ", b"ID3" + bytes(8)),
        ),
        (chunk(b"bext", bytes(603)), chunk(b"cue ", bytes(4)), chunk(b"PEAK", bytes(24))),
        (b"", b"", chunk(b"LIST", b"INFO") + chunk(b"abcd", b"odd")),
    ],
)
@pytest.mark.parametrize("channels", [1, 2])
def test_chunks_around_the_samples_change_nothing(
    tmp_path: Path, before: bytes, between: bytes, after: bytes, channels: int
) -> None:
    path = write(
        tmp_path / "x.wav",
        before,
        description(24, False, channels),
        between,
        chunk(b"data", noise(24, False, channels)),
        after,
    )
    for start, stop in ((0, LENGTH), (9_000, 10_000), (LENGTH - 5, LENGTH)):
        assert same_bits(found(path).read(start, stop), decoded(path, start, stop))


STEREO = description(16, False, 2)
DATA = chunk(b"data", noise(16, False, 2))
NO_LENGTH = b"data" + struct.pack("<I", 0xFFFF_FFFF) + noise(16, False, 2)


@pytest.mark.parametrize(
    "chunks",
    [
        pytest.param((DATA, STEREO), id="samples first"),
        pytest.param((STEREO,), id="no samples"),
        pytest.param((STEREO, chunk(b"data", b"")), id="empty"),
        pytest.param((STEREO, DATA, DATA), id="two of samples"),
        pytest.param((STEREO, STEREO, DATA), id="two descriptions"),
        pytest.param((STEREO, DATA[:-50]), id="cut short"),
        pytest.param((STEREO, NO_LENGTH), id="length unknown"),
        pytest.param((STEREO, DATA, b"abc"), id="half a chunk"),
        pytest.param((STEREO, DATA, b"abcd\xff\0\0\0"), id="a chunk cut short"),
        pytest.param((STEREO, chunk(b"data", bytes(1001))), id="half a sample"),
        pytest.param((chunk(b"ds64", bytes(28)), STEREO, DATA), id="long sizes"),
        pytest.param((description(8, False, 2), DATA), id="8 bits"),
        pytest.param((description(64, True, 2), DATA), id="64 bits"),
        pytest.param((description(16, False, 4), DATA), id="four channels"),
        pytest.param((description(16, False, 0), DATA), id="no channels"),
        pytest.param((description(16, False, 2, kind=2), DATA), id="compressed"),
        pytest.param((description(16, False, 2, byte_rate=1), DATA), id="wrong byte rate"),
        pytest.param((description(32, False, 2, more=b"\x02\0\x01\0"), DATA), id="half precision"),
        pytest.param((description(16, False, 2, kind=0xFFFE), DATA), id="no extension"),
        pytest.param(
            (description(24, False, 2, kind=0xFFFE, more=extension(24, False, 0x30)), DATA),
            id="other speakers",
        ),
        pytest.param(
            (
                description(32, False, 2, kind=0xFFFE, more=extension(32, False, 3, valid_bits=24)),
                DATA,
            ),
            id="fewer bits are valid",
        ),
        pytest.param((STEREO, chunk(b"data", bytes.fromhex("72f81f4e") * 99)), id="disguised"),
    ],
)
def test_what_is_unusual_is_left_to_ffmpeg(tmp_path: Path, chunks: tuple[bytes, ...]) -> None:
    assert find_plain_wav(write(tmp_path / "x.wav", *chunks)) is None


def test_other_files_are_left_to_ffmpeg(tmp_path: Path) -> None:
    plain = write(tmp_path / "x.wav", STEREO, DATA)
    assert find_plain_wav(plain) is not None
    assert find_plain_wav(write(tmp_path / "long.wav", STEREO, DATA, magic=b"RF64")) is None
    ffmpeg("-i", plain, tmp_path / "x.flac")
    ffmpeg("-i", plain, "-rf64", "always", tmp_path / "rf64.wav")
    os.mkfifo(tmp_path / "pipe.wav")
    for name in ("x.flac", "rf64.wav", "pipe.wav", "nothing.wav", "", "a\0b"):
        assert find_plain_wav(tmp_path / name) is None


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_no_number_is_left_to_ffmpeg(tmp_path: Path, value: float) -> None:
    signal = music(LENGTH, 2, RATE)
    signal[1, 5_000] = value
    plain = found(write_wav(tmp_path / "x.wav", signal, RATE))
    assert plain.read(4_000, 5_001) is None
    assert plain.read(4_000, 5_000) is not None


def test_a_file_that_changed_is_left_to_ffmpeg(tmp_path: Path) -> None:
    path = write(tmp_path / "x.wav", STEREO, DATA)
    plain = found(path)
    os.utime(path, ns=(1, 1))
    assert plain.read(0, 10) is None
    assert found(path).read(0, 10) is not None
    path.unlink()
    assert plain.read(0, 10) is None
