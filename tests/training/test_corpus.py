"""What is learnt from and what is validated with never meet."""

from pathlib import Path

import pytest
import torch

from stemsplit.errors import AudioError, DatasetError
from stemsplit.evaluation.data.musdb import TEST_TRACKS, VALIDATION_TRACKS
from stemsplit.models.base import ModelConfig
from stemsplit.training.corpus import Corpus, open_corpus
from stemsplit.training.pcm_cache import PcmCache
from stemsplit.training.recipe import DataSection, SourceSection, ValidationSection
from tests.evaluation.data_sets import (
    CODED_RATE,
    song,
    write_coded_song,
    write_described_song,
)
from tests.training.sets import RATE, tones, write_song

CONFIG = ModelConfig(sample_rate=RATE)


def write_set(folder: Path, *names: str) -> Path:
    for number, name in enumerate(names):
        write_song(folder / name, tones(0.5, shift=float(number)))
    return folder


def open_sets(
    *paths: Path,
    validation: ValidationSection | None = None,
    rate: int = RATE,
    **data: object,
) -> Corpus:
    sources = tuple(SourceSection(path=str(path)) for path in paths)
    section = DataSection(sources=sources, **data)  # type: ignore[arg-type]
    config = ModelConfig(sample_rate=rate)
    return open_corpus(section, validation or ValidationSection(), config)


def names(corpus: Corpus) -> tuple[list[str], list[str]]:
    learnt = [song.name for part in corpus.training for song in part.songs]
    return learnt, [song.name for song in corpus.validation]


def test_a_set_with_parts_is_validated_with_its_own(tmp_path: Path) -> None:
    write_set(tmp_path / "train", "a", "b")
    write_set(tmp_path / "valid", "c")
    write_set(tmp_path / "test", "d")
    corpus = open_sets(tmp_path)
    assert names(corpus) == (["a", "b"], ["c"])
    assert corpus.held_out == ()
    assert corpus.training_samples == 2 * RATE // 2


def test_of_a_set_without_parts_a_tenth_is_kept_back_and_named(tmp_path: Path) -> None:
    songs = [f"song {number}" for number in range(20)]
    for name in songs:
        write_song(tmp_path / name, {"vocals": tones(0.1)["vocals"]})
    corpus = open_sets(tmp_path)
    learnt, judged = names(corpus)
    assert len(judged) == 2
    assert sorted(learnt + judged) == sorted(songs)
    assert corpus.held_out == tuple(sorted(judged))
    assert names(open_sets(tmp_path)) == (learnt, judged)


def test_songs_told_apart_by_spelling_alone_are_kept_back_together(tmp_path: Path) -> None:
    for number in range(6):
        for name in (f"{number:02} Intro", f"{number:02} - intro"):
            write_song(tmp_path / name, {"vocals": tones(0.1)["vocals"]})
    learnt, judged = names(open_sets(tmp_path))
    assert len(judged) == 2
    assert judged[0][:2] == judged[1][:2]
    assert len(learnt) == 10


def test_the_fourteen_songs_of_musdb_are_kept_back(tmp_path: Path) -> None:
    held_back = sorted(VALIDATION_TRACKS)[0]
    write_set(tmp_path / "train", held_back, "Some Band - Some Song")
    learnt, judged = names(open_sets(tmp_path))
    assert (learnt, judged) == (["Some Band - Some Song"], [held_back])


def test_a_test_song_of_musdb_is_left_alone_wherever_it_lies(tmp_path: Path) -> None:
    test_song = sorted(TEST_TRACKS)[0]
    write_set(tmp_path / "train", test_song, "Some Band - Some Song")
    write_set(tmp_path / "valid", "third")
    assert names(open_sets(tmp_path)) == (["Some Band - Some Song"], ["third"])
    asked_for = DataSection(sources=(SourceSection(path=str(tmp_path), split="test"),))
    with pytest.raises(DatasetError, match=f"{test_song} belongs to the test part"):
        open_corpus(asked_for, ValidationSection(), CONFIG)


def test_songs_of_musdb_are_named_as_the_catalogue_names_them(tmp_path: Path) -> None:
    write_set(tmp_path / "musdb/train", sorted(VALIDATION_TRACKS)[0], "Some Band - Some Song")
    write_set(tmp_path / "own", "a", "b")
    assert open_sets(tmp_path / "musdb", tmp_path / "own").public_sets == ("musdb:train",)
    assert open_sets(tmp_path / "own").public_sets == ()


def test_songs_of_moisesdb_are_named(tmp_path: Path) -> None:
    for title in ("one", "two"):
        stems = {name: [signal] for name, signal in tones(0.5).items()}
        write_described_song(tmp_path / title, stems, artist="Band", title=title)
    assert open_sets(tmp_path).public_sets == ("moisesdb:",)


