"""The table: what it averages, whom it ranks where, and which figures of others it shows."""

import math
from dataclasses import replace

import pytest

from stemsplit.evaluation.options import Metric
from stemsplit.evaluation.report_tables import published_words
from stemsplit.evaluation.results import EvaluationResult
from stemsplit.evaluation.summary import Row, caveats, summary_facts, summary_rows
from tests.evaluation.made import make_candidate, make_result


def row(result: EvaluationResult, candidate: str, stem: str) -> Row:
    return next(
        one for one in summary_rows(result) if (one.candidate, one.stem) == (candidate, stem)
    )


TWO = {
    "a": {"vocals": [1.0, 5.0, 6.0], "bass": [2.0]},
    "b": {"vocals": [9.0], "bass": [4.0]},
    "c": {"vocals": [10.0], "bass": [12.0]},
}


def test_the_median_is_over_tracks_and_its_mean_over_stems() -> None:
    result = make_result(make_candidate("m", TWO))
    assert row(result, "m", "vocals").summary.median == 9.0
    assert row(result, "m", "bass").summary.median == 4.0
    assert row(result, "m", "all").summary.median == 6.5
    pooled = row(result, "m", "vocals").pooled
    assert pooled is not None
    assert pooled.pooled_median == 6.0
    assert pooled.pooled_mean == pytest.approx(31 / 5)


def test_of_one_stem_there_is_no_row_for_all() -> None:
    result = make_result(make_candidate("m", {"a": {"vocals": [1.0]}}))
    assert [one.stem for one in summary_rows(result)] == ["vocals"]


def test_the_better_comes_first_and_who_has_seen_the_songs_last() -> None:
    names = {"low": (1.0, "clean"), "high": (9.0, "unknown"), "seen": (20.0, "seen")}
    result = make_result(
        *(
            make_candidate(name, {"a": {"vocals": [value]}}, verdict=verdict)
            for name, (value, verdict) in names.items()
        )
    )
    assert [one.candidate for one in summary_rows(result)] == ["high", "low", "seen"]


def test_the_mean_decides_where_the_mean_is_published() -> None:
    steady = {name: {"vocals": [5.0]} for name in "abc"}
    wild = {"a": {"vocals": [4.0]}, "b": {"vocals": [4.5]}, "c": {"vocals": [30.0]}}
    for metric, first in (("sdr", "steady"), ("usdr", "wild")):
        result = make_result(
            make_candidate("steady", steady, metric=metric),  # type: ignore[arg-type]
            make_candidate("wild", wild, metric=metric),  # type: ignore[arg-type]
            metric=metric,  # type: ignore[arg-type]
        )
        assert summary_rows(result)[0].candidate == first


def test_differences_are_to_the_baseline() -> None:
    better = {
        track: {stem: [value + 1 for value in row] for stem, row in stems.items()}
        for track, stems in TWO.items()
    }
    result = make_result(make_candidate("old", TWO), make_candidate("new", better), baseline="old")
    gap = row(result, "new", "all").difference
    assert gap is not None
    assert (gap.mean, gap.median, gap.num_better) == (1.0, 1.0, 3)
    assert row(result, "old", "all").difference is None


def test_exact_stems_are_infinitely_good_and_still_json() -> None:
    result = make_result(make_candidate("oracle", {"a": {"vocals": [math.inf]}}))
    assert row(result, "oracle", "vocals").summary.median == math.inf
    assert summary_facts(result)[0]["median"] == "inf"


def test_figures_of_others_stand_beside_ours_under_one_definition_only() -> None:
    candidate = make_candidate("htdemucs_ft", {"a": {"vocals": [9.0], "piano": [1.0]}})
    found = row(make_result(candidate), "htdemucs_ft", "vocals")
    assert [figure.values["vocals"] for figure in found.published] == [9.19]
    assert published_words(found) == "median 9.19 (here 9.00)"
    assert row(make_result(candidate), "htdemucs_ft", "piano").published == ()
    # `all` was published too, but without saying what it is.
    assert row(make_result(candidate), "htdemucs_ft", "all").published == ()


@pytest.mark.parametrize(
    "changes",
    [
        {"metric": "usdr"},
        {"split": "train"},
        {"data": "musdb18"},
        {"num_available": 50},
        {"window_seconds": 10.0},
    ],
)
def test_figures_of_others_are_left_out_where_anything_differs(changes: dict[str, object]) -> None:
    metric = changes.get("metric", "sdr")
    candidate = make_candidate(
        "htdemucs_ft",
        {"a": {"vocals": [9.0]}},
        metric=metric,  # type: ignore[arg-type]
    )
    result = make_result(candidate, **changes)  # type: ignore[arg-type]
    assert row(result, "htdemucs_ft", "vocals").published == ()


def test_a_pooled_figure_stands_beside_the_pooled_number() -> None:
    windows = {"a": {"vocals": [9.0], "no_vocals": [10.0, 16.0, 40.0]}, "b": {"no_vocals": [12.0]}}
    found = row(make_result(make_candidate("htdemucs", windows)), "htdemucs", "no_vocals")
    words = published_words(found)
    assert "pooled mean 18.41 (here 19.50)" in words
    assert "pooled median 16.35 (here 14.00)" in words


@pytest.mark.parametrize(("metric", "says_loose"), [("sir", True), ("sdr", False)])
def test_what_limits_the_numbers_is_said(metric: Metric, says_loose: bool) -> None:
    plain = make_candidate("m", TWO, metric=metric)
    assert caveats(make_result(plain, metric=metric)) == []
    tracks = tuple(
        replace(
            one,
            scores=replace(
                one.scores, silent_stems=("bass",), silent_windows=1, are_filters_loose=True
            ),
        )
        for one in (*plain.tracks, *make_candidate("m", {"d": TWO["a"]}, metric=metric).tracks)
    )
    lines = caveats(make_result(replace(plain, tracks=tracks), metric=metric))
    assert lines[0].startswith("4 of 8 windows have no value")
    assert lines[1] == "m: bass, true or estimated, is silent throughout in a, b, c and 1 more."
    assert ("hardly determined" in " ".join(lines)) is says_loose


def test_a_stem_that_is_silent_in_all_songs_is_left_out_of_all() -> None:
    tracks = {"a": {"vocals": [math.nan], "bass": [2.0], "drums": [4.0]}}
    result = make_result(make_candidate("m", tracks))
    assert [one.stem for one in summary_rows(result)] == ["all", "bass", "drums"]
    assert row(result, "m", "all").summary.mean == 3.0
    assert caveats(result) == ["No track has a value of vocals, which all leaves out."]


def test_without_a_value_of_a_stem_that_others_have_there_is_no_mean_over_stems() -> None:
    whole = make_candidate("whole", {"a": {"vocals": [1.0], "bass": [2.0]}})
    mute = make_candidate("mute", {"a": {"vocals": [math.nan], "bass": [9.0]}})
    result = make_result(mute, whole, baseline="whole")
    found = [(one.candidate, one.stem) for one in summary_rows(result)]
    assert found == [("whole", "all"), ("whole", "vocals"), ("whole", "bass"), ("mute", "bass")]
