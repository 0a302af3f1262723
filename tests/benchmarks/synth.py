"""Speed of making songs, on one core.

Run with ``OMP_NUM_THREADS=1 python -m tests.benchmarks.synth`` (about a minute). Counted is the
time of the process, so that other work on the machine changes little; a short first song, which
loads fonts and libraries, is left out.
"""

import argparse
import time

import torch

from stemsplit.training.synth.song import render_song


def main(seconds: float = 60, songs: int = 12, excerpts: int = 24) -> dict[str, float]:
    """Print how many seconds of music a second of computing makes.

    Args:
        seconds: length of the songs.
        songs: how many of them.
        excerpts: how many of eight seconds.

    Returns:
        Times real time, by what was made.
    """
    torch.set_num_threads(1)
    render_song(0, 0, seconds=2)
    found = {}
    for name, length, count in (("songs", seconds, songs), ("excerpts", 8.0, excerpts)):
        before = time.process_time()
        for index in range(count):
            render_song(1, index, seconds=length)
        found[name] = count * length / (time.process_time() - before)
        print(f"{name} of {length:g} s: {found[name]:.1f} times real time")
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--songs", type=int, default=12)
    arguments = parser.parse_args()
    main(arguments.seconds, arguments.songs)
