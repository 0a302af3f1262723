"""Checks a data set by reading all of it: what is missing, broken, or not what it says.

Shapes: C audio channels, N samples.
"""

import math
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import torch
from torch import Tensor

from stemsplit.audio.levels import peak, to_db
from stemsplit.errors import AudioError, DatasetError
from stemsplit.evaluation.data.dataset import MIX_NAMES, Dataset, Track
from stemsplit.evaluation.data.findings import Finding, TrackReport
from stemsplit.evaluation.data.layouts import SONG_FOLDERS
from stemsplit.evaluation.data.sources import CountedBlocks, Source, in_step

MIX = MIX_NAMES[0]

_SILENCE_DB = -80.0  # of a peak: 16-bit dither lies below -90 dB
_SUM_DB = -40.0  # what remains above it can be heard in quiet places
_LENGTH_SECONDS = 0.1  # beyond it files are not of one recording
_FULL_SCALE = 1.0 - 2.0**-15  # the highest value of 16 bits
_OVERSHOOT_DB = 3.0  # lossy coding alone overshoots full scale by less
_CUT_RUN = 3  # equal samples in a row at full scale: music touches it, clipping stays there


def check_dataset(dataset: Dataset, *, jobs: int = 1) -> Iterator[TrackReport]:
    """Read every file of a data set and report on every song.

    Args:
        dataset: what to check.
        jobs: songs that are read side by side.

    Yields:
        A report for each track, in order; a file that cannot be read is a finding, no exception.
    """
    expected = _expected_stems(dataset)
    with ThreadPoolExecutor(max_workers=jobs) as pool:
        waiting = [pool.submit(check_track, track, expected) for track in dataset]
        try:
            for report in waiting:
                yield report.result()
        finally:
            for report in waiting:
                report.cancel()


def _expected_stems(dataset: Dataset) -> frozenset[str]:
    """What at least half of the songs have, where songs are meant to have the same."""
    if dataset.layout != SONG_FOLDERS:
        return frozenset()
    count = Counter(name for track in dataset for name in _signals(track))
    return frozenset(name for name, songs in count.items() if 2 * songs >= len(dataset))


def check_track(track: Track, expected: Collection[str] = ()) -> TrackReport:
    """Read every file of a song.

    Args:
        track: the song.
        expected: stems that it should have, with ``mixture`` for a stored mix.
    """
    signals = _signals(track)
    missing = sorted(set(expected) - set(signals))
    broken = {name: why for name, source in signals.items() if (why := _problem(source))}
    findings = [
        *(_missing(name) for name in missing),
        *(_unreadable(why, name) for name, why in broken.items()),
    ]
    good = {name: source for name, source in signals.items() if name not in broken}
    mismatch = _rates_and_channels(good)
    measured: _Measured | None = None
    if good and not any(finding.is_error for finding in mismatch):
        try:
            measured = _measure(good)
            mismatch += _heard(measured, is_whole=not broken)
        except AudioError as error:
            mismatch.append(_unreadable(error))
    return TrackReport(
        track=track.name,
        split=track.split,
        findings=(*findings, *mismatch),
        sample_rate=measured.sample_rate if measured else None,
        num_samples=max(measured.lengths.values()) if measured else None,
        sum_error_db=measured.sum_error_db if measured and not broken else None,
    )


def _missing(stem: str) -> Finding:
    return Finding(kind="missing", stem=stem, message=f"{stem} is missing", is_error=stem != MIX)


def _unreadable(why: Exception, stem: str | None = None) -> Finding:
    return Finding(kind="unreadable", stem=stem, message=str(why), is_error=True)


def _signals(track: Track) -> dict[str, Source]:
    mix = {} if track.stored_mix is None else {MIX: track.stored_mix}
    return {**track.stems, **mix}


def _problem(source: Source) -> AudioError | DatasetError | None:
    try:
        _ = source.sample_rate, source.channels, source.num_samples
    except (AudioError, DatasetError) as error:
        return error
    return None


def _rates_and_channels(signals: Mapping[str, Source]) -> list[Finding]:
    findings = []
    rates = {name: source.sample_rate for name, source in signals.items()}
    if len(set(rates.values())) > 1:
        listed = ", ".join(f"{name} {rate} Hz" for name, rate in rates.items())
        message = f"sample rates differ: {listed}"
        findings.append(Finding(kind="rate", message=message, is_error=True))
    channels = {name: source.channels for name, source in signals.items()}
    mono = [name for name, count in channels.items() if count == 1]
    if 0 < len(mono) < len(channels):
        message = f"{', '.join(mono)} mono, the rest stereo"
        findings.append(Finding(kind="channels", message=message))
    return findings


