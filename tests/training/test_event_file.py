"""Files that TensorBoard reads."""

import time
from pathlib import Path

import pytest

from stemsplit.training.event_file import EventFile

# Written by the classes of tensorboard 2.21.0 (RecordWriter, event_pb2, summary_pb2) at second
# 1000.5: version, start of a session at step 201, and two values of step 70000.
THEIRS = bytes.fromhex(
    "1800000000000000a37f4b22090000000000448f401a0d627261696e2e4576656e743a32aba3334510000000"
    "0000000095fbfe18090000000000448f4010c9013a020801dcffcb9033000000000000000ca7205609000000"
    "0000448f4010f0a2042a240a0f0a086c6f73732f616c6c15cdcccc3d0a110a0a5344522f766f63616c731500"
    "00e8c03729121b"
)


def test_a_file_is_what_tensorboard_itself_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "time", lambda: 1000.5)
    file = EventFile(tmp_path / "events", first_step=201)
    file.add(70_000, {"loss/all": 0.1, "SDR/vocals": -7.25})
    (path,) = (tmp_path / "events").iterdir()
    assert path.name.startswith("events.out.tfevents.")
    assert path.read_bytes() == THEIRS
