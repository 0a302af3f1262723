"""`stemsplit separate` from typed words to files, with a tiny network and real audio."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from stemsplit.models.base import STEMS_4
from tests.cli.conftest import Command
from tests.cli.tiny import RATE, environment, write_song, write_tiny_model


@pytest.fixture
def song(folder: Path) -> Path:
    return write_song(folder / "song.wav").relative_to(folder)


def read(path: Path | str) -> NDArray[np.float64]:
    samples: NDArray[np.float64]
    samples, _ = soundfile.read(path, always_2d=True)
    return samples


def made(folder: Path) -> list[str]:
    """Every file below the output folder but the ledger."""
    out = folder / "separated"
    files = (path for path in out.rglob("*") if path.is_file() and path.name[0] != ".")
    return sorted(path.relative_to(out).as_posix() for path in files)


def test_a_song_becomes_four_stems_of_its_length(separate: Command, song: Path) -> None:
    result = separate(song)
    assert result.status == 0
    paths = [f"separated/tiny/song/{stem}.wav" for stem in STEMS_4]
    assert [line.replace("\\", "/") for line in result.out.splitlines()] == paths
    assert all(read(path).shape == (RATE, 2) for path in paths)
    assert soundfile.info(paths[0]).subtype == "PCM_16"


def test_options_may_stand_before_and_after_the_song(separate: Command, song: Path) -> None:
    assert separate("--quiet", song, "--out", "x", "--bit-depth", "24").status == 0
    assert soundfile.info("x/tiny/song/bass.wav").subtype == "PCM_24"


def test_a_folder_keeps_its_tree(separate: Command, folder: Path) -> None:
    for name in ("a b.wav", "disc 1/歌 🎵.wav", "disc 2/歌 🎵.wav"):
        write_song(folder / "music" / name, 0.2)
    result = separate("music", "--stems", "vocals")
    assert result.status == 0
    assert made(folder) == [
        "tiny/a b/vocals.wav",
        "tiny/disc 1/歌 🎵/vocals.wav",
        "tiny/disc 2/歌 🎵/vocals.wav",
    ]
    assert result.out.splitlines()[-1].startswith("3 done in ")


@pytest.mark.skipif(sys.platform != "linux", reason="names are made of letters there")
def test_names_that_are_not_utf_8(separate: Command, folder: Path) -> None:
    song = folder / os.fsdecode(b"music/caf\xe9.wav")
    write_song(folder / "plain.wav", 0.2)
    song.parent.mkdir()
    (folder / "plain.wav").rename(song)
    out = Path(os.fsdecode(b"aus\xe9"))
    words = ("--out", out, "--template", "{artist}/{track}/{stem}.{ext}", "--report", "--json")
    assert separate("music", *words).status == 0
    assert (out / "unknown artist/caf_/bass.wav").read_bytes()[:4] == b"RIFF"
    assert separate("music", *words, "--skip-existing").objects[-1]["skipped"] == 1


def test_a_name_with_a_leading_dash(separate: Command, folder: Path) -> None:
    write_song(folder / "-song.wav", 0.2)
    assert separate("--", "-song.wav").status == 0
    assert separate("-song.wav", "--overwrite").status == 0
    assert made(folder)[0] == "tiny/-song/bass.wav"


def test_one_bad_file_fails_and_the_rest_is_done(separate: Command, folder: Path) -> None:
    write_song(folder / "music/a.wav", 0.2)
    (folder / "music/b.mp3").write_bytes(b"no music")
    write_song(folder / "music/c.wav", 0.2)
    result = separate("music", "--json")
    assert result.status == 1
    assert made(folder) == [f"tiny/{n}/{s}.wav" for n in "ac" for s in sorted(STEMS_4)]
    manifest = result.objects[-1]
    assert manifest["event"] == "manifest"
    assert [song["status"] for song in manifest["songs"]] == ["finished", "failed", "finished"]
    assert (manifest["finished"], manifest["failed"]) == (2, 1)
    assert manifest["options"]["overlap"] == 0.25


def test_json_has_an_object_for_every_event(separate: Command, song: Path) -> None:
    result = separate(song, "--json")
    kinds = [each["event"] for each in result.objects]
    assert kinds[:3] == ["batch_started", "model_ready", "song_started"]
    assert kinds[-3:] == ["song_finished", "batch_finished", "manifest"]
    assert "song_progress" in kinds
    assert result.err == ""


def test_what_is_there_is_skipped_without_loading_anything(
    separate: Command, song: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert separate(song).status == 0
    monkeypatch.setattr("stemsplit.separation.batch.load_separator", pytest.fail)
    result = separate(song, "--skip-existing", "--quiet")
    assert result.status == 0
    assert len(result.out.splitlines()) == 4


def test_a_changed_model_song_or_setting_is_done_again(
    stemsplit: Command, song: Path, folder: Path
) -> None:
    model = write_tiny_model(folder / "own.safetensors")

    def finished(*words: str) -> int:
        result = stemsplit(song, "--model", model, "--skip-existing", "--json", *words)
        return int(result.objects[-1]["finished"])

    assert finished() == 1
    assert finished() == 0
    assert finished("--overlap", "0.5") == 1
    assert finished() == 1
    write_tiny_model(model, seed=1)
    assert finished() == 1
    write_song(song, seconds=0.5)
    assert finished() == 1
    assert finished() == 0


def test_files_of_others_are_kept(separate: Command, song: Path, folder: Path) -> None:
    other = folder / "separated/tiny/song/vocals.wav"
    other.parent.mkdir(parents=True)
    other.write_bytes(b"mine")
    result = separate(song)
    assert result.status == 1
    assert "vocals.wav is in the way" in result.err
    assert other.read_bytes() == b"mine"
    assert separate(song, "--overwrite").status == 0
    assert read(other).shape == (RATE, 2)


def test_two_stems_add_up_to_the_song(separate: Command, song: Path, folder: Path) -> None:
    assert separate(song, "--two-stems", "vocals", "--float32").status == 0
    assert made(folder) == ["tiny/song/no_vocals.wav", "tiny/song/vocals.wav"]
    parts = [read(folder / "separated" / name) for name in made(folder)]
    np.testing.assert_allclose(sum(parts), read(song), atol=1e-6)


def test_an_exact_sum_adds_up_to_the_song(separate: Command, song: Path, folder: Path) -> None:
    result = separate(song, "--exact-sum", "--float32", "--json")
    assert result.objects[-1]["songs"][0]["null_db"] < -120
    parts = [read(folder / "separated" / name) for name in made(folder)]
    np.testing.assert_allclose(sum(parts), read(song), atol=1e-6)


def test_a_part_of_a_song(separate: Command, song: Path) -> None:
    assert separate(song, "--from", "0:00.25", "--to", "0.75").status == 0
    assert len(read("separated/tiny/song/bass.wav")) == RATE // 2


def test_shifts_are_repeatable_and_say_their_seed(separate: Command, song: Path) -> None:
    words = (song, "--shifts", "2", "--seed", "5", "--float32", "--json", "--overwrite")
    assert separate(*words).objects[-1]["songs"][0]["seed"] == 5
    first = read("separated/tiny/song/bass.wav")
    separate(*words)
    np.testing.assert_array_equal(read("separated/tiny/song/bass.wav"), first)


@pytest.mark.parametrize(
    ("words", "name", "subtype"),
    [
        (("--flac",), "tiny/song/bass.flac", "PCM_16"),
        (("--flac", "--int24"), "tiny/song/bass.flac", "PCM_24"),
        (("--float32",), "tiny/song/bass.wav", "FLOAT"),
        (("--mp3", "--mp3-bitrate", "128"), "tiny/song/bass.mp3", None),
        (("--format", "ogg", "--bitrate", "96k"), "tiny/song/bass.ogg", None),
        (("--filename", "{track}_{stem}.{ext}"), "tiny/song_bass.wav", "PCM_16"),
        (("--clip-mode", "rescale"), "tiny/song/bass.wav", "PCM_16"),
    ],
)
def test_formats_and_what_people_type_for_demucs(
    separate: Command, song: Path, folder: Path, words: tuple[str, ...], name: str, subtype: str
) -> None:
    assert separate(song, *words).status == 0
    assert name in made(folder)
    if subtype is not None:
        assert soundfile.info(folder / "separated" / name).subtype == subtype


def test_the_home_folder_of_an_option(
    separate: Command, song: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(folder / "home"))
    monkeypatch.setenv("USERPROFILE", str(folder / "home"))
    assert separate(song, "--out=~/stems").status == 0
    assert read(folder / "home/stems/tiny/song/bass.wav").shape == (RATE, 2)


def test_a_repository_folder_as_in_demucs(
    stemsplit: Command, song: Path, tiny_model: Path, folder: Path
) -> None:
    (folder / "repo").mkdir()
    shutil.copy(tiny_model, folder / "repo")
    assert stemsplit(song, "--repo", "repo", "-n", "tiny", "-d", "cpu", "-j", "2").status == 0
    assert "tiny/song/bass.wav" in made(folder)


def test_models_are_listed_as_in_demucs(stemsplit: Command) -> None:
    result = stemsplit("--list-models")
    assert result.status == 0
    assert "htdemucs_ft" in result.out


BAD_WORDS = [
    (("song.wav", "--overlap", "1"), 2, "--overlap must be at least 0 and below 1"),
    (("song.wav", "--shifts", "-1"), 2, "--shifts must be from 0 to 100"),
    (("song.wav", "--segment", "0"), 2, "--segment must be above 0"),
    (("song.wav", "--batch", "0"), 2, "--batch must be 1 or more"),
    (("song.wav", "--jobs", "0"), 2, "--jobs must be 1 or more"),
    (("song.wav", "--precision", "fp8"), 2, "--precision must be one of auto"),
    (("song.wav", "--device", "gpu"), 2, "--device 'gpu' is not a device"),
    (("song.wav", "--clip", "hard"), 2, "--clip must be one of shared"),
    (("song.wav", "--format", "aiff"), 2, "There is no format 'aiff'"),
    (("song.wav", "--format", "flac", "--bit-depth", "32"), 2, "not 32"),
    (("song.wav", "--format", "mp3", "--bitrate", "1000"), 2, "--bitrate of mp3 must be"),
    (("song.wav", "--mp3", "--flac"), 2, "--format is asked to be mp3 and flac"),
    (("song.wav", "--format", "wav", "--mp3"), 2, "--format is asked to be wav and mp3"),
    (("song.wav", "--clip", "shared", "--clip-mode", "none"), 2, "asked to be shared and none"),
    (("song.wav", "--mp3", "--bitrate", "0"), 2, "--bitrate of mp3 must be"),
    (("song.wav", "--bit-depth", "0"), 2, "not 0"),
    (("song.wav", "--int24", "--float32"), 2, "--bit-depth is asked to be 24 and 32"),
    (("song.wav", "--template", "{trakc}.{ext}"), 2, "Did you mean track"),
    (("song.wav", "--template", "../{stem}.{ext}"), 2, "may not lead out"),
    (("song.wav", "--from", "2:00", "--to", "1:00"), 2, "must lie after --from"),
    (("song.wav", "--from", "1:70"), 2, "'1:70' is not a time"),
    (("song.wav", "--overlap", "nan"), 2, "'nan' is not a number"),
    (("song.wav", "--bitrate", "loud"), 2, "'loud' is not a bit rate"),
    (("song.wav", "--skip-existing", "--overwrite"), 2, "exclude each other"),
    (("song.wav", "--stems", "a", "--two-stems", "b"), 2, "exclude each other"),
    (("song.wav", "--stems", ","), 2, "at least one name"),
    (("song.wav", "--stems", "vocal"), 1, "Did you mean vocals"),
    (("song.wav", "--two-stems", "piano"), 1, "has no stem 'piano'"),
    (("song.wav", "--model", "htdmucs"), 1, "Did you mean htdemucs"),
    (("song.wav", "--exact-sum", "--stems", "vocals"), 2, "--exact-sum needs all stems"),
    (("song.wav", "--out", "song.wav"), 1, "is a file"),
    (("none.wav",), 1, "none.wav: no such file or folder"),
    (("song.wav", "none.wav"), 1, "none.wav: no such file or folder"),
    (("empty",), 1, "empty: no audio files in this folder"),
    (("*.flac",), 1, "*.flac: no file matches"),
]


@pytest.mark.parametrize(("words", "status", "message"), BAD_WORDS)
def test_what_cannot_be_is_one_line_before_any_work(
    stemsplit: Command,
    song: Path,
    tiny_model: Path,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    status: int,
    message: str,
) -> None:
    (folder / "empty").mkdir()
    monkeypatch.setattr("stemsplit.separation.batch.load_separator", pytest.fail)
    model = () if "--model" in words else ("--model", tiny_model)
    result = stemsplit("separate", *words, *model)
    assert result.status == status
    assert message in result.err
    assert len(result.err.splitlines()) == 1
    assert result.out == ""
    assert made(folder) == []


BAD_FILES = {
    "empty.wav": b"",
    "text.mp3": b"no music at all, only words " * 40,
    "cut.flac": b"fLaC\x00\x00\x00\x22",
}


@pytest.mark.parametrize("name", [*BAD_FILES, "cut.wav", "silent.wav", "picture.png"])
def test_a_bad_song_is_one_line_and_leaves_nothing(
    separate: Command, folder: Path, name: str
) -> None:
    if name in BAD_FILES:
        (folder / name).write_bytes(BAD_FILES[name])
    elif name == "picture.png":
        png = "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de"
        (folder / name).write_bytes(bytes.fromhex(png))
    else:
        write_song(folder / name, 1.0 if name == "cut.wav" else 0.0)
        if name == "cut.wav":
            (folder / name).write_bytes((folder / name).read_bytes()[:20_000])
    result = separate(name, "--quiet")
    assert result.status == 1
    assert len(result.err.splitlines()) == 1
    assert name in result.err
    assert not (folder / "separated").exists() or not made(folder)


def test_the_checks_need_no_torch(folder: Path, song: Path) -> None:
    program = (
        "import sys; from stemsplit.cli.app import main\n"
        "try: main(['song.wav', '--model', 'htdemucs', '--device', 'gpu'])\n"
        "except SystemExit as stop: assert stop.code == 2, stop.code\n"
        "assert 'torch' not in sys.modules\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], env=environment(folder / "cache"), check=False
    )
    assert run.returncode == 0


def test_standard_input(folder: Path, song: Path, tiny_model: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "stemsplit", "-", "--model", tiny_model, "--quiet"],
        input=song.read_bytes(),
        env=environment(folder / "cache"),
        capture_output=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert made(folder) == [f"tiny/stdin/{stem}.wav" for stem in sorted(STEMS_4)]


def test_a_song_on_standard_input_does_not_replace_another(
    folder: Path, song: Path, tiny_model: Path
) -> None:
    words = [sys.executable, "-m", "stemsplit", "-", "--model", str(tiny_model), "--quiet"]
    runs = [
        subprocess.run(
            [*words, *more],
            input=song.read_bytes(),
            env=environment(folder / "cache"),
            capture_output=True,
            check=False,
        )
        for more in ((), (), ("--overwrite",))
    ]
    assert [run.returncode for run in runs] == [0, 1, 0]
    assert b"is in the way" in runs[1].stderr


def wait_for_line(run: subprocess.Popen[str], beginning: str) -> threading.Timer:
    """Wait until a run says a line that begins so; what kills the run later, to be cancelled."""
    assert run.stderr is not None
    watchdog = threading.Timer(300, run.kill)
    watchdog.start()
    for line in run.stderr:
        if line.startswith(beginning):
            break
    return watchdog


@pytest.mark.skipif(sys.platform == "win32", reason="has no such signals")
def test_a_stopped_run_leaves_no_copy_of_standard_input(folder: Path, tiny_model: Path) -> None:
    write_song(folder / "long.wav", 600.0)
    (folder / "temporary").mkdir()
    words = ["-", "--model", str(tiny_model), "--overlap", "0.98"]
    with (folder / "long.wav").open("rb") as song:
        run = subprocess.Popen(
            [sys.executable, "-m", "stemsplit", *words],
            env={**environment(folder / "cache"), "TMPDIR": str(folder / "temporary")},
            stdin=song,
            stderr=subprocess.PIPE,
            text=True,
        )
    watchdog = wait_for_line(run, "- (")
    assert list((folder / "temporary").glob("stemsplit-*/stdin"))
    run.send_signal(signal.SIGINT)
    run.communicate()
    watchdog.cancel()
    assert run.returncode == 130
    assert list((folder / "temporary").glob("stemsplit-*")) == []


@pytest.mark.skipif(sys.platform == "win32", reason="has no such signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_run_keeps_finished_songs_only(
    folder: Path, tiny_model: Path, number: int
) -> None:
    write_song(folder / "music/a.wav", 0.2)
    write_song(folder / "music/b.wav", 600.0)
    words = ["music", "--model", str(tiny_model), "--overlap", "0.98"]
    run = subprocess.Popen(
        [sys.executable, "-m", "stemsplit", *words],
        env=environment(folder / "cache"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    watchdog = wait_for_line(run, "[2/2]")
    time.sleep(0.3)
    began = time.monotonic()
    run.send_signal(number)
    out, err = run.communicate()
    watchdog.cancel()
    assert run.returncode == 130, err
    assert time.monotonic() - began < 20.0  # of minutes of work
    assert "stopped; finished songs stay" in err
    assert "Traceback" not in err
    assert "1 done, 1 not done" in out
    assert made(folder) == [f"tiny/a/{stem}.wav" for stem in sorted(STEMS_4)]
    leftovers = [path.name for path in (folder / "separated").rglob("*") if path.name[0] == "."]
    assert leftovers == [".stemsplit.jsonl"]
