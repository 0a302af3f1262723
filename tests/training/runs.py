"""Trainings that take seconds: a tiny network, a few short songs."""

from collections.abc import Callable
from pathlib import Path

from stemsplit.training.events import Event, Finished
from stemsplit.training.recipe import TrainingRecipe
from stemsplit.training.recipe_files import load_recipe
from stemsplit.training.run import RunOptions, train
from tests.training.sets import RATE, tones, write_song

NETWORK = f"""
extends = "htdemucs"
sample_rate = {RATE}
segment_samples = 4000
pad_to_segment = false
transformer = "none"
bottom_channels = 0

[[resolutions]]
n_fft = 512
hop_length = 128

[[levels]]
channels = 8

[[levels]]
channels = 16

[[time_levels]]
channels = 8

[[time_levels]]
channels = 16
"""

RECIPE = """
epochs = 2
steps_per_epoch = 3
batch_size = 2

[network]
name = "{folder}/network.toml"

[data]
workers = 0
cache = true
cache_dir = "{folder}/cache"
segment_seconds = 0.5

[[data.sources]]
path = "{folder}/music"

[optim]
lr = 3e-3

[schedule]
name = "cosine"
warmup_steps = 2
"""


def write_music(folder: Path, *, songs: int = 3) -> Path:
    """A data set with parts: some songs to learn from, one to validate with."""
    for number in range(songs):
        write_song(folder / "train" / f"song {number}", tones(2.0, shift=7.0 * number))
    write_song(folder / "valid" / "judge", tones(2.0, shift=3.0))
    return folder


def tiny_recipe(folder: Path, *overrides: str) -> TrainingRecipe:
    """A recipe for the tiny network; writes network and music into the folder at the first call."""
    if not (folder / "music").exists():
        write_music(folder / "music")
        (folder / "network.toml").write_text(NETWORK)
        (folder / "tiny.toml").write_text(RECIPE.format(folder=folder))
    return load_recipe(folder / "tiny.toml", overrides)


def run(
    recipe: TrainingRecipe, out: Path, *, watch: Callable[[Event], None] | None = None
) -> tuple[Finished, list[Event]]:
    """Train on the CPU; what came of it, and all events."""
    events: list[Event] = []

    def take(event: Event) -> None:
        events.append(event)
        if watch is not None:
            watch(event)

    finished = train(recipe, RunOptions(out=out, device="cpu"), on_event=take)
    assert finished is not None
    return finished, events
