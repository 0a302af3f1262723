import shutil
import threading
import time
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from stemsplit.checkpoints.load import LoadedModel
from stemsplit.errors import Cancelled, DeviceError
from stemsplit.models.base import STEMS_4
from stemsplit.separation import estimate
from stemsplit.separation.batch import run_batch
from stemsplit.separation.batch_plan import BatchPlan, plan_batch
from stemsplit.separation.estimate import Measured, SpeedBook, Survey
from stemsplit.separation.events import (
    BatchFinished,
    BatchStarted,
    Event,
    Notice,
    RunEstimate,
    SongFailed,
    SongFinished,
    SongProgress,
    SongSkipped,
    SongStarted,
)
from stemsplit.separation.ledger import LEDGER_NAME
from stemsplit.separation.options import OutputOptions, SeparationOptions
from stemsplit.separation.prepared import PreparedSong
from stemsplit.separation.separator import Separator
from tests.separation.described import described
from tests.separation.fakes import Scaled, make_model

OPTIONS = SeparationOptions(device="cpu")
RATE = 8000
GAINS = (0.1, 0.2, 0.3, 0.4)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STEMSPLIT_CACHE", str(tmp_path / "cache"))
    for name in ("a", "b", "c"):
        write_song(tmp_path / f"{name}.wav")
    return tmp_path


def write_song(path: Path, seconds: float = 0.5) -> None:
    samples = torch.arange(round(seconds * RATE) * 2) * 7919 % 20_000 - 10_000
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples.to(torch.int16).numpy().tobytes())


def plan(*inputs: str, **output: Any) -> BatchPlan:
    return plan_batch(
        inputs or ("a.wav", "b.wav", "c.wav"),
        model=described("fake"),
        options=OPTIONS,
        output=OutputOptions(**output),
    )


def model(network: nn.Module | None = None) -> LoadedModel:
    return make_model([network or Scaled(GAINS)], sample_rate=RATE)


class Run:
    """Runs plans and keeps what was heard."""

    def __init__(self) -> None:
        self.heard: list[Event] = []
        self.cancel = threading.Event()
        self.on_event: Callable[[Event], None] = lambda _: None

    def __call__(self, plan: BatchPlan, network: nn.Module | None = None) -> BatchFinished:
        def make_separator() -> Separator:
            return Separator(model(network), OPTIONS, on_event=self._hear, cancel=self.cancel)

        return run_batch(plan, make_separator, on_event=self._hear)

    def _hear(self, event: Event) -> None:
        self.heard.append(event)
        self.on_event(event)

    def of(self, kind: type[Event]) -> list[Any]:
        return [event for event in self.heard if isinstance(event, kind)]


@pytest.fixture
def run(folder: Path) -> Run:
    return Run()


def files(folder: Path) -> list[str]:
    """Everything in the output folder but the ledger."""
    found = (folder / "separated").rglob("*")
    return sorted(path.name for path in found if path.is_file() and path.name != LEDGER_NAME)


def test_every_song_becomes_its_files(run: Run, folder: Path) -> None:
    finished = run(plan())
    assert (finished.finished, finished.failed, finished.skipped) == (3, 0, 0)
    assert finished.duration_seconds == pytest.approx(1.5)
    for name in "abc":
        for stem in STEMS_4:
            with wave.open(str(folder / "separated/fake" / name / f"{stem}.wav")) as file:
                assert file.getnframes() == RATE // 2
    assert [event.index for event in run.of(SongStarted)] == [0, 1, 2]
    assert isinstance(run.heard[0], BatchStarted)
    assert isinstance(run.heard[-1], BatchFinished)
    assert [event.song for event in run.of(SongFinished)] == [Path(f"{n}.wav") for n in "abc"]


def test_a_finished_batch_is_not_done_twice(run: Run) -> None:
    run(plan())
    again = plan(skip_existing=True)

    def must_not_load() -> Separator:
        raise AssertionError

    finished = run_batch(again, must_not_load, on_event=run.heard.append)
    assert (finished.finished, finished.skipped) == (0, 3)
    assert [event.files["vocals"].name for event in run.of(SongSkipped)] == ["vocals.wav"] * 3


def test_one_bad_file_does_not_end_the_batch(run: Run, folder: Path) -> None:
    (folder / "b.wav").write_bytes(b"no music at all")
    finished = run(plan())
    assert (finished.finished, finished.failed) == (2, 1)
    (failed,) = run.of(SongFailed)
    assert failed.song == Path("b.wav")
    assert "b.wav" in failed.reason
    assert "\n" not in failed.reason
    assert not (folder / "separated/fake/b").exists()


def test_a_song_that_vanishes_is_a_failed_one(run: Run, folder: Path) -> None:
    planned = plan()
    (folder / "c.wav").unlink()
    assert run(planned).failed == 1
    (failed,) = run.of(SongFailed)
    assert "c.wav" in failed.reason


