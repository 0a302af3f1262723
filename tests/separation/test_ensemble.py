"""Streaming with several networks and shifts gives what the whole signal at once would give."""

import threading
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from stemsplit.checkpoints.load import LoadedModel
from stemsplit.errors import Cancelled, ConfigError, DecodeError
from stemsplit.separation.ensemble import Ensemble, with_segment
from stemsplit.separation.options import SeparationOptions
from tests.separation.fakes import Blurred, Scaled, make_model

CPU = torch.device("cpu")


def build(model: LoadedModel, stems: tuple[str, ...] | None = None, **options: object) -> Ensemble:
    settings = SeparationOptions(**options)  # type: ignore[arg-type]
    return Ensemble(model, stems or model.stems, settings, CPU, threading.Event())


def run(ensemble: Ensemble, mix: Tensor, *, block: int = 333) -> Tensor:
    return torch.cat(
        list(ensemble.predict(iter(torch.split(mix, block, dim=-1)), mix.shape[-1])), dim=-1
    )


@pytest.mark.parametrize("num_samples", [1, 2, 499, 750, 999, 1000, 1001, 1749, 1750, 1751, 5000])
@pytest.mark.parametrize("shifts", [0, 2])
@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.7])
def test_a_network_that_returns_its_input_gives_it_back(
    num_samples: int, shifts: int, overlap: float
) -> None:
    mix = torch.randn(2, num_samples)
    model = make_model([Scaled((1.0, 0.5, 0.25, 0.125))])
    stems = run(build(model, shifts=shifts, overlap=overlap), mix)
    assert stems.shape == (4, 2, num_samples)
    for gain, stem in zip((1.0, 0.5, 0.25, 0.125), stems, strict=True):
        torch.testing.assert_close(stem, gain * mix, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("block", [1, 100, 1000, 10_000])
@pytest.mark.parametrize("extra", [0, 7])
def test_the_size_of_the_blocks_changes_nothing(block: int, extra: int) -> None:
    mix = torch.randn(2, 4321)
    ensemble = build(make_model([Blurred()], extra_samples=extra))
    torch.testing.assert_close(
        run(ensemble, mix, block=block), run(ensemble, mix, block=4321), rtol=0, atol=0
    )


@pytest.mark.parametrize("batch", [2, 3, 50])
@pytest.mark.parametrize("jobs", [1, 3])
@pytest.mark.parametrize("is_fixed", [False, True])
def test_batches_and_jobs_change_nothing(batch: int, jobs: int, is_fixed: bool) -> None:
    mix = torch.randn(2, 6543)
    model = make_model([Blurred(), Blurred(seed=1)], is_fixed=is_fixed)
    expected = run(build(model, shifts=2), mix)
    stems = run(build(model, shifts=2, batch=batch, jobs=jobs), mix)
    torch.testing.assert_close(stems, expected, rtol=1e-5, atol=1e-6)


def test_full_batches_are_used() -> None:
    network = Scaled((1.0, 1.0, 1.0, 1.0))
    run(build(make_model([network], is_fixed=True), batch=4), torch.randn(2, 8000))
    assert network.num_windows == [4, 4, 3]


def test_networks_are_weighted_stem_by_stem() -> None:
    model = make_model(
        [Scaled((1.0, 1.0, 1.0, 1.0)), Scaled((2.0, 2.0, 2.0, 2.0))],
        weights=((1.0, 0.0, 1.0, 3.0), (1.0, 2.0, 0.0, 1.0)),
    )
    mix = torch.ones(2, 100)
    stems = run(build(model), mix)
    torch.testing.assert_close(stems[:, 0, 0], torch.tensor([1.5, 2.0, 1.0, 1.25]))


def test_only_the_networks_that_the_stems_need_run() -> None:
    networks = [Scaled((1.0,) * 4) for _ in range(4)]
    identity = ((1.0, 0, 0, 0), (0, 1.0, 0, 0), (0, 0, 1.0, 0), (0, 0, 0, 1.0))
    ensemble = build(make_model(networks, weights=identity), ("vocals",))
    assert run(ensemble, torch.randn(2, 1500)).shape == (1, 2, 1500)
    assert ensemble.num_networks == 1
    assert [len(network.num_windows) for network in networks] == [0, 0, 0, 2]


def test_some_stems_equal_those_of_the_full_run() -> None:
    networks = [Blurred(seed=seed) for seed in range(3)]
    weights = ((1.0, 0.0, 0.0, 1.0), (1.0, 1.0, 0.0, 0.0), (0.0, 0.0, 1.0, 1.0))
    model = make_model(networks, weights=weights)
    mix = torch.randn(2, 2500)
    full = run(build(model, shifts=1, seed=5), mix)
    some = run(build(model, ("drums", "vocals"), shifts=1, seed=5), mix)
    torch.testing.assert_close(some, full[[0, 3]], rtol=0, atol=0)


def test_a_network_listed_twice_runs_once() -> None:
    network = Scaled((1.0, 1.0, 1.0, 1.0))
    other = Scaled((4.0, 4.0, 4.0, 4.0))
    model = make_model([network, network, other], digests=["a", "a", "b"])
    stems = run(build(model), torch.ones(2, 100))
    assert len(network.num_windows) == 1
    torch.testing.assert_close(stems, torch.full((4, 2, 100), 2.0))


def test_the_seed_decides_the_shifts() -> None:
    model, mix = make_model([Blurred()]), torch.randn(2, 3000)
    first = run(build(model, shifts=2, seed=1), mix)
    torch.testing.assert_close(run(build(model, shifts=2, seed=1), mix), first, rtol=0, atol=0)
    assert not torch.allclose(run(build(model, shifts=2, seed=2), mix), first)


def test_memory_does_not_grow_with_the_length() -> None:
    """What is held between two pieces stays below a few segments."""
    ensemble = build(make_model([Blurred()], segment_samples=1000))
    read = emitted = 0

    def blocks() -> Iterator[Tensor]:
        nonlocal read
        for _ in range(2000):
            read += 100
            yield torch.zeros(2, 100)

    for piece in ensemble.predict(blocks(), 200_000):
        emitted += piece.shape[-1]
        assert read - emitted <= 2 * 1000 + 100
    assert emitted == 200_000


def test_progress_rises_to_one() -> None:
    seen: list[float] = []
    ensemble = build(make_model([Blurred()]), shifts=2)
    list(ensemble.predict(iter([torch.zeros(2, 3000)]), 3000, on_progress=seen.append))
    assert seen == sorted(seen)
    assert seen[-1] == 1


def test_a_signal_that_ends_early_is_an_error() -> None:
    ensemble = build(make_model([Blurred()]))
    with pytest.raises(DecodeError, match="changed"):
        list(ensemble.predict(iter([torch.zeros(2, 500)]), 3000))


def test_a_set_cancel_event_stops_the_work() -> None:
    cancel = threading.Event()
    model = make_model([Blurred()])
    ensemble = Ensemble(model, model.stems, SeparationOptions(), CPU, cancel)
    pieces = ensemble.predict(iter(torch.split(torch.zeros(2, 50_000), 500, dim=-1)), 50_000)
    next(pieces)
    cancel.set()
    with pytest.raises(Cancelled):
        next(pieces)


def test_a_segment_can_be_chosen_within_what_the_network_takes() -> None:
    model = make_model([Blurred()], segment_samples=44_100, is_fixed=True)
    assert with_segment(model, None) is model
    assert with_segment(model, 0.5).members[0].segment_samples == 22_050
    with pytest.raises(ConfigError, match="at most 1 s"):
        with_segment(model, 1.5)


def test_a_network_of_free_length_takes_any_segment() -> None:
    model = make_model([Blurred()], segment_samples=44_100)
    assert with_segment(model, 30).members[0].segment_samples == 30 * 44_100


def test_a_segment_longer_than_the_song_costs_no_more_than_the_song() -> None:
    mix = torch.randn(2, 5000)
    expected = run(build(make_model([Blurred()], segment_samples=10_000)), mix)
    stems = run(build(make_model([Blurred()], segment_samples=10**15)), mix)
    torch.testing.assert_close(stems, expected, rtol=1e-5, atol=1e-6)
