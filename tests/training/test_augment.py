"""What augmentation does to stems, and what it leaves alone.

Shapes: B batch, S stems, C audio channels, N samples.
"""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Generator, Tensor

from stemsplit.errors import ConfigError
from stemsplit.training.augment import (
    Augmentation,
    Change,
    Doubling,
    FlipChannels,
    FlipSign,
    Gain,
    Remix,
    Shift,
)
from stemsplit.training.augment_recipe import (
    AugmentSection,
    GainSection,
    MaskSection,
    RepitchSection,
    ShiftSection,
)
from stemsplit.training.recipe_files import load_recipe

RATE = 1000
EVERYTHING = AugmentSection(
    flip_channels=0.5,
    flip_sign=0.5,
    doubling=0.5,
    remix=0.5,
    shift=ShiftSection(seconds=0.05, together=False),
    gain=GainSection(probability=0.5),
)


def stems(batch: int = 4, num_stems: int = 3, channels: int = 2, length: int = 200) -> Tensor:
    """Noise in which every stem of every excerpt and every channel is another."""
    return torch.randn(
        batch, num_stems, channels, length, generator=Generator().manual_seed(batch + length)
    )


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def rows(values: Tensor) -> list[tuple[float, ...]]:
    return sorted(tuple(row) for row in values.flatten(2).flatten(0, 1).tolist())


CHANGES: dict[str, Callable[[float], Change]] = {
    "flip_channels": FlipChannels,
    "flip_sign": FlipSign,
    "doubling": Doubling,
    "remix": Remix,
    "gain": lambda probability: Gain(GainSection(probability=probability)),
}


@pytest.mark.parametrize("name", CHANGES)
def test_probability_zero_leaves_stems_untouched(name: str) -> None:
    given = stems()
    for seed in range(5):
        assert torch.equal(CHANGES[name](0.0)(given, seeded(seed)), given)


@pytest.mark.parametrize("name", CHANGES)
def test_probability_one_changes_stems_and_not_the_ones_that_were_given(name: str) -> None:
    given = stems()
    before = given.clone()
    changed = CHANGES[name](1.0)(given, seeded())
    assert not torch.equal(changed, given)
    assert torch.equal(given, before)
    assert changed.shape == given.shape


def test_shifts_cut_every_stem_at_a_place_of_its_own() -> None:
    shift = Shift(ShiftSection(seconds=0.05, together=False), RATE)
    ramp = torch.arange(200.0).expand(4, 3, 2, -1)
    starts = set()
    for seed in range(100):
        cut = shift(ramp, seeded(seed))
        assert cut.shape == (4, 3, 2, 150)
        assert torch.equal(cut.diff(dim=-1), torch.ones(4, 3, 2, 149))
        assert torch.equal(cut[:, :, 0], cut[:, :, 1])
        starts |= set(cut[..., 0].flatten().tolist())
    assert (min(starts), max(starts)) == (0, 50)


def test_shifts_together_keep_stems_in_time() -> None:
    shift = Shift(ShiftSection(seconds=0.05), RATE)
    ramp = torch.arange(200.0).expand(4, 3, 2, -1)
    starts = shift(ramp, seeded(1))[..., 0, 0]
    assert torch.equal(starts, starts[:, :1].expand(-1, 3))
    assert len(set(starts[:, 0].tolist())) > 1


def test_channels_change_places_stem_by_stem() -> None:
    given = stems()
    changed = FlipChannels(0.5)(given, seeded())
    flipped = (changed == given.flip(2)).flatten(2).all(dim=2)
    kept = (changed == given).flatten(2).all(dim=2)
    assert (flipped ^ kept).all()
    assert flipped.any()
    assert kept.any()


@pytest.mark.parametrize("channels", [1, 3])
def test_channels_stay_where_there_are_not_two(channels: int) -> None:
    given = stems(channels=channels)
    assert torch.equal(FlipChannels(1.0)(given, seeded()), given)


def test_signs_flip_stem_by_stem() -> None:
    given = stems()
    factors = (FlipSign(0.5)(given, seeded()) / given).flatten(2)
    assert torch.equal(factors, factors[..., :1].expand_as(factors))
    assert set(factors[..., 0].flatten().tolist()) == {-1.0, 1.0}


def test_gains_fill_their_range_and_each_stem_has_its_own() -> None:
    gain = Gain(GainSection(probability=1.0, low=0.7, high=1.3))
    found = torch.cat(
        [gain(torch.ones(4, 3, 2, 5), seeded(seed)).flatten(2) for seed in range(100)]
    )
    assert torch.equal(found, found[..., :1].expand_as(found))
    drawn = found[..., 0]  # 1200 draws
    assert drawn.min() >= 0.7
    assert drawn.max() <= 1.3
    assert drawn.min() < 0.71
    assert drawn.max() > 1.29
    assert len(set(drawn.flatten().tolist())) > 1100