@dataclass
class _Heard:
    """What one signal holds."""

    peak: float = 0.0
    cuts: int = 0
    """Stretches that stay at full scale."""

    def add(self, block: Tensor) -> None:
        self.peak = max(self.peak, peak(block))
        if self.peak >= _FULL_SCALE:
            self.cuts += _count_cuts(block)


def _count_cuts(block: Tensor) -> int:
    """Runs of equal samples at full scale in a block (C, n)."""
    if block.shape[-1] < _CUT_RUN:
        return 0
    runs = block.unfold(-1, _CUT_RUN, 1)
    is_flat = (runs == runs[..., :1]).all(-1) & (runs[..., 0].abs() >= _FULL_SCALE)
    begins = is_flat[:, 1:] & ~is_flat[:, :-1]
    return int(begins.sum() + is_flat[:, 0].sum())


@dataclass
class _Measured:
    """What a song holds, as far as it could be read."""

    sample_rate: int
    heard: dict[str, _Heard]
    lengths: dict[str, int]
    mix_energy: float = 0.0
    sum_energy: float = 0.0
    error_energy: float = 0.0
    common: float = 0.0

    @property
    def sum_error_db(self) -> float | None:
        if MIX not in self.heard or not self.mix_energy:
            return None
        return to_db(math.sqrt(self.error_energy / self.mix_energy))

    def best_gain(self) -> tuple[float, float]:
        """The gain in dB that brings the sum nearest to the mix, and what remains then."""
        if self.common <= 0 or not self.mix_energy:
            return 0.0, math.inf
        gain = self.common / self.sum_energy
        rest = max(self.mix_energy - self.common * gain, 0.0)
        return to_db(gain), to_db(math.sqrt(rest / self.mix_energy))


def _measure(signals: Mapping[str, Source]) -> _Measured:
    names = list(signals)
    channels = max(source.channels for source in signals.values())
    streams = [CountedBlocks(source.blocks()) for source in signals.values()]
    measured = _Measured(
        sample_rate=next(iter(signals.values())).sample_rate,
        heard={name: _Heard() for name in names},
        lengths={},
    )
    added = [place for place, name in enumerate(names) if name != MIX]  # no stem is in it twice
    for blocks in in_step(streams, channels):
        for name, block in zip(names, blocks, strict=True):
            measured.heard[name].add(block)
        if MIX in signals and added:
            mix = blocks[names.index(MIX)].double()
            total = torch.stack([blocks[place] for place in added]).double().sum(0)
            measured.mix_energy += float(mix.square().sum())
            measured.sum_energy += float(total.square().sum())
            measured.common += float((mix * total).sum())
            measured.error_energy += float((mix - total).square().sum())
    measured.lengths = dict(zip(names, (stream.num_samples for stream in streams), strict=True))
    return measured


def _heard(measured: _Measured, *, is_whole: bool) -> list[Finding]:
    findings = []
    longest = max(measured.lengths.values())
    for name, heard in measured.heard.items():
        short = (longest - measured.lengths[name]) / measured.sample_rate
        if short:
            message = f"{name} is {short:.3f} s shorter than the longest"
            is_error = short > _LENGTH_SECONDS
            findings.append(Finding(kind="length", stem=name, message=message, is_error=is_error))
        if to_db(heard.peak) < _SILENCE_DB:
            findings.append(Finding(kind="silence", stem=name, message=f"{name} is silent"))
        if heard.cuts:
            message = f"{name} is clipped in {heard.cuts:,} places"
            findings.append(Finding(kind="clipping", stem=name, message=message))
        elif to_db(heard.peak) > _OVERSHOOT_DB:
            message = f"{name} exceeds full scale by {to_db(heard.peak):.1f} dB"
            findings.append(Finding(kind="clipping", stem=name, message=message))
    remains = measured.sum_error_db
    if remains is not None and remains > _SUM_DB and is_whole:
        findings.append(Finding(kind="sum", stem=MIX, message=_about_the_sum(measured, remains)))
    return findings


def _about_the_sum(measured: _Measured, remains: float) -> str:
    message = f"the mix is not the sum of its stems: {remains:.1f} dB of it remain"
    gain, rest = measured.best_gain()
    if rest < min(_SUM_DB, remains - 1):
        message += f", {rest:.1f} dB if the stems are changed by {gain:+.1f} dB"
    return message
