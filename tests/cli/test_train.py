"""`stemsplit train` as typed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from stemsplit.training.recipe_files import load_recipe
from tests.audio.material import write_wav
from tests.cli.conftest import Command
from tests.cli.tiny import write_song
from tests.training.runs import tiny_recipe
from tests.training.sets import RATE, STEMS, tones


@pytest.fixture
def recipe(folder: Path) -> Path:
    tiny_recipe(folder)
    return folder / "tiny.toml"


def test_a_trained_network_is_used_by_name_a_minute_later(
    stemsplit: Command, recipe: Path, folder: Path
) -> None:
    done = stemsplit("train", "--recipe", recipe, "--out", "runs/nn", "--set", "epochs=1")
    assert done.status == 0, done.err
    assert "0.02 million parameters, on cpu." in done.err
    assert "epoch 1: SDR" in done.err
    assert stemsplit("models", "add", "runs/nn", "--name", "my_nn").status == 0
    song = write_wav(folder / "song.wav", sum(tones().values()), RATE)  # type: ignore[arg-type]
    assert stemsplit(song, "--model", "my_nn").status == 0
    assert {path.stem for path in folder.glob("separated/my_nn/song/*.wav")} == set(STEMS)


def test_options_change_the_recipe(stemsplit: Command, recipe: Path, folder: Path) -> None:
    shown = stemsplit(
        *("train", "--show-recipe", "--recipe", recipe, "--network", "htdemucs_n"),
        *("--stems", "vocals,instrumental", "--data", "a@2.5", "--data", "b@home"),
        *("--from", "htdemucs", "--set", "optim.lr=1e-5"),
    )
    assert shown.status == 0, shown.err
    (folder / "shown.toml").write_text(shown.out)
    read = load_recipe(folder / "shown.toml")
    assert (read.network.name, read.network.stems) == ("htdemucs_n", ("vocals", "instrumental"))
    assert [(one.path, one.weight) for one in read.data.sources] == [("a", 2.5), ("b@home", 1.0)]
    assert (read.start.model, read.optim.lr, read.batch_size) == ("htdemucs", 1e-5, 2)


def test_a_teacher_is_part_of_the_recipe(
    stemsplit: Command, recipe: Path, folder: Path, tiny_model: Path
) -> None:
    words = ("train", "--show-recipe", "--recipe", recipe, "--teacher", tiny_model)
    shown = stemsplit(*words, "--unlabelled", "a", "--unlabelled", "b,c", "--min-score", "55")
    (folder / "shown.toml").write_text(shown.out)
    teacher = load_recipe(folder / "shown.toml").teacher
    assert (teacher.model, teacher.sources) == (str(tiny_model), ("a", "b,c"))
    assert (teacher.min_score, teacher.weight) == (55, 1)


def test_a_teacher_labels_music_and_names_its_scores(
    stemsplit: Command, recipe: Path, folder: Path, tiny_model: Path
) -> None:
    write_song(folder / "loose" / "tune.wav")
    words = [*("train", "--recipe", recipe, "--teacher", tiny_model, "--unlabelled", "loose")]
    words += ["--set", "epochs=1"]
    done = stemsplit(*words, "--out", "out")
    assert done.status == 0, done.err
    assert "Labelled song 1 of 1: tune, score " in done.err
    assert "Learns from 4 songs" in done.err
    failed = stemsplit(*words, "--min-score", "100", "--out", "other")
    assert failed.status == 1
    assert "reaches teacher.min_score=100; the best has " in failed.err
    assert not (folder / "other").exists()


def test_holes_are_filled_in_music_without_stems(
    stemsplit: Command, recipe: Path, folder: Path
) -> None:
    for name in ("a", "b"):
        write_song(folder / "loose" / f"{name}.wav")
    words = ("train", "--recipe", recipe, "--set", "task=reconstruct", "--unlabelled", "loose")
    done = stemsplit(*words, "--out", "out", "--set", "epochs=1")
    assert done.status == 0, done.err
    assert "Learns from 1 songs" in done.err
    assert "dB inside the holes by the latest weights, the best so far" in done.err
    (folder / "shown.toml").write_text(stemsplit(*words, "--data", "x", "--show-recipe").out)
    shown = load_recipe(folder / "shown.toml")
    assert [one.path for one in shown.data.sources] == ["x"]
    assert shown.pretrain.sources == ("loose",)


def test_songs_are_made_while_they_are_read(stemsplit: Command, folder: Path) -> None:
    words = ("train", "--recipe", "tiny", "--data", "synth", "--set", "data.synth.songs=7")
    done = stemsplit(*words, "--out", "out", "--dry-run")
    assert done.status == 0, done.err
    assert "Learns from 7 songs of 0." in done.err
    assert not (folder / "out").exists()


def test_a_network_brings_its_recipe_along(stemsplit: Command) -> None:
    shown = stemsplit("train", "--show-recipe", "--network", "htdemucs_nn")
    assert shown.out == stemsplit("train", "--show-recipe", "--recipe", "htdemucs_nn").out


def test_the_recipe_of_a_run_is_shown_and_nothing_begun(stemsplit: Command, folder: Path) -> None:
    shown = stemsplit("train", "--show-recipe", "--network", "htdemucs_nn")
    run = folder / "run"
    run.mkdir()
    (run / "recipe.toml").write_text(shown.out)
    assert stemsplit("train", "--resume", "run", "--show-recipe").out == shown.out
    assert [path.name for path in run.iterdir()] == ["recipe.toml"]


def test_events_are_objects(stemsplit: Command, recipe: Path) -> None:
    done = stemsplit("train", "--recipe", recipe, "--out", "out", "--set", "epochs=1", "--json")
    kinds = [line["event"] for line in done.objects]
    assert kinds[:6] == [*["song_read"] * 4, "preflight", "step_done"]
    assert kinds[-2:] == ["validated", "finished"]
    assert done.objects[-1]["is_complete"] is True


def test_a_dry_run_writes_nothing(stemsplit: Command, recipe: Path, folder: Path) -> None:
    done = stemsplit("train", "--recipe", recipe, "--out", "out", "--dry-run")
    assert done.status == 0
    assert "all that is left" in done.err
    assert not (folder / "out").exists()


@pytest.mark.parametrize(
    ("words", "status", "line"),
    [
        ([], 2, "Name a folder with --out"),
        (["--out", "o", "--set", "optim.lrr=1"], 2, "Did you mean optim.lr"),
        (["--out", "o", "--set", "optim.lr=fast"], 2, "optim.lr"),
        (["--out", "o", "--set", "epochs=0"], 2, "epochs must be positive"),
        (["--out", "o", "--network", "htdemucs_mm"], 1, "There is no network 'htdemucs_mm'"),
        (["--out", "o", "--recipe", "nothing"], 2, "There is no recipe 'nothing'"),
        (["--out", "o", "--data", "nothing"], 1, "Cannot find a data set at nothing"),
        (["--out", "o", "--device", "tpu"], 1, "tpu"),
        (["--resume", "r", "--out", "o"], 2, "takes none of the rest"),
        (["--resume", "r"], 1, "no recipe.toml"),
        (["--out", "o", "--set", "start.freeze=nothing.*"], 2, "match 'nothing.*'"),
        (["--out", "o", "--from", "nothing"], 1, "nothing"),
        (["--out", "o", "--teacher", "htdemucs"], 2, "--unlabelled"),
        (["--out", "o", "--teacher", "nothing", "--unlabelled", "m"], 1, "no model 'nothing'"),
        (["--out", "o", "--teacher", "htdemucs", "--unlabelled", "m"], 1, "m: no such file"),
        (["--out", "o", "--unlabelled", "m"], 2, "name it with --teacher"),
        (["--out", "o", "--min-score", "50"], 2, "name it with --teacher"),
        (["--resume", "r", "--teacher", "htdemucs"], 2, "takes none of the rest"),
        (["--out", "o", "--wandb", "p"], 2, "pip install wandb"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    stemsplit: Command, recipe: Path, folder: Path, words: list[str], status: int, line: str
) -> None:
    if "--recipe" not in words and "--resume" not in words:
        words = [*words, "--recipe", str(recipe)]
    failed = stemsplit("train", *words)
    assert (failed.status, failed.out) == (status, "")
    last = failed.err.strip().splitlines()[-1]
    assert last.startswith("stemsplit: ")
    assert line in last
    assert not (folder / "o").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_after_the_step_and_keeps_the_state(
    recipe: Path, folder: Path, number: signal.Signals
) -> None:
    words = ["train", "--recipe", str(recipe), "--out", "out", "--set", "epochs=1000"]
    command = [sys.executable, "-m", "stemsplit", *words, "--set", "data.workers=1"]
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    try:
        deadline = time.monotonic() + 60
        while not list(folder.glob("out/states/*.state")):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(number)
        _, printed = process.communicate(timeout=60)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 130
    assert "Stopped; the same command goes on after step" in printed
    assert "Traceback" not in printed
