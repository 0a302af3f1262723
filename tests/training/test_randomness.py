"""What dropout draws goes on where it was."""

from dataclasses import replace

import torch

from stemsplit.training.distributed import Processes
from stemsplit.training.randomness import RandomState, gather_random, restore_random

CPU = torch.device("cpu")


def drawn(state: RandomState, processes: Processes, *, step: int = 5) -> list[float]:
    restore_random(state, processes, CPU, seed=3, step=step)
    values: list[float] = torch.rand(4).tolist()
    return values


def test_every_process_goes_on_with_its_own() -> None:
    states, expected = [], []
    for seed in (1, 2):
        torch.manual_seed(seed)
        torch.rand(3)
        states.append(gather_random(Processes(), CPU).cpu[0])
        expected.append(torch.rand(4).tolist())
    both = RandomState(torch.stack(states), None)
    assert [drawn(both, Processes(rank, 2)) for rank in (0, 1)] == expected
    assert drawn(RandomState(states[0], None), Processes()) == expected[0]  # of one process alone


def test_with_another_number_of_processes_all_draw_anew_but_not_alike() -> None:
    torch.manual_seed(1)
    state = gather_random(Processes(), CPU)
    three = Processes(0, 3)
    first = drawn(state, three)
    assert drawn(state, three) == first
    assert drawn(state, replace(three, rank=1)) != first
    assert drawn(state, three, step=6) != first
