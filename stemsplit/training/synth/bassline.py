"""The bass player: lines that follow the chords and the kick drum."""

import numpy as np

from stemsplit.training.synth.form import Bar, Frame
from stemsplit.training.synth.score import Hand, Note
from stemsplit.training.synth.tables import chance, choose

_Step = tuple[float, float, int, float]  # step, length in steps, pitch, level


def play_bass(draw: np.random.Generator, frame: Frame) -> list[Note]:
    """All notes of a song."""
    hand = Hand(draw, frame.style)
    lines = {
        "low": choose(draw, frame.style.bass_lines),
        "high": choose(draw, frame.style.bass_lines),
    }
    centre = float(draw.uniform(33, 40))
    riff = _draw_riff(draw, frame.bars[0].steps)
    length = float(draw.uniform(0.55, 1.0))
    notes: list[Note] = []
    for bar in frame.bars:
        if not bar.section.has_bass:
            continue
        line = lines["high" if bar.section.energy > 0.7 else "low"]
        for step, steps, pitch, level in _line(draw, line, bar, centre, riff):
            seconds = max(0.06, steps * bar.step * length)
            low = pitch if pitch >= 26 else pitch + 12
            notes.append(Note(hand.time(bar, step), seconds, low, hand.force(bar, level)))
    return notes


def _line(
    draw: np.random.Generator, line: str, bar: Bar, centre: float, riff: list[tuple[int, int]]
) -> list[_Step]:
    root = bar.chord.root_near(centre)
    if line in ("root", "long"):
        half = bar.steps // 2
        split = line == "root" and chance(draw, 0.5)
        second = bar.chord.tone_near(root + 7) if chance(draw, 0.4) else root
        return (
            [(0, half, root, 0.8), (half, half, second, 0.7)]
            if split
            else [(0, bar.steps * 0.95, root, 0.8)]
        )
    if line == "kick":
        return _with_kick(draw, bar, root)
    if line == "walking":
        return _walking(draw, bar, root)
    if line == "riff":
        return [(step, 2, root + above, 0.75) for step, above in riff if step < bar.steps]
    starts = range(2, bar.steps, 4) if line == "offbeat" else range(0, bar.steps, 2)
    up = 12 if line == "octaves" else 0
    found = [
        (float(s), 2.0, root + (up if s // 2 % 2 else 0), 0.7 + 0.15 * (s % 4 == 0)) for s in starts
    ]
    if bar.index % 4 == 3 and chance(draw, 0.5):
        found[-1] = (found[-1][0], 2.0, bar.chord_after.root_near(root) - 1, 0.7)
    return found


def _with_kick(draw: np.random.Generator, bar: Bar, root: int) -> list[_Step]:
    kick = bar.section.groove.drums.get("kick", "X...x...")
    starts = [step for step, mark in enumerate(kick[: bar.steps]) if mark != "."] or [0]
    ends = [*starts[1:], bar.steps]
    found = []
    for start, end in zip(starts, ends, strict=True):
        pitch = root if start == 0 or chance(draw, 0.7) else bar.chord.tone_near(root + 7)
        found.append((float(start), float(min(end - start, 8)), pitch, 0.8))
    return found


def _walking(draw: np.random.Generator, bar: Bar, root: int) -> list[_Step]:
    beat = bar.section.groove.beat
    target = bar.chord_after.root_near(root)
    count = bar.steps // beat
    tones = [root + step for step in (*bar.chord.intervals[1:], 12)]
    pitches = [root, *(choose(draw, tones) for _ in range(count - 2))]
    pitches.append(target + choose(draw, (-1, 1, 2, -2)))
    return [(float(i * beat), float(beat), p, 0.75) for i, p in enumerate(pitches[:count])]


def _draw_riff(draw: np.random.Generator, steps: int) -> list[tuple[int, int]]:
    """Steps and semitones above the root."""
    places = [step for step in range(steps) if chance(draw, 0.55 if step % 4 == 0 else 0.28)]
    above = (0, 0, 0, 0, 12, 7, 10, 5, 3)
    return [(0, 0), *((step, choose(draw, above)) for step in places if step)]
