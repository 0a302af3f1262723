"""What a run prints, by kind of reader."""

import io
import json
import math
import sys
from pathlib import Path
from typing import Any

import pytest

from stemsplit.checkpoints.download import DownloadProgress
from stemsplit.cli._console import Console, Mode, duration, prepare_streams, size
from stemsplit.cli._progress import BarReporter, make_reporter
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

DONE, BAD, OLD = Path("in/[a] 歌.mp3"), Path("in/b.mp3"), Path("in/c.mp3")
FILES = {"vocals": Path("out/a/vocals.wav"), "drums": Path("out/a/drums.wav")}
EVENTS: tuple[Event, ...] = (
    Notice(message="in/x: left out.", is_warning=True),
    BatchStarted(songs=(DONE, BAD), skipped=(OLD,)),
    SongSkipped(song=OLD, files={"vocals": Path("out/c/vocals.wav")}),
    ModelReady(model="htdemucs_ft", device="cuda", precision="auto", networks=4, seconds=1.25),
    SongStarted(song=DONE, index=0, duration_seconds=125.0),
    RunEstimate(
        songs=2,
        audio_seconds=7200.0,
        work_seconds=3600.0,
        disk_bytes=3_000_000_000,
        waiting_bytes=1_000_000_000,
        free_bytes=2_000_000_000,
        memory_bytes=900_000_000,
        device_bytes=None,
        is_from_earlier_run=True,
    ),
    SongProgress(song=DONE, fraction=0.5, speed=12.5, remaining_seconds=5.0),
    SongFinished(
        song=DONE,
        files=FILES,
        duration_seconds=125.0,
        elapsed_seconds=10.0,
        gain_db=-1.25,
        clipped_samples=3,
        null_db=-141.0,
        seed=7,
        peaks={"vocals": 1.1},
    ),
    SongStarted(song=BAD, index=1, duration_seconds=3.0),
    SongFailed(song=BAD, reason="in/b.mp3: it ends early."),
    BatchFinished(finished=1, failed=1, skipped=1, duration_seconds=125.0, elapsed_seconds=15.0),
)


def play(mode: Mode, events: tuple[Event, ...] = EVENTS) -> None:
    with make_reporter(Console(mode), {"model": "htdemucs_ft"}) as reporter:
        for event in events:
            reporter(event)


def test_a_log_has_plain_lines_and_the_table_is_the_result(
    capsys: pytest.CaptureFixture[str],
) -> None:
    play(Mode.HUMAN)
    out, err = capsys.readouterr()
    assert err.splitlines() == [
        "Warning: in/x: left out.",
        "2 songs, 1 more are already there.",
        "Model htdemucs_ft (4 networks) on cuda, ready in 1.2 s.",
        "[1/2] in/[a] 歌.mp3 (2:05)",
        "This will take about 1:00:00 for 2:00:00 of audio, 900 MB of memory, 3.0 GB of disk"
        " (judged by an earlier run).",
        "Warning: only 2.0 GB of disk are free, and 1.0 GB more are needed while a song is"
        " written.",
        "[a] 歌.mp3: done in 0:10, 12.5x real time.",
        "  All stems were changed by -1.2 dB alike, so that none clips.",
        "  3 samples were clipped.",
        "  The stems add up to the mix within -141 dB.",
        "  Seed of the shifts: 7.",
        "[2/2] in/b.mp3 (0:03)",
        "Failed: in/b.mp3: it ends early.",
    ]
    rows = [line.split() for line in out.splitlines()]
    assert rows[0] == ["song", "result", "length", "took", "speed", "where"]
    assert "in/c.mp3       already there" in out
    assert "in/[a] 歌.mp3  done           2:05    0:10  12.5x  out/a" in out
    assert "failed                              it ends early." in out
    assert out.splitlines()[-1] == "1 done, 1 already there, 1 failed in 0:15."


def test_one_song_that_went_well_gives_its_files(capsys: pytest.CaptureFixture[str]) -> None:
    play(Mode.HUMAN, (BatchStarted(songs=(DONE,)), EVENTS[7], EVENTS[-1]))
    assert capsys.readouterr().out.splitlines() == [str(path) for path in FILES.values()]


def test_one_song_that_was_there_gives_its_files(capsys: pytest.CaptureFixture[str]) -> None:
    play(Mode.HUMAN, (BatchStarted(songs=(), skipped=(OLD,)), EVENTS[2], EVENTS[-1]))
    out, err = capsys.readouterr()
    assert out == f"{Path('out/c/vocals.wav')}\n"
    assert err == "in/c.mp3: is already there.\n"


def test_one_song_that_failed_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    play(Mode.HUMAN, (BatchStarted(songs=(BAD,)), EVENTS[9], EVENTS[-1]))
    assert capsys.readouterr() == ("", "Failed: in/b.mp3: it ends early.\n")


