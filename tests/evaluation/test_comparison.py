"""Losses against an earlier evaluation, and floors."""

import math

import pytest

from stemsplit.errors import ConfigError, DatasetError
from stemsplit.evaluation.comparison import (
    check_floors,
    compare_results,
    floor_words,
    parse_floors,
)
from stemsplit.evaluation.results import EvaluationResult
from tests.evaluation.made import make_candidate, make_result


def result(name: str = "m", vocals: float = 8.0, drums: float = 9.0) -> EvaluationResult:
    tracks = {track: {"vocals": [vocals], "drums": [drums]} for track in "ab"}
    return make_result(make_candidate(name, tracks))


def test_a_fall_beyond_the_tolerance_is_a_loss() -> None:
    found = compare_results(result(vocals=7.94, drums=8.96), result())
    losses = {change.stem: change.is_loss for change in found.changes}
    assert losses == {"vocals": True, "drums": False}
    assert found.changes[0].difference.mean == pytest.approx(-0.06)


def test_single_candidates_are_compared_whatever_they_are_called() -> None:
    assert compare_results(result("new"), result("old")).changes[0].candidate == "new"


def test_what_is_gone_is_said() -> None:
    old = make_result(
        make_candidate("m", {"a": {"vocals": [1.0]}, "b": {"vocals": [1.0]}}),
        make_candidate("n", {"a": {"vocals": [1.0]}}),
    )
    new = make_result(make_candidate("m", {"a": {"drums": [1.0]}}), make_candidate("x", {}))
    missing = compare_results(new, old).missing
    assert missing == ("vocals of m", "1 tracks of m, such as b", "candidate n")


@pytest.mark.parametrize(
    "other",
    [
        make_result(make_candidate("m", {"a": {"vocals": [1.0]}}), data="moisesdb"),
        make_result(make_candidate("m", {"a": {"vocals": [1.0]}}), split="train"),
        make_result(make_candidate("m", {"a": {"vocals": [1.0]}}), window_seconds=10.0),
        make_result(make_candidate("m", {"a": {"vocals": [1.0]}}, metric="usdr"), metric="usdr"),
    ],
)
def test_other_songs_or_measures_are_not_compared(other: EvaluationResult) -> None:
    with pytest.raises(DatasetError, match="the earlier evaluation"):
        compare_results(result(), other)


def test_floors_are_read() -> None:
    assert parse_floors(["vocals=8.0,all=7", "drums = -1"]) == {
        "vocals": 8.0,
        "all": 7.0,
        "drums": -1.0,
    }
    for text in ("vocals", "=8", "vocals=x", "vocals=nan"):
        with pytest.raises(ConfigError, match="write a stem and decibels"):
            parse_floors([text])


def test_what_lies_below_its_floor_is_named() -> None:
    found = check_floors(result(), {"vocals": 8.5, "drums": 9.0, "all": 8.4})
    assert [(one.stem, one.value) for one in found] == [("vocals", 8.0)]
    assert floor_words(found[0], "sdr") == (
        "m: vocals has 8.00 dB of median sdr, below the 8.5 dB of --fail-under."
    )
    with pytest.raises(ConfigError, match="'vocal' is not scored"):
        check_floors(result(), {"vocal": 1.0})


def test_a_candidate_without_any_score_is_below_every_floor() -> None:
    both = make_result(make_candidate("m", {"a": {"vocals": [9.0]}}), make_candidate("none", {}))
    found = check_floors(both, {"vocals": 8.0})
    assert [(one.candidate, one.value) for one in found] == [("none", None)]
    assert "has nothing of median sdr" in floor_words(found[0], "sdr")


def test_of_one_stem_all_is_that_stem() -> None:
    one = make_result(make_candidate("m", {"a": {"vocals": [9.0]}}))
    assert check_floors(one, {"all": 8.0}) == ()
    assert [found.value for found in check_floors(one, {"all": 9.5})] == [9.0]


def test_a_candidate_without_a_value_of_one_stem_does_not_pass_for_all() -> None:
    mute = make_candidate("mute", {"a": {"vocals": [math.nan], "drums": [20.0]}})
    found = check_floors(make_result(mute, *result().candidates), {"all": 1.0})
    assert [(one.candidate, one.value) for one in found] == [("mute", None)]
