"""Sets and models that divide songs differently are scored on what means the same."""

import pytest

from stemsplit.errors import ConfigError, DatasetError
from stemsplit.evaluation.stem_plan import plan_stems

FOUR = ("drums", "bass", "other", "vocals")
SIX = (*FOUR, "guitar", "piano")


def test_equal_stems_are_scored_as_they_are() -> None:
    plan = plan_stems(FOUR, {"a": FOUR})["a"]
    assert plan.stems == FOUR
    assert plan.references == plan.estimates == {stem: (stem,) for stem in FOUR}
    assert plan.notes == ()


def test_what_the_set_does_not_have_belongs_to_other() -> None:
    plan = plan_stems(FOUR, {"six": SIX})["six"]
    assert plan.stems == FOUR
    assert plan.estimates["other"] == ("other", "guitar", "piano")
    assert plan.references["other"] == ("other",)
    assert plan.notes == ("The stem other of six is the sum of other, guitar, piano.",)


def test_what_the_model_does_not_have_belongs_to_other() -> None:
    plan = plan_stems(SIX, {"four": FOUR})["four"]
    assert plan.references["other"] == ("other", "guitar", "piano")
    assert plan.estimates["other"] == ("other",)


def test_all_candidates_are_scored_on_the_same_stems() -> None:
    plans = plan_stems(SIX, {"four": FOUR, "six": SIX})
    assert plans["four"].stems == plans["six"].stems == FOUR
    assert plans["six"].estimates["other"] == ("other", "guitar", "piano")
    assert plans["four"].references == plans["six"].references


def test_a_model_of_one_stem_is_scored_on_it_alone() -> None:
    assert plan_stems(FOUR, {"a": ("vocals",)})["a"].stems == ("vocals",)


def test_stems_are_scored_in_the_order_of_the_set_and_as_asked() -> None:
    plan = plan_stems(FOUR, {"a": FOUR}, wanted=("vocals", "drums"))["a"]
    assert plan.stems == ("drums", "vocals")
    with pytest.raises(ConfigError, match="piano"):
        plan_stems(FOUR, {"a": SIX}, wanted=("piano",))


def test_a_sum_is_scored_on_the_stems_that_it_is_made_of() -> None:
    plan = plan_stems(FOUR, {"a": ("vocals", "accompaniment")})["a"]
    assert plan.references == {
        "vocals": ("vocals",),
        "accompaniment": ("drums", "bass", "other"),
    }
    assert plan.estimates == {"vocals": ("vocals",), "accompaniment": ("accompaniment",)}
    assert plan.notes == ()
    for name in ("instrumental", "accompaniment", "no_vocals"):
        plan = plan_stems(FOUR, {"a": (name,)})["a"]
        assert plan.references == {name: ("drums", "bass", "other")}


def test_stems_are_added_up_where_others_have_their_sum() -> None:
    plans = plan_stems(FOUR, {"two": ("vocals", "instrumental"), "six": SIX})
    assert plans["six"].stems == plans["two"].stems == ("vocals", "instrumental")
    assert plans["six"].estimates["instrumental"] == ("drums", "bass", "other", "guitar", "piano")
    plan = plan_stems(("vocals", "instrumental"), {"four": FOUR})["four"]
    assert plan.references == {"vocals": ("vocals",), "instrumental": ("instrumental",)}
    assert plan.estimates["instrumental"] == ("drums", "bass", "other")
    # What drums and vocals leave out is not known to be nothing.
    plans = plan_stems(FOUR, {"two": ("vocals", "instrumental"), "few": ("drums", "vocals")})
    assert plans["few"].stems == ("vocals",)


def test_a_sum_is_scored_beside_its_parts_only_if_asked_for() -> None:
    five = (*FOUR, "instrumental")
    plan = plan_stems(FOUR, {"a": five})["a"]
    assert (plan.stems, plan.notes) == (FOUR, ("Not scored: instrumental of a.",))
    plan = plan_stems(FOUR, {"a": five}, wanted=("instrumental",))["a"]
    assert plan.estimates == {"instrumental": ("instrumental",)}
    assert plan.references == {"instrumental": ("drums", "bass", "other")}


def test_other_is_what_is_left_in_a_set_without_it() -> None:
    data = ("vocals", "guitar", "piano", "drums", "bass")
    plan = plan_stems(data, {"four": FOUR})["four"]
    assert plan.stems == ("vocals", "drums", "bass", "other")
    assert plan.references["other"] == ("guitar", "piano")


def test_other_alone_is_not_the_whole_song() -> None:
    plans = plan_stems(SIX, {"one": ("other",), "four": FOUR})
    assert plans["one"].references == {"other": ("other", "guitar", "piano")}
    assert plans["one"].estimates == plans["four"].estimates == {"other": ("other",)}


def test_what_is_not_scored_is_said_in_a_line() -> None:
    plans = plan_stems(FOUR, {"one": ("vocals",), "two": ("vocals", "accompaniment")})
    assert plans["one"].stems == plans["two"].stems == ("vocals",)
    assert plans["one"].notes == ("Not scored: accompaniment of two.",)


def test_two_stems_are_one_and_the_sum_of_the_rest() -> None:
    plan = plan_stems(FOUR, {"a": ("vocals", "no_vocals")}, two_stems="vocals")["a"]
    assert plan.references == {"vocals": ("vocals",), "no_vocals": ("drums", "bass", "other")}
    assert plan.estimates == {"vocals": ("vocals",), "no_vocals": ("no_vocals",)}
    plan = plan_stems(FOUR, {"a": FOUR}, two_stems="vocals")["a"]
    assert plan.estimates["no_vocals"] == ("drums", "bass", "other")
    plan = plan_stems(FOUR, {"a": (*FOUR, "accompaniment")}, two_stems="vocals")["a"]
    assert plan.estimates["no_vocals"] == ("accompaniment",)


def test_two_stems_without_a_rest_are_one() -> None:
    plans = plan_stems(FOUR, {"a": ("vocals",), "b": FOUR}, two_stems="vocals")
    assert plans["a"].stems == plans["b"].stems == ("vocals",)
    with pytest.raises(ConfigError, match="'piano'"):
        plan_stems(FOUR, {"a": FOUR}, two_stems="piano")
    with pytest.raises(ConfigError, match="a has no stem 'vocals'"):
        plan_stems(FOUR, {"a": ("drums",)}, two_stems="vocals")


def test_nothing_in_common_is_nothing_to_score() -> None:
    with pytest.raises(DatasetError, match="a has kick"):
        plan_stems(FOUR, {"a": ("kick", "snare")})
