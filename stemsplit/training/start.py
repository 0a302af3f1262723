"""Beginning with the weights of another model.

What has the same name and shape is taken over. Where only the number of stems differs, the weights
of stems that both have are taken over, and those of new stems stay random.

Shapes: S stems.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from stemsplit.checkpoints.load import LoadedMember, load_model
from stemsplit.errors import ConfigError


@dataclass(frozen=True)
class StartReport:
    """What became of the weights of a network; names of parameters."""

    model: str
    loaded: tuple[str, ...]
    """Taken over as they were."""

    partly: tuple[str, ...]
    """Taken over for the stems that both networks have."""

    new: tuple[str, ...]
    """Not in the other network, or of another shape there: random."""

    unused: tuple[str, ...]
    """In the other network only."""

    def __str__(self) -> str:
        parts = [f"{len(self.loaded)} of its tensors taken over"]
        for names, what in (
            (self.partly, "for the stems in common"),
            (self.new, "begin at random"),
            (self.unused, "have no place here"),
        ):
            if names:
                shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
                parts.append(f"{len(names)} {what} ({shown})")
        return f"From {self.model}: " + "; ".join(parts) + "."


def start_from(
    network: nn.Module,
    stems: Sequence[str],
    architecture: str,
    model: str,
    *,
    offline: bool = False,
) -> StartReport:
    """Load what fits of a model into a network.

    Args:
        network: changed in place.
        stems: its stems.
        architecture: its name in the registry.
        model: as `--model` takes it; a single network, or a bag of which exactly one is of this
            architecture.
        offline: never open a network connection.

    Raises:
        UnknownModelError: there is no such model.
        ConfigError: none of its networks fits, or several do.
    """
    member = _member(load_model(model, offline=offline).members, architecture, model)
    own = network.state_dict()
    theirs = member.network.state_dict()
    loaded, partly, new = [], [], []
    for name, tensor in own.items():
        given = theirs.get(name)
        if given is None:
            new.append(name)
        elif given.shape == tensor.shape:
            tensor.copy_(given)
            loaded.append(name)
        elif _copy_stems(tensor, stems, given, member.config.stems):
            partly.append(name)
        else:
            new.append(name)
    if not loaded:
        raise ConfigError(f"Nothing of {model} fits this network: its sizes are all different.")
    unused = tuple(name for name in theirs if name not in own)
    return StartReport(model, tuple(loaded), tuple(partly), tuple(new), unused)


def loaded_names(report: StartReport, network: nn.Module) -> tuple[str, ...]:
    """Names of the parameters that were taken over, wholly or in part."""
    taken = {*report.loaded, *report.partly}
    return tuple(name for name, _ in network.named_parameters() if name in taken)


def _member(members: Sequence[LoadedMember], architecture: str, model: str) -> LoadedMember:
    fitting = [member for member in members if member.architecture == architecture]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise ConfigError(
            f"{model} has {len(fitting)} networks of architecture {architecture}: name one of "
            "them, see 'stemsplit models info'."
        )
    kinds = ", ".join(sorted({member.architecture for member in members}))
    raise ConfigError(f"{model} is of architecture {kinds}, and the network is {architecture}.")


def _copy_stems(
    tensor: Tensor, stems: Sequence[str], given: Tensor, given_stems: Sequence[str]
) -> bool:
    """Copy the parts of common stems along the axis that counts stems; False if there is none."""
    axes = _different_axes(tensor, given)
    common = [stem for stem in stems if stem in given_stems]
    if len(axes) != 1 or not common:
        return False
    (axis,) = axes
    ours, rest = divmod(tensor.shape[axis], len(stems))
    theirs, their_rest = divmod(given.shape[axis], len(given_stems))
    if rest or their_rest or ours != theirs:
        return False
    into = torch.unflatten(tensor, axis, (len(stems), ours))
    out_of = torch.unflatten(given, axis, (len(given_stems), theirs))
    for stem in common:
        source = out_of.select(axis, list(given_stems).index(stem))
        into.select(axis, list(stems).index(stem)).copy_(source)
    return True


def _different_axes(first: Tensor, second: Tensor) -> list[int]:
    if first.dim() != second.dim():
        return []
    return [axis for axis in range(first.dim()) if first.shape[axis] != second.shape[axis]]
