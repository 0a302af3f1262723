"""Notes and strokes of SoundFonts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

from stemsplit.training.synth.signals import SAMPLE_RATE, Signal, faded, normalised, samples
from stemsplit.training.synth.sounds import Sampled
from stemsplit.training.synth.sources import find

_DRUM_CHANNEL = 9
_BLOCK = 64  # samples; the synthesiser moves its envelopes in such steps
_FADING = 1024  # samples until notes that were stopped are silent
_PIECE = 4096  # samples, 93 ms, after which is looked whether a sound has died away
_SILENT = 1e-3  # of the peak, 60 dB below it

KEYS = {
    "kick": 36, "snare": 38, "rim": 37, "clap": 39, "hat": 42, "open": 46, "ride": 51,
    "crash": 49, "splash": 55, "tom high": 48, "tom": 45, "tom low": 41, "cowbell": 56,
    "conga": 63, "shaker": 70, "tambourine": 54,
}  # fmt: skip
"""Drum to key, as General MIDI has them."""


@dataclass(frozen=True)
class _Keyboard:
    """Where the drums of a kit are; it lacks those without a key."""

    keys: Mapping[str, int]
    others: Mapping[str, int]
    """Of second drums of their kind."""
    semitones: Mapping[str, float] = field(default_factory=dict)
    """What a drum is tuned higher, where it takes the key of another one."""


_GENERAL_MIDI = _Keyboard(KEYS, {"kick": 35, "snare": 40, "crash": 57, "ride": 59})
# The kits of AVL have keys 36 to 61, not all of them as in General MIDI: one tom and a floor tom,
# a swished hi-hat at 48, a maraca at 61, no conga.
_AVL = _Keyboard(
    keys={
        **{drum: key for drum, key in KEYS.items() if drum != "conga"},
        "tom high": 47,
        "shaker": 61,
    },
    others={drum: key for drum, key in _GENERAL_MIDI.others.items() if drum != "kick"},
    semitones={"tom high": 4.0},
)
_KEYBOARDS = {"red zeppelin": _AVL, "black pearl": _AVL}  # by font; all others are General MIDI

_LONGEST = {"crash": 4.0, "ride": 4.0, "splash": 3.0, "open": 3.0, "kick": 1.2, "hat": 1.0}
_RELEASES = {"bell": 4.0, "mallet": 4.0, "pluck": 4.0, "pad": 3.0, "strings": 2.0}  # seconds
_RELEASE = 1.5  # seconds at most of families that end by themselves sooner


def longest_release(family: str) -> float:
    """Seconds that notes of a family may be heard after their end."""
    return _RELEASES.get(family, _RELEASE)


def lacks(kit: Sampled, drum: str) -> bool:
    """Whether a kit has no such drum."""
    return drum not in _KEYBOARDS.get(kit.font, _GENERAL_MIDI).keys


def sampled_note(
    sound: Sampled,
    *,
    pitch: int,
    seconds: float,
    velocity: float,
    tuning: float = 0.0,
    body: int = 0,
) -> Signal:
    """A note (2, N) until it has died away, loudest at 1 for the hardest velocity.

    Args:
        sound: the instrument.
        pitch: MIDI number.
        seconds: until it is let go.
        velocity: 0 to 1.
        tuning: semitones that are added to the pitch.
        body: semitones that the sound is moved up by while its pitch stays: the key so far below is
            played, tuned higher, as a smaller instrument of its kind would sound.
    """
    key = min(127, max(0, pitch - body))
    synth = _synth(sound.font, sound.bank, sound.program)
    synth.sounds_off()
    synth.generate(_FADING)
    synth.set_tuning(0, tuning + pitch - key)
    synth.noteon(0, key, max(1, min(127, round(127 * velocity**0.8))))
    # Whole blocks: what was rendered of the last one and left out would be heard as a click.
    held = _generate(synth, -(-samples(seconds) // _BLOCK))
    synth.noteoff(0, key)
    made = _until_silent(synth, held, longest_release(sound.families[0]))
    return normalised(made) * np.float32(velocity**1.2)


def sampled_hit(
    kit: Sampled, drum: str, velocity: float, *, tuning: float = 0.0, other: bool = False
) -> Signal:
    """A stroke (2, N) of a sampled kit, until it has died away.

    Args:
        kit: it has the drum, see `lacks`.
        drum: which one.
        velocity: 0 to 1.
        tuning: semitones that it is tuned higher.
        other: the second one of its kind, where the kit has two.
    """
    board = _KEYBOARDS.get(kit.font, _GENERAL_MIDI)
    key = board.others.get(drum, board.keys[drum]) if other else board.keys[drum]
    synth = _synth(kit.font, kit.bank, kit.program)
    channel = _DRUM_CHANNEL if kit.bank else 0
    synth.sounds_off()
    synth.generate(_FADING)
    synth.set_tuning(channel, tuning + board.semitones.get(drum, 0.0))
    synth.noteon(channel, key, max(20, min(127, round(127 * velocity))))
    made = _until_silent(synth, _generate(synth, _PIECE // _BLOCK), _LONGEST.get(drum, 2.0))
    return normalised(made) * np.float32(velocity**1.4)


def _until_silent(synth: Any, begun: Signal, longest: float) -> Signal:
    """What has begun to sound, and what follows for `longest` seconds at most."""
    silent = _SILENT * float(np.abs(begun).max(initial=0))
    parts = [begun]
    for _ in range(-(-samples(longest) // _PIECE)):
        parts.append(_generate(synth, _PIECE // _BLOCK))
        if np.abs(parts[-1]).max() < silent:
            return faded(np.concatenate(parts, axis=-1), _PIECE / SAMPLE_RATE)
    return faded(np.concatenate(parts, axis=-1), longest / 4)


def _generate(synth: Any, num_blocks: int) -> Signal:
    made = np.frombuffer(synth.generate(num_blocks * _BLOCK), dtype=np.float32)
    return np.ascontiguousarray(made.reshape(-1, 2).T)


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
