import gc
import io
import os
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from stemsplit.errors import Cancelled, DecodeError
from stemsplit.separation.piped import SpooledInput, called, delete_copies, spool_if_pipe

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files go during the test."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


def standard_input(monkeypatch: pytest.MonkeyPatch, source: io.RawIOBase) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BufferedReader(source)))


def test_a_file_is_used_as_it_is(temporary: Path, tmp_path: Path) -> None:
    song = tmp_path / "song.wav"
    song.touch()
    assert spool_if_pipe(song, threading.Event()) == SpooledInput(song)
    assert list(temporary.iterdir()) == []


def test_standard_input_becomes_a_file_that_goes_with_its_owner(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"music" * 1000)))
    spooled = spool_if_pipe(Path("-"), threading.Event())
    assert spooled.path.read_bytes() == b"music" * 1000
    assert spooled.path.parent.parent == temporary
    assert spooled.path.name == "stdin"  # which becomes the title of its stems
    del spooled
    gc.collect()
    assert list(temporary.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="keeps files that are open")
def test_a_process_that_ends_at_once_leaves_no_copy(
    temporary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"music")))
    in_use = spool_if_pipe(Path("-"), threading.Event())
    silent = tmp_path / "pipe"  # opening it waits for somebody who writes
    os.mkfifo(silent)
    waiting = threading.Thread(target=spool_if_pipe, args=(silent, threading.Event()))
    waiting.start()
    while not list(temporary.glob("*/pipe")):
        time.sleep(0.01)
    delete_copies()
    assert not in_use.path.exists()
    assert list(temporary.iterdir()) == []
    silent.write_bytes(b"")
    waiting.join()


@pytest.mark.skipif(sys.platform == "win32", reason="has no named pipes in folders")
def test_a_named_pipe_is_copied(temporary: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(b"music",))
    writer.start()
    spooled = spool_if_pipe(pipe, threading.Event())
    writer.join()
    assert spooled.path.read_bytes() == b"music"


class Endless(io.RawIOBase):
    """Gives zeros for ever, and sets an event on the way."""

    def __init__(self, event: threading.Event) -> None:
        self._event = event
        self._num_reads = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        self._num_reads += 1
        if self._num_reads == 3:
            self._event.set()
        return memoryview(buffer).nbytes


def test_a_stop_ends_the_copying_and_deletes_the_copy(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cancel = threading.Event()
    standard_input(monkeypatch, Endless(cancel))
    with pytest.raises(Cancelled):
        spool_if_pipe(Path("-"), cancel)
    assert list(temporary.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="cannot tell whether a pipe has something")
def test_a_stop_ends_the_waiting_for_a_pipe_that_says_nothing(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, writing = os.pipe()
    cancel = threading.Event()
    with os.fdopen(writing, "wb") as writer, os.fdopen(reading, "rb") as reader:
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=reader))
        writer.write(b"music")
        writer.flush()
        threading.Timer(0.3, cancel.set).start()
        with pytest.raises(Cancelled):
            spool_if_pipe(Path("-"), cancel)
    assert list(temporary.iterdir()) == []


class Broken(io.RawIOBase):
    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        raise OSError(28, "No space left on device")


def test_a_broken_pipe_is_said_and_its_copy_deleted(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    standard_input(monkeypatch, Broken())
    with pytest.raises(DecodeError, match="Cannot read -: No space left on device"):
        spool_if_pipe(Path("-"), threading.Event())
    assert list(temporary.iterdir()) == []


def test_errors_speak_of_the_pipe() -> None:
    spooled = SpooledInput(Path("/tmp/copy"))
    with (
        pytest.raises(DecodeError, match=r"^Cannot read -: no audio\.$"),
        called(Path("-"), spooled),
    ):
        raise DecodeError("Cannot read /tmp/copy: no audio.")
