"""Which device computes, in which arithmetic, and whether it really works."""

import contextlib
import shutil
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from stemsplit.errors import DeviceError
from stemsplit.separation.options import Precision

ACCELERATORS = ("cuda", "mps", "xpu")  # in order of preference
_DTYPES = {"fp16": torch.float16, "bf16": torch.bfloat16}


@dataclass(frozen=True)
class DeviceChoice:
    """A device that has computed something, and what the user should know about the choice."""

    device: torch.device
    warning: str | None = None


def choose_device(wanted: str) -> DeviceChoice:
    """A device on which a kernel has just run.

    Args:
        wanted: ``auto`` or a torch device string.

    Returns:
        The device; with ``auto`` a warning when a GPU is there but cannot be used.

    Raises:
        DeviceError: an explicitly named device is unknown, missing or fails.
    """
    if wanted != "auto":
        return DeviceChoice(_named_device(wanted))
    for name in ACCELERATORS:
        if _is_available(name):
            try:
                _run_kernel(torch.device(name))
            except RuntimeError as error:
                reason = str(error).strip().splitlines()[0]
                return DeviceChoice(torch.device("cpu"), _fallback_warning(name, reason))
            return DeviceChoice(torch.device(name))
    return DeviceChoice(torch.device("cpu"), unused_gpu_warning())


def unused_gpu_warning() -> str | None:
    """A sentence when an NVIDIA GPU is visible to the system but not to torch, else None."""
    present = Path("/dev/nvidia0").exists() or shutil.which("nvidia-smi") is not None
    if not present or torch.cuda.is_available():
        return None
    build = torch.version.cuda
    reason = f"torch is built for CUDA {build}" if build else "this torch has no CUDA support"
    return _fallback_warning("cuda", f"{reason} and finds no usable device")


def autocast(
    device: torch.device, precision: Precision
) -> contextlib.AbstractContextManager[object]:
    """The context in which a network runs at `precision`; ``auto`` is fp32 on every device."""
    dtype = _DTYPES.get(precision)
    if dtype is None:
        return contextlib.nullcontext()
    return torch.autocast(device.type, dtype=dtype)


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether a device reports that its memory is used up."""
    text = str(error).lower()
    is_main_memory = "defaultcpuallocator" in text  # which has words of its own for it
    return isinstance(error, torch.OutOfMemoryError) or is_main_memory or "out of memory" in text


def free_memory_bytes(device: torch.device) -> int | None:
    """Memory that a CUDA device still has, including what torch keeps cached; else None."""
    if device.type != "cuda":
        return None
    free, _ = torch.cuda.mem_get_info(device)
    cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return int(free + cached)


def _named_device(wanted: str) -> torch.device:
    try:
        device = torch.device(wanted)
        _run_kernel(device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else "unknown reason"
        raise DeviceError(
            f"Device {wanted!r} cannot be used: {reason} Try --device cpu, or see stemsplit doctor."
        ) from error
    return device


def _is_available(name: str) -> bool:
    if name == "mps":
        return torch.backends.mps.is_available()
    return bool(getattr(torch, name).is_available())


def _run_kernel(device: torch.device) -> None:
    """Convolve a little and read the result back: what a driver that only half works fails at."""
    with torch.no_grad():
        out = nn.Conv1d(2, 2, 3, device=device)(torch.ones(1, 2, 16, device=device))
        float(out.sum())


def _fallback_warning(name: str, reason: str) -> str:
    return (
        f"A {name} device is present but cannot be used ({reason.rstrip('.')}): computing on the "
        "CPU, which is much slower. Run stemsplit doctor to see what to do."
    )
