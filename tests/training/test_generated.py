"""Learning from songs that are made while they are read."""

from pathlib import Path

import pytest

from stemsplit.errors import ConfigError, DatasetError
from stemsplit.models.base import ModelConfig
from stemsplit.training.corpus import Corpus, open_corpus
from stemsplit.training.events import Notice, Preflight, Validated
from stemsplit.training.recipe import (
    DataSection,
    SourceSection,
    SynthSection,
    TrainingRecipe,
    ValidationSection,
)
from stemsplit.training.recipe_files import load_recipe
from stemsplit.training.synth.dataset import SynthOptions, make_set
from stemsplit.training.synth.endless import SynthSong
from tests.training.runs import run
from tests.training.sets import tones, write_song

CONFIG = ModelConfig()
FEW = SynthSection(songs=5, seed=3)


def tiny(*settings: str) -> TrainingRecipe:
    few = ("epochs=1", "steps_per_epoch=1", "data.synth.songs=5", "data.synth.seed=3")
    judged = ("validation.max_songs=2", "validation.max_seconds=1")
    return load_recipe("tiny", ['data.sources=[{path="synth"}]', *few, *judged, *settings])


def opened(*paths: str, split: str = "train", judged: int | None = None) -> Corpus:
    sources = tuple(SourceSection(path=path, split=split) for path in paths)
    return open_corpus(
        DataSection(sources=sources, synth=FEW), ValidationSection(max_songs=judged), CONFIG
    )


def test_a_run_learns_from_songs_that_no_disk_holds_and_says_so(tmp_path: Path) -> None:
    finished, events = run(tiny("data.cache=true", f"data.cache_dir={tmp_path}"), tmp_path / "out")
    assert finished.is_complete
    (found,) = [event for event in events if isinstance(event, Preflight)]
    assert (found.training_songs, found.validation_songs) == (5, 2)
    assert 5 * 30 < found.training_hours * 3600 < 5 * 600
    (validated,) = [event for event in events if isinstance(event, Validated)]
    assert set(validated.stems_db) <= {"drums", "bass", "other", "vocals"}
    assert any("the cache has none" in one.message for one in events if isinstance(one, Notice))
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    card = (tmp_path / "out" / "README.md").read_text()
    assert "5 generated songs (seed 3, train): 5 songs" in card
    assert "made by stemsplit while they are learnt from" in card
    assert "oscillators and noise (MIT)" in card


def test_songs_to_validate_with_are_of_a_split_of_their_own() -> None:
    corpus = opened("synth")
    learnt = [song for part in corpus.training for song in part.songs]
    assert [song.name for song in learnt] == [f"synth train 3-{number:05}" for number in range(5)]
    assert [song.name for song in corpus.validation] == [
        f"synth valid 3-{number:05}" for number in range(10)
    ]
    assert len(opened("synth", judged=3).validation) == 3
    assert all(isinstance(song, SynthSong) for song in (*learnt, *corpus.validation))


@pytest.mark.parametrize("split", ["valid", "test"])
def test_songs_to_validate_and_to_test_with_are_not_learnt(split: str) -> None:
    with pytest.raises(DatasetError, match=f"synth {split} 3-00000"):
        opened("synth", split=split)


def test_the_same_songs_on_a_disk_are_known_again(tmp_path: Path) -> None:
    list(make_set(SynthOptions(tmp_path / "set", 2, seed=3, split="valid", seconds=0.5)))
    with pytest.raises(DatasetError, match=r"synth valid 3-0000\d would be learnt and validated"):
        opened("synth", str(tmp_path / "set" / "valid"))
    list(make_set(SynthOptions(tmp_path / "set", 2, seed=9, split="test", seconds=0.5)))
    with pytest.raises(DatasetError, match="synth test 9-00000 belongs to the test part"):
        opened(str(tmp_path / "set" / "test"))


def test_they_are_mixed_with_other_songs_by_weight(tmp_path: Path) -> None:
    for name in ("train/a", "valid/b"):
        write_song(tmp_path / name, tones(1.0, rate=44_100), rate=44_100)
    sources = (SourceSection(path="synth", weight=0.5), SourceSection(path=str(tmp_path), weight=3))
    corpus = open_corpus(DataSection(sources=sources, synth=FEW), ValidationSection(), CONFIG)
    assert [(len(part.songs), part.weight) for part in corpus.training] == [(5, 0.5), (1, 3.0)]
    assert corpus.names == ("5 generated songs (seed 3, train)", f"{tmp_path.name}:train")
    assert len(corpus.validation) == 10 + 1


def test_what_cannot_be_made_is_refused_before_the_work() -> None:
    data = DataSection(sources=(SourceSection(path="synth"),), synth=FEW)
    with pytest.raises(ConfigError, match="the network is at 16000 Hz"):
        open_corpus(data, ValidationSection(), ModelConfig(sample_rate=16_000))
    with pytest.raises(ConfigError, match=r"data\.synth\.songs must be positive, got 0"):
        tiny("data.synth.songs=0")
