"""The learning rate, at the steps where it must be a certain number."""

import math
from typing import get_args, get_type_hints

import pytest

from stemsplit.training.learning_recipe import ScheduleSection
from stemsplit.training.recipe_files import load_recipe
from stemsplit.training.schedules import SCHEDULES, count_drops, learning_rate


def rates(section: ScheduleSection, *, epochs: int = 10, steps: int = 100) -> list[float]:
    return [
        learning_rate(
            step, section=section, lr=1.0, total_steps=epochs * steps, steps_per_epoch=steps
        )
        for step in range(epochs * steps)
    ]


def test_the_recipe_offers_what_there_is() -> None:
    assert set(get_args(get_type_hints(ScheduleSection)["name"])) == set(SCHEDULES)


def test_a_constant_rate_stays() -> None:
    assert set(rates(ScheduleSection())) == {1.0}


def test_the_rate_rises_in_a_straight_line_and_falls_as_half_a_cosine() -> None:
    recipe = load_recipe("tfswa")
    total = recipe.epochs * recipe.steps_per_epoch
    lr, low = recipe.optim.lr, recipe.schedule.min_lr
    at = {
        step: learning_rate(
            step,
            section=recipe.schedule,
            lr=lr,
            total_steps=total,
            steps_per_epoch=recipe.steps_per_epoch,
        )
        for step in (0, 499, 999, 1000, (1000 + total) // 2, total - 1, total)
    }
    assert at[0] == pytest.approx(1e-6)
    assert at[499] == pytest.approx(5e-4)
    assert at[999] == at[1000] == lr
    assert at[(1000 + total) // 2] == pytest.approx((lr + low) / 2)
    assert at[total] == pytest.approx(low)
    assert low < at[total - 1] < low + 1e-12  # a cosine is flat at its end


def test_a_straight_line_ends_at_the_lowest_rate() -> None:
    found = rates(ScheduleSection(name="linear", min_lr=0.1))
    assert found[0] == 1.0
    assert found[500] == pytest.approx(0.55)
    assert found[-1] == pytest.approx(0.1, abs=1e-3)


def test_a_staircase_steps_every_one_and_a_half_epochs() -> None:
    found = rates(ScheduleSection(name="staircase", factor=0.9, every_epochs=1.5))
    assert found[149] == 1.0
    assert found[150] == pytest.approx(0.9)
    assert found[299] == pytest.approx(0.9)
    assert found[300] == pytest.approx(0.81)
    assert found[-1] == pytest.approx(0.9**6)


def test_a_staircase_stops_at_the_lowest_rate() -> None:
    found = rates(ScheduleSection(name="staircase", factor=0.1, min_lr=0.05))
    assert found[-1] == 0.05


def test_a_rate_per_epoch_changes_between_epochs_only() -> None:
    section = ScheduleSection(name="cosine", warmup_epochs=2.0, min_lr=0.1, per_epoch=True)
    found = rates(section)
    per_epoch = found[::100]
    assert all(len(set(found[100 * epoch : 100 * (epoch + 1)])) == 1 for epoch in range(10))
    assert per_epoch[:3] == [0.5, 1.0, 1.0]
    expected = [0.1 + 0.9 * (1 + math.cos(math.pi * done / 8)) / 2 for done in range(8)]
    assert per_epoch[2:] == pytest.approx(expected)


def test_a_new_phase_rises_again_to_where_the_schedule_is() -> None:
    section = ScheduleSection(name="linear")
    plain = rates(section)
    again = [
        learning_rate(
            step, section=section, lr=1.0, total_steps=1000, steps_per_epoch=100, rewarm=(500, 100)
        )
        for step in (500, 549, 599, 700)
    ]
    assert again == pytest.approx([0.01 * plain[500], 0.5 * plain[549], plain[599], plain[700]])


def test_the_rate_is_never_negative_nor_above_its_peak() -> None:
    for name in SCHEDULES:
        section = ScheduleSection(name=name, warmup_steps=7)  # type: ignore[arg-type]
        assert all(0 <= rate <= 1 for rate in rates(section, epochs=3, steps=5))


def test_the_rate_falls_where_validation_gets_no_better() -> None:
    section = ScheduleSection(name="plateau", factor=0.5, patience=2, min_lr=0.1)
    assert set(rates(section)) == {1.0}
    found = [
        learning_rate(900, drops, section=section, lr=1.0, total_steps=1000, steps_per_epoch=100)
        for drops in range(5)
    ]
    assert found == [1.0, 0.5, 0.25, 0.125, 0.1]


@pytest.mark.parametrize(
    ("scores", "drops"),
    [
        ([], 0),
        ([1.0, 2.0, 3.0], 0),
        ([3.0, 2.0], 0),
        ([3.0, 2.0, 2.5], 1),
        ([3.0, 2.0, 3.05, 2.5], 1),  # too small a gain does not count
        ([3.0, 2.0, 2.0, 2.0, 2.0], 2),
        ([3.0, 2.0, 4.0, 3.0], 0),
        ([-math.inf, -math.inf], 1),
        ([-math.inf, -60.0, -61.0], 0),
    ],
)
def test_as_many_validations_without_a_better_score_are_a_plateau(
    scores: list[float], drops: int
) -> None:
    section = ScheduleSection(name="plateau", patience=2, min_gain_db=0.1)
    assert count_drops(scores, section) == drops
