"""How long a user waits before anything happens, beside the reference.

Run with ``python -m tests.benchmarks.startup`` (under a minute; needs the dev extra).
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.benchmarks.material import TINY, measure, ours, write_checkpoint, write_song

_REFERENCE_FIRST_SEGMENT = """
import os, sys
from pathlib import Path
from demucs.api import Separator
def seen(event):
    if event["state"] == "end":
        print("first", flush=True)
        os._exit(0)
separator = Separator("tiny", repo=Path(sys.argv[2]), device="cpu", shifts=0, callback=seen)
separator.separate_audio_file(Path(sys.argv[1]))
"""


def main(repeats: int = 3) -> dict[str, tuple[float, float]]:
    """Print the best of some runs.

    Returns:
        For each task our seconds and the reference's.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_checkpoint(folder, "tiny", TINY)
        song = folder / "song.wav"
        write_song(song, 60)
        script = folder / "first.py"
        script.write_text(_REFERENCE_FIRST_SEGMENT)
        first = [*ours(song, folder, "tiny"), "--json"]
        first.remove("--quiet")
        tasks = {
            "--help": (
                lambda: measure([sys.executable, "-m", "stemsplit", "--help"], cwd=folder).seconds,
                lambda: measure([sys.executable, "-m", "demucs", "--help"], cwd=folder).seconds,
            ),
            "command to first segment": (
                lambda: _seconds_until(first, "progress", folder),
                lambda: _seconds_until(
                    [sys.executable, str(script), str(song), str(folder)], "first", folder
                ),
            ),
        }
        rows = {}
        print("                             stemsplit   demucs 4.1.0   ratio")
        for task, commands in tasks.items():
            mine, theirs = (min(command() for _ in range(repeats)) for command in commands)
            print(f"{task:28}  {mine:7.2f} s   {theirs:8.2f} s   {mine / theirs:6.2f}")
            rows[task] = (mine, theirs)
    return rows


def _seconds_until(arguments: list[str], word: str, folder: Path) -> float:
    """Seconds until a command writes a line that holds `word`."""
    began = time.perf_counter()
    with subprocess.Popen(
        arguments, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if word in line.lower():
                process.kill()
                return time.perf_counter() - began
    raise RuntimeError(f"{arguments} ended without {word!r}.")


if __name__ == "__main__":
    main()
