"""The events of a run in words."""

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stemsplit.cli._console import duration, size
from stemsplit.separation.events import (
    BatchFinished,
    BatchStarted,
    Event,
    ModelReady,
    Notice,
    RunEstimate,
    SongFailed,
    SongFinished,
    SongProgress,
    SongSkipped,
    SongStarted,
)

if TYPE_CHECKING:
    from stemsplit.checkpoints.download import DownloadProgress


def lines_about(event: Event, index: int, num_songs: int) -> list[str]:
    """What a person wants to read about an event."""
    describe: dict[type, Callable[[Any], list[str]]] = {
        Notice: lambda e: [f"{'Warning' if e.is_warning else 'Note'}: {e.message}"],
        ModelReady: _model_lines,
        BatchStarted: _batch_lines,
        RunEstimate: _estimate_lines,
        SongStarted: lambda e: [
            f"{_count(index, num_songs)}{e.song} ({duration(e.duration_seconds)})"
        ],
        SongFinished: _finished_lines,
        SongFailed: lambda e: [failure_line(e)],
        SongSkipped: lambda e: [f"{e.song}: is already there."],
    }
    return describe[type(event)](event)


def _count(index: int, num_songs: int) -> str:
    return f"[{index + 1}/{num_songs}] " if num_songs > 1 else ""


def _model_lines(event: ModelReady) -> list[str]:
    networks = f" ({event.networks} networks)" if event.networks > 1 else ""
    return [f"Model {event.model}{networks} on {event.device}, ready in {event.seconds:.1f} s."]


def _batch_lines(event: BatchStarted) -> list[str]:
    if len(event.songs) + len(event.skipped) == 1:
        return []
    there = f", {len(event.skipped)} more are already there" if event.skipped else ""
    return [f"{len(event.songs)} songs{there}."]


def _estimate_lines(event: RunEstimate) -> list[str]:
    memory = f"{size(event.memory_bytes)} of memory, " if event.memory_bytes else ""
    if event.device_bytes:
        memory += f"{size(event.device_bytes)} of GPU memory, "
    basis = "an earlier run" if event.is_from_earlier_run else "its beginning"
    lines = [
        f"This will take about {duration(event.work_seconds)} for {duration(event.audio_seconds)}"
        f" of audio, {memory}{size(event.disk_bytes)} of disk (judged by {basis})."
    ]
    if event.disk_bytes + event.waiting_bytes > event.free_bytes:
        lines.append(
            f"Warning: only {size(event.free_bytes)} of disk are free, and"
            f" {size(event.waiting_bytes)} more are needed while a song is written."
        )
    return lines


def progress_line(event: SongProgress) -> str:
    """How far a song is."""
    left = duration(event.remaining_seconds)
    return f"{event.song.name}: {event.fraction:.0%}, {left} left, {event.speed:.1f}x real time"


def _finished_lines(event: SongFinished) -> list[str]:
    speed = event.duration_seconds / max(event.elapsed_seconds, 1e-3)
    lines = [
        f"{event.song.name}: done in {duration(event.elapsed_seconds)}, {speed:.1f}x real time."
    ]
    if event.gain_db:
        lines.append(
            f"  All stems were changed by {event.gain_db:.1f} dB alike, so that none clips."
        )
    if event.clipped_samples:
        lines.append(f"  {event.clipped_samples} samples were clipped.")
    if event.null_db is not None:
        level = "exactly" if math.isinf(event.null_db) else f"within {event.null_db:.0f} dB"
        lines.append(f"  The stems add up to the mix {level}.")
    if event.seed is not None:
        lines.append(f"  Seed of the shifts: {event.seed}.")
    return lines + _quality_lines(event)


def _quality_lines(event: SongFinished) -> list[str]:
    """How far the stems can be trusted, and why not."""
    if not event.quality:
        return []
    scores = ", ".join(f"{stem} {quality.score}" for stem, quality in event.quality.items())
    reasons = [
        f"    {stem}: {reason}"
        for stem, quality in event.quality.items()
        for reason in quality.reasons
    ]
    return [f"  Trust in the stems, from 0 to 100: {scores}.", *reasons]


def listen_first_lines(results: Sequence[object], most: int = 10) -> list[str]:
    """The songs of a batch whose worst stem is trusted least."""
    judged = [one for one in results if isinstance(one, SongFinished) and one.quality]
    if len(judged) < 2:
        return []
    judged.sort(key=lambda event: _least_trusted(event)[0])
    lines = [f"Listen first to ({min(most, len(judged))} of {len(judged)}):"]
    for event in judged[:most]:
        score, stem = _least_trusted(event)
        reason = "; ".join(event.quality[stem].reasons)
        lines.append(f"  {score:>3}  {event.song}: {stem}{': ' if reason else ''}{reason}")
    return lines


def _least_trusted(event: SongFinished) -> tuple[int, str]:
    return min((quality.score, stem) for stem, quality in event.quality.items())


def failure_line(event: SongFailed) -> str:
    """Why a song failed; it is named once."""
    name = str(event.song)
    return f"Failed: {event.reason if name in event.reason else f'{name}: {event.reason}'}"


def table_row(result: SongFinished | SongFailed | SongSkipped) -> tuple[str, ...]:
    """What became of a song: name, result, length, time, speed, place or reason."""
    song = str(result.song)
    if isinstance(result, SongFailed):
        return (song, "failed", "", "", "", result.reason.removeprefix(f"{song}: "))
    where = _folder(result.files)
    if isinstance(result, SongSkipped):
        return (song, "already there", "", "", "", where)
    speed = result.duration_seconds / max(result.elapsed_seconds, 1e-3)
    times = (duration(result.duration_seconds), duration(result.elapsed_seconds), f"{speed:.1f}x")
    outcome = "done"
    if result.quality:
        score, stem = _least_trusted(result)
        outcome = f"done ({stem} {score})"
    return (song, outcome, *times, where)


def _folder(files: Mapping[str, Path]) -> str:
    folders = {path.parent for path in files.values()}
    return str(folders.pop()) if len(folders) == 1 else str(next(iter(files.values())))


def result_paths(result: SongFinished | SongSkipped) -> list[str]:
    """The files of a song, each once."""
    return [str(path) for path in dict.fromkeys(result.files.values())]


def totals_line(totals: BatchFinished, undone: int) -> str:
    """The end of a run, with the songs that it did not get to."""
    counts = [f"{totals.finished} done"]
    if totals.skipped:
        counts.append(f"{totals.skipped} already there")
    if totals.failed:
        counts.append(f"{totals.failed} failed")
    if undone:
        counts.append(f"{undone} not done")
    return f"{', '.join(counts)} in {duration(totals.elapsed_seconds)}."


def short(name: str) -> str:
    """A name that leaves room for a bar."""
    return name if len(name) <= 32 else f"{name[:31]}…"


def download_title(progress: "DownloadProgress") -> str:
    """Which file is fetched."""
    position = f" ({progress.index + 1} of {progress.count})" if progress.count > 1 else ""
    return f"Downloading {short(progress.file)}{position}"


def download_note(progress: "DownloadProgress") -> str:
    """How much of it is there, and where it comes from."""
    total = f" of {size(progress.total_bytes)}" if progress.total_bytes else ""
    return f"{size(progress.received_bytes)}{total} from {progress.source}"
