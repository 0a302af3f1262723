"""What makes weights follow their gradients, built from a recipe."""

from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from torch import nn
from torch.optim import SGD, Adam, AdamW, NAdam, Optimizer, RAdam

from stemsplit.errors import ConfigError
from stemsplit.training.learning_recipe import GroupSection, OptimSection

Parameters = list[dict[str, Any]]


def _adaptive(kind: Callable[..., Optimizer]) -> Callable[[Parameters, OptimSection], Optimizer]:
    def build(parameters: Parameters, section: OptimSection) -> Optimizer:
        first, second = section.betas
        return kind(parameters, betas=(first, second), eps=section.eps)

    return build


def _sgd(parameters: Parameters, section: OptimSection) -> Optimizer:
    return SGD(parameters, momentum=section.momentum)


OPTIMIZERS: dict[str, Callable[[Parameters, OptimSection], Optimizer]] = {
    "adam": _adaptive(Adam),
    "adamw": _adaptive(AdamW),
    "nadam": _adaptive(NAdam),
    "radam": _adaptive(RAdam),
    "sgd": _sgd,
}
"""Name to what builds it from groups of parameters that have their rate and weight decay."""


def build_optimizer(
    section: OptimSection,
    network: nn.Module,
    *,
    freeze: Iterable[str] = (),
    loaded: Container[str] = (),
    prefix: str = "",
) -> Optimizer:
    """The optimizer of a network.

    Its learning rate is that of the recipe until `set_learning_rate` sets another. Parameters that
    match `freeze` no longer require a gradient afterwards and are in no group.

    Args:
        section: of the recipe.
        network: on the device it is trained on.
        freeze: patterns of names of parameters that stay as they are.
        loaded: names of parameters that were loaded, where they learn at another rate at first.
        prefix: what names in `network` begin with where it is wrapped around another network: the
            other names and patterns are without it.

    Raises:
        ConfigError: a pattern fits no parameter, or all are frozen.
    """
    freeze = tuple(freeze)
    named = {name.removeprefix(prefix): value for name, value in network.named_parameters()}
    _check_patterns([*freeze, *(group.match for group in section.groups)], named)
    for name, parameter in named.items():
        if _matches(name, freeze):
            parameter.requires_grad = False
    trained = {name: value for name, value in named.items() if value.requires_grad}
    if not trained:
        raise ConfigError("start.freeze leaves no weights to train.")
    return OPTIMIZERS[section.name](list(_groups(section, trained, loaded)), section)


def set_learning_rate(optimizer: Optimizer, lr: float, *, loaded_scale: float = 1.0) -> None:
    """Set the rate of every group of an optimizer that `build_optimizer` made.

    Args:
        optimizer: the optimizer.
        lr: the rate, which the groups of the recipe multiply by their ``lr_scale``.
        loaded_scale: another factor, for weights that were loaded.
    """
    for group in optimizer.param_groups:
        group["lr"] = lr * group["lr_scale"] * (loaded_scale if group["loaded"] else 1.0)


def loaded_in(state: Mapping[str, Any]) -> set[str]:
    """Names of the parameters that were `loaded`, of the state of an optimizer."""
    groups = (group for group in state["param_groups"] if group["loaded"])
    return {name for group in groups for name in group["param_names"]}


def _groups(
    section: OptimSection, trained: dict[str, nn.Parameter], loaded: Container[str]
) -> Iterator[dict[str, Any]]:
    remaining = dict(trained)
    for group in (*section.groups, GroupSection(match="*")):
        matching = [name for name in remaining if fnmatchcase(name, group.match)]
        decay = section.weight_decay if group.weight_decay is None else group.weight_decay
        for is_loaded in (False, True):
            chosen = [name for name in matching if (name in loaded) == is_loaded]
            if chosen:
                yield {
                    "params": [(name, remaining.pop(name)) for name in chosen],
                    "lr": section.lr * group.lr_scale,
                    "lr_scale": group.lr_scale,
                    "loaded": is_loaded,
                    "weight_decay": decay,
                }


def _check_patterns(patterns: Iterable[str], named: dict[str, nn.Parameter]) -> None:
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in named):
            first = next(iter(named), "")
            raise ConfigError(
                f"No weights of the network match {pattern!r}: they are called {first} and so on."
            )


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
