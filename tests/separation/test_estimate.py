import sys
import time
import wave
from pathlib import Path
from typing import Any

import pytest

from stemsplit.audio.formats import resolve_format
from stemsplit.audio.probe import AudioInfo, probe
from stemsplit.separation import estimate
from stemsplit.separation.batch_plan import BatchPlan, plan_batch
from stemsplit.separation.estimate import (
    Estimator,
    Measured,
    SpeedBook,
    free_disk_bytes,
    peak_memory_bytes,
    stem_bytes,
    survey,
)
from stemsplit.separation.events import (
    Event,
    RunEstimate,
    SongFinished,
    SongProgress,
    SongStarted,
)
from stemsplit.separation.options import OutputOptions, SeparationOptions
from tests.separation.described import described

SONG = Path("0.wav")
STARTED = SongStarted(song=SONG, index=0, duration_seconds=4.0)
PROGRESS = SongProgress(song=SONG, fraction=0.5, speed=0.01, remaining_seconds=1.0)


def write_wav(path: Path, seconds: float) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(b"\x00\x00\x00\x00" * round(seconds * 8000))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def plan(*songs: str, **output: Any) -> BatchPlan:
    return plan_batch(
        songs,
        model=described(),
        options=SeparationOptions(),
        output=OutputOptions(**output),
    )


def test_a_survey_of_wav_is_exact(folder: Path) -> None:
    for index in range(3):
        write_wav(folder / f"{index}.wav", 2.0)
    (folder / "broken.wav").write_bytes(b"")
    found = survey(plan(".", bit_depth=24))
    assert found.audio_seconds == pytest.approx(6.0)
    assert found.disk_bytes == pytest.approx(6 * 8000 * 2 * 3 * 4)
    assert found.waiting_bytes == 2 * 8000 * 2 * 4 * 4  # of one song
    assert survey(plan(".", clip="clamp")).waiting_bytes == 0


def test_a_survey_counts_the_asked_range_only(folder: Path) -> None:
    write_wav(folder / "0.wav", 4.0)
    assert survey(plan(".", start_seconds=1.0, stop_seconds=2.5)).audio_seconds == 1.5
    assert survey(plan(".", start_seconds=3.0, stop_seconds=9.0)).audio_seconds == 1.0
    assert survey(plan(".", start_seconds=9.0)).audio_seconds == 0.0


def test_a_large_batch_is_judged_by_a_sample(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimate, "_SAMPLED_SONGS", 4)
    for index in range(12):
        write_wav(folder / f"{index:02}.wav", 1.0)
    asked: list[Path] = []

    def ask(path: Path) -> AudioInfo:
        asked.append(path)
        return probe(path)

    monkeypatch.setattr(estimate, "probe", ask)
    assert survey(plan(".")).audio_seconds == pytest.approx(12.0, rel=0.01)
    assert len(asked) == 4


def test_a_pipe_alone_says_nothing(folder: Path) -> None:
    assert survey(plan("-")).audio_seconds == 0.0


def test_room_by_format(folder: Path) -> None:
    write_wav(folder / "0.wav", 1.0)
    info = probe(folder / "0.wav")
    sizes = {
        name: stem_bytes(10.0, info, resolve_format(name), num_stems=4)
        for name in ("wav", "flac", "mp3", "stems")
    }
    assert sizes["wav"] == 10 * 8000 * 2 * 2 * 4
    assert sizes["flac"] < sizes["wav"]
    assert sizes["mp3"] == 10 * 320_000 / 8 * 4
    assert sizes["stems"] == 10 * 256_000 / 8 * 5


def run(folder: Path, book: SpeedBook, *events: Event, work_factor: float = 1.0) -> list[Event]:
    heard: list[Event] = []
    estimator = Estimator(
        plan("0.wav"), work_factor=work_factor, book=book, key="k", on_event=heard.append
    )
    limit = time.monotonic() + 10
    while estimator._survey is None and time.monotonic() < limit:
        time.sleep(0.01)
    for event in events:
        estimator.watch(event)
    return heard


