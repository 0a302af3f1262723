"""Several processes that train one network: PyTorch's own, started by torchrun.

torchrun tells every process who it is by environment variables; a process that it did not start is
alone. Only process 0 writes files and speaks.
"""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, nn
from torch.distributed.distributed_c10d import PrefixStore
from torch.distributed.rendezvous import rendezvous
from torch.nn.parallel import DistributedDataParallel

from stemsplit.errors import ConfigError

T = TypeVar("T")

_PATIENCE = timedelta(hours=12)  # while the first process decodes a whole data set into the cache


@dataclass(frozen=True)
class Processes:
    """Who this process is among those that train together."""

    rank: int = 0
    """Number of this process, from 0."""

    world: int = 1
    """How many there are."""

    local_rank: int = 0
    """Number of this process on its machine, which is that of its GPU."""

    @property
    def is_first(self) -> bool:
        """Whether this process writes and speaks."""
        return self.rank == 0

    def check_batch(self, batch_size: int, accumulation_steps: int) -> None:
        """Check that all processes get equal parts of a batch.

        Raises:
            ConfigError: they do not.
        """
        if batch_size % (self.world * accumulation_steps):
            raise ConfigError(
                f"batch_size {batch_size} cannot be shared by {self.world} processes in "
                f"{accumulation_steps} parts each: choose a multiple of "
                f"{self.world * accumulation_steps}."
            )

    def wrap(self, network: nn.Module, device: torch.device) -> nn.Module:
        """The network, with gradients averaged over all processes."""
        if self.world == 1:
            return network
        return DistributedDataParallel(
            network, device_ids=[device] if device.type == "cuda" else None
        )

    def mean(self, value: Tensor) -> Tensor:
        """The mean of a value over all processes."""
        if self.world > 1:
            value = value.clone()
            torch.distributed.all_reduce(value)
            value /= self.world
        return value

    def any(self, flag: bool, device: torch.device) -> bool:
        """Whether a flag is up in any process."""
        if self.world == 1:
            return flag
        value = torch.tensor(float(flag), device=device)
        torch.distributed.all_reduce(value, op=torch.distributed.ReduceOp.MAX)
        return bool(value.item())

    def gather(self, value: T) -> list[T]:
        """What all processes have, in the order of their ranks."""
        if self.world == 1:
            return [value]
        values: list[Any] = [None] * self.world
        torch.distributed.all_gather_object(values, value)
        return values

    def wait(self) -> None:
        """Go on when all processes have come here."""
        if self.world > 1:
            torch.distributed.barrier()


@contextmanager
def join_processes(device: torch.device) -> Iterator[Processes]:
    """Take part in what torchrun started, or be alone.

    Args:
        device: where this process computes.
    """
    # Other libraries, and what is gathered as an object, go by the current GPU: another one would
    # hold memory too, and be one for all processes.
    with torch.cuda.device(device) if device.type == "cuda" else nullcontext():
        yield from _joined(device)


def _joined(device: torch.device) -> Iterator[Processes]:
    processes = find_processes()
    if processes.world == 1:
        yield processes
        return
    # Addresses of processes before a restart still stand in the store: each attempt has its own.
    store, rank, world = next(rendezvous("env://"))
    attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
    is_cuda = device.type == "cuda"
    torch.distributed.init_process_group(
        "nccl" if is_cuda else "gloo",
        store=PrefixStore(f"attempt {attempt}", store),
        rank=rank,
        world_size=world,
        timeout=_PATIENCE,
        device_id=device if is_cuda else None,
    )
    try:
        yield processes
    finally:
        torch.distributed.destroy_process_group()


def find_processes() -> Processes:
    """Who torchrun says that this process is."""
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK")
    if any(name not in os.environ for name in names):
        return Processes()
    return Processes(*(int(os.environ[name]) for name in names))


def summing_alone(network: nn.Module) -> AbstractContextManager[None]:
    """The context in which gradients add up in each process; the next ones outside are averaged."""
    if isinstance(network, DistributedDataParallel):
        return cast("AbstractContextManager[None]", network.no_sync())
    return nullcontext()


def inner(network: nn.Module) -> nn.Module:
    """The network itself, out of what was wrapped around it to train it."""
    if isinstance(network, DistributedDataParallel):
        network = cast("nn.Module", network.module)
    return cast("nn.Module", getattr(network, "_orig_mod", network))  # of torch.compile
