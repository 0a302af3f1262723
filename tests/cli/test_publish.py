"""`stemsplit models bag` and `models publish` as typed."""

from pathlib import Path

import pytest

from tests.audio.material import music, write_wav
from tests.cli.conftest import Command
from tests.cli.tiny import write_tiny_model


def test_specialists_become_a_model_that_separates(stemsplit: Command, folder: Path) -> None:
    for seed, name in enumerate(("v", "d")):
        write_tiny_model(folder / f"{name}.safetensors", seed=seed)
    words = ("--stem", "vocals=v.safetensors", "--others", "d.safetensors")
    done = stemsplit("models", "bag", "both", *words)
    assert done.status == 0, done.err
    assert {Path(line).parent.name for line in done.out.splitlines()} == {"both"}
    assert done.err == "Use it with --model both\n"
    song = write_wav(folder / "song.wav", music(20_000))
    assert stemsplit(song, "--model", "both", "--device", "cpu").status == 0
    assert len(list(folder.glob("separated/both/song/*.wav"))) == 4


def test_a_model_becomes_a_folder_for_the_hub(stemsplit: Command, folder: Path) -> None:
    model = write_tiny_model(folder / "v.safetensors")
    words = ("models", "publish", model, "hub", "--repo-id", "me/nn", "--licence", "mit")
    done = stemsplit(*words)
    assert done.status == 0, done.err
    assert "hf upload me/nn hub ." in done.err
    assert "--model hf:me/nn" in done.err
    assert sorted(done.out.split()) == sorted(str(file) for file in Path("hub").iterdir())
    (again,) = stemsplit(*words, "--json").err.splitlines()
    assert again.endswith("hub is there already and not empty: choose another folder.")


@pytest.mark.parametrize(
    ("words", "status", "line"),
    [
        (["bag", "out"], 2, "Which model gives which stem?"),
        (["bag", "out", "--stem", "vocals"], 2, "names no stem and model"),
        (["bag", "out", "--stem", "vocals=v"], 1, "There is no model 'v'"),
        (["publish", "runs/v", "out", "--repo-id", "me/nn"], 1, "There is no file runs/v"),
        (["publish", "htdemucs", "out", "--repo-id", "nn"], 2, "is no name on the hub"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    stemsplit: Command, folder: Path, words: list[str], status: int, line: str
) -> None:
    failed = stemsplit("models", *words)
    assert (failed.status, failed.out) == (status, "")
    assert failed.err.startswith("stemsplit: ")
    assert failed.err.count("\n") == 1
    assert line in failed.err
    assert not (folder / "out").exists()
