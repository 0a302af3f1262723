"""Whether this machine can do the work, and what to do where it cannot.

Nothing here is imported before it is looked at, so that a broken package is a finding and not a
crash.
"""

import importlib
import platform
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from stemsplit.errors import DeviceError, FFmpegNotFoundError

Verdict = Literal["ok", "warning", "broken"]

_LOW_DISK_BYTES = 2_000_000_000  # a few songs and a model


@dataclass(frozen=True)
class Finding:
    """What one check found."""

    name: str
    verdict: Verdict
    detail: str
    advice: str = ""
    """What to do, when there is something to do."""


def diagnose(*, output_folder: Path, offline: bool = False) -> Iterator[Finding]:
    """Check everything that a separation needs; each finding is given as soon as it is there.

    Args:
        output_folder: where results would go.
        offline: leave out the network.
    """
    yield Finding("system", "ok", f"Python {platform.python_version()} on {platform.platform()}")
    yield check_ffmpeg()
    torch_finding = check_torch()
    yield torch_finding
    if torch_finding.verdict != "broken":
        yield check_torchaudio()
        yield from check_devices()
    yield check_cache()
    yield check_disk(output_folder)
    if not offline:
        yield check_network()


def check_ffmpeg() -> Finding:
    """Run ffmpeg once."""
    from stemsplit.audio.ffmpeg import find_ffmpeg

    try:
        program = find_ffmpeg()
        run = subprocess.run(
            [program, "-hide_banner", "-version"], capture_output=True, timeout=20, check=True
        )
    except FFmpegNotFoundError as error:
        return Finding(
            "ffmpeg", "broken", str(error), "pip install --force-reinstall imageio-ffmpeg"
        )
    except (OSError, subprocess.SubprocessError) as error:
        status = getattr(error, "returncode", None)
        reason = error if status is None else f"it ends with status {status}"
        advice = "Set STEMSPLIT_FFMPEG to an ffmpeg that works on this machine."
        return Finding("ffmpeg", "broken", f"{program} does not run: {reason}", advice)
    version = run.stdout.decode(errors="replace").split(" Copyright")[0].strip()
    return Finding("ffmpeg", "ok", f"{version} ({program})")


def check_torch() -> Finding:
    """Import torch and compute something on the CPU."""
    try:
        torch = importlib.import_module("torch")
        total = float((torch.ones(64, 64) @ torch.ones(64, 64)).sum())
    except (ImportError, OSError, RuntimeError) as error:
        advice = "Reinstall it: pip install --force-reinstall torch"
        return Finding("torch", "broken", _first_line(error), advice)
    if total != 64.0**3:
        return Finding(
            "torch", "broken", "a product of matrices comes out wrong", "Reinstall torch."
        )
    build = f"CUDA {torch.version.cuda}" if torch.version.cuda else "no CUDA"
    return Finding(
        "torch", "ok", f"{torch.__version__} ({build}, {torch.get_num_threads()} threads)"
    )


def check_torchaudio() -> Finding:
    """Compare torchaudio, which stemsplit does without, with the torch that it has to fit."""
    torch = importlib.import_module("torch")
    pair = ".".join(torch.__version__.split(".")[:2])
    advice = f"stemsplit does not need it; other programs may: pip install torchaudio=={pair}.*"
    try:
        torchaudio = importlib.import_module("torchaudio")
    except ModuleNotFoundError:
        return Finding("torchaudio", "ok", "not installed, and not needed")
    except (ImportError, OSError, RuntimeError) as error:
        detail = f"does not work with torch {torch.__version__}: {_first_line(error)}"
        return Finding("torchaudio", "warning", detail, advice)
    if not torchaudio.__version__.startswith(f"{pair}."):
        detail = f"{torchaudio.__version__} was not built for torch {torch.__version__}"
        return Finding("torchaudio", "warning", detail, advice)
    return Finding("torchaudio", "ok", torchaudio.__version__)


