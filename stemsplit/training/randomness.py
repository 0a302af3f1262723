"""The generators that torch draws from by itself, for dropout: on the CPU and on a GPU."""

from dataclasses import dataclass

import torch
from torch import Tensor

from stemsplit.training.distributed import Processes
from stemsplit.training.seeds import hash_of


@dataclass(frozen=True)
class RandomState:
    """Where the generators of a process are, or those of several, one row each."""

    cpu: Tensor
    device: Tensor | None
    """Of the GPU; None without one."""


def random_state(device: torch.device) -> RandomState:
    """Where the generators of this process are."""
    gpu = torch.cuda.get_rng_state(device) if device.type == "cuda" else None
    return RandomState(torch.get_rng_state(), gpu)


def set_random_state(state: RandomState, device: torch.device) -> None:
    """Let the generators of this process go on from a state."""
    torch.set_rng_state(state.cpu)
    if state.device is not None and device.type == "cuda":
        torch.cuda.set_rng_state(state.device, device)


def gather_random(processes: Processes, device: torch.device) -> RandomState:
    """The states of all processes, one row each; every process has to call this."""
    states = processes.gather(random_state(device))
    gpus = [state.device for state in states if state.device is not None]
    return RandomState(
        torch.stack([one.cpu for one in states]), torch.stack(gpus) if gpus else None
    )


def restore_random(
    state: RandomState, processes: Processes, device: torch.device, *, seed: int, step: int
) -> None:
    """Go on from a state of all processes.

    Args:
        state: as of `gather_random`.
        processes: if they are not as many as they were, all draw anew.
        device: of this process.
        seed: of the run.
        step: that the run goes on with.
    """
    rows = state.cpu.reshape(-1, state.cpu.shape[-1])  # early states have but one
    if len(rows) != processes.world:
        torch.manual_seed(hash_of((seed, processes.rank, step)))
        return
    # Copies, as torch reads a state from where its storage begins.
    gpu = None if state.device is None else state.device[processes.rank].clone()
    set_random_state(RandomState(rows[processes.rank].clone(), gpu), device)
