"""Writes a song for the cache of decoded songs, piece by piece; memory does not grow with it.

Samples wait as 32-bit numbers, one file per stem and channel, until the loudest of them is known,
which decides the scale of the 16-bit samples.

Shapes: S stems, C audio channels, N samples.
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from torch import Tensor

from stemsplit.training.songs import LevelSums

FULL_SCALE = 32_767
SAMPLE_BYTES = 2
WAITING_BYTES = 4  # per sample, until the song is whole

_PIECE_SAMPLES = 1 << 20


class PcmWriter:
    """A song that is being written into a folder; see `stemsplit.training.pcm_cache`."""

    def __init__(self, folder: Path, num_signals: int, channels: int) -> None:
        """Begin a song.

        Args:
            folder: is there.
            num_signals: S + 1, the stems and the rest.
            channels: C.

        Raises:
            OSError: a file cannot be written.
        """
        self._folder = folder
        self._shape = (num_signals, channels)
        self._peak = 0.0
        self._sums = LevelSums()
        self._waiting = [folder / f"{row}.f32" for row in range(num_signals * channels)]
        self._files = [path.open("wb") for path in self._waiting]

    def write(self, signals: Tensor) -> None:
        """Take in the next stretch (S + 1, C, n), which add up to the mix.

        Raises:
            OSError: a file cannot be written.
        """
        if not signals.shape[-1]:
            return
        self._peak = max(self._peak, signals.abs().max().item())
        self._sums.add(signals)
        for file, row in zip(self._files, signals.flatten(0, 1).numpy(), strict=True):
            file.write(row.astype(np.float32).tobytes())

    def finish(self, name: str, facts: Mapping[str, Any] | None = None) -> None:
        """Write ``samples.pcm`` and ``song.json``.

        Args:
            name: of the song.
            facts: what else shall be in ``song.json``.

        Raises:
            OSError: a file cannot be written.
        """
        self._close()
        scale = max(1, math.ceil(self._peak))  # so that nothing is clipped
        with (self._folder / "samples.pcm").open("wb") as file:
            for path in self._waiting:
                _append_as_pcm(path, file, scale)
                path.unlink()
        entry = {
            "name": name,
            "shape": (*self._shape, self._sums.num_samples),
            "scale": scale,
            "level": self._sums.level,
            **(facts or {}),
        }
        (self._folder / "song.json").write_text(json.dumps(entry, indent=1))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close()

    def _close(self) -> None:
        for file in self._files:
            file.close()


def _append_as_pcm(path: Path, target: Any, scale: int) -> None:
    with path.open("rb") as source:
        while len(piece := np.frombuffer(source.read(_PIECE_SAMPLES * WAITING_BYTES), np.float32)):
            samples = np.rint(piece * np.float32(FULL_SCALE / scale))
            target.write(samples.clip(-FULL_SCALE, FULL_SCALE).astype(np.int16).tobytes())
