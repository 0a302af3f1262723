"""Small data sets on disk."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from stemsplit.evaluation.data.dataset import Track
from stemsplit.evaluation.data.sources import FileSource
from tests.audio.material import write_wav

STEMS = ("drums", "bass", "other", "vocals")
RATE = 8_000


def tones(seconds: float = 2.0, *, rate: int = RATE, shift: float = 0.0) -> dict[str, Tensor]:
    """One steady tone (2, N) per stem, of 0.1 to 0.4 of full scale."""
    time = torch.arange(round(seconds * rate)) / rate
    return {
        stem: (0.1 * number * torch.sin(2 * torch.pi * (200.0 * number + shift) * time)).expand(
            2, -1
        )
        for number, stem in enumerate(STEMS, start=1)
    }


def write_song(folder: Path, stems: Mapping[str, Tensor], *, rate: int = RATE) -> Track:
    """One wav per stem, and the track that they make."""
    folder.mkdir(parents=True)
    files = {
        stem: FileSource(write_wav(folder / f"{stem}.wav", signal, rate))
        for stem, signal in stems.items()
    }
    return Track(name=folder.name, split="train", stems=files)
