"""Losses: their values, their gradients, and what they do when there is no number to give.

Shapes: B batch, S stems, C audio channels, N samples.
"""

from collections.abc import Mapping, Sequence

import pytest
import torch
from torch import Tensor, nn

from stemsplit.errors import ConfigError, TrainingError
from stemsplit.models.serialization import from_plain, to_plain
from stemsplit.training.hearing import Batch
from stemsplit.training.learning_recipe import LOSS_TERMS, LossSection, StftSection
from stemsplit.training.losses import Features, LossValues, Objective
from stemsplit.training.tasks import Separate

SMALL = LossSection(
    magnitude=StftSection(n_fft=64, hop_length=16),
    resolutions=(StftSection(n_fft=64, hop_length=16), StftSection(n_fft=32, hop_length=8)),
)


def section_of(weights: Mapping[str, float], stem_weights: Sequence[float] = ()) -> LossSection:
    off = dict.fromkeys(LOSS_TERMS, 0.0)
    changes = {**off, **weights, "stem_weights": list(stem_weights)}
    return from_plain(LossSection, {**to_plain(SMALL), **changes})


def only(name: str, stem_weights: Sequence[float] = ()) -> LossSection:
    return section_of({name: 1.0}, stem_weights)


def gradient(total: Tensor, estimate: Tensor) -> Tensor:
    (found,) = torch.autograd.grad(total, estimate)
    return found


def features(signals: Tensor) -> Sequence[Tensor]:
    """Two fixed random filters, each with its energy."""
    filters = torch.randn(2, 1, 9, generator=torch.Generator().manual_seed(1)).to(signals)
    outputs = torch.nn.functional.conv1d(signals.mean(dim=1, keepdim=True), filters)
    return [outputs, outputs.square()]


def compare(section: LossSection, estimate: Tensor, reference: Tensor) -> LossValues:
    given: Features | None = features if section.perceptual else None
    return Objective(section, num_stems=estimate.shape[1], features=given)(estimate, reference)


def signals(*shape: int, seed: int = 0) -> Tensor:
    return 0.1 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("name", LOSS_TERMS)
def test_a_loss_is_zero_for_what_is_equal_and_positive_for_what_is_not(name: str) -> None:
    stems = signals(2, 3, 2, 500)
    assert compare(only(name), stems, stems).total == 0
    assert compare(only(name), stems + signals(2, 3, 2, 500, seed=1), stems).total > 1e-4


@pytest.mark.parametrize("name", LOSS_TERMS)
def test_the_gradient_of_a_loss_is_the_slope_of_its_value(name: str) -> None:
    reference = signals(1, 2, 2, 200)
    estimate = (reference + signals(1, 2, 2, 200, seed=1)).requires_grad_()
    direction = signals(1, 2, 2, 200, seed=2)
    direction = direction / direction.norm()
    section = only(name)
    slopes = gradient(compare(section, estimate, reference).total, estimate)
    # Losses work in float32 by design: a step of 1e-3 keeps both rounding and curvature below 2 %.
    step = 1e-3
    with torch.no_grad():
        above, below = (
            compare(section, estimate + sign * step * direction, reference).total.double()
            for sign in (1, -1)
        )
    slope = (above - below) / (2 * step)
    torch.testing.assert_close((slopes * direction).sum().double(), slope, rtol=0.02, atol=2e-5)


@pytest.mark.parametrize("name", LOSS_TERMS)
@pytest.mark.parametrize("silent", ["estimate", "reference", "both"])
def test_the_gradient_of_a_loss_is_finite_on_silence(name: str, silent: str) -> None:
    estimate, reference = signals(1, 2, 2, 300), signals(1, 2, 2, 300, seed=1)
    estimate = (torch.zeros_like(estimate) if silent != "reference" else estimate).requires_grad_()
    reference = torch.zeros_like(reference) if silent != "estimate" else reference
    total = compare(only(name), estimate, reference).total
    assert torch.isfinite(gradient(total, estimate)).all()


def test_losses_have_the_values_that_their_definitions_say() -> None:
    reference = signals(2, 2, 2, 256)
    estimate = reference + signals(2, 2, 2, 256, seed=1)
    error = estimate - reference
    expected = {
        "waveform_l1": error.abs().mean(),
        "waveform_l2": error.square().mean(),
        "log_mse": _log_mse(error, reference),
        "mix_consistency": error.sum(dim=1).abs().mean(),
    }
    for name, value in expected.items():
        torch.testing.assert_close(compare(only(name), estimate, reference).total, value)


def _log_mse(error: Tensor, reference: Tensor) -> Tensor:
    rows = []
    for wrong, true in zip(error, reference, strict=True):
        threshold = 1e-3 * true.sum(dim=0).square().mean()
        rows.append(torch.stack([1 + stem.square().mean() / threshold for stem in wrong]))
    return 10 * torch.stack(rows).log10().mean()


def test_the_log_mse_follows_the_sdr_of_quiet_and_of_loud_excerpts() -> None:
    reference = signals(2, 2, 2, 300)
    error = signals(2, 2, 2, 300, seed=1)
    loudness = torch.tensor([1.0, 0.1])[:, None, None, None]
    half, whole = (
        compare(only("log_mse"), loudness * (reference + scale * error), loudness * reference).total
        for scale in (0.5, 1.0)
    )
    # Half the error is 6.02 dB more SDR in both, and the threshold takes 0.03 of it.
    assert whole - half == pytest.approx(5.99, abs=0.02)


def test_the_log_mse_gains_nothing_below_its_threshold() -> None:
    reference = signals(1, 2, 2, 300)
    error = 1e-3 * signals(1, 2, 2, 300, seed=1)
    near, nearer = (
        compare(only("log_mse"), reference + scale * error, reference).total for scale in (1.0, 0.5)
    )
    assert 0 < near - nearer < 0.01


