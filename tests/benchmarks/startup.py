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
        print("progress", flush=True)
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
        help_ours = [sys.executable, "-m", "stemsplit", "--help"]
        help_theirs = [sys.executable, "-m", "demucs", "--help"]
        first_theirs = [sys.executable, str(script), str(song), str(folder)]
        rows = {}
        print("                             stemsplit   demucs 4.1.0   ratio")
        for task, mine, theirs, word in (
            ("--help", help_ours, help_theirs, None),
            ("command to first segment", first, first_theirs, "progress"),
        ):
            best = [float("inf"), float("inf")]
            for _ in range(repeats):
                for index, command in enumerate((mine, theirs)):
                    best[index] = min(best[index], _seconds_until(command, word, folder))
            print(f"{task:28}  {best[0]:7.2f} s   {best[1]:8.2f} s   {best[0] / best[1]:6.2f}")
            rows[task] = (best[0], best[1])
    return rows


def _seconds_until(arguments: list[str], word: str | None, folder: Path) -> float:
    """Seconds until a command writes a line that holds `word`, or ends if that is None."""
    if word is None:
        return measure(arguments, cwd=folder).seconds
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
