"""Finding and running ffmpeg: errors drained, status checked, nothing left running."""

import os
import signal
import stat
import sys
import time
from pathlib import Path

import pytest

from stemsplit.audio.ffmpeg import (
    ENVIRONMENT_VARIABLE,
    FFmpegProcess,
    file_input,
    find_ffmpeg,
    message,
    pipe_input,
    pipe_output,
    reason,
)
from stemsplit.errors import FFmpegNotFoundError

RAW = {"f": "f32le", "ac": 1, "ar": 8000}
posix_only = pytest.mark.skipif(sys.platform == "win32", reason="signals and scripts of POSIX")


def script(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def test_the_built_in_ffmpeg_is_used_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ENVIRONMENT_VARIABLE, raising=False)
    assert "imageio_ffmpeg" in find_ffmpeg()


@posix_only
def test_the_user_chooses_another_ffmpeg_by_path_or_by_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    mine = script(tmp_path / "my-ffmpeg", "exit 0")
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, str(mine))
    assert find_ffmpeg() == str(mine)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, "my-ffmpeg")
    assert find_ffmpeg() == str(mine)


def test_a_chosen_ffmpeg_that_does_not_exist_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, "/nowhere/ffmpeg")
    with pytest.raises(FFmpegNotFoundError, match="STEMSPLIT_FFMPEG=/nowhere/ffmpeg is not a prog"):
        find_ffmpeg()


@posix_only
def test_an_ffmpeg_that_cannot_start_is_an_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    broken.write_bytes(b"\x7fELF nonsense")
    broken.chmod(0o755)
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, str(broken))
    with pytest.raises(FFmpegNotFoundError, match=r"Cannot run ffmpeg: .*broken"):
        FFmpegProcess(pipe_output([pipe_input()], RAW))


@posix_only
def test_much_error_output_does_not_block_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # 2 MB of complaints are far more than a pipe holds; only the last ones are kept.
    talker = script(
        tmp_path / "talker",
        "yes '[error] complaint' | head -c 2000000 >&2; echo >&2; echo last >&2",
    )
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, str(talker))
    with FFmpegProcess(pipe_output([pipe_input()], RAW)) as process:
        process.read(1000)
        assert process.finish() == 0
        assert process.lines[-1] == "last"
        assert len(process.lines) == 200


def test_leaving_early_ends_the_process(tmp_path: Path) -> None:
    endless = file_input(Path("x"), f="lavfi")
    endless.node.kwargs["filename"] = "anullsrc"
    with FFmpegProcess(pipe_output([endless], RAW)) as process:
        process.read(1000)
        assert process._process.poll() is None
    assert process._process.poll() is not None
    assert not process._drain.is_alive()


@posix_only
def test_ctrl_c_in_the_terminal_does_not_reach_ffmpeg() -> None:
    with FFmpegProcess(pipe_output([pipe_input(**RAW)], RAW), has_input=True) as process:
        assert os.getpgid(process._process.pid) != os.getpgrp()


@posix_only
def test_an_ffmpeg_ended_from_outside_says_so() -> None:
    with FFmpegProcess(pipe_output([pipe_input(**RAW)], RAW), has_input=True) as process:
        process._process.send_signal(signal.SIGKILL)
        assert process.finish() == -signal.SIGKILL
        assert process.reason() == "ffmpeg was ended by Killed"


@posix_only
def test_writing_to_an_ffmpeg_that_has_ended_raises() -> None:
    with FFmpegProcess(pipe_output([pipe_input(**RAW)], RAW), has_input=True) as process:
        process._process.send_signal(signal.SIGKILL)
        time.sleep(0.05)
        with pytest.raises(BrokenPipeError):
            process.write(memoryview(bytes(1 << 20)))


def test_the_cause_is_found_among_summaries() -> None:
    lines = [
        "[in#0 @ 0x55a8d5584040] [warning] something harmless",
        "[in#0 @ 0x55a8d5584040] [error] moov atom not found",
        "[in#0 @ 0x55a8d5583cc0] [error] Error opening input: Invalid data found",
        "[error] Error opening input file file:/x.m4a.",
        "[fatal] Error opening input files: Invalid data found",
    ]
    assert reason(lines) == "moov atom not found"
    assert reason(lines[2:]) == "Invalid data found"
    assert reason([]) == "ffmpeg gave no reason"


def test_a_message_has_no_addresses() -> None:
    line = "[aist#0:0/flac @ 0x557465d1d700] [dec:flac @ 0x5574] [error] Decoding error: bad."
    assert message(line) == "Decoding error: bad"
