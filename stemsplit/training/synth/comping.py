"""The other instruments: chords, riffs, arpeggios, pads and lead lines."""

from collections.abc import Sequence

import numpy as np

from stemsplit.training.synth.form import Bar, Frame
from stemsplit.training.synth.score import Hand, Note
from stemsplit.training.synth.tables import chance, choose
from stemsplit.training.synth.theory import Chord, voicing

_CENTRES = {"pad": 60, "strings": 64, "bell": 76, "flute": 76, "lead": 72, "mallet": 72,
            "distorted": 48, "guitar": 55, "brass": 62, "piano": 60}  # fmt: skip
_MELODIC = ("lead", "flute")
_STRUMS = {
    "strum": "x...x.xx..x.x.x.",
    "eighths": "x.x.x.x.x.x.x.x.",
    "offbeat": "..x...x...x...x.",
}


def play_other(
    draw: np.random.Generator, frame: Frame, role: str, layer: int, *, is_lead: bool = False
) -> list[Note]:
    """All notes of one instrument.

    Args:
        draw: of what is played.
        frame: the song.
        role: family of the instrument.
        layer: 0 plays nearly always, 1 and more where the song is denser.
        is_lead: it has the tune.
    """
    hand = Hand(draw, frame.style)
    centre = _CENTRES.get(role, 60) + float(draw.uniform(-5, 5))
    patterns = {name: _pattern_of(draw, frame, role) for name in ("verse", "chorus", "solo")}
    seeds = {name: int(draw.integers(1 << 30)) for name in ("verse", "chorus", "solo")}
    notes: list[Note] = []
    previous: tuple[int, ...] | None = None
    for bar in frame.bars:
        if bar.section.layers <= layer:
            continue
        name = {"chorus": "chorus", "solo": "solo"}.get(bar.section.name, "verse")
        if is_lead or role in _MELODIC or (name == "solo" and layer == 0 and role != "pad"):
            again = np.random.default_rng([seeds[name], bar.index % 4])
            notes += _lead(again, frame, bar, hand, centre + 5)
            continue
        previous = voicing(bar.chord, centre, previous)
        again = np.random.default_rng([seeds[name], bar.index % 2])
        notes += _pattern(again, patterns[name], bar, hand, previous)
    return notes


def _pattern_of(draw: np.random.Generator, frame: Frame, role: str) -> str:
    if role in ("pad", "strings"):
        return choose(draw, ("pad", "pad", "block", "stab"))
    if role in ("bell", "pluck", "mallet"):
        return choose(draw, ("arpeggio", "arpeggio", "riff"))
    if role == "brass":
        return choose(draw, ("stab", "riff", "pad"))
    return choose(draw, frame.style.comping)


def _pattern(
    draw: np.random.Generator, pattern: str, bar: Bar, hand: Hand, tones: Sequence[int]
) -> list[Note]:
    if pattern in ("pad", "block"):
        return _held(draw, pattern, bar, hand, tones)
    if pattern in ("arpeggio", "picking", "riff"):
        return _single(draw, pattern, bar, hand, tones)
    step_marks = _STRUMS.get(pattern) or "".join(
        "x" if chance(draw, 0.28) else "." for _ in range(bar.steps)
    )
    notes = []
    for step, mark in enumerate(step_marks[: bar.steps]):
        if mark == ".":
            continue
        length = {"offbeat": 1.2, "stab": 1.6, "eighths": 1.7}.get(pattern, 2.6)
        start, force = hand.time(bar, step), hand.force(bar, 0.8 if step % 4 == 0 else 0.62)
        spread = draw.uniform(0.004, 0.016) if pattern == "strum" else 0.001
        order = tones if step % 4 == 0 else tuple(reversed(tones))
        notes += [
            Note(start + i * spread, length * bar.step, pitch, force)
            for i, pitch in enumerate(order)
        ]
    return notes


def _held(
    draw: np.random.Generator, pattern: str, bar: Bar, hand: Hand, tones: Sequence[int]
) -> list[Note]:
    halves = pattern == "block" and chance(draw, 0.5)
    starts = (0, bar.steps // 2) if halves else (0,)
    length = bar.seconds / len(starts) * (1.03 if pattern == "pad" else 0.96)
    level = 0.55 if pattern == "pad" else 0.7
    low = (tones[0] - 12,) if pattern == "block" and bar.section.energy > 0.6 else ()
    return [
        Note(hand.time(bar, step), length, pitch, hand.force(bar, level))
        for step in starts
        for pitch in (*low, *tones)
    ]


def _single(
    draw: np.random.Generator, pattern: str, bar: Bar, hand: Hand, tones: Sequence[int]
) -> list[Note]:
    ladder = [*tones, *(pitch + 12 for pitch in tones)]
    stride = choose(draw, (1, 2, 2)) if pattern == "arpeggio" else 2
    order = int(draw.integers(4))
    notes = []
    for count, step in enumerate(range(0, bar.steps, stride)):
        if pattern == "riff" and chance(draw, 0.5):
            continue
        place = (count, -count - 1, count * 2, int(draw.integers(len(ladder))))[order]
        pitch = ladder[place % (len(ladder) if pattern == "arpeggio" else len(tones) + 1)]
        ring = 4 if pattern == "picking" else 1.5
        force = hand.force(bar, 0.75 if step % 4 == 0 else 0.58)
        notes.append(Note(hand.time(bar, step), ring * stride * bar.step / 1.5, pitch, force))
    return notes


def _lead(
    draw: np.random.Generator, frame: Frame, bar: Bar, hand: Hand, centre: float
) -> list[Note]:
    if chance(draw, 0.25):
        return []
    step, notes = 0, []
    pitch = bar.chord.tone_near(centre + draw.normal(0, 4))
    while step < bar.steps - 1:
        length = choose(draw, (1, 2, 2, 2, 4, 4, 6))
        if not chance(draw, 0.2):
            seconds = length * bar.step * 0.95
            notes.append(Note(hand.time(bar, step), seconds, pitch, hand.force(bar, 0.75)))
        step += length
        pitch = _next(draw, frame, bar.chord, pitch, centre, on_beat=step % 4 == 0)
    return notes


def _next(
    draw: np.random.Generator,
    frame: Frame,
    chord: Chord,
    pitch: int,
    centre: float,
    *,
    on_beat: bool,
) -> int:
    moved = frame.key.step(pitch, choose(draw, (-2, -1, -1, 1, 1, 2, 3, -3)))
    moved = round(moved + 0.2 * (centre - moved)) if abs(moved - centre) > 10 else moved
    return chord.tone_near(moved) if on_beat else frame.key.nearest(moved)