def test_any_songs_may_lie_in_files_like_those_of_musdb(tmp_path: Path) -> None:
    for title in ("one", "two"):
        write_coded_song(tmp_path / f"train/{title}.stem.mp4", song(0.5, CODED_RATE))
    write_coded_song(tmp_path / "valid/three.stem.mp4", song(0.5, CODED_RATE))
    assert open_sets(tmp_path, rate=CODED_RATE).public_sets == ()
    known = sorted(VALIDATION_TRACKS)[0]
    write_coded_song(tmp_path / f"valid/{known}.stem.mp4", song(0.5, CODED_RATE))
    assert open_sets(tmp_path, rate=CODED_RATE).public_sets == ("musdb:train",)


def test_nothing_is_validated_with_a_test_song(tmp_path: Path) -> None:
    write_set(tmp_path / "train", "a", "b")
    write_set(tmp_path / "test", "c")
    judged = ValidationSection(sources=(SourceSection(path=str(tmp_path), split="test"),))
    with pytest.raises(DatasetError, match="c belongs to the test part"):
        open_sets(tmp_path, validation=judged)


def test_a_song_on_both_sides_is_refused_under_any_spelling(tmp_path: Path) -> None:
    first = write_set(tmp_path / "one", "Band - Song", "other")
    second = write_set(tmp_path / "two", "band song", "third")
    judged = ValidationSection(sources=(SourceSection(path=str(second), split=""),))
    with pytest.raises(DatasetError, match="Band - Song would be learnt and validated with"):
        open_sets(first, validation=judged)


def test_files_on_both_sides_are_refused_under_any_name(tmp_path: Path) -> None:
    first = write_set(tmp_path / "one", "a", "b")
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / "c").symlink_to(first / "a")
    judged = ValidationSection(sources=(SourceSection(path=str(tmp_path / "two"), split=""),))
    with pytest.raises(DatasetError, match="a would be learnt and validated with"):
        open_sets(first, validation=judged)


def test_a_single_song_is_not_enough(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="at least two are needed"):
        open_sets(write_set(tmp_path, "a"))


def test_nothing_to_train_with_is_said() -> None:
    with pytest.raises(DatasetError, match="name a data set with --data"):
        open_sets()


def test_a_set_without_songs_to_validate_with_says_what_to_do(tmp_path: Path) -> None:
    write_set(tmp_path / "train", "a", "b")
    with pytest.raises(
        DatasetError, match=r"no songs to validate with.*\[\[validation.sources\]\]"
    ):
        open_sets(tmp_path)


def test_validation_songs_can_be_limited(tmp_path: Path) -> None:
    write_set(tmp_path / "train", "a")
    write_set(tmp_path / "valid", "b", "c", "d")
    corpus = open_sets(tmp_path, validation=ValidationSection(max_songs=2))
    assert names(corpus) == (["a"], ["b", "c"])


def test_sets_give_validation_songs_in_turn(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        write_set(tmp_path / name / "train", f"{name} to learn from")
        write_set(tmp_path / name / "valid", f"{name} 1", f"{name} 2")
    paths = [tmp_path / name for name in ("a", "b", "c")]
    corpus = open_sets(*paths, validation=ValidationSection(max_songs=4))
    assert names(corpus)[1] == ["a 1", "a 2", "b 1", "c 1"]
    assert len(open_sets(*paths).validation) == 6


@pytest.mark.parametrize("is_cached", [False, True])
def test_a_broken_song_is_fatal_or_left_out_by_name(tmp_path: Path, is_cached: bool) -> None:
    write_set(tmp_path / "train", "a", "b")
    write_set(tmp_path / "valid", "c")
    broken = tmp_path / "train" / "b" / "bass.wav"
    broken.write_bytes(b"RIFF")
    cache = PcmCache(tmp_path / "cache") if is_cached else None
    source = SourceSection(path=str(tmp_path))
    with pytest.raises(AudioError, match=r"bass\.wav"):
        open_corpus(DataSection(sources=(source,)), ValidationSection(), CONFIG, cache=cache)
    section = DataSection(sources=(source,), skip_broken=True)
    corpus = open_corpus(section, ValidationSection(), CONFIG, cache=cache)
    assert names(corpus) == (["a"], ["c"])
    assert len(corpus.broken) == 1
    assert "bass.wav" in corpus.broken[0]


def test_songs_of_a_cache_read_the_same(tmp_path: Path) -> None:
    write_set(tmp_path / "train", "a")
    write_set(tmp_path / "valid", "b")
    plain = open_sets(tmp_path)
    cached = open_corpus(
        DataSection(sources=(SourceSection(path=str(tmp_path)),)),
        ValidationSection(),
        CONFIG,
        cache=PcmCache(tmp_path / "cache"),
    )
    first, second = (corpus.training[0].songs[0].read(10, 100) for corpus in (plain, cached))
    torch.testing.assert_close(first, second, rtol=0, atol=2e-5)
