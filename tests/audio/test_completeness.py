"""Bytes that a file announces and does not hold."""

import struct
from pathlib import Path

import pytest

from stemsplit.audio.completeness import missing_bytes
from tests.audio.material import RATE, encode, ffmpeg, music, write_wav


def test_a_whole_file_lacks_nothing(tmp_path: Path) -> None:
    song = write_wav(tmp_path / "song.wav", music(RATE))
    assert missing_bytes(song) == 0
    for extension in ("mp3", "opus", "ogg", "flac"):
        assert missing_bytes(encode(tmp_path / f"song.{extension}", music(RATE))) == 0


@pytest.mark.parametrize("lost", [1, 7, 1000])
def test_what_is_missing_from_a_wav_is_counted(tmp_path: Path, lost: int) -> None:
    song = write_wav(tmp_path / "song.wav", music(RATE), subtype="PCM_16")
    song.write_bytes(song.read_bytes()[:-lost])
    assert missing_bytes(song) == lost


def test_a_long_wav_is_measured_by_its_64_bit_header(tmp_path: Path) -> None:
    song = write_wav(tmp_path / "song.wav", music(RATE))
    long = tmp_path / "long.wav"
    ffmpeg("-i", song, "-rf64", "always", long)
    assert long.read_bytes().startswith(b"RF64")
    assert missing_bytes(long) == 0
    long.write_bytes(long.read_bytes()[:-500])
    assert missing_bytes(long) == 500


def test_a_64_bit_header_cut_in_two_is_noticed(tmp_path: Path) -> None:
    song = tmp_path / "song.wav"
    song.write_bytes(b"RF64\xff\xff\xff\xffWAVEds64" + struct.pack("<I", 28) + bytes(6))
    assert missing_bytes(song) == 10


def test_chunks_after_the_sound_do_not_matter(tmp_path: Path) -> None:
    song = write_wav(tmp_path / "song.wav", music(RATE))
    song.write_bytes(song.read_bytes() + b"LIST" + struct.pack("<I", 4) + b"INFO")
    assert missing_bytes(song) == 0


@pytest.mark.parametrize("lost", [1, 7, 300])
def test_what_is_missing_from_an_ogg_is_counted(tmp_path: Path, lost: int) -> None:
    song = encode(tmp_path / "song.opus", music(48_000, 2, 48_000), 48_000)
    song.write_bytes(song.read_bytes()[:-lost])
    assert missing_bytes(song) == lost


def test_a_page_header_cut_in_two_is_noticed(tmp_path: Path) -> None:
    song = encode(tmp_path / "song.opus", music(48_000, 2, 48_000), 48_000)
    data = song.read_bytes()
    song.write_bytes(data[: data.rindex(b"OggS") + 20])
    assert missing_bytes(song) == 7


@pytest.mark.parametrize("data", [b"", b"RI", b"RIFF", b"RIFF\0\0\0\0AVI ", b"OggS", b"ID3 OggS"])
def test_other_files_are_left_to_ffmpeg(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x"
    path.write_bytes(data)
    assert missing_bytes(path) == (23 if data == b"OggS" else 0)
