"""The throat of a singer: vocal folds and breath through a mouth that moves.

Shapes: T frames, F frequency bins, N samples.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stemsplit.training.synth.signals import (
    HOP,
    N_FFT,
    SAMPLE_RATE,
    Signal,
    as_signal,
    fraction,
    noise,
    phase_of,
    play,
    shaped,
    wave_table,
)

_AUDIBLE_GRIT = 0.02
_AIR = 0.05  # of the level of the vowel


@dataclass(frozen=True)
class Throat:
    """What a singer has drawn for a song."""

    size: float
    tilt: float
    breath: float
    vibrato_hz: float
    vibrato_cents: float
    jitter: float
    grit: float
    ring: float


@dataclass
class Gestures:
    """What the throat does, frame by frame."""

    pitch: Signal
    """(T,) as MIDI numbers, without vibrato."""

    sway: Signal
    """(T,) depth of the vibrato, 0 to 1."""

    voiced: Signal
    """(T, F) magnitudes of the mouth before the vocal folds."""

    hissing: Signal
    """(T, F) magnitudes of friction and breath."""

    effort: Signal
    """(T,) 0 soft to 1 loud: louder is brighter."""


def sing(draw: np.random.Generator, throat: Throat, gestures: Gestures) -> Signal:
    """What the gestures sound like, (N,) with N = (T - 3) frames."""
    num_frames = len(gestures.pitch)
    num_samples = (num_frames - N_FFT // HOP + 1) * HOP
    frequency = _frequency(draw, throat, gestures, num_samples)
    phase = phase_of(frequency, num_samples) + draw.random()
    count = max(1, int(19_500 / max(float(frequency.max()), 50)))
    k = np.arange(1, count + 1, dtype=np.float32)
    folds = play(wave_table(as_signal(1 / k), draw.normal(0, 0.3, count).astype(np.float32)), phase)
    folds *= _roughness(draw, throat, phase, num_samples)
    # The tilt of the folds moves with the effort, which a fixed wave cannot.
    f = np.fft.rfftfreq(N_FFT, 1 / SAMPLE_RATE).astype(np.float32)
    exponent = 0.75 * throat.tilt + 0.4 * (1 - gestures.effort)
    base = np.log(np.maximum(f, 150) / 150)
    tilted = gestures.voiced * np.exp(-exponent[:, None] * base[None])
    closing = 0.5 + 0.5 * np.cos(np.float32(2 * np.pi) * fraction(phase))
    air = noise(draw, num_samples)
    # Breath passes the mouth; some of it is heard at the highest frequencies whatever the vowel.
    body = tilted[:, 7:70].mean(axis=1, keepdims=True)
    above = np.clip(np.log2(np.maximum(f, 1) / 2500), 0, 1) / (1 + (f / 14_000) ** 4)
    airy = tilted * (f / 1500)[None] * np.float32(throat.breath)
    airy += body * above[None] * np.float32(_AIR + 0.15 * throat.breath)
    breath = shaped(air * (0.35 + closing), as_signal(airy))
    hiss = shaped(noise(draw, num_samples), gestures.hissing)
    return shaped(folds, tilted) + breath + hiss


def _frequency(
    draw: np.random.Generator, throat: Throat, gestures: Gestures, num_samples: int
) -> Signal:
    num_frames = len(gestures.pitch)
    t = np.arange(num_frames) * HOP / SAMPLE_RATE
    rate = throat.vibrato_hz * (1 + 0.08 * np.sin(t * 1.3 + draw.uniform(0, 6)))
    turn = 2 * np.pi * np.cumsum(rate) * HOP / SAMPLE_RATE
    vibrato = gestures.sway * throat.vibrato_cents / 100 * np.sin(turn + draw.uniform(0, 6))
    drift = np.interp(t, np.linspace(0, t[-1] + 0.01, max(3, int(t[-1] * 3))),
                      draw.normal(0, 0.09, max(3, int(t[-1] * 3))))  # fmt: skip
    wobble = np.convolve(draw.normal(0, 1, num_frames), np.ones(3) / 3, "same")
    semitones = gestures.pitch + vibrato + drift + 12 * throat.jitter * wobble
    hertz = 440 * 2 ** ((np.clip(semitones, 28, 96) - 69) / 12)
    places = np.arange(num_samples, dtype=np.float32) / HOP + 1.0
    return as_signal(np.interp(places, np.arange(num_frames), hertz))


def _roughness(
    draw: np.random.Generator, throat: Throat, phase: npt.NDArray[np.float64], num_samples: int
) -> Signal:
    """Shimmer, and every second period softer where a voice is strained."""
    knots = max(4, num_samples // 400)
    shimmer = 1 + 4 * throat.jitter * draw.standard_normal(knots)
    strain = throat.grit * np.clip(draw.normal(0.5, 0.5, knots), 0, 1.2)
    places = np.linspace(0, knots - 1, num_samples)
    found = as_signal(np.interp(places, np.arange(knots), shimmer))
    if throat.grit < _AUDIBLE_GRIT:
        return found
    is_second = fraction(phase / 2) >= 0.5
    rough = as_signal(np.interp(places, np.arange(knots), strain)) * is_second
    return as_signal(found * (1 - np.float32(0.6) * rough))