def test_the_log_mse_of_a_stem_is_the_same_whatever_else_is_learnt() -> None:
    stems = signals(2, 4, 2, 300)
    estimate = stems + 0.1 * signals(2, 4, 2, 300, seed=1)
    of_four, of_one = (Objective(only("log_mse"), num_stems=number) for number in (4, 1))
    alone = of_one(estimate[:, 3:], stems[:, 3:], stems[:, :3].sum(dim=1))
    torch.testing.assert_close(alone.stems[0], of_four(estimate, stems).stems[3])
    assert alone.total < of_one(estimate[:, 3:], stems[:, 3:]).total


def test_a_silent_rest_changes_no_bit_of_a_loss() -> None:
    stems, rest = signals(2, 4, 2, 300), torch.zeros(2, 2, 300)
    estimate = stems + 0.1 * signals(2, 4, 2, 300, seed=1)
    objective = Objective(only("log_mse"), num_stems=4)
    assert torch.equal(objective(estimate, stems, rest).total, objective(estimate, stems).total)


def test_the_rest_of_a_batch_counts_for_its_loss() -> None:
    stems, rest = signals(2, 1, 2, 300), signals(2, 2, 300, seed=2)
    objective = Objective(only("log_mse"), num_stems=1)
    batch = Batch(mix=torch.zeros(2, 2, 300), stems=stems, rest=rest)  # masks took all of it
    network = nn.Unflatten(1, (1, 2))  # hears silence, and says so
    total, _ = Separate(objective, ("vocals",)).loss(network, batch, torch.Generator())
    assert total == objective(torch.zeros_like(stems), stems, rest).total


def test_magnitudes_are_plain_sums_over_the_window() -> None:
    reference = signals(1, 1, 2, 512)
    plain = torch.stft(
        reference.flatten(0, 2), 64, 16, window=torch.hann_window(64), return_complex=True
    )
    silence = torch.zeros_like(reference)
    found = compare(only("magnitude_l1"), silence, reference).total
    torch.testing.assert_close(found, plain.abs().mean())


def test_the_magnitude_loss_is_blind_to_sign_and_the_waveform_loss_is_not() -> None:
    stems = signals(1, 1, 2, 400)
    assert compare(only("magnitude_l1"), -stems, stems).total == 0
    assert compare(only("multi_resolution"), -stems, stems).total == 0
    assert compare(only("waveform_l1"), -stems, stems).total > 0.1


def test_the_magnitude_loss_of_a_tone_grows_with_the_difference_of_level() -> None:
    tone = torch.sin(torch.arange(1024) * (2 * torch.pi * 8 / 64)).expand(1, 1, 1, -1)
    half, quarter = (
        compare(only("magnitude_l1"), scale * tone, tone).total for scale in (0.5, 0.75)
    )
    torch.testing.assert_close(half, 2 * quarter, rtol=1e-3, atol=0)  # the floor of silent bins


def test_terms_add_up_with_their_weights() -> None:
    reference = signals(2, 2, 2, 300)
    estimate = reference + signals(2, 2, 2, 300, seed=1)
    weights = {name: 0.5 + index for index, name in enumerate(LOSS_TERMS)}
    values = compare(section_of(weights), estimate, reference)
    expected = sum(
        weight * compare(only(name), estimate, reference).total for name, weight in weights.items()
    )
    torch.testing.assert_close(values.total, expected)
    assert set(values.terms) == set(LOSS_TERMS)
    for name in LOSS_TERMS:
        torch.testing.assert_close(
            values.terms[name], compare(only(name), estimate, reference).total
        )


def test_stems_count_by_their_weights() -> None:
    reference = signals(1, 3, 2, 200)
    estimate = reference + torch.tensor([0.1, 0.2, 0.4])[None, :, None, None]
    values = compare(only("waveform_l1", (1.0, 0.0, 3.0)), estimate, reference)
    torch.testing.assert_close(values.total, torch.tensor((0.1 + 3 * 0.4) / 4))
    torch.testing.assert_close(values.stems, torch.tensor([0.1, 0.2, 0.4]))


@pytest.mark.parametrize("name", sorted(set(LOSS_TERMS) - {"mix_consistency"}))
def test_a_stem_without_weight_gets_no_gradient(name: str) -> None:
    reference = signals(1, 2, 2, 200)
    estimate = signals(1, 2, 2, 200, seed=1).requires_grad_()
    found = gradient(compare(only(name, (1.0, 0.0)), estimate, reference).total, estimate)
    assert not found[:, 1].any()
    assert found[:, 0].any()


@pytest.mark.parametrize("name", LOSS_TERMS)
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_stops_with_its_name(name: str, value: float) -> None:
    stems = signals(1, 2, 2, 300)
    broken = stems.clone()
    broken[0, 0, 0, 100] = value
    with pytest.raises(TrainingError, match=f"The loss {name} is (nan|inf): the training has"):
        compare(only(name), broken, stems)


def test_losses_are_taken_in_float32_under_autocast() -> None:
    stems = signals(1, 2, 2, 300)
    estimate = (stems + 1e-3).to(torch.bfloat16).requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        values = compare(section_of({"waveform_l1": 1.0, "magnitude_l1": 1.0}), estimate, stems)
    assert values.total.dtype == torch.float32
    assert gradient(values.total, estimate).any()


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ConfigError, match="2 numbers for 3 stems"):
        Objective(LossSection(stem_weights=(1.0, 1.0)), num_stems=3)
    with pytest.raises(ConfigError, match="none are given"):
        Objective(LossSection(perceptual=1.0), num_stems=3)
