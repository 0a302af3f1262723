"""What to do when the memory of a device is used up."""

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor, nn

from stemsplit.errors import TrainingError
from stemsplit.separation.device import is_out_of_memory
from stemsplit.training.compiling import compile_fault
from stemsplit.training.learner import Learner

T = TypeVar("T")


def with_advice(look: Callable[[Learner, Tensor], T], learner: Learner, excerpts: Tensor) -> T:
    """Have a first step taken, and find out what would fit if memory runs out.

    Args:
        look: takes a step.
        learner: is of no more use where memory ran out.
        excerpts: what the step hears (B, S + 1, C, N).

    Raises:
        TrainingError: memory ran out; the message says how many excerpts at a time fit, which is
            tried out unless other processes would have to take part; or the network cannot be
            compiled.
    """
    try:
        return look(learner, excerpts)
    except RuntimeError as error:
        fault = compile_fault(error)
        if fault is not None:
            raise TrainingError(fault) from error
        if not is_out_of_memory(error):
            raise
    # Only here is the error gone, and with it all that the step had in memory.
    parts = _fitting_parts(learner, excerpts) if learner.processes.world == 1 else None
    raise TrainingError(out_of_memory(learner, excerpts.shape[0], parts))


def out_of_memory(learner: Learner, batch_size: int, parts: int | None = None) -> str:
    """The message for memory that ran out.

    Args:
        learner: what took the step.
        batch_size: excerpts of the step.
        parts: in which the batch fits; None if that is not known.
    """
    at_once = batch_size // learner.accumulation_steps
    heard = "1 excerpt" if at_once == 1 else f"{at_once} excerpts at a time"
    text = f"Out of memory: a step with {heard} does not fit on {learner.device}."
    if parts is not None:
        fitting = batch_size // parts
        return (
            f"{text} With {fitting} it does: --set accumulation_steps={parts} trains the same way "
            f"in smaller parts{_except(learner)}, --set batch_size={fitting} with smaller batches."
        )
    if at_once > 1:
        text += " Raise accumulation_steps, or lower batch_size."
    return f"{text} Shorten data.segment_seconds, or set checkpointing=true, to need less."


def _except(learner: Learner) -> str:
    """What is not the same in parts."""
    has_norms = any(
        isinstance(module, nn.modules.batchnorm._BatchNorm) for module in learner.network.modules()
    )
    return ", but for the batch norms, which hear each part by itself" if has_norms else ""


def _fitting_parts(learner: Learner, excerpts: Tensor) -> int | None:
    """The fewest parts in which a batch fits into memory; None if not even single excerpts do."""
    batch_size, first = excerpts.shape[0], learner.accumulation_steps
    found = None
    for parts in range(first + 1, batch_size + 1):
        if batch_size % parts == 0 and _fits(learner, excerpts, parts):
            found = parts
            break
    learner.accumulation_steps = first if found else batch_size
    return found


def _fits(learner: Learner, excerpts: Tensor, parts: int) -> bool:
    learner.optimizer.zero_grad(set_to_none=True)
    if learner.device.type == "cuda":
        torch.cuda.empty_cache()
    learner.accumulation_steps = parts
    try:
        learner.learn(excerpts, 0)
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        return False
    return True
