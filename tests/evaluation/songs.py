"""A small set of songs, and stems of it whose faults are known."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

RATE = 8000
STEMS = ("drums", "bass", "other", "vocals")
NAMES = ("Ada - One", "Ben - Two", "Cleo & Co - <Three>")

Signals = Mapping[str, NDArray[np.float64]]


def song(seed: int, seconds: float = 3.0) -> dict[str, NDArray[np.float64]]:
    """Stems of independent noise."""
    random = np.random.default_rng(seed)
    shape = (round(seconds * RATE), 2)
    return {stem: random.normal(0, 0.1, shape) for stem in STEMS}


def write_stems(folder: Path, stems: Signals, rate: int = RATE) -> None:
    """One file per stem."""
    folder.mkdir(parents=True, exist_ok=True)
    for stem, signal in stems.items():
        soundfile.write(folder / f"{stem}.wav", signal, rate, "FLOAT")


def write_set(folder: Path, names: tuple[str, ...] = NAMES, seconds: float = 3.0) -> Path:
    """Songs with mix and stems, as MUSDB18-HQ lies, in its test split."""
    for seed, name in enumerate(names):
        stems = song(seed, seconds)
        write_stems(folder / "test" / name, {**stems, "mixture": sum(stems.values(), np.zeros(()))})
    return folder


def write_estimates(
    folder: Path, error_db: float, names: tuple[str, ...] = NAMES, seconds: float = 3.0
) -> Path:
    """Stems with an error of noise, `error_db` below each of them to the digit in every second."""
    random = np.random.default_rng(99)
    for seed, name in enumerate(names):
        stems = song(seed, seconds)
        made = {}
        for stem, truth in stems.items():
            error = random.normal(0, 1, truth.shape)
            for start in range(0, len(truth), RATE):
                part = slice(start, start + RATE)
                scale = np.sqrt(np.square(truth[part]).sum() / np.square(error[part]).sum())
                error[part] *= scale * 10 ** (-error_db / 20)
            made[stem] = truth + error
        write_stems(folder / name, made)
    return folder
