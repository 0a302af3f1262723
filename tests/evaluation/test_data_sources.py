"""Signals on disk, read whole and in stretches."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from stemsplit.audio.reader import AudioReader
from stemsplit.errors import DatasetError, DecodeError, FFmpegNotFoundError
from stemsplit.evaluation.data.sources import CountedBlocks, FileSource, SummedSource, in_step
from tests.audio.material import cut, encode, music, write_wav

RATE = 8000


@pytest.fixture
def long_and_short(tmp_path: Path) -> tuple[Tensor, Tensor, SummedSource]:
    """A mono signal, a shorter stereo one, and their sum on disk."""
    long, short = music(5 * RATE, 1, RATE), music(2 * RATE, 2, RATE, seed=1)
    parts = (
        FileSource(write_wav(tmp_path / "long.wav", long, RATE)),
        FileSource(write_wav(tmp_path / "short.wav", short, RATE)),
    )
    return long, short, SummedSource(parts)


@pytest.mark.parametrize(
    ("start", "num_samples"), [(0, 1), (12_345, 5000), (5 * RATE - 10, 10), (5 * RATE - 10, 500)]
)
def test_a_segment_is_a_stretch_of_the_whole(tmp_path: Path, start: int, num_samples: int) -> None:
    signal = music(5 * RATE, 2, RATE)
    source = FileSource(write_wav(tmp_path / "x.wav", signal, RATE))
    assert (source.channels, source.sample_rate, source.num_samples) == (2, RATE, 5 * RATE)
    expected = torch.zeros(2, num_samples)
    rest = signal[:, start : start + num_samples]
    expected[:, : rest.shape[-1]] = rest
    torch.testing.assert_close(source.segment(start, num_samples), expected, atol=0, rtol=0)


def test_after_the_end_there_are_zeros(tmp_path: Path) -> None:
    source = FileSource(write_wav(tmp_path / "x.wav", music(1234, 2, RATE), RATE))
    for start in (1234, 1300, 50_000):
        assert not source.segment(start, 100).any()


def test_a_lossy_file_that_announces_a_little_too_much(tmp_path: Path) -> None:
    source = FileSource(encode(tmp_path / "x.ogg", music(12_345, 2, RATE), RATE))
    length = source.read().shape[-1]
    for start in range(length - 200, length + 200, 57):
        assert source.segment(start, 300).shape == (2, 300)


def test_sums_are_as_long_as_the_longest_and_as_wide_as_the_widest(
    long_and_short: tuple[Tensor, Tensor, SummedSource],
) -> None:
    long, short, source = long_and_short
    expected = long.expand(2, -1).clone()
    expected[:, : 2 * RATE] += short
    assert (source.channels, source.num_samples) == (2, 5 * RATE)
    torch.testing.assert_close(source.read(), expected, atol=0, rtol=0)
    for start in (RATE, 2 * RATE - 50, 3 * RATE):
        found = source.segment(start, 100)
        torch.testing.assert_close(found, expected[:, start : start + 100], atol=0, rtol=0)


def test_sources_are_resampled_as_asked(
    long_and_short: tuple[Tensor, Tensor, SummedSource],
) -> None:
    *_, source = long_and_short
    assert source.read(2 * RATE).shape == (2, 10 * RATE)


def test_parts_of_different_rates_are_refused(tmp_path: Path) -> None:
    parts = tuple(
        FileSource(write_wav(tmp_path / f"{rate}.wav", music(1000, 2, rate), rate))
        for rate in (8000, 16_000)
    )
    with pytest.raises(DatasetError, match="different rates, 8000, 16000 Hz"):
        _ = SummedSource(parts).sample_rate


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    source = FileSource(tmp_path / "x.wav")  # not opened before it is asked for
    with pytest.raises(DecodeError, match="No such file"):
        _ = source.num_samples


@pytest.mark.parametrize("sizes", [((3, 4), (7,), (1, 1, 1)), ((5,), (5,)), ((), (2,))])
def test_streams_go_in_step(sizes: tuple[tuple[int, ...], ...]) -> None:
    streams = []
    for place, lengths in enumerate(sizes):
        signal = torch.arange(1.0, sum(lengths) + 1).view(1, -1) + 10 * place
        streams.append(list(torch.split(signal, list(lengths), -1)) if lengths else [])
    counted = [CountedBlocks(iter(blocks)) for blocks in streams]
    rows = list(in_step(counted, 1))
    longest = max(sum(lengths) for lengths in sizes)
    for place, lengths in enumerate(sizes):
        joined = torch.cat([row[place] for row in rows], -1)
        whole = torch.cat([*streams[place], torch.zeros(1, longest - sum(lengths))], -1)
        torch.testing.assert_close(joined, whole, atol=0, rtol=0)
        assert counted[place].num_samples == sum(lengths)


@pytest.mark.parametrize("name", ["x.wav", "x.flac"])
def test_ffmpeg_reads_stretches_only_where_it_is_needed(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    signal = music(RATE, 2, RATE)
    path = encode(tmp_path / name, signal, RATE)
    monkeypatch.setenv("STEMSPLIT_FFMPEG", "no-such-program")
    if name == "x.flac":
        with pytest.raises(FFmpegNotFoundError):
            FileSource(path).segment(100, 50)
    else:
        assert FileSource(path).num_samples == RATE
        found = FileSource(path).segment(100, 50)
        torch.testing.assert_close(found, signal[:, 100:150], atol=2**-15, rtol=0)


@pytest.mark.parametrize("sample_rate", [None, RATE, 2 * RATE])
def test_the_blocks_of_a_plain_wav_are_those_of_the_reader(
    tmp_path: Path, sample_rate: int | None
) -> None:
    path = write_wav(tmp_path / "x.wav", music(150_000, 2, RATE), RATE, "PCM_24")
    blocks = list(FileSource(path).blocks(sample_rate))
    expected = list(AudioReader(path, sample_rate=sample_rate))
    assert [block.shape for block in blocks] == [block.shape for block in expected]
    assert all(map(torch.equal, blocks, expected))


@pytest.mark.parametrize("length", [12_345, 12_399])  # ffmpeg announces 1.54 and 1.55 s
def test_a_plain_wav_is_as_long_as_it_is(tmp_path: Path, length: int) -> None:
    signal = music(length, 2, RATE)
    source = FileSource(write_wav(tmp_path / "x.wav", signal, RATE))
    assert source.num_samples == length
    for start in (length - 30, length - 1):
        found = source.segment(start, 100)
        torch.testing.assert_close(found[:, : length - start], signal[:, start:], atol=0, rtol=0)
        assert not found[:, length - start :].any()


def test_a_wav_that_is_cut_or_holds_no_numbers_is_an_error(tmp_path: Path) -> None:
    signal = music(RATE, 2, RATE)
    whole = write_wav(tmp_path / "x.wav", signal, RATE)
    with pytest.raises(DecodeError, match="it ends early"):
        FileSource(cut(whole, 0.5)).segment(0, 10)
    signal[0, 500] = torch.nan
    source = FileSource(write_wav(whole, signal, RATE))
    assert source.segment(0, 500).shape == (2, 500)
    with pytest.raises(DecodeError, match="not numbers"):
        source.segment(0, 501)
    with pytest.raises(DecodeError, match="not numbers"):
        source.read()


def test_a_wav_that_is_cut_after_it_was_opened_is_an_error(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "x.wav", music(80_000, 2, RATE), RATE)
    source = FileSource(path)
    assert source.segment(0, 10).any()
    blocks = source.blocks()
    assert next(blocks).shape == (2, 65_536)
    path.write_bytes(path.read_bytes()[:-1_000])
    with pytest.raises(DecodeError, match="it ends early"):
        source.segment(0, 10)
    with pytest.raises(DecodeError, match="it ends early"):
        next(blocks)
