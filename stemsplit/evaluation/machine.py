"""Versions and hardware, for the record of a run."""

import os
import platform
from importlib import metadata
from pathlib import Path

import torch

from stemsplit import __version__


def machine_facts() -> dict[str, str]:
    """What a reader needs to repeat a measurement."""
    facts = {
        "stemsplit": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": metadata.version("numpy"),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "processor": _processor(),
        "threads": str(torch.get_num_threads()),
    }
    if torch.cuda.is_available():
        facts["gpu"] = torch.cuda.get_device_name()
        facts["cuda"] = str(torch.version.cuda)
    return facts


def _processor() -> str:
    """Name and cores of the processor, as far as the system tells."""
    name = platform.processor()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next(
            line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")
        )
    except (OSError, StopIteration):
        pass
    return f"{name or 'unknown'}, {os.cpu_count()} cores"
