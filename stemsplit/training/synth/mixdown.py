"""The engineer: tracks become stems, stems become a mix.

Everything that the whole mix goes through is a gain or a filter that is given to all stems alike,
so that the mix stays their exact sum.

Shapes: N samples; every track and stem is (2, N).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from stemsplit.training.synth.effects import (
    chorused,
    compressed,
    compression,
    convolved,
    driven,
    echoed,
    equaliser,
    limiting,
    lossy_gains,
    pass_points,
    room,
)
from stemsplit.training.synth.signals import SAMPLE_RATE, Signal, as_signal, noise, shaped, spectrum
from stemsplit.training.synth.tables import Range, between, chance, choose

STEMS = ("drums", "bass", "other", "vocals")
CEILING = 0.97  # of full scale; no sample of a stem or of the mix goes beyond

_BALANCE: dict[str, Range] = {  # mean and deviation in dB of the stems beside each other
    "drums": (-1.2, 2.6),
    "bass": (-0.8, 2.6),
    "other": (-0.5, 2.8),
    "vocals": (0.8, 2.4),
}

# Deviations of equalisers, in dB.
_TRACK_DB: Range = (1.0, 4.0)
_VOICE_DB: Range = (0.8, 2.8)
_MASTER_DB: Range = (0.5, 2.0)

# What a bass has above `_BASS_HZ` at most, in dB beside what it has below.
_BASS_HZ = 300.0
_BRIGHT_DB: Range = (-20.0, -3.0)
_BRIGHT_SUB_DB: Range = (-26.0, -10.0)


@dataclass(frozen=True)
class Desk:
    """What a song's mix has in common."""

    hall: Signal
    plate: Signal
    beat: float
    """Seconds of a beat, for echoes."""

    wetness: float


def make_desk(draw: np.random.Generator, bpm: float) -> Desk:
    """Draw the rooms of a song."""
    hall = room(draw, float(draw.uniform(1.2, 3.2)), dark=float(draw.uniform(0.2, 0.9)), wait=0.02)
    plate = room(draw, float(draw.uniform(0.3, 1.4)), dark=float(draw.uniform(0.0, 0.7)))
    return Desk(hall, plate, 60 / bpm, float(draw.uniform(0.2, 1.3)))


def colour(draw: np.random.Generator, spread_db: Range) -> list[tuple[float, float]]:
    """Points of an equaliser as a microphone or a taste would set it, shy or bold."""
    hertz = (60, 180, 500, 1400, 3500, 8000, 16_000)
    deviation = between(draw, spread_db)
    return [(float(f), float(draw.normal(0, deviation))) for f in hertz]


def mix_drums(draw: np.random.Generator, desk: Desk, track: Signal) -> Signal:
    """Overheads and room, then the compressor of the drum bus."""
    points = [(f, g + (2.5 if 300 < f < 5000 else 0)) for f, g in colour(draw, _TRACK_DB)]
    track = convolved(track, equaliser(points))
    small = room(draw, float(draw.uniform(0.15, 0.9)), dark=float(draw.uniform(0, 0.6)), wait=0.004)
    share = float(draw.uniform(0.05, 0.35)) * desk.wetness
    ambience = convolved(track.mean(axis=0, keepdims=True), small)
    if chance(draw, 0.3):
        ambience = compressed(ambience, threshold_db=-8, ratio=6, attack=0.002, release=0.1)
    track = track + ambience * np.float32(share)
    if chance(draw, 0.6):
        track = compressed(
            track,
            threshold_db=float(draw.uniform(-4, 6)),
            ratio=float(draw.uniform(2, 5)),
            attack=float(draw.uniform(0.003, 0.03)),
            release=float(draw.uniform(0.06, 0.25)),
        )
    return driven(track, float(draw.uniform(0.1, 0.45))) if chance(draw, 0.35) else track


def mix_bass(draw: np.random.Generator, track: Signal, family: str, drive: float) -> Signal:
    """In the middle, even in level, sometimes through an amplifier."""
    mono = track.mean(axis=0, keepdims=True)
    bright = 0.0 if family in ("sub", "upright") else float(draw.uniform(0, 9))
    points = [(f, g + (bright if f > 400 else 0)) for f, g in colour(draw, _TRACK_DB)]
    mono = convolved(mono, equaliser(points))
    mono = compressed(mono, threshold_db=-3, ratio=float(draw.uniform(2, 6)), release=0.2)
    amount = (0.15 + drive) * float(draw.uniform(0.0, 0.8))
    if amount > 0.08:
        mono = convolved(driven(mono, amount, lopsided=0.1), equaliser(pass_points(30, 6000)))
    # The harmonics that tell a bass on small speakers: a distorted copy without its lows.
    edge = convolved(driven(mono, 0.7), equaliser(pass_points(float(draw.uniform(300, 900)), 6000)))
    mono = mono + edge * np.float32(draw.uniform(0, 0.22 if family != "sub" else 0.06))
    mono = _darkened(mono, between(draw, _BRIGHT_SUB_DB if family == "sub" else _BRIGHT_DB))
    wide = np.repeat(mono, 2, axis=0)
    if family == "synthbass" and chance(draw, 0.3):
        wide = chorused(draw, wide, depth_seconds=0.002, rate_hz=0.6)
    return wide


