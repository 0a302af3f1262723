"""What keeps notes off the grid of a keyboard: slides into them, and vibrato on long ones.

Shapes: C audio channels, N samples.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from stemsplit.training.synth.score import Bend, Note
from stemsplit.training.synth.signals import Signal, as_signal, read_at, times
from stemsplit.training.synth.tables import chance, choose

_HABITS: dict[str, tuple[float, float]] = {  # shares of notes with a slide, of long ones that sway
    "lead": (0.25, 0.6),
    "synth": (0.12, 0.3),
    "flute": (0.15, 0.5),
    "brass": (0.2, 0.4),
    "strings": (0.2, 0.5),
    "guitar": (0.15, 0.25),
    "distorted": (0.25, 0.5),
    "finger": (0.12, 0.1),
    "pick": (0.08, 0.05),
    "upright": (0.2, 0.2),
    "synthbass": (0.15, 0.1),
    "sub": (0.2, 0.0),
}
_LONG = 0.4  # seconds of a note that may sway
_ALONE = 0.03  # seconds between notes that are no chord
_SLIDES = (-2.0, -1.0, -1.0, -0.5, 1.0)  # semitones


def bent(draw: np.random.Generator, notes: Sequence[Note], family: str) -> list[Note]:
    """The notes of an instrument with the bends of a player; keys and bars have none.

    Args:
        draw: of the player and of what is bent.
        notes: of the whole song, in the order of time; chords stay as they are.
        family: of the instrument.
    """
    if family not in _HABITS:
        return list(notes)
    slides, sways = (share * draw.uniform(0, 1.6) for share in _HABITS[family])
    sway = Bend(vibrato_cents=draw.uniform(12, 45), vibrato_hz=draw.uniform(4.7, 6.4))
    found = []
    for place, note in enumerate(notes):
        around = [notes[i].start for i in (place - 1, place + 1) if 0 <= i < len(notes)]
        if any(abs(start - note.start) < _ALONE for start in around):
            found.append(note)
            continue
        bend = sway if note.seconds > _LONG and chance(draw, sways) else Bend()
        if chance(draw, slides):
            come = notes[place - 1].pitch - note.pitch if place else 0
            steps = (*_SLIDES, float(come), float(come)) if 0 < abs(come) <= 5 else _SLIDES
            seconds = min(choose(draw, (0.05, 0.09, 0.16)), 0.5 * note.seconds)
            bend = replace(bend, slide=choose(draw, steps), slide_seconds=round(seconds, 2))
        found.append(replace(note, bend=bend) if bend != Bend() else note)
    return found


def warped(sound: Signal, bend: Bend) -> Signal:
    """A note (C, N) whose pitch moves as the bend says."""
    t = times(sound.shape[-1])
    come = 0.5 + 0.5 * np.cos(np.pi * np.minimum(t / max(bend.slide_seconds, 0.02), 1))
    rise = np.clip((t - 0.15) / 0.3, 0, 1)
    sway = bend.vibrato_cents / 100 * rise * np.sin(2 * np.pi * bend.vibrato_hz * t)
    speed = 2 ** ((bend.slide * come + sway) / 12)
    places = np.cumsum(speed, dtype=np.float64) - speed[0]
    return as_signal(read_at(sound, places))
