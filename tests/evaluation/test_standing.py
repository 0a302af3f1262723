"""Which scores mean nothing, since the model was trained on the songs."""

from dataclasses import replace

import pytest

from stemsplit.evaluation.results import Standing
from stemsplit.evaluation.standing import song_set, standing_of_files, standing_of_model
from tests.separation.described import described


def standing(trained: tuple[str, ...], data: str, *splits: str) -> Standing:
    model = replace(described(), trained_sets=trained, trained_on="words")
    return standing_of_model(model, data, [("song", split) for split in splits])


@pytest.mark.parametrize("data", ["musdb18", "musdb18hq"])
def test_both_releases_hold_the_same_songs(data: str) -> None:
    both = ("musdb:train", "musdb:test")
    assert standing(both, data, "test", "test").verdict == "seen"
    assert standing(("musdb:train",), data, "test").verdict == "clean"


def test_the_validation_songs_are_of_the_training_set() -> None:
    assert song_set("musdb18hq", ("song", "valid")) == "musdb:train"
    assert standing(("musdb:train",), "musdb18", "valid").verdict == "seen"


def test_some_songs_are_enough() -> None:
    found = standing(("musdb:train",), "musdb18", "train", "test", "valid")
    assert (found.verdict, found.num_seen) == ("seen", 2)
    assert "2 of the 3 songs" in found.explanation
    assert not found.is_ranked


def test_songs_are_known_by_name_wherever_they_lie() -> None:
    model = replace(described(), trained_sets=("musdb:train", "musdb:test"))
    songs = [("Zeno - Signs", ""), ("Meaxic - Take A Step", ""), ("My Own", "")]
    assert standing_of_model(model, "favourites", songs).num_seen == 2
    assert song_set("musdb18hq", ("Zeno - Signs", "train")) == "musdb:test"


def test_other_songs_are_clean_as_far_as_is_stated() -> None:
    found = standing(("musdb:train",), "moisesdb", "")
    assert found.verdict == "clean"
    assert found.is_ranked


@pytest.mark.parametrize(
    ("trained_on", "verdict"),
    [
        ("MUSDB18-HQ, training set", "clean"),
        ("musdb18hq:train, 10000 generated songs (seed 1, train)", "clean"),
        ("MUSDB18-HQ, training set, and 800 unpublished songs", "unknown"),
        ("musdb:train, mine:train", "unknown"),
        ("mine:train; before that, as htdemucs, on: MUSDB18-HQ, training set", "unknown"),
    ],
)
def test_songs_of_no_public_set_may_be_among_those_that_are_not_named(
    trained_on: str, verdict: str
) -> None:
    model = replace(described(), trained_sets=("musdb:train",), trained_on=trained_on)
    assert standing_of_model(model, "mine", [("song", "test")]).verdict == verdict
    assert standing_of_model(model, "musdb18hq", [("song", "test")]).verdict == "clean"


def test_where_nothing_is_stated_nothing_is_known() -> None:
    assert standing((), "musdb18", "test").verdict == "unknown"
    assert standing_of_files().verdict == "unknown"


@pytest.mark.parametrize("name", ["mdx_extra", "mdx_extra_q"])
def test_the_catalogue_knows_who_has_seen_the_test_songs(name: str) -> None:
    from pathlib import Path

    from stemsplit.checkpoints.cache import Cache
    from stemsplit.checkpoints.describe import describe_model

    model = describe_model(name, cache=Cache(Path("no cache")))
    assert standing_of_model(model, "musdb18hq", [("song", "test")]).verdict == "seen"
    clean = describe_model("htdemucs", cache=Cache(Path("no cache")))
    assert standing_of_model(clean, "musdb18hq", [("song", "test")]).verdict == "clean"
    assert standing_of_model(clean, "musdb18hq", [("song", "train")]).verdict == "seen"
