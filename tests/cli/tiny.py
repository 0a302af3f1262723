"""What the commands are tried on: a network that is made in a moment, and songs of noise."""

import os
import wave
from pathlib import Path

import numpy as np
import torch

from stemsplit.checkpoints.weights import CheckpointInfo, write_checkpoint
from stemsplit.layers.levels import Level
from stemsplit.models.demucs.config import DemucsConfig
from stemsplit.models.registry import build_network, config_to_dict

ROOT = Path(__file__).parents[2]
RATE = 8000


def write_tiny_model(path: Path, seed: int = 0, trained_sets: tuple[str, ...] = ()) -> Path:
    """A checkpoint of a waveform network with some thousand weights."""
    levels = tuple(Level(channels=c, kernel=8, stride=4, padding=0) for c in (4, 8))
    config = DemucsConfig(
        levels=levels, sample_rate=RATE, segment_samples=RATE, resample=False, rescale=1.0
    )
    torch.manual_seed(seed)
    info = CheckpointInfo(
        architecture="demucs",
        config=config_to_dict(config),
        stems=config.stems,
        sample_rate=config.sample_rate,
        channels=config.channels,
        licence="MIT",
        trained_on="noise",
        trained_sets=trained_sets,
    )
    write_checkpoint(path, build_network("demucs", config).state_dict(), info)
    return path


def write_song(path: Path, seconds: float = 1.0) -> Path:
    """Stereo noise that does not repeat."""
    noise = np.random.default_rng(0).normal(0, 3000, size=(round(seconds * RATE), 2))
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(noise.astype("<i2").tobytes())
    return path


def environment(cache: Path) -> dict[str, str]:
    """For a program of its own: this package, a cache of its own, one thread."""
    return {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "STEMSPLIT_CACHE": str(cache),
        "OMP_NUM_THREADS": "1",
        "PYTHONIOENCODING": "utf-8",
    }
