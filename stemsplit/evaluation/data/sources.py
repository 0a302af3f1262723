"""Signals on disk that are read whole, block by block, or in stretches.

A stem may be a file, one of several streams of a file, or the sum of several files.

Shapes: C audio channels, N samples.
"""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from stemsplit.audio.channels import match_channels
from stemsplit.audio.plain_wav import PlainWav, find_plain_wav
from stemsplit.audio.probe import AudioInfo, probe
from stemsplit.audio.reader import AudioReader
from stemsplit.errors import DatasetError, UnsupportedAudioError

_BLOCK_SAMPLES = 1 << 16  # as the reader has it
_ROUNDING_SECONDS = 0.02  # by which a file may end before what it announces: not an error


class Source(Protocol):
    """A signal that can be read in any part; nothing is opened before it is asked for."""

    @property
    def sample_rate(self) -> int:
        """Its own rate, in Hz."""

    @property
    def channels(self) -> int:
        """1 or 2; more are mixed down to stereo."""

    @property
    def num_samples(self) -> int:
        """Its length at its own rate, as announced by its files."""

    def blocks(self, sample_rate: int | None = None) -> Iterator[Tensor]:
        """The whole signal.

        Args:
            sample_rate: to resample to, in Hz; None keeps the source's own.

        Yields:
            Consecutive blocks (C, n), float32.

        Raises:
            DecodeError: a file cannot be read, or ends early.
        """

    def read(self, sample_rate: int | None = None) -> Tensor:
        """The whole signal at once, (C, N); see `blocks`."""

    def segment(self, start: int, num_samples: int) -> Tensor:
        """A stretch, decoded from a little before where it begins.

        Args:
            start: first sample, at the source's own rate.
            num_samples: length.

        Returns:
            (C, num_samples) float32, with zeros after the end of the signal.

        Raises:
            DecodeError: a file cannot be read.
        """


@dataclass(frozen=True)
class FileSource:
    """An audio stream of a file."""

    path: Path
    """The file."""

    audio_stream: int | None = None
    """Which of its audio streams, counted from 0; None lets the file decide."""

    @cached_property
    def info(self) -> AudioInfo:
        """What the file says about itself."""
        return probe(self.path, audio_stream=self.audio_stream)

    @cached_property
    def plain(self) -> PlainWav | None:
        """Its samples, where no decoder is needed to read them."""
        return None if self.audio_stream else find_plain_wav(self.path)

    @property
    def sample_rate(self) -> int:
        """See `Source`."""
        return self.info.sample_rate if self.plain is None else self.plain.sample_rate

    @property
    def channels(self) -> int:
        """See `Source`."""
        return min(self.info.channels, 2) if self.plain is None else self.plain.channels

    @cached_property
    def num_samples(self) -> int:
        """See `Source`."""
        if self.plain is not None:
            return self.plain.num_samples
        if self.info.duration_seconds is None:
            return sum(block.shape[-1] for block in self.blocks())
        return round(self.info.duration_seconds * self.info.sample_rate)

    def blocks(self, sample_rate: int | None = None) -> Iterator[Tensor]:
        """See `Source`."""
        done = 0
        if self.plain is not None and sample_rate in (None, self.plain.sample_rate):
            for start in range(0, self.plain.num_samples, _BLOCK_SAMPLES):
                block = self.plain.read(start, start + _BLOCK_SAMPLES)
                if block is None:
                    break
                yield block
                done = start + block.shape[-1]
            if done == self.plain.num_samples:
                return
        reader = AudioReader(
            self.path,
            sample_rate=sample_rate,
            start_seconds=done / self.sample_rate if done else 0.0,
            audio_stream=self.audio_stream,
        )
        with reader:
            yield from reader

    def read(self, sample_rate: int | None = None) -> Tensor:
        """See `Source`."""
        return torch.cat(list(self.blocks(sample_rate)), -1)

    def segment(self, start: int, num_samples: int) -> Tensor:
        """See `Source`."""
        found = None if self.plain is None else self.plain.read(start, start + num_samples)
        if found is None:
            found = self._decoded(start, num_samples)
        return torch.nn.functional.pad(found, (0, num_samples - found.shape[-1]))

    def _decoded(self, start: int, num_samples: int) -> Tensor:
        found = torch.zeros(self.channels, 0)
        if start < self.num_samples:
            with contextlib.ExitStack() as expected:
                if start >= self.num_samples - _ROUNDING_SECONDS * self.sample_rate:
                    expected.enter_context(contextlib.suppress(UnsupportedAudioError))
                found = self._read(start, start + num_samples)
        return found

    def _read(self, start: int, stop: int) -> Tensor:
        reader = AudioReader(
            self.path,
            start_seconds=start / self.sample_rate,
            stop_seconds=stop / self.sample_rate,
            audio_stream=self.audio_stream,
            is_seeking=True,
        )
        with reader:
            return torch.cat(list(reader), -1)


