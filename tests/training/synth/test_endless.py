"""Generated songs in the shape that the trainer takes."""

import pytest
import torch

from stemsplit.errors import ConfigError, DatasetError
from stemsplit.training.excerpts import Excerpts, SongSet
from stemsplit.training.synth.endless import synth_songs
from stemsplit.training.synth.song import render_song

_STEMS = ("drums", "bass", "other", "vocals")


def test_songs_are_read_where_one_likes_and_the_same_each_time() -> None:
    (song,) = synth_songs(1, seed=2, split="train", stems=_STEMS, sample_rate=44_100)
    assert song.num_samples > 60 * 44_100
    first = song.read(44_100 * 20, 30_000)
    assert first.shape == (5, 2, 30_000)
    assert torch.equal(first, song.read(44_100 * 20, 30_000))
    assert not torch.equal(first, song.read(44_100 * 21, 30_000))
    assert first[-1].abs().max() == 0  # nothing is left over


def test_what_is_read_is_the_song_itself() -> None:
    (song,) = synth_songs(1, seed=2, split="valid", stems=_STEMS, sample_rate=44_100)
    whole = render_song(2, 0, split="valid", seconds=1.0, start_seconds=8.0)
    read = song.read(8 * 44_100, 44_100)
    for place, stem in enumerate(_STEMS):
        assert torch.equal(read[place], torch.from_numpy(whole.stems[stem]))


def test_a_network_may_know_fewer_stems_and_one_channel() -> None:
    songs = synth_songs(2, seed=1, split="train", stems=("vocals",), sample_rate=44_100, channels=1)
    read = songs[1].read(0, 22_050)
    assert read.shape == (2, 1, 22_050)
    assert read[1].abs().max() > 0  # the rest


def test_the_trainer_draws_excerpts_of_them() -> None:
    songs = synth_songs(3, seed=1, split="train", stems=_STEMS, sample_rate=44_100)
    excerpts = Excerpts([SongSet(songs)], seed=0, num_samples=22_050)
    assert excerpts[0].shape == (5, 2, 22_050)
    assert torch.equal(excerpts[3], excerpts[3])


def test_other_rates_and_stems_are_refused() -> None:
    with pytest.raises(ConfigError, match="the network is at 16000 Hz"):
        synth_songs(1, seed=1, split="train", stems=_STEMS, sample_rate=16_000)
    with pytest.raises(DatasetError, match="no stems piano"):
        synth_songs(1, seed=1, split="train", stems=("piano",), sample_rate=44_100)


def test_the_level_of_a_song_is_near_that_of_its_mix() -> None:
    songs = synth_songs(4, seed=9, split="train", stems=_STEMS, sample_rate=44_100)
    errors = []
    for song in songs:
        mono = song.read(44_100 * 30, 44_100).sum(dim=0).mean(dim=0)
        errors.append(20 * torch.log10(mono.std() / song.level))
    assert torch.stack(errors).abs().median() < 4  # dB; stretches differ within a song
