"""Drum kits made of oscillators and noise.

Every drum is drawn anew for a song, within the ranges of its kit, so that no two songs have quite
the same one.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from stemsplit.training.synth.signals import (
    Signal,
    as_signal,
    band_gains,
    bin_frequencies,
    decay,
    faded,
    frame_count,
    noise,
    normalised,
    phase_of,
    samples,
    shaped,
    times,
)
from stemsplit.training.synth.tables import Range, Split, between


@dataclass(frozen=True)
class Kit:
    """Ranges that the drums of a kit are drawn from; frequencies in Hz, times in seconds."""

    kind: str
    """acoustic or electronic."""

    kick_hz: Range
    kick_sweep: Range
    """Where the pitch of the kick begins, as a multiple of where it ends."""

    kick_seconds: Range
    click: Range
    snare_hz: Range
    snare_seconds: Range
    wires: Range
    """Share of noise in the snare."""

    hat_hz: Range
    """Lower edge of the hi-hats."""

    hat_seconds: Range
    metal: Range
    """Share of ringing partials in the cymbals; the rest is noise."""

    cymbal_seconds: Range
    dirt: Range
    """How much every drum is driven into saturation."""

    split: Split = "train"


KITS: dict[str, Kit] = {
    "studio": Kit("acoustic", (48, 62), (2, 4), (0.25, 0.5), (0.2, 0.6), (170, 240), (0.15, 0.35),
        (0.5, 0.8), (5500, 8000), (0.04, 0.1), (0.2, 0.5), (1.2, 2.8), (0.0, 0.4)),
    "dry": Kit("acoustic", (55, 75), (1.6, 3), (0.12, 0.25), (0.4, 0.9), (190, 280), (0.08, 0.18),
        (0.4, 0.7), (6000, 9000), (0.02, 0.06), (0.1, 0.4), (0.8, 1.6), (0.1, 0.5)),
    "big": Kit("acoustic", (42, 58), (2, 5), (0.4, 0.8), (0.2, 0.7), (140, 210), (0.25, 0.5),
        (0.5, 0.9), (4500, 7000), (0.06, 0.14), (0.3, 0.6), (1.8, 3.4), (0.2, 0.8)),
    "jazz": Kit("acoustic", (60, 85), (1.4, 2.2), (0.2, 0.5), (0.05, 0.3), (180, 260), (0.12, 0.3),
        (0.6, 0.95), (4000, 7000), (0.05, 0.12), (0.3, 0.7), (1.8, 3.4), (0.0, 0.2)),
    "808": Kit("electronic", (38, 56), (2, 6), (0.5, 1.2), (0.0, 0.4), (170, 230), (0.1, 0.3),
        (0.3, 0.7), (7000, 9500), (0.03, 0.08), (0.6, 1.0), (0.8, 1.8), (0.0, 0.9)),
    "909": Kit("electronic", (45, 60), (3, 8), (0.2, 0.45), (0.3, 0.9), (180, 260), (0.12, 0.28),
        (0.5, 0.9), (6000, 9000), (0.03, 0.1), (0.3, 0.8), (0.8, 2.2), (0.1, 0.9)),
    "crunch": Kit("electronic", (45, 75), (2, 10), (0.15, 0.4), (0.3, 1.0), (160, 320),
        (0.08, 0.25), (0.3, 0.9), (4000, 9000), (0.02, 0.08), (0.0, 1.0), (0.4, 1.5), (0.6, 1.5)),
    "room": Kit("acoustic", (46, 66), (1.8, 3.5), (0.2, 0.45), (0.1, 0.5), (155, 225), (0.15, 0.35),
        (0.55, 0.9), (5000, 7500), (0.04, 0.11), (0.2, 0.6), (1.4, 3.0), (0.1, 0.6), "valid"),
    "minimal": Kit("electronic", (42, 64), (2, 9), (0.15, 0.5), (0.1, 0.8), (150, 300),
        (0.05, 0.2), (0.2, 0.8), (6500, 10000), (0.015, 0.06), (0.2, 0.9), (0.5, 1.4), (0.0, 0.7),
        "valid"),
    "garage": Kit("acoustic", (50, 70), (2, 4), (0.2, 0.5), (0.3, 0.8), (165, 260), (0.12, 0.4),
        (0.4, 0.8), (4500, 8000), (0.04, 0.12), (0.1, 0.5), (1.0, 2.6), (0.4, 1.2), "test"),
    "machine": Kit("electronic", (40, 62), (3, 9), (0.2, 0.7), (0.1, 0.9), (170, 280), (0.08, 0.3),
        (0.3, 0.9), (5500, 9500), (0.02, 0.09), (0.4, 1.0), (0.6, 2.0), (0.0, 1.0), "test"),
}  # fmt: skip

_TOMS = {"tom high": 2.6, "tom": 1.9, "tom low": 1.4, "conga": 3.6}


def hit(
    draw: np.random.Generator, grain: np.random.Generator, kit: Kit, drum: str, velocity: float
) -> Signal:
    """The sound of a stroke, (N,) with a peak that follows the velocity.

    Args:
        draw: of the drum; the same numbers give the same drum.
        grain: of its noise, which no two strokes share.
        kit: that the drum is of.
        drum: which one.
        velocity: 0 to 1.
    """
    maker = _MAKERS.get(drum, _tom)
    sound = maker(draw, grain, kit, drum, velocity)
    driven = np.tanh(normalised(sound) * (0.3 + between(draw, kit.dirt) * 2 + 1e-3))
    return faded(normalised(driven)) * np.float32(velocity**1.4)


def _kick(
    draw: np.random.Generator, grain: np.random.Generator, kit: Kit, drum: str, velocity: float
) -> Signal:
    seconds = between(draw, kit.kick_seconds)
    count = samples(seconds * 1.1)
    end = between(draw, kit.kick_hz)
    sweep = end * (between(draw, kit.kick_sweep) - 1) * decay(count, draw.uniform(0.05, 0.22))
    body = np.sin(2 * np.pi * phase_of(end + sweep, count)).astype(np.float32)
    body *= decay(count, seconds) * np.minimum(times(count) * 900, 1)
    click = noise(grain, count) * decay(count, draw.uniform(0.006, 0.03))
    click = shaped(click, band_gains(draw.uniform(900, 2500), draw.uniform(4000, 9000), order=1))
    return body + click * np.float32(between(draw, kit.click) * (0.3 + velocity) * 0.8)


def _snare(
    draw: np.random.Generator, grain: np.random.Generator, kit: Kit, drum: str, velocity: float
) -> Signal:
    seconds = between(draw, kit.snare_seconds)
    count = samples(seconds * 1.6 + 0.05)
    pitch = between(draw, kit.snare_hz)
    bend = 1 + 0.35 * decay(count, 0.05)
    body = np.zeros(count, np.float32)
    for ratio, level in ((1.0, 1.0), (1.59, 0.6), (2.14, 0.35), (2.9, 0.25)):
        tone = np.sin(2 * np.pi * phase_of(pitch * ratio * bend, count)).astype(np.float32)
        body += tone * level * decay(count, seconds * draw.uniform(0.4, 0.9))
    buzz = shaped(
        noise(grain, count),
        band_gains(
            draw.uniform(700, 2200), draw.uniform(9000, 16000), order=draw.uniform(0.6, 1.4)
        ),
    )
    buzz *= 0.7 * decay(count, seconds * 1.5) + 0.6 * decay(count, 0.04)
    share = min(0.97, between(draw, kit.wires) * (0.75 + 0.3 * velocity))
    return body * np.float32(1 - share) * 0.6 + buzz * np.float32(share)


def _metal(
    draw: np.random.Generator,
    grain: np.random.Generator,
    low_hz: float,
    seconds: float,
    share: float,
) -> Signal:
    """A cymbal: noise whose high end dies first, and partials that ring."""
    count = samples(seconds)
    frames = frame_count(count)
    f = np.maximum(bin_frequencies(), 20)
    t = (np.arange(frames) * 256 / 44_100)[:, None]
    fall = seconds * (0.35 + 0.65 * np.clip(6000 / f, 0.25, 1.6))
    bloom = 1 - 0.6 * np.exp(-t * 25) if seconds > 0.7 else 1.0
    edge = band_gains(low_hz, draw.uniform(14_000, 21_000), order=draw.uniform(1, 3))
    ripple = np.exp(draw.normal(0, 0.5, (1, len(f)))).astype(np.float32)
    gains = (np.exp(-6.9 * t / fall) * bloom * edge * ripple).astype(np.float32)
    sizzle = normalised(shaped(noise(grain, count), gains))
    ring = np.zeros(count, np.float32)
    base = draw.uniform(300, 700)
    for ratio in draw.uniform(1, 30, 14):
        tone = np.sign(np.sin(2 * np.pi * phase_of(float(base * ratio), count))) * decay(
            count, seconds
        )
        ring += tone.astype(np.float32)
    ring = normalised(shaped(ring, edge * edge))
    return sizzle * np.float32(1 - share) + ring * np.float32(share * 0.6)


def _hat(
    draw: np.random.Generator, grain: np.random.Generator, kit: Kit, drum: str, velocity: float
) -> Signal:
    base = between(draw, kit.hat_seconds) * (0.7 + 0.6 * velocity)
    seconds = base * 3 if drum == "hat" else min(1.2, base * 14)
    share = between(draw, kit.metal)
    sound = _metal(draw, grain, between(draw, kit.hat_hz), seconds, share)
    tick = decay(len(sound), 0.02) if drum == "hat" else np.float32(0)
    return sound * (1 + tick)


def _cymbal(
    draw: np.random.Generator, grain: np.random.Generator, kit: Kit, drum: str, velocity: float
) -> Signal:
    seconds = between(draw, kit.cymbal_seconds) * {"splash": 0.45, "ride": 0.7}.get(drum, 1.0)
    share = min(1.0, between(draw, kit.metal) * (1.3 if drum == "ride" else 0.6))
    sound = _metal(draw, grain, draw.uniform(600, 3000), seconds, share)
    if drum == "ride":
        count = len(sound)
        ping = sum(
            np.sin(2 * np.pi * phase_of(float(f), count)) * decay(count, 0.25)
            for f in draw.uniform(2500, 7000, 4)
        )
        sound = sound * 0.6 + np.asarray(ping, dtype=np.float32) * 0.12
    return sound


def _clap(
    draw: np.random.Generator, grain: np.random.Generator, kit: Kit, drum: str, velocity: float
) -> Signal:
    count = samples(between(draw, kit.snare_seconds) + 0.12)
    body = noise(grain, count) * decay(count, between(draw, kit.snare_seconds) + 0.05)
    t = times(count)
    for start in (0.0, draw.uniform(0.008, 0.014), draw.uniform(0.019, 0.03)):
        body += noise(grain, count) * np.exp(-np.maximum(t - start, 0) * 300) * (t >= start)
    return shaped(body, band_gains(draw.uniform(600, 1100), draw.uniform(3000, 8000), order=1.5))


def _tom(
    draw: np.random.Generator, grain: np.random.Generator, kit: Kit, drum: str, velocity: float
) -> Signal:
    pitch = between(draw, kit.kick_hz) * _TOMS.get(drum, 2.0)
    seconds = between(draw, kit.kick_seconds) * 1.2
    count = samples(seconds)
    bend = pitch * (1 + draw.uniform(0.1, 0.5) * decay(count, 0.15))
    body = np.sin(2 * np.pi * phase_of(bend, count)) * decay(count, seconds)
    second = np.sin(2 * np.pi * phase_of(bend * 1.59, count)) * decay(count, seconds * 0.5)
    skin = shaped(noise(grain, count), band_gains(300, 4000, order=1)) * decay(count, 0.06)
    return as_signal(body + 0.35 * second + skin * between(draw, kit.click) * 0.5)


def _wood(
    draw: np.random.Generator, grain: np.random.Generator, kit: Kit, drum: str, velocity: float
) -> Signal:
    """Rim shots and cowbells: a few short partials."""
    count = samples(0.12 if drum == "rim" else 0.3)
    ratios = (1.0, 2.3, 4.1) if drum == "rim" else (1.0, 1.48, 2.9)
    base = draw.uniform(380, 900) if drum == "rim" else draw.uniform(500, 620)
    seconds = draw.uniform(0.03, 0.08) if drum == "rim" else draw.uniform(0.12, 0.3)
    tones = [np.sin(2 * np.pi * phase_of(base * r, count)) * decay(count, seconds) for r in ratios]
    snap = noise(grain, count) * decay(count, 0.012)
    return (sum(tones) + 0.8 * snap).astype(np.float32)


def _shaker(
    draw: np.random.Generator, grain: np.random.Generator, kit: Kit, drum: str, velocity: float
) -> Signal:
    count = samples(0.11 if drum == "shaker" else 0.3)
    t = times(count)
    rise = np.minimum(t / draw.uniform(0.004, 0.03), 1)
    rattle = noise(grain, count) * (0.5 + np.abs(noise(grain, count)))
    sound = shaped(rattle * rise, band_gains(draw.uniform(4000, 7000), 16_000, order=2))
    sound = normalised(sound * decay(count, 0.1 if drum == "shaker" else 0.22))
    if drum == "tambourine":
        tones = [np.sin(2 * np.pi * phase_of(float(f), count)) for f in draw.uniform(5e3, 1.2e4, 6)]
        sound += normalised(np.sum(tones, axis=0).astype(np.float32) * decay(count, 0.2)) * 0.5
    return sound


_Maker = Callable[[np.random.Generator, np.random.Generator, Kit, str, float], Signal]

_MAKERS: dict[str, _Maker] = {
    "kick": _kick,
    "snare": _snare,
    "clap": _clap,
    "hat": _hat,
    "open": _hat,
    "ride": _cymbal,
    "crash": _cymbal,
    "splash": _cymbal,
    "rim": _wood,
    "cowbell": _wood,
    "shaker": _shaker,
    "tambourine": _shaker,
}
