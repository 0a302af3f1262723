import json
import os
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from stemsplit.separation.ledger import LEDGER_NAME, InputMark, Ledger, mark_input, settings_digest
from stemsplit.separation.options import OutputOptions, SeparationOptions


@pytest.fixture
def song(tmp_path: Path) -> Path:
    path = tmp_path / "song.mp3"
    path.write_bytes(b"music")
    return path


@pytest.fixture
def stem(tmp_path: Path) -> Path:
    path = tmp_path / "out" / "song" / "vocals.wav"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"voice")
    return path


def record(folder: Path, stem: Path, song: Path, settings: str = "s") -> None:
    Ledger(folder).record([stem], source=song, mark=mark_input(song), settings=settings)


def test_a_result_is_current_after_it_was_recorded(song: Path, stem: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert not Ledger(out).is_current([stem], source=song, settings="s")
    record(out, stem, song)
    assert Ledger(out).is_current([stem], source=song, settings="s")
    assert Ledger(out).files() == {stem}


def test_other_settings_input_or_result_make_it_outdated(
    song: Path, stem: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    record(out, stem, song)
    assert not Ledger(out).is_current([stem], source=song, settings="other")
    assert not Ledger(out).is_current([stem, out / "bass.wav"], source=song, settings="s")

    song.write_bytes(b"other music")
    assert not Ledger(out).is_current([stem], source=song, settings="s")
    song.write_bytes(b"music")
    assert Ledger(out).is_current([stem], source=song, settings="s")

    stem.write_bytes(b"edited by hand")
    assert Ledger(out).find(stem) is None
    assert not Ledger(out).is_current([stem], source=song, settings="s")


def test_an_input_is_judged_by_its_contents(song: Path, tmp_path: Path) -> None:
    mark = mark_input(song)
    assert mark is not None
    os.utime(song, (1, 1))
    assert mark.fits(song)
    song.write_bytes(b"musiK")
    assert not mark.fits(song)
    assert not mark.fits(tmp_path)
    assert not mark.fits(tmp_path / "gone")
    assert mark_input(tmp_path / "gone") is None


def test_an_untouched_input_is_not_read_again(song: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mark = mark_input(song)
    monkeypatch.setattr("hashlib.file_digest", pytest.fail)
    assert mark is not None
    assert mark.fits(song)


def test_a_result_edited_without_a_change_of_size_is_no_longer_ours(
    song: Path, stem: Path, tmp_path: Path
) -> None:
    record(tmp_path / "out", stem, song)
    made = stem.stat().st_mtime
    os.utime(stem, (made + 1, made + 1))  # within what a FAT file system rounds
    assert Ledger(tmp_path / "out").find(stem) is not None
    os.utime(stem, (made + 10, made + 10))
    assert Ledger(tmp_path / "out").find(stem) is None


def test_a_result_that_is_gone_is_not_found(song: Path, stem: Path, tmp_path: Path) -> None:
    record(tmp_path / "out", stem, song)
    stem.unlink()
    assert Ledger(tmp_path / "out").find(stem) is None


def test_a_pipe_is_never_current(stem: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    Ledger(out).record([stem], source=Path("-"), mark=None, settings="s")
    assert not Ledger(out).is_current([stem], source=Path("-"), settings="s")
    assert Ledger(out).find(stem) is not None


@pytest.mark.parametrize(
    "damage",
    [b"", b"\x00\xff\xfe", b"[]\n", b'{"files": 3}\n', b"null\n", b'{"source": "x"', b"\n\n"],
)
def test_a_damaged_ledger_keeps_what_can_be_read(
    song: Path, stem: Path, tmp_path: Path, damage: bytes
) -> None:
    out = tmp_path / "out"
    other = stem.with_name("drums.wav")
    other.write_bytes(b"beat")
    record(out, stem, song)
    with (out / LEDGER_NAME).open("ab") as file:
        file.write(damage)
    record(out, other, song)
    assert Ledger(out).is_current([stem, other], source=song, settings="s")


def test_the_last_word_counts(song: Path, stem: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    record(out, stem, song, settings="old")
    record(out, stem, song, settings="new")
    assert Ledger(out).is_current([stem], source=song, settings="new")
    assert not Ledger(out).is_current([stem], source=song, settings="old")


def test_runs_beside_each_other_lose_nothing(song: Path, stem: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    program = (
        "import sys; from pathlib import Path; from stemsplit.separation.ledger import Ledger\n"
        "out, name = Path(sys.argv[1]), sys.argv[2]\n"
        "for i in range(50):\n"
        "    path = out / f'{name}{i}.wav'; path.touch()\n"
        "    Ledger(out).record([path], source=path, mark=None, settings='x' * 500)\n"
    )
    runs = [
        subprocess.Popen([sys.executable, "-c", program, str(out), name]) for name in ("a", "b")
    ]
    assert [run.wait() for run in runs] == [0, 0]
    assert len(Ledger(out).files()) == 100


def test_a_reader_finds_what_made_a_file(song: Path, stem: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    Ledger(out).record(
        [stem], source=song, mark=InputMark("d", 1, 2), settings="s", about={"model": "htdemucs"}
    )
    line = json.loads((out / LEDGER_NAME).read_text())
    assert line["model"] == "htdemucs"
    assert line["source"] == str(song)
    assert line["input"] == {"sha256": "d", "size": 1, "mtime_ns": 2}
    assert list(line["files"]) == ["song/vocals.wav"]


SEPARATION_CHANGES: dict[str, Any] = {
    "stems": ("vocals",),
    "two_stems": "vocals",
    "shifts": 2,
    "overlap": 0.5,
    "segment_seconds": 4.0,
    "precision": "fp16",
    "exact_sum": "other",
}
OUTPUT_CHANGES: dict[str, Any] = {
    "format": "flac",
    "bit_depth": 24,
    "bitrate": 320,
    "clip": "none",
    "start_seconds": 1.0,
    "stop_seconds": 2.0,
}
IDLE_SEPARATION: dict[str, Any] = {"seed": 7, "batch": 2, "jobs": 2, "device": "cpu"}
IDLE_OUTPUT: dict[str, Any] = {
    "folder": Path("x"),
    "template": "{stem}.{ext}",
    "skip_existing": True,
    "overwrite": True,
}


def test_every_option_is_judged() -> None:
    separation = {field.name for field in fields(SeparationOptions)}
    assert separation == {*SEPARATION_CHANGES, *IDLE_SEPARATION}
    assert {field.name for field in fields(OutputOptions)} == {*OUTPUT_CHANGES, *IDLE_OUTPUT}


def test_settings_differ_when_the_stems_would() -> None:
    options, output = SeparationOptions(), OutputOptions()
    digests = [settings_digest("m", options, output), settings_digest("other", options, output)]
    for name, value in SEPARATION_CHANGES.items():
        digests.append(settings_digest("m", replace(options, **{name: value}), output))
    for name, value in OUTPUT_CHANGES.items():
        digests.append(settings_digest("m", options, replace(output, **{name: value})))
    shifted = SeparationOptions(shifts=2, seed=1)
    digests.append(settings_digest("m", shifted, output))
    assert len(set(digests)) == len(digests)


def test_settings_agree_when_only_the_way_there_differs() -> None:
    options, output = SeparationOptions(), OutputOptions()
    wanted = settings_digest("m", options, output)
    for name, value in IDLE_SEPARATION.items():
        assert settings_digest("m", replace(options, **{name: value}), output) == wanted
    for name, value in IDLE_OUTPUT.items():
        assert settings_digest("m", options, replace(output, **{name: value})) == wanted
    pair, riap = (SeparationOptions(stems=names) for names in (("a", "b"), ("b", "a")))
    assert settings_digest("m", pair, output) == settings_digest("m", riap, output)
