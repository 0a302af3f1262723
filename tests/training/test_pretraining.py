"""Runs that fill holes: what they learn from, and how they are judged."""

from pathlib import Path

import pytest
import torch

from stemsplit.errors import AudioError, ConfigError, DatasetError
from stemsplit.evaluation.data.musdb import TEST_TRACKS
from stemsplit.models.base import ModelConfig
from stemsplit.training.corpus import Corpus, open_corpus
from stemsplit.training.distributed import Processes
from stemsplit.training.events import Notice, Preflight, Validated
from stemsplit.training.judging import Judge
from stemsplit.training.recipe import (
    DataSection,
    PretrainSection,
    SourceSection,
    TrainingRecipe,
    ValidationSection,
)
from stemsplit.training.setup import as_trained, build_initial, plan_training
from stemsplit.training.songs import FileSong
from tests.audio.material import write_wav
from tests.training.runs import run, tiny_recipe
from tests.training.sets import RATE, tones, write_song

CONFIG = ModelConfig(sample_rate=RATE)


def write_music(folder: Path, *names: str) -> Path:
    """Songs without stems."""
    for number, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_wav(folder / name, sum(tones(1.0, shift=5.0 * number).values()), RATE)  # type: ignore[arg-type]
    return folder


def write_set(folder: Path, *names: str) -> Path:
    for name in names:
        write_song(folder / name, tones(0.5))
    return folder


def holes(folder: Path, *settings: str) -> TrainingRecipe:
    return tiny_recipe(
        folder,
        *("task=reconstruct", "pretrain.n_fft=256", "pretrain.hop_length=64"),
        *("schedule.warmup_steps=5", *settings),
    )


def opened(music: Path, *sources: Path, judged: Path | None = None) -> Corpus:
    return open_corpus(
        DataSection(sources=tuple(SourceSection(path=str(path)) for path in sources)),
        ValidationSection(sources=() if judged is None else (SourceSection(path=str(judged)),)),
        CONFIG,
        pretrain=PretrainSection(sources=(str(music),), weight=2.0),
    )


def test_the_weights_that_fill_holes_best_are_kept_and_are_a_start(tmp_path: Path) -> None:
    settings = ("epochs=3", "steps_per_epoch=20", "ema.steps=0.9", "validation.keep_best=3")
    finished, events = run(holes(tmp_path, *settings), tmp_path / "holes")
    judged = [event for event in events if isinstance(event, Validated)]
    assert finished.best_sdr_db == max(event.sdr_db for event in judged)
    assert finished.best_sdr_db > judged[0].sdr_db
    assert all(event.stems_db == {"holes": event.sdr_db} for event in judged)
    assert set(judged[0].others_db) | {judged[0].weights} == {"latest", "mean over steps, 0.9"}
    card = (tmp_path / "holes" / "README.md").read_text()
    assert "| step | SDR, mean over songs (dB) |" in card
    assert f"stemsplit train --from {tmp_path}/holes" in card
    started = tiny_recipe(tmp_path, f"start.model={tmp_path}/holes", "epochs=1")
    _, events = run(started, tmp_path / "started")
    (said,) = [event.message for event in events if isinstance(event, Notice)]
    assert "begin at random" not in said


def test_music_without_stems_is_enough(tmp_path: Path) -> None:
    music = write_music(tmp_path / "loose", "a.wav", "deep/b.wav", "c.wav")
    recipe = holes(
        tmp_path, "data.sources=[]", f"pretrain.sources={music}", "epochs=1", "data.cache=true"
    )
    _, events = run(recipe, tmp_path / "out")
    (found,) = [event for event in events if isinstance(event, Preflight)]
    assert (found.training_songs, found.validation_songs) == (2, 1)
    assert "3 songs without stems: 2 songs" in (tmp_path / "out" / "README.md").read_text()


def test_a_song_without_stems_is_all_rest(tmp_path: Path) -> None:
    corpus = opened(write_music(tmp_path / "loose", "a.wav", "b.wav"))
    (part,) = corpus.training
    (song,) = part.songs
    assert isinstance(song, FileSong)
    assert part.weight == 2.0
    read = song.read(100, 1000)
    assert read.shape == (5, 2, 1000)
    assert not read[:-1].any()
    number = "ab".index(song.name)
    expected = sum(tones(1.0, shift=5.0 * number).values())
    assert isinstance(expected, torch.Tensor)
    torch.testing.assert_close(read[-1], expected[:, 100:1100], rtol=0, atol=1e-4)  # of 16 bits


def test_music_is_kept_apart_from_songs_that_judge(tmp_path: Path) -> None:
    judged = write_set(tmp_path / "set", "The Song", "another")
    for name in ("The Song.wav", "The Song/mix.wav", "the-song/1.wav"):
        music = write_music(tmp_path / name.replace("/", " "), name, "x.wav")
        with pytest.raises(DatasetError, match=r"[Tt]he.[Ss]ong would be learnt and validated"):
            opened(music, judged=judged)
    test_song = sorted(TEST_TRACKS)[0]
    music = write_music(tmp_path / "test", f"{test_song}/mix.wav", "x.wav", "y.wav")
    with pytest.raises(DatasetError, match="belongs to the test part"):
        opened(music)


def test_songs_of_one_album_are_on_both_sides(tmp_path: Path) -> None:
    music = write_music(tmp_path / "loose", *(f"album/{name}.wav" for name in "abcdefgh"))
    corpus = opened(music)
    (judge,) = corpus.validation
    assert corpus.held_out == (judge.name,)
    assert judge.name not in {song.name for song in corpus.training[0].songs}


def test_the_score_is_zero_for_nothing_and_the_same_each_time(tmp_path: Path) -> None:
    plan = plan_training(holes(tmp_path))
    corpus = open_corpus(plan.recipe.data, plan.recipe.validation, plan.config)
    network = as_trained(plan, build_initial(plan))
    judge = Judge(plan, corpus.validation, torch.device("cpu"), Processes())
    before = judge.score(network)
    assert judge.score(network) == before
    with torch.no_grad():
        for value in network.parameters():
            value.zero_()
    assert judge.score(network).mean_db == pytest.approx(0.0, abs=1e-6)


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="set task=reconstruct, or have a teacher"):
        tiny_recipe(tmp_path, "pretrain.sources=music")
    with pytest.raises(ConfigError, match=r"pretrain\.weight must be positive"):
        PretrainSection(weight=0)
    with pytest.raises(AudioError, match="no such file"):
        opened(tmp_path / "nothing")
    with pytest.raises(DatasetError, match="one song only"):
        opened(write_music(tmp_path / "loose", "a.wav"))
