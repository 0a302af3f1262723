"""Run one network on windows of a signal: batches, precision, memory and interruption.

Shapes: B batch, S stems, C audio channels, N samples.
"""

import threading
import weakref
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from stemsplit.errors import Cancelled, DeviceError
from stemsplit.separation.device import autocast, free_memory_bytes, is_out_of_memory
from stemsplit.separation.options import Precision

MAX_AUTO_BATCH = 16  # beyond this, larger batches gain nothing that memory is worth
_MEMORY_SHARE = 0.6  # of the free memory, so that others on the device keep room


class NetworkRunner:
    """One network on its device.

    The number of windows per forward pass is the one asked for, or is found: a CPU takes one at a
    time, a CUDA device as many as the memory that the first window needed suggests. A device that
    runs out of memory gets half as many from then on.
    """

    def __init__(
        self,
        network: nn.Module,
        device: torch.device,
        *,
        precision: Precision = "auto",
        batch: int | None = None,
        fixed_length: bool = False,
        cancel: threading.Event | None = None,
    ) -> None:
        """Move `network` to `device`.

        Args:
            network: maps (B, C, N) to (B, S, C, N).
            device: where to compute.
            precision: arithmetic of the forward pass.
            batch: windows per forward pass, or None to find it.
            fixed_length: whether a shorter segment changes nothing for the network.
            cancel: when set, the forward pass under way is given up between two layers.
        """
        self._network = network.to(device).eval()
        self._device = device
        self._precision = precision
        self._batch = batch
        self._fixed_length = fixed_length
        if cancel is not None:
            hooks = [
                module.register_forward_pre_hook(_StopIfSet(cancel)) for module in network.modules()
            ]
            weakref.finalize(self, _remove, hooks)  # the network may outlive this runner

    @property
    def batch(self) -> int:
        """Windows to collect for one call; 1 as long as nothing is known about the memory."""
        return self._batch or 1

    @torch.inference_mode()
    def run(self, windows: Sequence[Tensor]) -> list[Tensor]:
        """Predict the stems of windows of one length.

        Args:
            windows: each (C, N), on the CPU.

        Returns:
            An estimate (S, C, N) for each window, float32, on the CPU.

        Raises:
            DeviceError: even a single window does not fit the device's memory.
            Cancelled: the work was called off.
        """
        estimates: list[Tensor] = []
        while len(estimates) < len(windows):
            size = self._batch or 1
            some = windows[len(estimates) : len(estimates) + size]
            try:
                estimates.extend(self._forward(some))
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
                self._shrink(len(some), error)
        return estimates

    def _forward(self, windows: Sequence[Tensor]) -> list[Tensor]:
        measure = self._batch is None and self._device.type == "cuda"
        free = free_memory_bytes(self._device) if measure else None
        if measure:
            torch.cuda.reset_peak_memory_stats(self._device)
            before = torch.cuda.memory_allocated(self._device)
        mix = torch.stack(tuple(windows)).to(self._device)
        with autocast(self._device, self._precision):
            estimate = self._network(mix)
        result = estimate.to("cpu", torch.float32)
        if free is not None:
            used = max(1, torch.cuda.max_memory_allocated(self._device) - before)
            self._batch = max(1, min(MAX_AUTO_BATCH, int(_MEMORY_SHARE * free / used)))
        return list(result)

    def _shrink(self, tried: int, error: RuntimeError) -> None:
        if self._device.type == "cuda":
            torch.cuda.empty_cache()
        if tried == 1:
            raise DeviceError(
                f"Device {self._device} ran out of memory with a single segment "
                f"({str(error).splitlines()[0]}): {self._way_out()}."
            ) from error
        self._batch = tried // 2

    def _way_out(self) -> str:
        ways = [] if self._fixed_length else ["use a shorter --segment"]
        if self._device.type == "cpu":
            ways += ["close other programs", "set --jobs 1"]
        else:
            ways.append("use --device cpu")
        return f"{', '.join(ways)}, or choose a smaller model (stemsplit models list)"


class _StopIfSet:
    """A hook that gives up a forward pass between two layers."""

    def __init__(self, cancel: threading.Event) -> None:
        self._cancel = cancel

    def __call__(self, _module: nn.Module, _inputs: object) -> None:
        if self._cancel.is_set():
            raise Cancelled("Stopped.")


def _remove(hooks: Sequence[RemovableHandle]) -> None:
    for hook in hooks:
        hook.remove()
