"""Optimizers: which weights they change, and at which rate."""

from typing import get_args, get_type_hints

import pytest
import torch
from torch import nn

from stemsplit.errors import ConfigError
from stemsplit.models.registry import build_network
from stemsplit.training.learning_recipe import GroupSection, OptimSection
from stemsplit.training.optimizers import (
    OPTIMIZERS,
    build_optimizer,
    set_learning_rate,
)
from stemsplit.training.phases import recipe_network
from stemsplit.training.recipe_files import load_recipe


@pytest.fixture
def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.ModuleDict({"encoder": nn.Linear(4, 4), "head": nn.Linear(4, 2)})


def step(network: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    values = network["head"](network["encoder"](torch.ones(3, 4)))  # type: ignore[index]
    optimizer.zero_grad()
    values.square().sum().backward()
    optimizer.step()


def copies(network: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in network.named_parameters()}


def test_the_recipe_offers_what_there_is() -> None:
    assert set(get_args(get_type_hints(OptimSection)["name"])) == set(OPTIMIZERS)


@pytest.mark.parametrize("name", sorted(OPTIMIZERS))
def test_an_optimizer_lowers_the_loss(name: str, network: nn.Module) -> None:
    section = OptimSection(name=name, lr=1e-2, weight_decay=1e-4)  # type: ignore[arg-type]
    optimizer = build_optimizer(section, network)
    before = copies(network)
    for _ in range(5):
        step(network, optimizer)
    with torch.no_grad():
        values = network["head"](network["encoder"](torch.ones(3, 4)))  # type: ignore[index]
        first = torch.ones(3, 4) @ before["encoder.weight"].T + before["encoder.bias"]
        first = first @ before["head.weight"].T + before["head.bias"]
    assert values.square().sum() < 0.9 * first.square().sum()


def test_numbers_of_the_recipe_reach_the_optimizer(network: nn.Module) -> None:
    section = OptimSection(name="adamw", lr=0.5, betas=(0.8, 0.95), eps=1e-6, weight_decay=0.1)
    (group,) = build_optimizer(section, network).param_groups
    assert (group["lr"], group["betas"], group["eps"]) == (0.5, (0.8, 0.95), 1e-6)
    assert group["weight_decay"] == 0.1
    assert len(group["params"]) == 4


def test_groups_have_rates_and_decays_of_their_own(network: nn.Module) -> None:
    groups = (
        GroupSection(match="encoder.weight", lr_scale=0.1, weight_decay=0.5),
        GroupSection(match="encoder.*", lr_scale=2.0),
    )
    optimizer = build_optimizer(OptimSection(lr=1.0, weight_decay=0.2, groups=groups), network)
    facts = [(g["lr"], g["weight_decay"], len(g["params"])) for g in optimizer.param_groups]
    assert facts == [(0.1, 0.5, 1), (2.0, 0.2, 1), (1.0, 0.2, 2)]
    set_learning_rate(optimizer, 0.5)
    assert [group["lr"] for group in optimizer.param_groups] == [0.05, 1.0, 0.5]


def test_loaded_weights_can_learn_at_another_rate_than_new_ones(network: nn.Module) -> None:
    loaded = {"encoder.weight", "encoder.bias"}
    optimizer = build_optimizer(OptimSection(lr=1.0), network, loaded=loaded)
    set_learning_rate(optimizer, 1.0, loaded_scale=0.0)
    before = copies(network)
    step(network, optimizer)
    after = copies(network)
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"head.weight", "head.bias"}


def test_frozen_weights_stay_as_they_are(network: nn.Module) -> None:
    optimizer = build_optimizer(OptimSection(lr=0.1), network, freeze=["encoder.*"])
    before = copies(network)
    step(network, optimizer)
    after = copies(network)
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"head.weight", "head.bias"}


def test_patterns_that_fit_nothing_are_refused(network: nn.Module) -> None:
    with pytest.raises(ConfigError, match=r"match 'decoder.\*': they are called encoder.weight"):
        build_optimizer(OptimSection(), network, freeze=["decoder.*"])
    with pytest.raises(ConfigError, match="No weights of the network match 'transformer'"):
        build_optimizer(OptimSection(groups=(GroupSection(match="transformer"),)), network)
    with pytest.raises(ConfigError, match="leaves no weights"):
        build_optimizer(OptimSection(), network, freeze=["*"])


def test_fine_tuning_htdemucs_shrinks_the_weights_of_its_transformer_alone() -> None:
    recipe = load_recipe("htdemucs_ft")
    named = recipe_network(recipe.network)
    with torch.device("meta"):
        whole = build_network(named.architecture, named.config)
    decayed, rest = build_optimizer(recipe.optim, whole).param_groups
    assert (decayed["weight_decay"], rest["weight_decay"]) == (0.05, 0.0)
    transformer = whole.get_submodule("transformer")
    assert len(decayed["params"]) == len(list(transformer.parameters()))
