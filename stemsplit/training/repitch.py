"""Changes of pitch and tempo, made where excerpts are read.

An excerpt of ten seconds with four stems takes about a second of one core, which is why workers do
this, and only for some of the excerpts.

Shapes: S stems (with the rest as one more), C audio channels, N samples.
"""

import math

import torch
from torch import Generator, Tensor

from stemsplit.audio.stretch import stretch
from stemsplit.training.augment_recipe import AugmentSection


class Repitch:
    """Changes pitch and tempo of some excerpts, and cuts all of them to one length.

    Args:
        section: of the recipe.
        num_samples: N that the network hears.
        sample_rate: of the stems, in Hz.
    """

    def __init__(self, section: AugmentSection, num_samples: int, sample_rate: int) -> None:
        self._section = section.repitch
        self._length = num_samples + round(section.shift.seconds * sample_rate)
        self._sample_rate = sample_rate

    @property
    def samples_to_read(self) -> int:
        """How long an excerpt must be before all changes: for shifts, and for the fastest tempo."""
        if not self._section.probability:
            return self._length
        fastest = max(1.0, self._section.tempo_high)  # most excerpts keep their tempo
        return math.ceil(self._length * fastest) + 1

    def __call__(self, stems: Tensor, generator: Generator) -> Tensor:
        """One excerpt.

        Args:
            stems: (S, C, samples_to_read).
            generator: of the CPU.

        Returns:
            (S, C, N) with room for shifts, which are made later.

        Raises:
            AudioError: ffmpeg failed.
        """
        section = self._section
        if torch.rand((), generator=generator) >= section.probability:
            return stems[..., : self._length]
        if section.together:
            drawn = [self._draw(generator)] * len(stems)
        else:
            drawn = [self._draw(generator) for _ in stems]
        changed = [
            stretch(stem, self._sample_rate, pitch=pitch, tempo=tempo)[:, : self._length]
            for stem, (pitch, tempo) in zip(stems, drawn, strict=True)
        ]
        return torch.stack(changed)

    def _draw(self, generator: Generator) -> tuple[float, float]:
        """Factors of pitch and tempo."""
        section = self._section
        if section.whole_semitones:
            most = math.floor(section.semitones)
            semitones = float(torch.randint(-most, most + 1, (), generator=generator))
        else:
            semitones = _uniform(-section.semitones, section.semitones, generator)
        low, high = section.tempo_low, section.tempo_high
        if section.tempo_deviation is None:
            tempo = _uniform(low, high, generator)
        else:
            normal = torch.randn((), generator=generator).item()
            tempo = min(high, max(low, 1 + section.tempo_deviation * normal))
        return 2 ** (semitones / 12), tempo


def _uniform(low: float, high: float, generator: Generator) -> float:
    return low + (high - low) * torch.rand((), generator=generator).item()
