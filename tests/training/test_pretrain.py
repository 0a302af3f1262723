"""Filling holes: where they are, what counts, and that a network can learn it.

Shapes: B batch, S stems, C audio channels, N samples.
"""

from dataclasses import replace

import pytest
import torch
from torch import Generator, Tensor, nn

from stemsplit.models.registry import build_network, find_variant
from stemsplit.training.phases import plan_phases
from stemsplit.training.pretrain import Reconstruction, hole_loss
from stemsplit.training.recipe import PretrainSection
from stemsplit.training.recipe_files import load_recipe
from tests.models.overfit import synthetic_stems
from tests.models.tiny import shrink

SECTION = PretrainSection(n_fft=128, hop_length=32)


class Copies(nn.Module):
    """Two stems, each half of the mix."""

    def forward(self, mix: Tensor) -> Tensor:
        return torch.stack([mix / 2, mix / 2], dim=1)


@pytest.fixture
def wrapped() -> Reconstruction:
    return Reconstruction(Copies(), SECTION, num_stems=2)


def mixes() -> Tensor:
    """Two excerpts (2, 2, 4000)."""
    stems = synthetic_stems()
    return torch.stack([stems[:2].sum(dim=0), stems.sum(dim=0)])


def test_the_same_seed_gives_the_same_holes_and_another_does_not(wrapped: Reconstruction) -> None:
    one, again, other = (
        wrapped.draw_holes(3, 4000, Generator().manual_seed(seed)) for seed in (0, 0, 1)
    )
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    assert not torch.equal(one[0], one[1])


def test_half_of_the_spectrogram_lies_in_tiles_of_eight_by_eight(wrapped: Reconstruction) -> None:
    holes = wrapped.draw_holes(3, 4000, Generator().manual_seed(0))
    assert holes.shape == (3, 65, 126)
    whole = holes[:, :64, :120].unfold(1, 8, 8).unfold(2, 8, 8)
    assert torch.equal(whole.any(dim=(-2, -1)), whole.all(dim=(-2, -1)))
    # Tiles at the edges are cut, so that as many tiles are not as many cells.
    assert holes.float().mean().item() == pytest.approx(0.5, abs=0.03)


def test_what_is_heard_has_lost_the_holes_and_kept_the_rest(wrapped: Reconstruction) -> None:
    mix = mixes()
    holes = torch.zeros(2, 65, 126, dtype=torch.bool)
    assert torch.allclose(wrapped.hear(mix, holes), mix, atol=1e-5)
    holes[:, :, 40:80] = True  # all frequencies of 1280 samples, whose learnt value begins as 0
    heard = wrapped.hear(mix, holes)
    assert heard[..., 1344:2496].abs().max() < 1e-6
    torch.testing.assert_close(heard[..., :1152], mix[..., :1152], atol=1e-5, rtol=0)


def test_the_learnt_value_is_what_stands_in_the_holes(wrapped: Reconstruction) -> None:
    holes = torch.ones(2, 65, 126, dtype=torch.bool)
    with torch.no_grad():
        wrapped.token[8, 0] = 1.0
    one, other = (wrapped.hear(mix, holes) for mix in (mixes(), torch.zeros_like(mixes())))
    assert one.abs().max() > 0.01
    assert torch.equal(one, other)


def test_only_holes_count() -> None:
    predicted, target = torch.randn(2, 2, 5, 6), torch.randn(2, 2, 5, 6)
    holes = torch.zeros(2, 5, 6, dtype=torch.bool)
    holes[:, 1:3, 2:4] = True
    loss = hole_loss(predicted, target, holes)
    visible = torch.where(holes[:, None], target, target + 100)
    assert hole_loss(predicted, visible, holes) == loss
    hidden = torch.where(holes[:, None], target + 100, target)
    assert hole_loss(predicted, hidden, holes) > loss + 50


def test_no_gradient_comes_from_outside_the_holes() -> None:
    predicted = torch.randn(1, 1, 4, 4, requires_grad=True)
    holes = torch.zeros(1, 4, 4, dtype=torch.bool)
    holes[0, 0, 0] = True
    (slope,) = torch.autograd.grad(hole_loss(predicted, torch.zeros(1, 1, 4, 4), holes), predicted)
    assert slope.count_nonzero() == 1


def test_targets_are_normalised_excerpt_by_excerpt(wrapped: Reconstruction) -> None:
    target = wrapped.target(mixes() * torch.tensor([0.1, 1.0])[:, None, None])
    torch.testing.assert_close(target.mean(dim=(1, 2, 3)), torch.zeros(2), atol=1e-4, rtol=0)
    torch.testing.assert_close(target.std(dim=(1, 2, 3)), torch.ones(2), atol=1e-3, rtol=0)


@pytest.mark.parametrize("variant", [None, "tfswa_lite"])
def test_silence_has_a_finite_loss_and_gradient(
    wrapped: Reconstruction, variant: str | None
) -> None:
    if variant is not None:
        architecture, config = find_variant(variant)
        network = build_network(architecture, shrink(config))
        wrapped = Reconstruction(network, SECTION, num_stems=len(config.stems))
    holes = wrapped.draw_holes(1, 1000, Generator().manual_seed(0))
    loss = wrapped(torch.zeros(1, 2, 1000), holes)
    assert torch.isfinite(loss)
    for slope in torch.autograd.grad(loss, [wrapped.token, wrapped.weight, wrapped.bias]):
        assert torch.isfinite(slope).all()


@pytest.mark.parametrize(
    "variant", ["wave_transformer", pytest.param("tfswa_lite", marks=pytest.mark.slow)]
)
def test_a_network_learns_to_fill_holes_in_fifty_steps(variant: str) -> None:
    architecture, config = find_variant(variant)
    config = replace(shrink(config), channels=1)

    def learn(*, frozen: bool) -> list[float]:
        torch.manual_seed(0)
        network = build_network(architecture, config)
        wrapped = Reconstruction(network, SECTION, num_stems=len(config.stems)).train()
        network.requires_grad_(not frozen)
        learning = [value for value in wrapped.parameters() if value.requires_grad]
        optimizer = torch.optim.AdamW(learning, lr=1e-2)
        mix = mixes()[:, :1, :1500]
        holes = wrapped.draw_holes(2, mix.shape[-1], Generator().manual_seed(0))
        losses = []
        for _ in range(50):
            loss = wrapped(mix, holes)
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
            losses.append(loss.item())
        return losses

    losses = learn(frozen=False)
    assert losses[-1] < 0.7 * losses[0]
    assert losses[-1] < 0.9 * learn(frozen=True)[-1]  # it is not the linear map that learnt


def test_nothing_stays_behind_in_the_network() -> None:
    architecture, config = find_variant("wave_transformer")
    plain = build_network(architecture, shrink(config))
    wrapped = Reconstruction(build_network(architecture, shrink(config)), SECTION, num_stems=4)
    plain.load_state_dict(wrapped.network.state_dict())


def test_the_shipped_recipe_has_holes_for_its_network() -> None:
    recipe = load_recipe("tfswa_pretrain")
    (phase,) = plan_phases(recipe)
    wrapped = Reconstruction(Copies(), recipe.pretrain, num_stems=2)
    holes = wrapped.draw_holes(1, phase.segment_samples, Generator().manual_seed(0))
    assert holes.shape == (1, 2049, 136)
