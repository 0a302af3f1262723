"""`stemsplit data preview` as typed."""

from pathlib import Path

from tests.cli.conftest import Command
from tests.training.runs import tiny_recipe


def test_excerpts_lie_in_folders_to_be_listened_to(stemsplit: Command, folder: Path) -> None:
    tiny_recipe(folder)
    words = ("data", "preview", "--recipe", "tiny.toml", "--out", "heard", "--count", "3")
    done = stemsplit(*words, "--set", "augment.flip_sign=0.5")
    assert done.status == 0, done.err
    assert done.out.split() == [
        f"heard/{number}/{name}.wav"
        for number in ("001", "002", "003")
        for name in ("mix", "drums", "bass", "other", "vocals")
    ]
    assert all((folder / file).is_file() for file in done.out.split())
    assert done.err.splitlines()[3].startswith("step 1, excerpt 1 of the batch")
    again = stemsplit(*words)
    assert again.status == 2
    assert (
        again.err == "stemsplit: heard is there already and not empty: choose another with --out.\n"
    )