@pytest.fixture
def book(folder: Path) -> SpeedBook:
    write_wav(folder / "0.wav", 4.0)
    return SpeedBook(folder / "cache" / "speed.json")


def test_an_earlier_run_tells_before_the_first_segment(folder: Path, book: SpeedBook) -> None:
    book.keep("k", Measured(speed=0.05, memory_bytes=7, device_bytes=None))
    (event,) = run(folder, book, STARTED, PROGRESS, PROGRESS)
    assert isinstance(event, RunEstimate)
    assert event.is_from_earlier_run
    assert event.work_seconds == pytest.approx(80.0)
    assert (event.songs, event.audio_seconds, event.memory_bytes) == (1, 4.0, 7)
    assert event.disk_bytes == 4 * 8000 * 2 * 2 * 4


def test_overlap_and_shifts_of_another_run_are_taken_into_account(
    folder: Path, book: SpeedBook
) -> None:
    book.keep("k", Measured(speed=0.1, memory_bytes=None, device_bytes=None))
    (event,) = run(folder, book, STARTED, work_factor=4.0)
    assert isinstance(event, RunEstimate)
    assert event.work_seconds == pytest.approx(160.0)


def test_a_short_run_needs_no_estimate(folder: Path, book: SpeedBook) -> None:
    book.keep("k", Measured(speed=1.0, memory_bytes=7, device_bytes=None))
    assert run(folder, book, STARTED, PROGRESS) == []


def test_the_first_run_is_judged_by_its_beginning(
    folder: Path, book: SpeedBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(folder, book, STARTED, PROGRESS) == []  # too early to be believed
    monkeypatch.setattr(estimate, "_WARM_UP_SECONDS", 0.0)
    (event,) = run(folder, book, STARTED, PROGRESS, PROGRESS)
    assert isinstance(event, RunEstimate)
    assert not event.is_from_earlier_run
    assert event.work_seconds == pytest.approx(400.0)
    assert event.memory_bytes == peak_memory_bytes()


def test_the_speed_of_a_song_is_kept_for_later_runs(folder: Path, book: SpeedBook) -> None:
    finished = SongFinished(song=SONG, files={}, duration_seconds=60.0, elapsed_seconds=30.0)
    run(folder, book, finished, work_factor=2.0)
    kept = book.find("k")
    assert kept is not None
    assert kept.speed == pytest.approx(4.0)
    assert book.find("other") is None


def test_a_snippet_says_too_little_about_speed(folder: Path, book: SpeedBook) -> None:
    run(folder, book, SongFinished(song=SONG, files={}, duration_seconds=3.0, elapsed_seconds=9.0))
    assert book.find("k") is None


@pytest.mark.parametrize("text", ["", "[]", "{", '{"k": 1}', '{"k": {"speed": 0}}', '{"k": {}}'])
def test_a_damaged_book_is_an_empty_one(folder: Path, text: str) -> None:
    path = folder / "speed.json"
    path.write_text(text)
    assert SpeedBook(path).find("k") is None
    SpeedBook(path).keep("k", Measured(speed=2.0, memory_bytes=None, device_bytes=None))
    assert SpeedBook(path).find("k") == Measured(2.0, None, None)
    assert [each.name for each in folder.iterdir()] == ["speed.json"]


def test_an_unwritable_cache_is_no_reason_to_fail(folder: Path) -> None:
    (folder / "file").touch()
    SpeedBook(folder / "file" / "speed.json").keep("k", Measured(1.0, None, None))


def test_the_machine_is_asked(folder: Path) -> None:
    assert free_disk_bytes(folder / "not" / "there" / "yet") > 0
    found = peak_memory_bytes()
    if sys.platform == "linux":
        assert found is not None
    assert found is None or 10e6 < found < 1e12  # Python alone takes more than 10 MB