def test_doubling_adds_the_same_stem_of_another_excerpt() -> None:
    given = stems()
    added = Doubling(1.0)(given, seeded()) - given
    for excerpt in range(4):
        for stem in range(3):
            distances = (given[:, stem] - added[excerpt, stem]).flatten(1).abs().amax(dim=1)
            assert distances.argmin() != excerpt
            assert distances.min() < 1e-5  # of the addition and the subtraction


def test_doubling_a_single_excerpt_leaves_it() -> None:
    given = stems(batch=1)
    assert torch.equal(Doubling(1.0)(given, seeded()), given)


def test_remixing_deals_out_the_same_stems() -> None:
    given = stems()
    changed = Remix(1.0)(given, seeded())
    for stem in range(3):
        assert rows(changed[:, stem : stem + 1]) == rows(given[:, stem : stem + 1])
    # The stems of an excerpt went different ways.
    places = [
        [
            int((given[:, stem] - changed[excerpt, stem]).flatten(1).abs().amax(dim=1).argmin())
            for stem in range(3)
        ]
        for excerpt in range(4)
    ]
    assert any(len(set(place)) > 1 for place in places)


def test_probabilities_are_met() -> None:
    given = torch.ones(4, 50, 2, 2)
    flipped = sum((FlipSign(0.2)(given, seeded(seed)) < 0).float().mean() for seed in range(50))
    assert float(flipped) / 50 == pytest.approx(0.2, abs=0.02)  # 10,000 draws: five deviations


def test_what_is_heard_is_the_sum_of_the_stems() -> None:
    heard, changed = Augmentation(EVERYTHING, RATE).prepare(stems(), [1])
    assert torch.equal(heard, changed.sum(dim=1))
    assert changed.shape == (4, 3, 2, 150)


def test_the_same_seed_gives_the_same_music_and_another_does_not() -> None:
    augmentation = Augmentation(EVERYTHING, RATE)
    _, one = augmentation.prepare(stems(), [7])
    _, again = augmentation.prepare(stems(), [7])
    _, other = augmentation.prepare(stems(), [8])
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


def test_groups_do_not_depend_on_who_else_is_in_the_batch() -> None:
    section = replace(EVERYTHING, mask=MaskSection(time_probability=0.5, max_seconds=0.05))
    augmentation = Augmentation(section, RATE)
    batch = stems(batch=8)
    heard, changed = augmentation.prepare(batch, [3, 4])
    heard_second, second = augmentation.prepare(batch[4:], [4])
    assert torch.equal(changed[4:], second)
    torch.testing.assert_close(heard[4:], heard_second)


def test_a_last_group_may_be_smaller_but_needs_its_seed() -> None:
    augmentation = Augmentation(EVERYTHING, RATE)
    assert augmentation.prepare(stems(batch=6), [1, 2])[1].shape[0] == 6
    with pytest.raises(ValueError, match="zip"):
        augmentation.prepare(stems(batch=6), [1])


def test_a_section_without_changes_gives_back_what_it_got() -> None:
    given = stems()
    augmentation = Augmentation(AugmentSection(), RATE)
    assert augmentation(given, seeded()) is given
    mix = given.sum(dim=1)
    assert augmentation.mask(mix, seeded()) is mix


@pytest.mark.parametrize("name", ["hdemucs", "tfswa", "tfswa_paper", "htdemucs_nn"])
def test_the_published_recipes_augment(name: str) -> None:
    section = load_recipe(name).augment
    room = round(section.shift.seconds * RATE)
    given = stems(length=3000 + room)
    heard, changed = Augmentation(section, RATE).prepare(given, [0])
    assert heard.shape == (4, 2, 3000)
    assert not torch.equal(changed, given[..., :3000])


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: AugmentSection(remix=1.5), "augment.remix must be from 0 to 1, got 1.5"),
        (lambda: GainSection(low=1.2, high=0.8), "range of positive numbers, got 1.2 to 0.8"),
        (lambda: ShiftSection(seconds=-1.0), "shift.seconds must be at least 0"),
        (lambda: RepitchSection(semitones=20.0), "up to 12 semitones"),
        (lambda: RepitchSection(tempo_deviation=0.0), "tempo_deviation must be positive"),
        (lambda: MaskSection(n_fft=100, hop_length=80), "at least twice hop_length"),
        (lambda: AugmentSection(group_size=0), "group_size must be at least 1"),
    ],
)
def test_impossible_numbers_are_refused(build: Callable[[], object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build()
