"""How much main memory this process has held, since a moment of choice where the system allows."""

import contextlib
from pathlib import Path

from stemsplit.separation.estimate import peak_memory_bytes

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def reset_peak_memory() -> None:
    """Begin to count anew; does nothing where only the peak since the start is known."""
    with contextlib.suppress(OSError):
        _CLEAR.write_text("5")


def peak_memory() -> int | None:
    """The most main memory held since the last reset, in bytes; None where nobody knows."""
    with contextlib.suppress(OSError, ValueError, StopIteration):
        lines = _STATUS.read_text().splitlines()
        peak = next(line for line in lines if line.startswith("VmHWM:"))
        return int(peak.split()[1]) * 1024
    return peak_memory_bytes()
