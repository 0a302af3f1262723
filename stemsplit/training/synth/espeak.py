"""Spoken lines from eSpeak NG."""

import importlib
import subprocess
import sys
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from stemsplit.training.synth.signals import Signal
from stemsplit.training.synth.sources import find

_PROGRAM = Path(__file__).with_name("speaker.py")


@lru_cache(maxsize=64)
def say(voice: str, lines: Sequence[str]) -> tuple[tuple[Signal, int], ...]:
    """Lines (N,) with their sample rate.

    None at all where eSpeak is not installed, or knows no such voice.
    """
    if find("espeak") is None:
        return ()
    loader: Any = importlib.import_module("espeakng_loader")
    words = [str(_PROGRAM), str(loader.get_library_path()), str(loader.get_data_path()), voice]
    text = "\n".join(lines).encode()
    done = subprocess.run(
        [sys.executable, "-I", "-S", *words], input=text, capture_output=True, check=False
    )
    return tuple(_parsed(done.stdout)) if done.returncode == 0 else ()


def _parsed(data: bytes) -> list[tuple[Signal, int]]:
    found, place = [], 0
    while place < len(data):
        rate, count = np.frombuffer(data, dtype=np.int32, count=2, offset=place)
        place += 8
        samples = np.frombuffer(data, dtype=np.int16, count=int(count), offset=place)
        found.append((samples.astype(np.float32) / np.float32(32_768), int(rate)))
        place += 2 * int(count)
    return found
