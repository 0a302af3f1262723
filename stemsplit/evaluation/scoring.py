"""All scores of one track.

Shapes: S stems, C audio channels, N samples, W windows.
"""

import math
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from stemsplit.errors import DatasetError
from stemsplit.evaluation.bss import fit_filters, windowed_ratios
from stemsplit.evaluation.data.sources import CountedBlocks, Source, in_step
from stemsplit.evaluation.metrics import Sums, any_silent, decibels, energy
from stemsplit.evaluation.options import BSS_EVAL, MetricOptions
from stemsplit.evaluation.passes import Signals, SignalsInMemory, cut_windows
from stemsplit.evaluation.reference_engine import bss_eval_by_museval
from stemsplit.evaluation.scores import StemScores, TrackScores

_CSDR_SECONDS = 1.0
_WINDOWS_AT_ONCE = 2


def score_track(
    references: Mapping[str, Tensor],
    estimates: Mapping[str, Tensor],
    *,
    sample_rate: int,
    track: str = "",
    options: MetricOptions | None = None,
) -> TrackScores:
    """Score the stems of one track that is in memory.

    A reference without an estimate is left aside: it does not count as interference. So is, for
    the four ratios and cSDR, a stem whose reference or estimate is silent from beginning to end:
    museval refuses such a track, here its other stems are scored as if they were all. A stem whose
    reference is silent has no score at all: uSDR would give it some -100 dB, which says nothing
    beyond its epsilon and spoils the mean of a set.

    Args:
        references: stem name to (C, N), the truth.
        estimates: stem name to (C, N) of the same length and channels.
        sample_rate: of all of them, in Hz.
        track: its name, for the result.
        options: what to compute.

    Returns:
        The scores of every stem in `estimates`, in that order.

    Raises:
        DatasetError: an estimate has no reference, or another shape than it.
    """
    _check_names(references, estimates, track)
    for stem, estimate in estimates.items():
        if estimate.shape != references[stem].shape:
            raise _misfit(stem, track, _shape(estimate), _shape(references[stem]))
    return _score(
        tuple(estimates),
        lambda stems: SignalsInMemory(
            [references[stem] for stem in stems], [estimates[stem] for stem in stems]
        ),
        sample_rate=sample_rate,
        track=track,
        options=options or MetricOptions(),
    )


def score_sources(
    references: Mapping[str, Source],
    estimates: Mapping[str, Source],
    *,
    track: str = "",
    options: MetricOptions | None = None,
) -> TrackScores:
    """Score the stems of one track that is on disk.

    Memory does not grow with the length of the track, but every file is read several times. See
    `score_track` for what is left aside.

    Args:
        references: stem name to the truth.
        estimates: stem name to what is scored, of the same rate and length.
        track: its name, for the result.
        options: what to compute.

    Raises:
        DatasetError: an estimate has no reference, or another rate, length or number of channels.
        AudioError: a file cannot be read.
    """
    _check_names(references, estimates, track)
    for stem, estimate in estimates.items():
        truth = references[stem]
        facts = [
            f"{source.channels} channels at {source.sample_rate} Hz" for source in (estimate, truth)
        ]
        if facts[0] != facts[1]:
            raise _misfit(stem, track, *facts)
    rate = next(iter(references.values())).sample_rate
    return _score(
        tuple(estimates),
        lambda stems: _SignalsOnDisk(stems, references, estimates, track),
        sample_rate=rate,
        track=track,
        options=options or MetricOptions(),
    )


@dataclass(frozen=True)
class _SignalsOnDisk:
    stems: Sequence[str]
    references: Mapping[str, Source]
    estimates: Mapping[str, Source]
    track: str

    def __iter__(self) -> Iterator[Tensor]:
        sources = [
            group[stem] for group in (self.references, self.estimates) for stem in self.stems
        ]
        channels = max(source.channels for source in sources)
        streams = [CountedBlocks(source.blocks()) for source in sources]
        for blocks in in_step(streams, channels):
            yield torch.stack(blocks).view(2, len(self.stems), channels, -1)
        lengths = [stream.num_samples for stream in streams]
        for place, stem in enumerate(self.stems):
            true, found = lengths[place], lengths[place + len(self.stems)]
            if true != found:
                raise _misfit(stem, self.track, f"{found:,} samples", f"{true:,}")