def check_devices() -> Iterator[Finding]:
    """Run a kernel on every device that torch shows, and say which one is taken."""
    from stemsplit.separation.device import ACCELERATORS, choose_device

    torch = importlib.import_module("torch")
    for name in ACCELERATORS:
        backend = torch.backends.mps if name == "mps" else getattr(torch, name)
        if not backend.is_available():
            continue
        try:
            choose_device(name)
        except DeviceError as error:
            yield Finding(name, "warning", str(error), _device_advice(name, str(error)))
        else:
            yield Finding(name, "ok", _device_detail(name))
    choice = choose_device("auto")
    if choice.warning:
        yield Finding("GPU", "warning", choice.warning, _missing_gpu_advice())
    yield Finding("device", "ok", f"songs are separated on {choice.device}")


def check_cache() -> Finding:
    """Write into the folder of the models."""
    from stemsplit.checkpoints.cache import default_root

    folder = default_root()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"x")
    except OSError as error:
        advice = "Give yourself the right to write there, or set STEMSPLIT_CACHE to another folder."
        return Finding("cache", "broken", f"{folder}: {error.strerror or error}", advice)
    return Finding("cache", "ok", str(folder))


def check_disk(folder: Path) -> Finding:
    """Look at the room for results."""
    from stemsplit.separation.estimate import free_disk_bytes

    free = free_disk_bytes(folder)
    detail = f"{free / 1e9:.1f} GB free for results in {folder}"
    if free < _LOW_DISK_BYTES:
        advice = "Make room, choose another --out, or a smaller --format such as flac or mp3."
        return Finding("disk", "warning", detail, advice)
    return Finding("disk", "ok", detail)


def check_network() -> Finding:
    """Ask where models come from for a connection; a missing one matters only for new models."""
    from stemsplit.checkpoints.cache import Cache
    from stemsplit.checkpoints.hub import endpoint
    from stemsplit.checkpoints.network import unreachable

    hub = endpoint()
    reasons = unreachable([hub])
    if not reasons:
        return Finding("network", "ok", f"{hub} answers")
    incoming = Cache().incoming
    advice = (
        "Only new models need it. Behind a proxy set HTTPS_PROXY; or try `stemsplit models download"
        f" NAME`, which names the file to get on another machine and to put into {incoming}."
    )
    reason = next(iter(reasons.values()))
    return Finding("network", "warning", f"{hub} cannot be reached: {reason}", advice)


def _device_detail(name: str) -> str:
    torch = importlib.import_module("torch")
    if name != "cuda":
        return "one kernel ran"
    free, total = torch.cuda.mem_get_info()
    title = torch.cuda.get_device_name()
    return f"{title}, {free / 1e9:.1f} of {total / 1e9:.1f} GB free, one kernel ran"


def _device_advice(name: str, reason: str) -> str:
    if name == "cuda" and ("no kernel image" in reason or "sm_" in reason):
        return (
            "This torch was built without your GPU's generation: install the newest build, as"
            " https://pytorch.org/get-started/locally says; stemsplit needs torch alone."
        )
    if "memory" in reason:
        return "Another program holds the memory of the device: close it, or use --device cpu."
    return "Update the driver, or use --device cpu."


def _missing_gpu_advice() -> str:
    torch = importlib.import_module("torch")
    if torch.version.cuda is None:
        return (
            "Install a torch with CUDA, as https://pytorch.org/get-started/locally says; stemsplit"
            " needs torch alone."
        )
    driver = _first_of_nvidia_smi()
    return f"Update the NVIDIA driver{driver}: this torch needs one for CUDA {torch.version.cuda}."


def _first_of_nvidia_smi() -> str:
    query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        run = subprocess.run(query, capture_output=True, timeout=10, check=True, text=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return f" ({run.stdout.splitlines()[0]} now)" if run.stdout.strip() else ""


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
