"""The drummer: grooves with ghost notes, crashes and fills."""

from collections import Counter
from dataclasses import replace

import numpy as np

from stemsplit.training.synth.form import Bar, Frame
from stemsplit.training.synth.score import Hand, Stroke
from stemsplit.training.synth.tables import chance, choose

_LEVELS = {"X": 0.95, "x": 0.72, "o": 0.33, "?": 0.28}
_CYMBALS = ("hat", "open", "ride", "shaker", "tambourine")


def play_drums(draw: np.random.Generator, frame: Frame) -> list[Stroke]:
    """All strokes of a song, in the order of time."""
    hand = Hand(draw, frame.style)
    density = float(draw.uniform(0.3, 1.0))
    fills = float(draw.uniform(0.4, 1.0))
    strokes: list[Stroke] = []
    for number, bar in enumerate(frame.bars):
        if not bar.section.has_drums:
            if bar.is_last and chance(draw, 0.4):
                strokes += _fill(draw, bar, hand)
            continue
        wants_fill = bar.is_last or (bar.index % 4 == 3 and chance(draw, 0.25))
        fill = _fill(draw, bar, hand) if wants_fill and chance(draw, fills) else []
        until = min((stroke.start for stroke in fill), default=np.inf)
        played = _groove(draw, bar, hand, density)
        strokes += [stroke for stroke in played if stroke.start < until - 1e-3]
        strokes += fill
        is_new = bar.index == 0 and number > 0
        if (is_new and chance(draw, 0.85)) or (bar.index % 4 == 0 and chance(draw, 0.15)):
            strokes.append(Stroke(hand.time(bar, 0), choose(draw, ("crash", "crash", "splash")),
                                  hand.force(bar, 0.9)))  # fmt: skip
    return _numbered(sorted(strokes, key=lambda stroke: stroke.start))


def _numbered(strokes: list[Stroke]) -> list[Stroke]:
    counts: Counter[str] = Counter()
    found = []
    for stroke in strokes:
        found.append(replace(stroke, number=counts[stroke.drum]))
        counts[stroke.drum] += 1
    return found


def _groove(draw: np.random.Generator, bar: Bar, hand: Hand, density: float) -> list[Stroke]:
    calm = bar.section.energy < 0.45
    strokes = []
    for drum, line in bar.section.groove.drums.items():
        name = _variant(bar, drum)
        if calm and name in ("crash", "tambourine", "clap") and chance(draw, 0.7):
            continue
        for step, mark in enumerate(line[: bar.steps]):
            if mark == "." or (mark in "?o" and not chance(draw, density)):
                continue
            level = _LEVELS[mark] * (0.85 if name in _CYMBALS and step % 4 else 1.0)
            strokes.append(Stroke(hand.time(bar, step), name, hand.force(bar, level)))
        if drum == "kick" and bar.index % 2 == 1 and chance(draw, 0.3):
            extra = choose(draw, (7, 11, 14)) % bar.steps
            strokes.append(Stroke(hand.time(bar, extra), "kick", hand.force(bar, 0.6)))
    return strokes


def _variant(bar: Bar, drum: str) -> str:
    """Choruses move from the hi-hat to the ride, quiet parts from the snare to its rim."""
    if drum == "hat" and bar.section.energy > 0.93 and bar.steps == 16:
        return "ride" if "clap" not in bar.section.groove.drums else "hat"
    if drum == "snare" and bar.section.energy < 0.35:
        return "rim"
    return drum


def _fill(draw: np.random.Generator, bar: Bar, hand: Hand) -> list[Stroke]:
    length = choose(draw, (2, 4, 4, 8, bar.steps))
    drums = choose(
        draw,
        (
            ("snare",),
            ("snare", "tom", "tom low"),
            ("tom high", "tom", "tom low", "tom low"),
            ("snare", "kick"),
            ("clap", "snare"),
        ),
    )
    strokes = []
    steps = range(bar.steps - length, bar.steps)
    for place, step in enumerate(steps):
        if chance(draw, 0.15):
            continue
        drum = drums[place * len(drums) // length]
        level = 0.5 + 0.45 * (place + 1) / length
        strokes.append(Stroke(hand.time(bar, step), drum, hand.force(bar, level)))
        if chance(draw, 0.15):
            strokes.append(Stroke(hand.time(bar, step + 0.5), drum, hand.force(bar, level * 0.6)))
    return strokes