def _darkened(bass: Signal, bright_db: float) -> Signal:
    """A bass (1, N) with no more above `_BASS_HZ` than wanted beside what lies below."""
    size = 4096
    pieces = np.pad(bass[0], (0, -bass.shape[-1] % size)).reshape(-1, size)
    power = (np.abs(spectrum(pieces)) ** 2).sum(axis=0)
    edge = round(_BASS_HZ / SAMPLE_RATE * size)
    low, high = float(power[:edge].sum()), float(power[edge:].sum())
    wanted = low * 10 ** (bright_db / 10)
    if high <= wanted:
        return bass
    cut_db = 10 * float(np.log10(max(wanted / high, 1e-4)))
    return convolved(bass, equaliser([(0.67 * _BASS_HZ, 0.0), (1.5 * _BASS_HZ, cut_db)]))


def mix_instrument(
    draw: np.random.Generator, desk: Desk, track: Signal, role: str, drive: float
) -> Signal:
    """One of the other instruments: amplifier, equaliser, chorus, echo, room and place."""
    if role == "distorted" or (role == "guitar" and chance(draw, 0.25)):
        amount = (0.35 + 0.65 * drive) * float(draw.uniform(0.5, 1.0))
        track = driven(track, amount if role == "distorted" else amount * 0.4, lopsided=0.15)
        cabinet = [*pass_points(80, float(draw.uniform(4500, 7500)))]
        track = convolved(track, equaliser(cabinet))
    low = {"pad": 100.0, "guitar": 90.0, "strings": 130.0, "bell": 200.0, "flute": 200.0}
    points = [(f, g - (8 if f < low.get(role, 60.0) else 0)) for f, g in colour(draw, _TRACK_DB)]
    air = float(draw.uniform(0, 8))  # sampled and synthesised instruments lack that of a real one
    points = [(f, g + (air if f > 7000 else air / 4 if f > 3000 else 0)) for f, g in points]
    track = convolved(track, equaliser(points))
    if role in ("pad", "keys", "guitar", "synth", "organ") and chance(draw, 0.35):
        track = _with_chorus(draw, track, (0.001, 0.004))
    if chance(draw, 0.3):
        track = compressed(track, threshold_db=0, ratio=3)
    if role in ("pluck", "bell", "lead", "keys", "synth", "guitar") and chance(draw, 0.35):
        wait = desk.beat * choose(draw, (0.5, 0.75, 1.0))
        level = float(draw.uniform(0.15, 0.45))
        track = track + echoed(track, wait, level, crossing=chance(draw, 0.5))
    track = _with_room(draw, desk, track, (0.02, 0.35))
    if role in ("pad", "strings") and chance(draw, 0.5):
        return _wider(track, float(draw.uniform(1.1, 1.7)))
    return panned(track, float(draw.uniform(-0.7, 0.7)))


def mix_voice(draw: np.random.Generator, desk: Desk, track: Signal, role: str) -> Signal:
    """One vocal track: even, bright, with room and echo, backing voices at the sides."""
    points = colour(draw, _VOICE_DB)
    air = float(draw.uniform(2, 9))
    points = [(f, g + (air if f > 6000 else air * 0.5 if f > 1300 else 0)) for f, g in points]
    track = convolved(track.mean(axis=0, keepdims=True), equaliser([(30.0, -24.0), *points]))
    track = compressed(track, threshold_db=-5, ratio=float(draw.uniform(2, 6)), attack=0.005)
    if chance(draw, 0.25):
        track = driven(track, float(draw.uniform(0.1, 0.6)))
    if chance(draw, 0.05):  # as through a telephone
        track = convolved(track, equaliser(pass_points(350, float(draw.uniform(2800, 4500)))))
    wide = np.repeat(track, 2, axis=0)
    if chance(draw, 0.12):
        wide = _with_chorus(draw, wide, (0.001, 0.003))
    if chance(draw, 0.4):
        wait = desk.beat * choose(draw, (0.25, 0.5, 0.75, 1.0))
        level = float(draw.uniform(0.1, 0.4))
        wide = wide + np.float32(0.6) * echoed(wide, wait, level, crossing=chance(draw, 0.5))
    wide = _with_room(draw, desk, wide, (0.03, 0.3) if role == "lead" else (0.1, 0.5))
    side = 0.1 if role == "lead" else 0.85
    return panned(wide, float(draw.uniform(-side, side)))


