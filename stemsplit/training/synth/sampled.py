"""Notes of SoundFonts."""

from functools import lru_cache
from typing import Any

import numpy as np

from stemsplit.training.synth.signals import SAMPLE_RATE, Signal, faded, normalised, samples
from stemsplit.training.synth.sounds import Sampled
from stemsplit.training.synth.sources import find

_DRUM_CHANNEL = 9
_BLOCK = 64  # samples; the synthesiser moves its envelopes in such steps
_FADING = 1024  # samples until notes that were stopped are silent

KEYS = {
    "kick": 36, "snare": 38, "rim": 37, "clap": 39, "hat": 42, "open": 46, "ride": 51,
    "crash": 49, "splash": 55, "tom high": 48, "tom": 45, "tom low": 41, "cowbell": 56,
    "conga": 63, "shaker": 70, "tambourine": 54,
}  # fmt: skip
"""Drum to key, as General MIDI has them."""

_OTHER_KEYS = {"kick": 35, "snare": 40, "crash": 57, "ride": 59}
_DRUM_SECONDS = {"crash": 2.6, "ride": 1.8, "splash": 1.4, "open": 1.0, "kick": 0.7, "hat": 0.4}


def sampled_note(
    sound: Sampled, *, pitch: int, seconds: float, velocity: float, release: float = 0.4
) -> Signal:
    """A note (2, N), loudest at 1 for the hardest velocity."""
    synth = _synth(sound.font, sound.bank, sound.program)
    # Whole blocks: what was rendered of the last one and left out would be heard as a click.
    count, tail = _BLOCK * -(-samples(seconds) // _BLOCK), samples(release)
    synth.sounds_off()
    synth.generate(_FADING)
    synth.noteon(0, pitch, max(1, min(127, round(127 * velocity**0.8))))
    held = _generate(synth, count)
    synth.noteoff(0, pitch)
    sound_made = np.concatenate([held, _generate(synth, tail)], axis=-1)
    return faded(normalised(sound_made), 0.02) * np.float32(velocity**1.2)


def sampled_hit(kit: Sampled, drum: str, velocity: float, *, other: bool = False) -> Signal:
    """A stroke (2, N) of a sampled kit."""
    synth = _synth(kit.font, kit.bank, kit.program)
    key = _OTHER_KEYS.get(drum, KEYS[drum]) if other else KEYS[drum]
    synth.sounds_off()
    synth.generate(_FADING)
    synth.noteon(_DRUM_CHANNEL if kit.bank else 0, key, max(20, min(127, round(127 * velocity))))
    made = _generate(synth, samples(_DRUM_SECONDS.get(drum, 0.8)))
    return faded(normalised(made), 0.05) * np.float32(velocity**1.4)


def _generate(synth: Any, count: int) -> Signal:
    whole = -(-count // _BLOCK) * _BLOCK
    made = np.frombuffer(synth.generate(whole), dtype=np.float32).reshape(-1, 2)
    return np.ascontiguousarray(made[:count].T)


@lru_cache(maxsize=8)
def _font(name: str) -> tuple[Any, int]:
    import tinysoundfont

    synth = tinysoundfont.Synth(samplerate=SAMPLE_RATE)
    return synth, int(synth.sfload(str(find(name))))


def _synth(font: str, bank: int, program: int) -> Any:
    """The synthesiser of a font, set to a program."""
    synth, number = _font(font)
    if bank == 128:
        synth.program_select(_DRUM_CHANNEL, number, bank, program)
    else:
        synth.program_select(0, number, bank, program)
    return synth
