"""Peak memory against the length of the song, beside the reference.

Run with ``python -m tests.benchmarks.memory`` (about five minutes; needs the dev extra).
"""

import argparse
import tempfile
from pathlib import Path

from tests.benchmarks.material import TINY, measure, ours, reference, write_checkpoint, write_song


def main(minutes: list[float] | None = None) -> list[tuple[float, int, int]]:
    """Print a table of peak memory.

    Args:
        minutes: lengths of the songs.

    Returns:
        A row per length: minutes, our peak and the reference's peak, in bytes.
    """
    rows = []
    print("minutes   stemsplit   demucs 4.1.0   ratio")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_checkpoint(folder, "tiny", TINY)
        for length in minutes or [1, 30]:
            song = folder / "song.wav"
            write_song(song, 60 * length)
            mine = measure(ours(song, folder, "tiny"), cwd=folder).peak_bytes
            theirs = measure(reference(song, folder, "tiny"), cwd=folder).peak_bytes
            sizes = f"{mine / 1e9:6.2f} GB   {theirs / 1e9:9.2f} GB"
            print(f"{length:7g}   {sizes}   {mine / theirs:5.2f}")
            rows.append((length, mine, theirs))
    return rows


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, nargs="+", default=[1.0, 30.0])
    main(parser.parse_args().minutes)
