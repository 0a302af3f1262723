"""Where segments lie: every boundary case, without a network."""

import pytest

from stemsplit.errors import ConfigError
from stemsplit.separation.plan import Segment, SegmentPlan, draw_leads


@pytest.mark.parametrize("num_samples", [1, 2, 74, 75, 76, 99, 100, 101, 149, 150, 151, 1000])
@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.5, 0.9])
def test_segments_cover_every_sample(num_samples: int, overlap: float) -> None:
    plan = SegmentPlan(num_samples, 100, overlap)
    covered: set[int] = set()
    for segment in plan:
        assert 1 <= segment.num_samples <= 100
        covered.update(range(segment.start, segment.stop))
    assert covered == set(range(num_samples))


def test_segments_start_where_the_reference_starts_them() -> None:
    plan = SegmentPlan(1_000_000, 343_980, 0.25)
    assert [segment.start for segment in plan] == list(range(0, 1_000_000, 257_985))
    assert [segment.num_samples for segment in plan] == [343_980, 343_980, 343_980, 226_045]


def test_a_short_segment_lies_in_the_middle_of_real_audio() -> None:
    assert Segment(900, 50).window(101) == (875, 976)


def test_a_segment_of_wanted_length_is_its_own_window() -> None:
    assert Segment(300, 100).window(100) == (300, 400)


@pytest.mark.parametrize("num_samples", [5, 100, 333])
def test_windows_advance_so_that_the_past_can_be_dropped(num_samples: int) -> None:
    starts = [segment.window(100)[0] for segment in SegmentPlan(num_samples, 100, 0.25)]
    assert starts == sorted(starts)


def test_everything_is_final_once_all_segments_are_in() -> None:
    plan = SegmentPlan(250, 100, 0.25)
    assert [plan.complete_until(done) for done in range(len(plan) + 1)] == [0, 75, 150, 225, 250]


def test_a_shifted_plan_begins_in_the_silence_before_the_signal() -> None:
    plan = SegmentPlan(250, 100, 0.25, lead_samples=40)
    assert [segment.start for segment in plan] == [-40, 35, 110, 185]
    assert plan[len(plan) - 1].stop == 250


def test_an_overlap_that_leaves_no_step_is_refused() -> None:
    with pytest.raises(ConfigError, match="--overlap"):
        SegmentPlan(100, 10, 0.99)


def test_shifts_are_repeatable_and_within_half_a_second() -> None:
    leads = draw_leads(20, 44_100, seed=7, salt="a")
    assert leads == draw_leads(20, 44_100, seed=7, salt="a")
    assert leads != draw_leads(20, 44_100, seed=8, salt="a")
    assert leads != draw_leads(20, 44_100, seed=7, salt="b")
    assert all(0 <= lead <= 22_050 for lead in leads)


def test_no_shifts_is_one_pass_without_silence() -> None:
    assert draw_leads(0, 44_100, seed=0) == (0,)