def panned(track: Signal, side: float) -> Signal:
    """A track moved to the left (-1) or the right (1)."""
    angle = (side + 1) * np.pi / 4
    gains = np.float32(2**0.5) * np.array([[np.cos(angle)], [np.sin(angle)]], dtype=np.float32)
    return as_signal(track * gains)


def _with_chorus(draw: np.random.Generator, track: Signal, depth_seconds: Range) -> Signal:
    rate_hz = float(draw.uniform(0.3, 1.5))
    return chorused(draw, track, depth_seconds=between(draw, depth_seconds), rate_hz=rate_hz)


def _with_room(draw: np.random.Generator, desk: Desk, track: Signal, share: Range) -> Signal:
    if chance(draw, 0.12):
        return track
    response = desk.hall if chance(draw, 0.5) else desk.plate
    amount = between(draw, share) * desk.wetness
    return track + convolved(track.mean(axis=0, keepdims=True), response) * np.float32(amount)


def _wider(track: Signal, factor: float) -> Signal:
    middle = track.mean(axis=0, keepdims=True)
    return as_signal(middle + (track - middle) * np.float32(factor))


def level_of(track: Signal) -> float:
    """Root mean square of a track where it sounds; 0 for silence."""
    count = track.shape[-1] // 4410
    if count == 0:
        return float(np.sqrt(np.mean(track**2)))
    power = (track[:, : count * 4410] ** 2).reshape(2, count, 4410).mean(axis=(0, 2))
    loud = power[power > power.max(initial=0) * 1e-3]
    return float(np.sqrt(loud.mean())) if len(loud) and loud.max() > 1e-14 else 0.0


def levelled(track: Signal, decibels: float) -> Signal:
    """A track at a level over that of the others; silence stays."""
    level = level_of(track)
    return track * np.float32(10 ** (decibels / 20) / level) if level > 0 else track


def balance(draw: np.random.Generator) -> dict[str, float]:
    """How loud every stem is to be, in dB beside the others."""
    return {name: float(draw.normal(*_BALANCE[name])) for name in STEMS}


def master(
    draw: np.random.Generator, stems: Mapping[str, Signal], loudness_db: float
) -> tuple[dict[str, Signal], dict[str, object]]:
    """Stems as they are in the finished mix, and what was done to them.

    Args:
        draw: of the treatment.
        stems: at their levels beside each other; if all are silent, they stay so.
        loudness_db: mean level of the mix, in dB of full scale.
    """
    done: dict[str, object] = {}
    made = dict(stems)
    if not any(stem.any() for stem in made.values()):  # a short excerpt of a rest
        return made, done
    if chance(draw, 0.3):  # tape, a room, an old record
        hiss = noise(draw, made["other"].size).reshape(2, -1)
        made["other"] = made["other"] + hiss * np.float32(10 ** (draw.uniform(-62, -44) / 20))
        done["hiss"] = True
    width = choose(draw, (1.0,) * 20 + (0.0, 0.5, 0.7))
    if width < 1:
        made = {name: _wider(stem, width) for name, stem in made.items()}
    points = colour(draw, _MASTER_DB)
    top = float(draw.uniform(15_000, 17_000)) if chance(draw, 0.3) else 22_000.0
    points += [(top, points[-1][1]), (top * 1.12, -30.0)] if top < 20_000 else []
    points = sorted(p for p in points if p[0] <= top or p[1] == -30.0)
    response = equaliser([(15.0, -20.0), (28.0, 0.0), *points])
    made = {name: convolved(stem, response) for name, stem in made.items()}
    mix = _sum(made)
    if chance(draw, 0.1):
        mask = lossy_gains(mix, top_hz=top, depth_db=float(draw.uniform(12, 24)))
        made = {name: np.stack([shaped(c, mask) for c in stem]) for name, stem in made.items()}
        mix = _sum(made)
        done["codec"] = True
    if chance(draw, 0.5):
        gain = compression(mix, threshold_db=0, ratio=float(draw.uniform(1.5, 3)), release=0.25)
        made, mix = {name: stem * gain for name, stem in made.items()}, mix * gain
        done["compressed"] = True
    level = 10 ** (loudness_db / 20) / max(level_of(mix), 1e-9)
    limit = limiting(mix * np.float32(level), CEILING) * np.float32(level)
    made = {name: stem * limit for name, stem in made.items()}
    peak = max(float(np.abs(signal).max()) for signal in (*made.values(), _sum(made)))
    made = {name: stem * np.float32(min(1.0, CEILING / peak)) for name, stem in made.items()}
    return made, {**done, "width": width, "top_hz": top, "loudness_db": loudness_db}


def _sum(stems: Mapping[str, Signal]) -> Signal:
    first, *rest = stems.values()
    total = first.copy()
    for stem in rest:
        total += stem
    return total
