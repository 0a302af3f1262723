"""What the benchmarks work on: random checkpoints, generated songs, measured processes."""

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import soundfile
import torch

STEMS = ["drums", "bass", "other", "vocals"]
SAMPLE_RATE = 44_100

HTDEMUCS: dict[str, object] = {"segment": Fraction(39, 5), "bottom_channels": 512, "dconv_mode": 3}
"""The published htdemucs, apart from its weights."""

TINY: dict[str, object] = {
    "channels": 8,
    "depth": 4,
    "t_layers": 1,
    "t_heads": 2,
    "segment": Fraction(39, 5),
}
"""So small that everything but the network decides memory and time."""

SPECIALISTS = """models: ['ft0', 'ft1', 'ft2', 'ft3']
weights: [[1., 0., 0., 0.], [0., 1., 0., 0.], [0., 0., 1., 0.], [0., 0., 0., 1.]]
"""


def write_checkpoint(folder: Path, name: str, settings: dict[str, object], seed: int = 0) -> None:
    """A reference package `name`.th of HTDemucs with random weights."""
    from demucs.htdemucs import HTDemucs

    torch.manual_seed(seed)
    network = HTDemucs(STEMS, **settings)
    state = {key: value.half() for key, value in network.state_dict().items()}
    package = {
        "klass": HTDemucs,
        "args": (STEMS,),
        "kwargs": settings,
        "state": state,
        "training_args": {},
    }
    torch.save(package, folder / f"{name}.th")


def write_specialists(folder: Path, settings: dict[str, object]) -> None:
    """A bag `specialists` of four networks, one for each stem, as htdemucs_ft is."""
    for index in range(4):
        write_checkpoint(folder, f"ft{index}", settings, seed=index)
    (folder / "specialists.yaml").write_text(SPECIALISTS)


def write_song(path: Path, seconds: float) -> None:
    """Stereo noise with a beat, 16-bit wav, written in pieces."""
    generator = np.random.default_rng(0)
    with soundfile.SoundFile(path, "w", SAMPLE_RATE, 2, "PCM_16") as file:
        left = int(seconds * SAMPLE_RATE)
        while left:
            count = min(left, 10 * SAMPLE_RATE)
            beat = 0.1 + 0.2 * (np.arange(count) % (SAMPLE_RATE // 2) < 4000)
            file.write(generator.standard_normal((count, 2)) * 0.3 * beat[:, None])
            left -= count


@dataclass(frozen=True)
class Measured:
    """What a process needed."""

    seconds: float
    peak_bytes: int


def measure(arguments: list[str], *, cwd: Path) -> Measured:
    """Run a command to its end.

    Raises:
        RuntimeError: it failed; the message ends with what it wrote.
    """
    began = time.perf_counter()
    log = cwd / "log.txt"
    with log.open("w") as output:
        process = subprocess.Popen(arguments, cwd=cwd, stdout=output, stderr=output)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{arguments} failed:\n{log.read_text()[-2000:]}")
    return Measured(time.perf_counter() - began, usage.ru_maxrss * 1024)


def ours(song: Path, repo: Path, model: str, *options: str) -> list[str]:
    """The command that separates with stemsplit."""
    program = [sys.executable, "-m", "stemsplit", "separate", str(song), "--repo", str(repo)]
    return [*program, "--model", model, "--quiet", "--overwrite", "--offline", *options]


def reference(song: Path, repo: Path, model: str, *options: str) -> list[str]:
    """The command that separates with demucs, with the same settings."""
    program = [sys.executable, "-m", "demucs.separate", str(song), "--repo", str(repo)]
    return [*program, "-n", model, "--shifts", "0", "-d", "cpu", *options]
