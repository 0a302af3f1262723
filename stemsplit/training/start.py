"""Beginning with the weights of another model.

What has the same name and shape is taken over. Of weights that every stem has its own part of, the
parts of stems that both networks have are taken over, in whatever order the stems are; those of new
stems stay random.

Shapes: S stems.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from stemsplit.checkpoints.describe import describe_model
from stemsplit.checkpoints.load import LoadedMember, load_model
from stemsplit.checkpoints.obtain import ProgressSink
from stemsplit.checkpoints.resolve import resolve
from stemsplit.errors import ConfigError
from stemsplit.models.base import ModelConfig
from stemsplit.models.registry import build_network
from stemsplit.separation.stopping import stopping
from stemsplit.training.state import Ancestor


@dataclass(frozen=True)
class StartReport:
    """What became of the weights of a network; names of parameters."""

    model: str
    loaded: tuple[str, ...]
    """Taken over, with the parts of all stems of the network."""

    partly: tuple[str, ...]
    """Taken over for the stems that both networks have; random for the others."""

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
    config: ModelConfig,
    architecture: str,
    model: str,
    *,
    offline: bool = False,
    stop: threading.Event | None = None,
) -> StartReport:
    """Load what fits of a model into a network.

    Args:
        network: changed in place.
        config: that it was built from.
        architecture: its name in the registry.
        model: as `--model` takes it; a single network, or a bag of which exactly one of this
            architecture has a say in the stems of the network.
        offline: never open a network connection.
        stop: set it from another thread to end a download.

    Raises:
        UnknownModelError: there is no such model.
        ConfigError: none of its networks fits, or several do.
        Cancelled: `stop` was set.
    """
    progress = None if stop is None else stopping(stop)
    member = _member(model, config.stems, architecture, offline=offline, progress=progress)
    stem_axes = _stem_axes(network, config, architecture)
    given = member.config.stems
    pairs = [(place, given.index(stem)) for place, stem in enumerate(config.stems) if stem in given]
    counts = len(config.stems), len(given)
    own = network.state_dict()
    theirs = member.network.state_dict()
    loaded, partly, new = [], [], []
    for name, tensor in own.items():
        axes = stem_axes[name]
        if name not in theirs or not _copy(tensor, theirs[name], axes, pairs, counts):
            new.append(name)
        elif axes and len(pairs) < len(config.stems):
            partly.append(name)
        else:
            loaded.append(name)
    if not loaded and not partly:
        raise ConfigError(f"Nothing of {model} fits this network: its sizes are all different.")
    unused = tuple(name for name in theirs if name not in own)
    return StartReport(model, tuple(loaded), tuple(partly), tuple(new), unused)


def ancestor_of(model: str, *, offline: bool = False) -> Ancestor:
    """What is known of a model that a run begins with.

    Raises:
        UnknownModelError: there is no such model.
    """
    known = describe_model(model, offline=offline)
    return Ancestor(
        name=model.rpartition("/")[2] if known.kind == "path" else model,
        licence=known.licence,
        trained_on=known.trained_on,
        trained_sets=known.trained_sets,
    )


def loaded_names(report: StartReport, network: nn.Module) -> tuple[str, ...]:
    """Names of the parameters that were taken over with the parts of all stems."""
    loaded = set(report.loaded)
    return tuple(name for name, _ in network.named_parameters() if name in loaded)


def _member(
    model: str,
    stems: Sequence[str],
    architecture: str,
    *,
    offline: bool,
    progress: ProgressSink | None,
) -> LoadedMember:
    known = resolve(model, offline=offline).stems
    common = [stem for stem in stems if stem in known]
    loaded = load_model(model, stems=common or None, offline=offline, progress=progress)
    members = loaded.members
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


def _stem_axes(
    network: nn.Module, config: ModelConfig, architecture: str
) -> dict[str, tuple[int, ...]]:
    """For every tensor, the axes along which one more stem makes it longer."""
    names = (f"more {number}" for number in range(len(config.stems) + 1))
    new = next(name for name in names if name not in config.stems)
    with torch.device("meta"):
        more = replace(config, stems=(*config.stems, new))
        larger = build_network(architecture, more).state_dict()
    return {
        name: tuple(
            axis for axis, size in enumerate(tensor.shape) if larger[name].shape[axis] != size
        )
        for name, tensor in network.state_dict().items()
    }


def _copy(
    tensor: Tensor,
    given: Tensor,
    axes: Sequence[int],
    pairs: Sequence[tuple[int, int]],
    counts: tuple[int, int],
) -> bool:
    """Copy what two tensors have in common; False if that is nothing.

    Args:
        tensor: to copy into.
        given: to copy from.
        axes: along which stems have parts of their own, in both.
        pairs: places of stems that both have, in each of them.
        counts: S of each of them.
    """
    if tensor.dim() != given.dim() or (axes and not pairs):
        return False
    into = [torch.arange(size) for size in tensor.shape]
    for axis in axes:
        size, rest = divmod(tensor.shape[axis], counts[0])
        if rest or given.shape[axis] != size * counts[1]:
            return False
        into[axis] = _places([ours for ours, _ in pairs], size)
        given = given.index_select(axis, _places([theirs for _, theirs in pairs], size))
    if given.shape != tuple(len(places) for places in into):
        return False
    if axes:
        tensor[torch.meshgrid(*into, indexing="ij")] = given
    else:
        tensor.copy_(given)
    return True


def _places(stems: Sequence[int], size: int) -> Tensor:
    """Where the parts of stems lie along an axis, of which every stem has `size` in a row."""
    return (torch.tensor(stems)[:, None] * size + torch.arange(size)).flatten()
