"""Decoded songs are the same songs."""

import os
import shutil
import tracemalloc
from collections import namedtuple
from pathlib import Path

import pytest
import torch

from stemsplit.errors import AudioError, DatasetError
from stemsplit.training.pcm_cache import CachedSong, PcmCache
from stemsplit.training.pcm_writer import PcmWriter
from stemsplit.training.songs import FileSong
from tests.training.sets import RATE, STEMS, tones, write_song

HALF_A_STEP = 0.5 / 32_767 + 1e-7


def song_of(tmp_path: Path, *, rate: int = RATE, gain: float = 1.0) -> FileSong:
    stems = {name: gain * signal for name, signal in tones().items()}
    return FileSong(write_song(tmp_path / "music" / "a", stems), STEMS[:3], 2, rate)


@pytest.mark.parametrize("gain", [1.0, 7.3])
def test_a_cached_song_reads_like_the_song(tmp_path: Path, gain: float) -> None:
    song = song_of(tmp_path, gain=gain)
    cached = PcmCache(tmp_path / "cache").get(song)
    assert cached.num_samples == song.num_samples
    assert cached.level == pytest.approx(song.level, rel=1e-6)
    # Of the loudest stem, 0.4 of full scale before the gain; the scale is the next whole number.
    tolerance = HALF_A_STEP * max(1, -(-0.4 * gain // 1))
    for start, length in ((0, 1000), (777, 3), (15_900, 400)):
        expected = song.read(start, length)
        torch.testing.assert_close(cached.read(start, length), expected, rtol=0, atol=tolerance)


def test_a_cached_song_is_resampled(tmp_path: Path) -> None:
    cached = PcmCache(tmp_path / "cache").get(song_of(tmp_path, rate=16_000))
    assert cached.num_samples == 32_000
    expected = tones(rate=16_000)["bass"][:, 8_000:9_000]
    torch.testing.assert_close(cached.read(8_000, 1_000)[1], expected, rtol=0, atol=2e-4)


def test_a_song_is_decoded_once(tmp_path: Path) -> None:
    song, cache = song_of(tmp_path), PcmCache(tmp_path / "cache")
    assert cache.missing_bytes([song]) == 4 * 2 * 16_000 * 2
    first = cache.get(song).folder
    written = (first / "samples.pcm").stat().st_mtime_ns
    assert cache.missing_bytes([song]) == 0
    assert cache.get(song).folder == first
    assert (first / "samples.pcm").stat().st_mtime_ns == written
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [first.name]


def test_a_song_that_changed_is_decoded_again(tmp_path: Path) -> None:
    song, cache = song_of(tmp_path), PcmCache(tmp_path / "cache")
    first = cache.get(song).folder
    os.utime(tmp_path / "music" / "a" / "bass.wav", (1, 1))
    assert cache.get(song).folder != first


def test_a_broken_song_leaves_nothing(tmp_path: Path) -> None:
    song, cache = song_of(tmp_path), PcmCache(tmp_path / "cache")
    bass = tmp_path / "music" / "a" / "bass.wav"
    bass.write_bytes(bass.read_bytes()[:5_000])
    with pytest.raises(AudioError, match=r"bass\.wav"):
        cache.get(song)
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_disk_without_room_is_named_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10, 9, 1))
    with pytest.raises(DatasetError, match=r"needs 0\.0 GB more .* has 0\.0 GB free"):
        PcmCache(tmp_path / "cache").check_space([song_of(tmp_path)])


def test_memory_does_not_grow_with_a_song(tmp_path: Path) -> None:
    piece = torch.rand(5, 2, 40_000)
    (tmp_path / "song").mkdir()
    with PcmWriter(tmp_path / "song", 5, 2) as writer:
        for _ in range(40):
            writer.write(piece)
        tracemalloc.start()
        writer.finish("song")
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    whole = (tmp_path / "song" / "samples.pcm").stat().st_size
    assert whole == 40 * piece.numel() * 2
    # One piece of a row in 32 bits, as three copies while it is scaled; all rows are ten times it.
    assert peak < 4 * 1_048_576 * 4 + 1e6
    read = CachedSong("song", tmp_path / "song").read(39 * 40_000, 40_000)
    torch.testing.assert_close(read, piece, rtol=0, atol=HALF_A_STEP)


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="counts open files in /proc")
def test_a_cached_song_keeps_no_file_open(tmp_path: Path) -> None:
    cached = PcmCache(tmp_path / "cache").get(song_of(tmp_path))
    before = len(list(Path("/proc/self/fd").iterdir()))
    stems = cached.read(0, 100)
    assert stems.abs().max() > 0
    assert len(list(Path("/proc/self/fd").iterdir())) == before
