"""The shortest training that shows something: from a generated set to weights that separate it."""

from pathlib import Path

from stemsplit.training.events import Validated
from stemsplit.training.recipe_files import load_recipe
from tests.training.runs import run
from tests.training.sets import tones, write_song

RATE = 44_100


def best_sdr_db(folder: Path, music: Path, *overrides: str) -> float:
    sources = f'data.sources=[{{path="{music.as_posix()}"}}]'
    cached = ("data.cache=true", f"data.cache_dir={music.parent / 'cache'}")  # reads in no time
    recipe = load_recipe("tiny", [sources, *cached, *overrides])
    _, events = run(recipe, folder)
    return max(event.sdr_db for event in events if isinstance(event, Validated))


def test_the_tiny_recipe_gains_five_decibels_over_the_untrained_network(tmp_path: Path) -> None:
    music = tmp_path / "music"
    for number in range(3):
        stems = tones(2.0, rate=RATE, shift=7.0 * number)
        write_song(music / "train" / f"song {number}", stems, rate=RATE)
    write_song(music / "valid" / "judge", tones(2.0, rate=RATE, shift=3.0), rate=RATE)
    still = ("epochs=1", "steps_per_epoch=1", "optim.lr=1e-12")
    untrained = best_sdr_db(tmp_path / "untrained", music, *still)
    assert abs(untrained) < 1  # a network that says next to nothing
    assert best_sdr_db(tmp_path / "trained", music) > untrained + 5
