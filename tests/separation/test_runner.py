"""One network on its device: batches, memory that runs out, interruption, precision."""

import threading

import pytest
import torch
from torch import Tensor, nn

from stemsplit.errors import Cancelled, DeviceError
from stemsplit.separation.runner import NetworkRunner

CPU = torch.device("cpu")


class LimitedMemory(nn.Module):
    """Holds at most `limit` windows at a time, as a GPU would."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.limit = limit
        self.batches: list[int] = []

    def forward(self, mix: Tensor) -> Tensor:
        if mix.shape[0] > self.limit:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate a lot")
        self.batches.append(mix.shape[0])
        return mix[:, None].clone()


def windows(count: int) -> list[Tensor]:
    return [torch.full((2, 8), float(index)) for index in range(count)]


def test_estimates_come_in_the_order_of_their_windows() -> None:
    runner = NetworkRunner(LimitedMemory(8), CPU, batch=3)
    estimates = runner.run(windows(7))
    assert [float(estimate[0, 0, 0]) for estimate in estimates] == [0, 1, 2, 3, 4, 5, 6]


def test_a_full_memory_halves_the_batch_and_loses_nothing() -> None:
    network = LimitedMemory(2)
    runner = NetworkRunner(network, CPU, batch=8)
    estimates = runner.run(windows(8))
    assert [float(estimate[0, 0, 0]) for estimate in estimates] == [0, 1, 2, 3, 4, 5, 6, 7]
    assert network.batches == [2, 2, 2, 2]
    assert runner.batch == 2


def test_a_single_segment_too_large_says_what_to_do() -> None:
    runner = NetworkRunner(LimitedMemory(0), CPU, batch=2)
    with pytest.raises(DeviceError, match="use a shorter --segment, close other programs"):
        runner.run(windows(2))


def test_what_would_not_help_is_not_advised() -> None:
    with pytest.raises(DeviceError, match="choose a smaller model") as on_cpu:
        NetworkRunner(LimitedMemory(0), CPU, fixed_length=True).run(windows(1))
    assert "--segment" not in str(on_cpu.value)
    assert "--device cpu" not in str(on_cpu.value)
    on_gpu = NetworkRunner(LimitedMemory(0), torch.device("meta"), fixed_length=True)
    with pytest.raises(DeviceError, match="use --device cpu, or choose a smaller model"):
        on_gpu.run(windows(1))


def test_other_failures_are_not_taken_for_full_memory() -> None:
    class Broken(nn.Module):
        def forward(self, mix: Tensor) -> Tensor:
            raise RuntimeError("shapes do not match")

    with pytest.raises(RuntimeError, match="shapes do not match"):
        NetworkRunner(Broken(), CPU, batch=2).run(windows(2))


def test_cancelling_stops_between_two_layers() -> None:
    cancel = threading.Event()
    reached: list[str] = []

    class Step(nn.Module):
        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

        def forward(self, mix: Tensor) -> Tensor:
            reached.append(self.name)
            cancel.set()
            return mix

    network = nn.Sequential(Step("first"), Step("second"))
    with pytest.raises(Cancelled):
        NetworkRunner(network, CPU, cancel=cancel).run(windows(1))
    assert reached == ["first"]


def test_a_network_can_be_used_again_after_its_runner_is_gone() -> None:
    cancel = threading.Event()
    network = LimitedMemory(1)
    runner = NetworkRunner(network, CPU, cancel=cancel)
    cancel.set()
    with pytest.raises(Cancelled):
        runner.run(windows(1))
    del runner
    assert len(NetworkRunner(network, CPU).run(windows(1))) == 1


@pytest.mark.parametrize(
    ("precision", "dtype"), [("bf16", torch.bfloat16), ("fp16", torch.float16)]
)
def test_lower_precision_computes_in_it_and_returns_float32(
    precision: str, dtype: torch.dtype
) -> None:
    seen: list[torch.dtype] = []

    class Linear(nn.Linear):
        def forward(self, mix: Tensor) -> Tensor:
            out = super().forward(mix)
            seen.append(out.dtype)
            return out[:, None]

    runner = NetworkRunner(Linear(8, 8), CPU, precision=precision)  # type: ignore[arg-type]
    assert runner.run(windows(1))[0].dtype == torch.float32
    assert seen == [dtype]
