"""One song from file to files.

Reading, computing and writing overlap: one thread decodes, one runs the networks, and the caller's
thread writes. Nothing carries its final name before everything is written.
"""

import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from stemsplit.audio.formats import MIX_TRACK, OutputFormat, resolve_format
from stemsplit.audio.reader import AudioReader
from stemsplit.audio.tags import stem_tags
from stemsplit.audio.writer import StemSetReport, StemSetWriter
from stemsplit.errors import AudioError
from stemsplit.separation.background import Background
from stemsplit.separation.events import (
    EventSink,
    Notice,
    SongFinished,
    SongProgress,
    SongStarted,
    StemQuality,
)
from stemsplit.separation.options import OutputOptions
from stemsplit.separation.prepared import PreparedSong
from stemsplit.separation.separator import Separator, StemBlock
from stemsplit.separation.signal import SignalWindow

_BLOCKS_WAITING = 2  # finished stretches of stems that wait to be written
_COMPARED_SAMPLES = 1 << 18  # stretch in which written files are compared with the song


class Inspector(Protocol):
    """Judges the stems of one song while they are made."""

    def update(self, block: StemBlock) -> None:
        """Take in the next block, which holds the mix as well."""

    def finish(self) -> dict[str, StemQuality]:
        """The verdict on every stem."""


MakeInspector = Callable[[Separator, PreparedSong], Inspector]


def separate_song(
    separator: Separator,
    song: PreparedSong,
    files: Mapping[str, Path],
    output: OutputOptions,
    *,
    index: int = 0,
    make_inspector: MakeInspector | None = None,
    on_event: EventSink,
    on_written: Callable[[], None] = lambda: None,
) -> SongFinished:
    """Separate a prepared song into files.

    Args:
        separator: the loaded model.
        song: what `Separator.prepare` found out about the file.
        files: destination of every stem; one and the same path for a format that holds all stems.
        output: format and levels.
        index: position in a batch, for the events.
        make_inspector: makes what judges the stems; None leaves them unjudged.
        on_event: told of the beginning, the progress and the end.
        on_written: called as soon as the stems have their names, before they are looked at again.

    Returns:
        What was written.

    Raises:
        AudioError: the song cannot be read, or its stems cannot be written.
        Cancelled: `separator.cancel` was set. Nothing is left behind in either case.
    """
    began = time.perf_counter()
    on_event(SongStarted(song=song.path, index=index, duration_seconds=song.duration_seconds))
    if song.downmixed_from:
        on_event(
            Notice(message=f"{song.path}: {song.downmixed_from} channels are mixed down to stereo.")
        )
    if song.faults:
        others = f", and {len(song.faults) - 1} more faults" if len(song.faults) > 1 else ""
        message = f"{song.path}: has a fault, and is heard without what it spoils:"
        on_event(Notice(message=f"{message} {song.faults[0]}{others}.", is_warning=True))
    audio_format = resolve_format(output.format, output.bit_depth, output.bitrate)
    inspector = None if make_inspector is None else make_inspector(separator, song)
    progress = _Progress(song, began, on_event)
    report, quality = _write(separator, song, files, audio_format, output, progress, inspector)
    on_written()
    finished = SongFinished(
        song=song.path,
        files=report.files,
        duration_seconds=song.duration_seconds,
        elapsed_seconds=time.perf_counter() - began,
        gain_db=report.gain_db,
        clipped_samples=report.clipped_samples,
        null_db=_checked_sum(separator, song, report, on_event),
        seed=separator.seed,
        peaks=report.peaks,
        quality=quality,
    )
    on_event(finished)
    return finished


class _Progress:
    """Turns a finished share into speed and time left."""

    def __init__(self, song: PreparedSong, began: float, on_event: EventSink) -> None:
        self._song = song
        self._began = began
        self._on_event = on_event

    def __call__(self, fraction: float) -> None:
        elapsed = time.perf_counter() - self._began
        self._on_event(
            SongProgress(
                song=self._song.path,
                fraction=fraction,
                speed=fraction * self._song.duration_seconds / elapsed,
                remaining_seconds=elapsed * (1 - fraction) / fraction,
            )
        )


def _write(
    separator: Separator,
    song: PreparedSong,
    files: Mapping[str, Path],
    audio_format: OutputFormat,
    output: OutputOptions,
    on_progress: _Progress,
    inspector: Inspector | None,
) -> tuple[StemSetReport, dict[str, StemQuality]]:
    holds_mix = audio_format.format.is_single_file
    with_mix = holds_mix or inspector is not None
    tracks = (*separator.stems, MIX_TRACK) if holds_mix else separator.stems
    tags = {
        track: stem_tags(song.info, stem=track, model=separator.model.name)
        for track in tracks
        if song.info is not None
    }
    blocks = separator.stream_prepared(song, with_mix=with_mix, on_progress=on_progress)
    with (
        StemSetWriter(
            files,
            sample_rate=song.sample_rate,
            channels=song.channels,
            audio_format=audio_format,
            clip=output.clip,
            tags=tags,
            cover_from=song.info.path if song.info is not None else None,
        ) as writer,
        Background(blocks, ahead=_BLOCKS_WAITING) as finished,
    ):
        for block in finished:
            if inspector is not None:
                inspector.update(block)
            stems = block.stems
            if holds_mix and block.mix is not None:
                stems = {**stems, MIX_TRACK: block.mix}
            writer.write(stems)
        quality = {} if inspector is None else inspector.finish()  # before anything has its name
        return writer.commit(), quality


def _checked_sum(
    separator: Separator, song: PreparedSong, report: StemSetReport, on_event: EventSink
) -> float | None:
    """What `_null_db` gives where the sum shall be exact; a failure does not cost the song."""
    options = separator.options
    if options.exact_sum is None and options.two_stems is None:
        return None
    try:
        return _null_db(song, report)
    except AudioError as error:
        message = f"{song.path}: done, but the sum of its stems could not be checked: {error}"
        on_event(Notice(message=message, is_warning=True))
        return None


def _null_db(song: PreparedSong, report: StemSetReport) -> float | None:
    """Level of the song minus the sum of its written stems, in dB relative to the song.

    None where the files cannot be compared sample by sample: another rate, all stems in one file.
    """
    paths = set(report.files.values())
    if report.sample_rate != song.sample_rate or len(paths) < len(report.files):
        return None
    gain = 10 ** (report.gain_db / 20)
    windows = [SignalWindow(iter(AudioReader(path)), song.num_samples) for path in paths]
    mix = SignalWindow(song.open_blocks(), song.num_samples)
    rest = total = 0.0
    for start in range(0, song.num_samples, _COMPARED_SAMPLES):
        stop = min(start + _COMPARED_SAMPLES, song.num_samples)
        expected = mix.take(start, stop).double() * gain
        written = sum((window.take(start, stop).double() for window in windows), 0 * expected)
        rest += float((expected - written).square().sum())
        total += float(expected.square().sum())
        for window in (mix, *windows):
            window.drop(stop)
    if not total:
        return None
    return 10 * math.log10(rest / total) if rest else -math.inf
