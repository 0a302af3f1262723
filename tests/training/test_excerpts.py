"""Which excerpt a number means, and which numbers a process gets."""

from collections import Counter
from itertools import chain

import pytest
import torch
from torch import Tensor

from stemsplit.errors import DatasetError, DecodeError
from stemsplit.training.excerpts import BatchNumbers, Excerpts, SongSet


class Ramp:
    """A song whose samples say where they are."""

    level = 1.0

    def __init__(self, name: str, num_samples: int, offset: float = 0.0) -> None:
        self.name = name
        self.num_samples = num_samples
        self.offset = offset

    def read(self, start: int, num_samples: int) -> Tensor:
        return (self.offset + torch.arange(start, start + num_samples)).expand(2, 1, -1)


class Loud(Ramp):
    level = 4.0


class Broken(Ramp):
    def read(self, start: int, num_samples: int) -> Tensor:
        raise DecodeError(f"Cannot use {self.name}.")


def test_a_number_always_means_the_same_excerpt() -> None:
    sets = [SongSet((Ramp("a", 10_000), Ramp("b", 5_000, 1e6)))]
    first, second = (Excerpts(sets, seed=1, num_samples=100) for _ in range(2))
    other = Excerpts(sets, seed=2, num_samples=100)
    for number in range(20):
        torch.testing.assert_close(first[number], second[number], rtol=0, atol=0)
    assert any(not torch.equal(first[number], other[number]) for number in range(20))


def test_every_second_of_a_set_is_as_likely() -> None:
    long, short = Ramp("long", 9_100), Ramp("short", 1_100, 1e6)
    excerpts = Excerpts([SongSet((long, short))], seed=0, num_samples=100)
    firsts = [excerpts[number][0, 0, 0].item() for number in range(2_000)]
    from_short = sum(first >= 1e6 for first in firsts)
    assert from_short == pytest.approx(2_000 * 1_100 / 10_200, rel=0.25)
    starts = [first for first in firsts if first < 1e6]
    assert max(starts) <= 9_000
    assert sum(starts) / len(starts) == pytest.approx(4_500, rel=0.1)


def test_sets_are_drawn_by_weight() -> None:
    sets = [SongSet((Ramp("a", 500),), weight=3.0), SongSet((Ramp("b", 500, 1e6),), weight=1.0)]
    excerpts = Excerpts(sets, seed=0, num_samples=100)
    drawn = Counter(excerpts[number][0, 0, 0].item() >= 1e6 for number in range(2_000))
    assert drawn[False] / drawn[True] == pytest.approx(3, rel=0.2)


def test_a_broken_song_stops_the_run_or_is_passed_over(caplog: pytest.LogCaptureFixture) -> None:
    sets = [SongSet((Ramp("good", 500), Broken("broken", 500)))]
    strict = Excerpts(sets, seed=0, num_samples=100)
    with pytest.raises(DecodeError, match="Cannot use broken"):
        [strict[number] for number in range(20)]
    lenient = Excerpts(sets, seed=0, num_samples=100, skip_broken=True)
    assert all(lenient[number].shape == (2, 1, 100) for number in range(20))
    assert "Skipping broken: Cannot use broken." in caplog.text


def test_only_broken_songs_stop_the_run_all_the_same() -> None:
    excerpts = Excerpts([SongSet((Broken("b", 9),))], seed=0, num_samples=5, skip_broken=True)
    with pytest.raises(DatasetError, match="20 songs in a row"):
        excerpts[0]


def test_no_songs_are_refused() -> None:
    with pytest.raises(DatasetError, match="no songs to train with"):
        Excerpts([SongSet(())], seed=0, num_samples=5)


@pytest.mark.parametrize("world", [1, 2, 3])
def test_processes_share_a_batch_without_overlap(world: int) -> None:
    shares = [
        list(BatchNumbers(4, 7, batch_size=6, rank=rank, world=world)) for rank in range(world)
    ]
    together = [sorted(chain.from_iterable(parts)) for parts in zip(*shares, strict=True)]
    assert together == [list(range(24, 30)), list(range(30, 36)), list(range(36, 42))]
    assert {len(part) for share in shares for part in share} == {6 // world}


def test_a_run_that_goes_on_gets_what_it_had_not_seen() -> None:
    whole = list(BatchNumbers(0, 10, batch_size=2, offset=100))
    assert list(BatchNumbers(6, 10, batch_size=2, offset=100)) == whole[6:]
    assert len(BatchNumbers(6, 10, batch_size=2)) == 4


def test_songs_are_brought_to_one_level() -> None:
    plain, loud = (
        Excerpts([SongSet((song,))], seed=0, num_samples=9)
        for song in (Ramp("a", 500), Loud("a", 500))
    )
    torch.testing.assert_close(loud[3], plain[3] / 4)


def test_what_changes_an_excerpt_draws_the_same_for_the_same_number() -> None:
    def roll(stems: Tensor, generator: torch.Generator) -> Tensor:
        return stems * 0 + torch.rand((), generator=generator)

    sets = [SongSet((Ramp("a", 500),))]
    first, again = (Excerpts(sets, seed=0, num_samples=9, change=roll) for _ in range(2))
    assert torch.equal(first[3], again[3])
    assert not torch.equal(first[3], first[4])
