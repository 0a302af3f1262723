"""Time to separate at full htdemucs size, beside the reference.

Run with ``python -m tests.benchmarks.speed`` (about five minutes; needs the dev extra). Each
command runs several times in turn and the best time counts; starting up is part of it.
"""

import argparse
import tempfile
from pathlib import Path

from tests.benchmarks.material import (
    HTDEMUCS,
    measure,
    ours,
    reference,
    write_checkpoint,
    write_song,
    write_specialists,
)

Row = tuple[str, float, float]


def main(
    seconds: float = 60, repeats: int = 2, settings: dict[str, object] = HTDEMUCS
) -> list[Row]:
    """Print a table of times.

    Args:
        seconds: length of the song.
        repeats: runs of each command.
        settings: the network; the published htdemucs by default.

    Returns:
        A row per task: its name, our seconds and the reference's.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_checkpoint(folder, "single", settings)
        write_specialists(folder, settings)
        song = folder / "song.wav"
        write_song(song, seconds)
        vocals = ("specialists", ("--stems", "vocals"), ("--two-stems", "vocals"))
        rows = []
        print(f"{seconds:g} s of audio                stemsplit   demucs 4.1.0   ratio")
        for task, (model, mine, theirs) in {
            "htdemucs, four stems": ("single", (), ()),
            "bag of four, vocals only": vocals,
        }.items():
            best = [float("inf"), float("inf")]
            for _ in range(repeats):
                for index, command in enumerate(
                    (ours(song, folder, model, *mine), reference(song, folder, model, *theirs))
                ):
                    best[index] = min(best[index], measure(command, cwd=folder).seconds)
            print(f"{task:28}  {best[0]:8.1f} s   {best[1]:9.1f} s   {best[0] / best[1]:6.2f}")
            rows.append((task, best[0], best[1]))
    return rows


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--repeats", type=int, default=2)
    arguments = parser.parse_args()
    main(arguments.seconds, arguments.repeats)
