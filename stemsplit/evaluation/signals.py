"""Reads whole tracks and checks that they fit together.

Shapes: C audio channels, N samples.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from stemsplit.audio.channels import match_channels
from stemsplit.errors import DatasetError
from stemsplit.evaluation.data.dataset import Track
from stemsplit.evaluation.data.sources import FileSource, Source, SummedSource

_SLACK_SECONDS = 0.1  # by which stems of a data set may be longer or shorter than its mix


def read_mix(track: Track) -> Tensor:
    """The mix of a track, (C, N) at its own rate.

    Raises:
        AudioError: it cannot be read.
    """
    return torch.cat(list(track.mix.blocks()), dim=-1)


def read_references(
    track: Track, names: Mapping[str, tuple[str, ...]], mix: Tensor
) -> dict[str, Tensor]:
    """The true stems of a track, as long as its mix.

    Args:
        track: what to read.
        names: stem to the stems of the data set that it is the sum of; those that the track does
            not have are left out.
        mix: (C, N) of the track.

    Returns:
        Stem to (C, N).

    Raises:
        AudioError: a file cannot be read.
        DatasetError: a stem is longer or shorter than the mix.
    """
    channels, num_samples = mix.shape
    found = {}
    for stem, parts in names.items():
        signals = [
            _fitted(
                torch.cat(list(track.stems[part].blocks(track.sample_rate)), dim=-1),
                channels=channels,
                num_samples=num_samples,
                slack=round(_SLACK_SECONDS * track.sample_rate),
                what=f"the stem {part} of {track.name}",
            )
            for part in parts
            if part in track.stems
        ]
        if signals:
            found[stem] = torch.stack(signals).sum(dim=0) if len(signals) > 1 else signals[0]
    return found


def read_estimate(path: Path, *, sample_rate: int, like: Tensor) -> Tensor:
    """A finished stem (C, N), which must fit the track to the sample.

    Args:
        path: the file.
        sample_rate: of the track, in Hz.
        like: the mix (C, N).

    Raises:
        AudioError: it cannot be read.
        DatasetError: its rate or length is another.
    """
    source = FileSource(path)
    if source.sample_rate != sample_rate:
        raise DatasetError(
            f"{path} has {source.sample_rate} Hz, the track {sample_rate} Hz: separate it again"
            " at the rate of the track."
        )
    signal = torch.cat(list(source.blocks()), dim=-1)
    if signal.shape[-1] != like.shape[-1]:
        raise DatasetError(
            f"{path} has {signal.shape[-1]:,} samples, the track {like.shape[-1]:,}: estimates"
            " must be as long as what they were made from."
        )
    return match_channels(signal, like.shape[0])


def file_marks(source: Source) -> list[Any]:
    """Path, size and time of every file of a signal."""
    if isinstance(source, SummedSource):
        return [mark for part in source.parts for mark in file_marks(part)]
    if isinstance(source, FileSource):
        return [file_mark(source.path)]
    return [repr(source)]


def file_mark(path: Path) -> list[Any]:
    """Path, size and time of a file; what is not there has neither."""
    try:
        now = path.stat()
    except OSError:
        return [str(path.absolute()), None, None]
    return [str(path.absolute()), now.st_size, now.st_mtime_ns]


def _fitted(signal: Tensor, *, channels: int, num_samples: int, slack: int, what: str) -> Tensor:
    missing = num_samples - signal.shape[-1]
    if abs(missing) > slack:
        raise DatasetError(
            f"{what} has {signal.shape[-1]:,} samples, the mix {num_samples:,}:"
            " `stemsplit data check` says what is wrong with a data set."
        )
    signal = match_channels(signal, channels)[:, :num_samples]
    return torch.nn.functional.pad(signal, (0, max(0, missing)))
