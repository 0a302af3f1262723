"""Signals on disk, read whole and in stretches."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from stemsplit.errors import DatasetError, DecodeError
from stemsplit.evaluation.data.sources import CountedBlocks, FileSource, SummedSource, in_step
from tests.audio.material import encode, music, write_wav

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
