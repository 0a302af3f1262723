"""Pitch and tempo of excerpts: what is drawn, what is read, and what comes out.

Shapes: S stems, C audio channels, N samples.
"""

import math

import pytest
import torch
from torch import Generator, Tensor

from stemsplit.training import repitch
from stemsplit.training.augment_recipe import AugmentSection, RepitchSection, ShiftSection
from stemsplit.training.repitch import Repitch

RATE = 8_000


def tones(length: int) -> Tensor:
    """Two stems (2, 1, N): 400 and 900 Hz."""
    time = torch.arange(length) / RATE
    return 0.3 * torch.sin(2 * math.pi * torch.tensor([400.0, 900.0])[:, None, None] * time)


def frequencies(stems: Tensor) -> Tensor:
    window = torch.hann_window(stems.shape[-1])
    bins = torch.fft.rfft(stems[:, 0] * window).abs().argmax(dim=-1)
    return torch.as_tensor(bins * RATE / stems.shape[-1])


def build(num_samples: int = RATE, shift: float = 0.0, **changes: float | bool) -> Repitch:
    section = AugmentSection(
        repitch=RepitchSection(**{"probability": 1.0, **changes}),  # type: ignore[arg-type]
        shift=ShiftSection(seconds=shift),
    )
    return Repitch(section, num_samples, RATE)


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[tuple[float, float]]:
    """Semitones and tempo of every stem, in place of the change itself."""
    found: list[tuple[float, float]] = []

    def record(signal: Tensor, _rate: int, *, pitch: float, tempo: float) -> Tensor:
        found.append((12 * math.log2(pitch), tempo))
        return torch.zeros(signal.shape[0], round(signal.shape[1] / tempo))

    monkeypatch.setattr(repitch, "stretch", record)
    return found


def test_stems_are_changed_alike_and_as_drawn() -> None:
    change = build(whole_semitones=False)
    excerpt = tones(change.samples_to_read)
    changed = change(excerpt, Generator().manual_seed(0))
    assert changed.shape == (2, 1, RATE)
    ratios = frequencies(changed) / torch.tensor([400.0, 900.0])
    # Bins of one hertz at 400: 0.25 %, where a semitone is 6 %.
    torch.testing.assert_close(ratios[0], ratios[1], rtol=5e-3, atol=0)
    assert abs(ratios[0] - 1) > 0.01
    assert abs(12 * math.log2(float(ratios[0]))) < 2.1


def test_draws_fill_their_ranges(drawn: list[tuple[float, float]]) -> None:
    change = build(whole_semitones=False)
    for seed in range(1000):
        change(torch.ones(1, 1, change.samples_to_read), Generator().manual_seed(seed))
    semitones, tempos = (torch.tensor(values) for values in zip(*drawn, strict=True))
    for values, low, high in ((semitones, -2.0, 2.0), (tempos, 0.9, 1.1)):
        assert low <= values.min() < low + 0.02 * (high - low)
        assert high - 0.02 * (high - low) < values.max() <= high


def test_published_draws_are_whole_semitones_and_normal_tempos(
    drawn: list[tuple[float, float]],
) -> None:
    change = build(tempo_low=0.88, tempo_high=1.12, tempo_deviation=0.05)
    for seed in range(1000):
        change(torch.ones(1, 1, change.samples_to_read), Generator().manual_seed(seed))
    semitones, tempos = (torch.tensor(values) for values in zip(*drawn, strict=True))
    assert {round(value, 6) for value in semitones.tolist()} == {-2.0, -1.0, 0.0, 1.0, 2.0}
    assert tempos.std().item() == pytest.approx(0.05, rel=0.1)  # four deviations of an estimate
    assert tempos.min() >= 0.88
    assert tempos.max() <= 1.12


@pytest.mark.parametrize("together", [True, False])
def test_stems_are_changed_together_or_apart(
    together: bool, drawn: list[tuple[float, float]]
) -> None:
    change = build(together=together)
    change(torch.ones(3, 1, change.samples_to_read), Generator().manual_seed(0))
    assert len(set(drawn)) == (1 if together else 3)


def test_enough_is_read_for_the_fastest_tempo_and_the_shift() -> None:
    change = build(shift=0.5, tempo_low=1.1, tempo_high=1.1)
    excerpt = torch.randn(1, 1, change.samples_to_read, generator=Generator().manual_seed(0))
    changed = change(excerpt, Generator().manual_seed(1))
    assert changed.shape == (1, 1, RATE + RATE // 2)
    assert changed[..., -100:].abs().mean() > 0.1  # music to the end


def test_enough_is_read_for_what_keeps_its_tempo_beside_slower_music() -> None:
    change = build(probability=0.5, tempo_low=0.8, tempo_high=0.9)
    excerpt = tones(change.samples_to_read)
    lengths = {change(excerpt, Generator().manual_seed(seed)).shape[-1] for seed in range(10)}
    assert lengths == {RATE}


def test_without_probability_an_excerpt_is_neither_read_longer_nor_changed() -> None:
    change = build(probability=0.0, shift=0.5)
    assert change.samples_to_read == RATE + RATE // 2
    excerpt = tones(change.samples_to_read)
    assert torch.equal(change(excerpt, Generator().manual_seed(0)), excerpt)


def test_some_excerpts_are_changed_and_the_same_ones_for_the_same_seed() -> None:
    change = build(num_samples=800, probability=0.3)
    excerpt = tones(change.samples_to_read)
    results = [change(excerpt, Generator().manual_seed(seed)) for seed in range(20)]
    untouched = [torch.equal(result, excerpt[..., :800]) for result in results]
    assert 0 < sum(untouched) < 20
    seed = untouched.index(False)
    assert torch.equal(results[seed], change(excerpt, Generator().manual_seed(seed)))
