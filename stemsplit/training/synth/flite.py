"""Spoken lines from Flite, whose voices were made from recordings of people."""

import io
import subprocess
import wave
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from stemsplit.training.synth.signals import Signal
from stemsplit.training.synth.sources import find


@lru_cache(maxsize=16)
def say(voice: str, lines: Sequence[str]) -> tuple[tuple[Signal, int], ...]:
    """Lines (N,) with their sample rate.

    None at all where Flite is not installed, or lacks the voice.
    """
    program = find("flite")
    if program is None:
        return ()
    found = []
    for line in lines:
        words = [str(program), "-voice", voice, "-t", line, "-o", "/dev/stdout"]
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, check=False)
        if done.returncode != 0 or not done.stdout.startswith(b"RIFF"):
            return ()
        found.append(_parsed(done.stdout))
    return tuple(found)


def _parsed(data: bytes) -> tuple[Signal, int]:
    with wave.open(io.BytesIO(data)) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
        return samples.astype(np.float32) / np.float32(32_768), file.getframerate()