def test_a_perfect_sum_is_said_and_stays_json(capsys: pytest.CaptureFixture[str]) -> None:
    perfect = SongFinished(
        song=DONE, files=FILES, duration_seconds=1.0, elapsed_seconds=1.0, null_db=-math.inf
    )
    for mode in (Mode.HUMAN, Mode.JSON):
        play(mode, (BatchStarted(songs=(DONE,)), perfect, EVENTS[-1]))
    out, err = capsys.readouterr()
    assert "The stems add up to the mix exactly." in err
    assert json.loads(out.splitlines()[-1])["songs"][0]["null_db"] == "-inf"
    assert "Infinity" not in out


def test_quiet_readers_get_paths_and_failures(capsys: pytest.CaptureFixture[str]) -> None:
    play(Mode.QUIET)
    out, err = capsys.readouterr()
    assert out.splitlines() == [str(Path("out/c/vocals.wav")), *map(str, FILES.values())]
    assert err.splitlines() == ["Warning: in/x: left out.", "Failed: in/b.mp3: it ends early."]


def test_programs_get_an_object_per_event_and_a_manifest(
    capsys: pytest.CaptureFixture[str],
) -> None:
    play(Mode.JSON)
    out, err = capsys.readouterr()
    objects: list[dict[str, Any]] = [json.loads(line) for line in out.splitlines()]
    assert err == ""
    assert [each["event"] for each in objects] == [
        "notice",
        "batch_started",
        "song_skipped",
        "model_ready",
        "song_started",
        "run_estimate",
        "song_progress",
        "song_finished",
        "song_started",
        "song_failed",
        "batch_finished",
        "manifest",
    ]
    manifest = objects[-1]
    assert manifest["model"] == "htdemucs_ft"
    assert [song["status"] for song in manifest["songs"]] == ["skipped", "finished", "failed"]
    assert manifest["songs"][1]["files"] == {name: str(path) for name, path in FILES.items()}
    assert (manifest["finished"], manifest["failed"], manifest["skipped"]) == (1, 1, 1)


def test_a_run_that_breaks_off_still_gives_its_manifest(
    capsys: pytest.CaptureFixture[str],
) -> None:
    reporter = make_reporter(Console(Mode.JSON), {})
    reporter(EVENTS[7])
    reporter.__exit__(KeyError, KeyError(), None)
    manifest = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert [song["status"] for song in manifest["songs"]] == ["finished"]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_bars_for_song_and_batch(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    console = Console()
    with make_reporter(console, {}) as reporter:
        assert isinstance(reporter, BarReporter)
        reporter.download(progress(10_000_000))
        reporter._progress.refresh()
        reporter.download(progress(84_000_000))
        for event in EVENTS[:7]:
            reporter(event)
        reporter._progress.refresh()
        for event in EVENTS[7:]:
            reporter(event)
    shown = screen.getvalue()
    for part in ("Downloading 955717e8 (2 of 4)", "10 MB of 84 MB from hub"):
        assert part in shown
    for part in ("[a] 歌.mp3", "50 %", "0:05 left  12.5x real time", "2 songs", "0 done"):
        assert part in shown
    assert "Failed: in/b.mp3" in shown
    assert "1 done, 1 already there, 1 failed" in capsys.readouterr().out


def progress(received_bytes: int) -> DownloadProgress:
    return DownloadProgress(
        file="955717e8",
        received_bytes=received_bytes,
        total_bytes=84_000_000,
        source="hub",
        index=1,
        count=4,
    )


def test_downloads_are_told_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    for mode in (Mode.JSON, Mode.HUMAN):
        with make_reporter(Console(mode), {}) as reporter:
            for done in range(0, 84_000_001, 1_000_000):
                reporter.download(progress(done))
    out, err = capsys.readouterr()
    kinds = [json.loads(line)["event"] for line in out.splitlines()]
    assert kinds.count("download_progress") == 2
    assert err.splitlines()[-1] == "Downloading 955717e8 (2 of 4): 84 MB of 84 MB from hub"
    assert len(err.splitlines()) <= 2


def test_lengths_and_sizes_as_people_write_them() -> None:
    assert [duration(s) for s in (0.4, 42, 185, 3723)] == ["0:00", "0:42", "3:05", "1:02:03"]
    assert [size(n) for n in (12, 84_100_000, 1_240_000_000)] == ["12 bytes", "84 MB", "1.2 GB"]


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_any_name_can_be_printed(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding))
    prepare_streams()
    Console().result("歌 \udcff.wav")
    written = raw.getvalue()
    assert written == (
        "歌 ".encode() + b"\xff.wav\n" if encoding == "utf-8" else b"\\u6b4c \\udcff.wav\n"
    )