def _score(
    stems: tuple[str, ...],
    signals_of: Callable[[Sequence[str]], Signals],
    *,
    sample_rate: int,
    track: str,
    options: MetricOptions,
) -> TrackScores:
    sums = _sums(signals_of(stems))
    is_heard = ((sums.signal > 0) & (sums.estimate > 0)).tolist()
    heard = [stem for stem, yes in zip(stems, is_heard, strict=True) if yes]
    rows, are_loose = _windowed(signals_of(heard), sample_rate, options) if heard else ({}, None)
    usdr = torch.where(sums.signal > 0, sums.usdr(), torch.nan)
    songs = {"usdr": usdr.tolist(), "si_sdr": sums.si_sdr().tolist()}
    windows = {
        stem: {name: tuple(values[place].tolist()) for name, values in rows.items()}
        for place, stem in enumerate(heard)
    }
    scores = {
        stem: _stem_scores(
            windows.get(stem, {}), {name: row[place] for name, row in songs.items()}, options
        )
        for place, stem in enumerate(stems)
    }
    first = next(iter(rows.values()), torch.empty(1, 0))
    return TrackScores(
        track=track,
        stems=scores,
        silent_stems=tuple(stem for stem in stems if stem not in heard),
        num_windows=first.shape[-1],
        silent_windows=int(first.isnan().all(0).sum()),
        window_seconds=options.window_seconds,
        hop_seconds=options.hop_seconds,
        are_filters_loose=are_loose,
    )


def _stem_scores(
    windows: Mapping[str, tuple[float, ...]], songs: Mapping[str, float], options: MetricOptions
) -> StemScores:
    values = {
        name: songs[name] if name in songs else _median(windows.get(name, ()))
        for name in options.metrics
    }
    return StemScores(values={str(name): value for name, value in values.items()}, windows=windows)


def _sums(signals: Signals) -> Sums:
    total: Sums | None = None
    for block in signals:
        found = Sums.of(*block)
        total = found if total is None else Sums(*map(torch.add, total, found))
    if total is None:
        raise DatasetError("Cannot score a track without samples.")
    return total


def _windowed(
    signals: Signals, sample_rate: int, options: MetricOptions
) -> tuple[dict[str, Tensor], bool | None]:
    """The windowed metrics of all stems, each (S, W), and whether their filters are loose."""
    window = round(options.window_seconds * sample_rate)
    hop = round(options.hop_seconds * sample_rate)
    second = round(_CSDR_SECONDS * sample_rate)
    rows: dict[str, Tensor] = {}
    are_loose: bool | None = None
    if options.engine == "museval" and not BSS_EVAL.isdisjoint(options.metrics):
        whole = torch.cat(list(signals), -1)
        rows = bss_eval_by_museval(
            *whole, window_samples=window, hop_samples=hop, filter_taps=options.filter_taps
        )
    elif options.needs_filters:
        filters = fit_filters(signals, options.filter_taps)
        are_loose = filters.are_loose
        rows = windowed_ratios(signals, filters, window_samples=window, hop_samples=hop)
    elif "sdr" in options.metrics:
        rows = {"sdr": _windowed_sdr(signals, window, hop)}
    if "csdr" in options.metrics:
        is_known = "sdr" in rows and (window, hop) == (second, second)
        rows["csdr"] = rows["sdr"] if is_known else _windowed_sdr(signals, second, second)
    return {name: row for name, row in rows.items() if name in options.metrics}, are_loose


def _windowed_sdr(signals: Signals, window: int, hop: int) -> Tensor:
    """SDR per stem and window, (S, W), without the windows that museval leaves out."""
    parts = []
    for windows in cut_windows(
        iter(signals), window_samples=window, hop_samples=hop, at_once=_WINDOWS_AT_ONCE
    ):
        references, estimates = windows.unbind(1)
        values = decibels(energy(references), energy(references, estimates))
        values[any_silent(windows.flatten(1, 2))] = torch.nan
        parts.append(values.mT)
    return torch.cat(parts, -1)


def _median(values: Sequence[float]) -> float:
    """Median of the finite values, as museval has it; of infinite ones alone that infinity."""
    finite = [value for value in values if math.isfinite(value)]
    if finite:
        return statistics.median(finite)
    return next((value for value in values if not math.isnan(value)), math.nan)


def _check_names(
    references: Mapping[str, object], estimates: Mapping[str, object], track: str
) -> None:
    if not estimates:
        raise DatasetError(f"Cannot score {track or 'a track'}: there are no estimates.")
    unknown = [stem for stem in estimates if stem not in references]
    if unknown:
        raise DatasetError(
            f"Cannot score {unknown[0]} of {track or 'a track'}: there is no such reference, only "
            f"{', '.join(references) or 'none'}. Leave it out, or rename it."
        )


def _misfit(stem: str, track: str, estimate: str, reference: str) -> DatasetError:
    return DatasetError(
        f"Cannot score {stem} of {track or 'a track'}: the estimate has {estimate}, the reference "
        f"{reference}. Separate the song again, or convert the file."
    )


def _shape(signal: Tensor) -> str:
    return f"{signal.shape[0]} channels of {signal.shape[-1]:,} samples"