@dataclass(frozen=True)
class SummedSource:
    """The sum of several signals, as long as the longest of them."""

    parts: tuple[Source, ...]
    """What is added; one at least."""

    @property
    def sample_rate(self) -> int:
        """See `Source`.

        Raises:
            DatasetError: the parts have different rates.
        """
        rates = sorted({part.sample_rate for part in self.parts})
        if len(rates) > 1:
            raise DatasetError(
                f"Cannot add signals of different rates, {', '.join(map(str, rates))} Hz. Convert "
                "them to one rate."
            )
        return rates[0]

    @property
    def channels(self) -> int:
        """See `Source`."""
        return max(part.channels for part in self.parts)

    @property
    def num_samples(self) -> int:
        """See `Source`."""
        return max(part.num_samples for part in self.parts)

    def blocks(self, sample_rate: int | None = None) -> Iterator[Tensor]:
        """See `Source`."""
        channels = self.channels
        for blocks in in_step([part.blocks(sample_rate) for part in self.parts], channels):
            yield torch.stack(blocks).sum(0)

    def read(self, sample_rate: int | None = None) -> Tensor:
        """See `Source`."""
        return torch.cat(list(self.blocks(sample_rate)), -1)

    def segment(self, start: int, num_samples: int) -> Tensor:
        """See `Source`."""
        channels = self.channels
        pieces = [match_channels(part.segment(start, num_samples), channels) for part in self.parts]
        return torch.stack(pieces).sum(0)


class CountedBlocks(Iterator[Tensor]):
    """A stream of blocks (..., n) that counts its samples."""

    def __init__(self, blocks: Iterator[Tensor]) -> None:
        self._blocks = blocks
        self.num_samples = 0

    def __next__(self) -> Tensor:
        block = next(self._blocks)
        self.num_samples += block.shape[-1]
        return block


def in_step(streams: Sequence[Iterator[Tensor]], channels: int) -> Iterator[list[Tensor]]:
    """Read several streams of blocks side by side.

    Args:
        streams: each yields blocks (C, n) of any n.
        channels: that every block is turned into, 1 or 2.

    Yields:
        One block (channels, n) of every stream, all of the same n; streams that have ended give
        zeros until the longest ends.
    """
    waiting = [torch.empty(channels, 0) for _ in streams]
    running = set(range(len(streams)))
    while running:
        for place in sorted(running):
            if not waiting[place].shape[-1]:
                block = next(streams[place], None)
                if block is None:
                    running.discard(place)
                else:
                    waiting[place] = match_channels(block, channels)
        lengths = [waiting[place].shape[-1] for place in running]
        if not lengths:
            return
        length = min(lengths)
        yield [
            waiting[place][:, :length] if place in running else torch.zeros(channels, length)
            for place in range(len(streams))
        ]
        for place in running:
            waiting[place] = waiting[place][:, length:]