def test_a_folder_that_cannot_be_made_is_a_failed_song(run: Run, folder: Path) -> None:
    planned = plan()
    (folder / "separated/fake").mkdir(parents=True)
    (folder / "separated/fake/b").touch()
    assert run(planned).failed == 1
    (failed,) = run.of(SongFailed)
    assert failed.song == Path("b.wav")


def test_a_stopped_batch_keeps_finished_songs_and_goes_on_later(run: Run, folder: Path) -> None:
    def stop(event: Event) -> None:
        if isinstance(event, SongFinished):
            run.cancel.set()

    run.on_event = stop
    with pytest.raises(Cancelled):
        run(plan())
    assert run.of(BatchFinished)[0].finished == 1
    assert len(files(folder)) == 4

    rest = plan(skip_existing=True)
    assert [job.source.name for job in rest.jobs] == ["b.wav", "c.wav"]
    again = Run()
    assert again(rest).finished == 2
    assert len(files(folder)) == 12


class Slow(nn.Module):
    """Takes its time in many small steps, as a network of many layers does."""

    def __init__(self) -> None:
        super().__init__()
        self.steps = nn.Sequential(*(Step() for _ in range(200)))
        self.answer = Scaled(GAINS)

    def forward(self, mix: Tensor) -> Tensor:
        out: Tensor = self.answer(self.steps(mix))
        return out


class Step(nn.Module):
    def forward(self, mix: Tensor) -> Tensor:
        time.sleep(0.05)
        return mix


def test_a_stop_within_a_song_is_prompt_and_leaves_nothing_of_it(run: Run, folder: Path) -> None:
    stopped: list[float] = []

    def stop() -> None:
        stopped.append(time.monotonic())
        run.cancel.set()

    def stop_soon(event: Event) -> None:
        if isinstance(event, SongStarted):
            threading.Timer(0.3, stop).start()

    run.on_event = stop_soon
    with pytest.raises(Cancelled):
        run(plan(), Slow())
    assert time.monotonic() - stopped[0] < 5.0  # half of what a single forward pass takes
    assert files(folder) == []
    assert run.of(BatchFinished)[0].finished == 0


class OutOfMemory(nn.Module):
    def forward(self, mix: Tensor) -> Tensor:
        raise torch.OutOfMemoryError("out of memory")


def test_a_device_that_fails_ends_the_batch(run: Run, folder: Path) -> None:
    with pytest.raises(DeviceError):
        run(plan(), OutOfMemory())
    assert len(run.of(SongStarted)) == 1
    assert files(folder) == []


def test_the_next_song_is_read_while_one_computes_and_no_more(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared: list[str] = []
    prepare = Separator.prepare

    def note(self: Separator, path: Path, **range_: float | None) -> PreparedSong:
        prepared.append(path.name)
        return prepare(self, path, **range_)  # type: ignore[arg-type]

    monkeypatch.setattr(Separator, "prepare", note)
    ahead: list[list[str]] = []

    def look(event: Event) -> None:
        if isinstance(event, SongStarted):
            limit = time.monotonic() + 5
            while len(prepared) < min(event.index + 2, 3) and time.monotonic() < limit:
                time.sleep(0.01)
            time.sleep(0.05)
            ahead.append(list(prepared))

    run.on_event = look
    run(plan())
    assert ahead[0] == ["a.wav", "b.wav"]
    assert ahead[1] == ["a.wav", "b.wav", "c.wav"]


def test_a_ledger_that_cannot_be_written_is_said(run: Run, folder: Path) -> None:
    planned = plan("a.wav")
    (folder / "separated" / LEDGER_NAME).mkdir(parents=True)
    assert run(planned).finished == 1
    notice = run.of(Notice)[-1]
    assert notice.is_warning
    assert "will not be known as done" in notice.message


def test_a_long_run_is_estimated_from_an_earlier_one(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_song(folder / "long.wav", seconds=21.0)
    run(plan("long.wav"))
    assert run.of(RunEstimate) == []

    book = folder / "cache" / "speed.json"
    (key,) = SpeedBook(book)._read()
    SpeedBook(book).keep(key, Measured(speed=0.001, memory_bytes=5, device_bytes=None))
    later = Run()
    monkeypatch.setattr(estimate, "survey", lambda _: Survey(0.5, 100, 0))
    later.on_event = lambda event: time.sleep(0.2 * isinstance(event, SongStarted))
    later(plan("a.wav"))
    (told,) = later.of(RunEstimate)
    assert told.work_seconds == pytest.approx(0.5 / 0.001 / 0.75)
    assert told.memory_bytes == 5
    assert later.heard.index(told) < later.heard.index(later.of(SongFinished)[0])


def test_what_was_left_out_is_said_first(run: Run, folder: Path) -> None:
    (folder / "d.mp3").symlink_to("nowhere")
    shutil.rmtree(folder / "cache", ignore_errors=True)
    run(plan("."))
    assert [event.song.name for event in run.of(SongFailed)] == ["d.mp3"]
    assert run.of(SongProgress)
