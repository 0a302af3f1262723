"""Spoken lines taken apart, to be sung on other notes at other speeds.

A line becomes frames: what the mouth does, without the pitch. Its syllables are found where it is
loud and voiced; the middle of each can be stretched to the length of a note.

Shapes: T frames, F frequency bins, N samples.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from stemsplit.training.synth import espeak, flite
from stemsplit.training.synth.articulation import SungNote, pitch_lines
from stemsplit.training.synth.signals import (
    HOP,
    N_FFT,
    SAMPLE_RATE,
    Signal,
    as_signal,
    bin_frequencies,
    signal_of,
    spectrum,
)
from stemsplit.training.synth.singing import Gestures, Throat
from stemsplit.training.synth.voices import LINES

_FRAME = HOP / SAMPLE_RATE
_LEAD = N_FFT // HOP
_ANALYSIS = 2048  # samples of an analysed frame
_LOWEST, _HIGHEST = 65, 420  # Hz that a speaker's pitch is looked for


@dataclass(frozen=True)
class Unit:
    """A syllable of a spoken line."""

    first: int
    """Frame it begins at."""

    middle: int
    """Frame in the middle of its vowel."""

    end: int


@dataclass(frozen=True)
class SpokenLine:
    """A line taken apart."""

    envelope: Signal
    """(T, F) magnitudes, smooth over frequency."""

    voicing: Signal
    """(T,) 0 to 1."""

    pitch: Signal
    """(T,) MIDI numbers."""

    units: tuple[Unit, ...]


@lru_cache(maxsize=200)
def spoken_line(voice: str, number: int) -> SpokenLine | None:
    """A line of `voices.LINES` as a program says it; None where it cannot be said here.

    Args:
        voice: as `voices.Voice.speech` has it.
        number: of the line.
    """
    _, colon, name = voice.rpartition(":")
    said = flite.say(name, lines_of(voice)) if colon else espeak.say(name, lines_of(voice))
    if number >= len(said) or len(said[number][0]) < said[number][1] // 4:
        return None
    heard, rate = said[number]
    places = np.arange(0, len(heard) - 1, rate / SAMPLE_RATE)
    signal = np.interp(places, np.arange(len(heard)), heard).astype(np.float32)
    return _taken_apart(signal, top_hz=rate / 2 * 0.9)


def lines_of(voice: str) -> tuple[str, ...]:
    """What a voice can say: the lines of its language."""
    language = "en" if ":" in voice else voice.split("+")[0].split("-")[0]
    return LINES[language]


def _taken_apart(signal: Signal, top_hz: float) -> SpokenLine:
    padded = np.pad(signal, _ANALYSIS // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, _ANALYSIS)[::HOP]
    window = np.hanning(_ANALYSIS).astype(np.float32)
    power = np.abs(spectrum(frames * window)) ** 2
    pitch_hz, voicing = _pitch(power)
    envelope = _smooth_envelope(power, pitch_hz)
    envelope = _extended(envelope, top_hz)
    level = np.sqrt((envelope[:, 3:200] ** 2).sum(axis=1))
    envelope /= max(float(np.percentile(level, 95)), 1e-9)
    level = level / max(float(np.percentile(level, 95)), 1e-9)
    midi = (69 + 12 * np.log2(pitch_hz / 440)).astype(np.float32)
    voicing = np.where(level > 0.03, voicing, 0).astype(np.float32)
    return SpokenLine(envelope, voicing, midi, _units(level * voicing))


def _pitch(power: Signal) -> tuple[Signal, Signal]:
    """Hz and how periodic every frame is, from the autocorrelation."""
    frequencies = np.fft.rfftfreq(_ANALYSIS, 1 / SAMPLE_RATE)
    correlation = signal_of((power * (frequencies < 2500)).astype(np.complex64))
    window = np.hanning(_ANALYSIS)
    own = np.fft.irfft(np.abs(np.fft.rfft(window)) ** 2)
    correlation = correlation / np.maximum(own, 0.02 * own[0])
    lags = slice(SAMPLE_RATE // _HIGHEST, min(_ANALYSIS // 2, SAMPLE_RATE // _LOWEST))
    part = correlation[:, lags]
    best = part.argmax(axis=1)
    height = part[np.arange(len(part)), best] / np.maximum(correlation[:, 0], 1e-12)
    hertz = SAMPLE_RATE / (best + lags.start)
    return hertz.astype(np.float32), np.clip((height - 0.35) / 0.3, 0, 1).astype(np.float32)


def _smooth_envelope(power: Signal, pitch_hz: Signal) -> Signal:
    """Magnitudes (T, F) without the ripple of the harmonics: the low part of the cepstrum."""
    cepstra = signal_of(np.log(power + 1e-10).astype(np.complex64))
    quefrency = np.minimum(np.arange(_ANALYSIS), _ANALYSIS - np.arange(_ANALYSIS))
    cutoff = 0.55 * SAMPLE_RATE / pitch_hz[:, None]
    lifter = 0.5 + 0.5 * np.cos(np.pi * np.clip(quefrency[None] / cutoff, 0, 1))
    smooth = spectrum(cepstra * lifter.astype(np.float32)).real
    return as_signal(np.exp(0.5 * smooth[:, :: _ANALYSIS // N_FFT]))


def _extended(envelope: Signal, top_hz: float) -> Signal:
    """The envelope with the highs that the speaker's sample rate has cut off."""
    f = bin_frequencies()
    edge = int(np.searchsorted(f, top_hz)) - 1
    if edge >= len(f) - 2:
        return envelope
    base = envelope[:, edge - 20 : edge].mean(axis=1, keepdims=True)
    envelope[:, edge:] = base * (f[edge] / f[edge:])[None] ** 2
    return envelope


def _units(loudness: Signal) -> tuple[Unit, ...]:
    """Syllables: peaks of the voiced loudness with a valley on either side."""
    kernel = np.hanning(15)[1:-1]
    smooth = np.convolve(loudness, kernel / kernel.sum(), "same")
    inner = smooth[1:-1]
    peaks = 1 + np.flatnonzero((inner > smooth[:-2]) & (inner >= smooth[2:]) & (inner > 0.12))
    kept: list[int] = []
    for peak in peaks:
        if kept:
            valley = smooth[kept[-1] : peak].min()
            if peak - kept[-1] < 12 or valley > 0.9 * min(smooth[kept[-1]], smooth[peak]):
                if smooth[peak] > smooth[kept[-1]]:
                    kept[-1] = int(peak)
                continue
        kept.append(int(peak))
    edges = [left + int(smooth[left:right].argmin()) for left, right in itertools.pairwise(kept)]
    starts = [max(0, kept[0] - 30) if kept else 0, *edges]
    ends = [*edges, min(len(smooth), kept[-1] + 40) if kept else 0]
    return tuple(Unit(a, m, b) for a, m, b in zip(starts, kept, ends, strict=False) if b - a > 6)


def sing_line(
    draw: np.random.Generator,
    throat: Throat,
    notes: Sequence[SungNote],
    lines: Sequence[SpokenLine],
    seconds: float,
    *,
    spoken: bool = False,
) -> Gestures:
    """Gestures of a phrase whose words come from spoken lines.

    Args:
        draw: of the small irregularities.
        throat: of the singer.
        notes: in the order of time.
        lines: their syllables are used one after the other, from the first again if need be.
        seconds: length of the phrase.
        spoken: keep the speaker's melody around the notes, as rappers do.
    """
    num_frames = int(seconds / _FRAME) + 2 * _LEAD
    num_bins = lines[0].envelope.shape[1]
    voiced = np.zeros((num_frames, num_bins), dtype=np.float32)
    hissing = np.zeros_like(voiced)
    pitch, effort, _, sway = pitch_lines(draw, notes, num_frames)
    pool = [(line, unit) for line in lines for unit in line.units]
    for number, note in enumerate(notes):
        line, unit = pool[number % len(pool)]
        start = _LEAD + round(note.start / _FRAME)
        before = min(unit.middle - unit.first, 26)
        limit = notes[number + 1].start if number + 1 < len(notes) else seconds
        end = _LEAD + round(min(note.start + note.seconds + 0.05, limit - 0.03) / _FRAME)
        places = _stretched(unit, before, max(8, end - start))
        span = slice(max(0, start - before), max(0, start - before) + len(places))
        count = min(span.stop, num_frames) - span.start
        if count <= 0:
            continue
        chosen = places[:count]
        here = slice(span.start, span.start + count)
        share = line.voicing[chosen][:, None]
        edge = np.minimum(1, np.minimum(np.arange(count) + 1, np.arange(count)[::-1] + 1) / 4)
        frames = line.envelope[chosen] * edge[:, None] * (0.4 + 0.6 * note.velocity)
        voiced[here] += frames * share
        hissing[here] += frames * (1 - share) * 0.9
        if spoken:
            speech = line.pitch[chosen] - np.median(line.pitch[unit.first : unit.end])
            pitch[here] += np.clip(speech, -4, 4) * (share[:, 0] > 0.5)
    shift = _shifted(voiced, throat.size)
    f = np.maximum(bin_frequencies(), 100)[None]
    # The speaker's own folds fall by 1 / k and with their effort too; what is sung through has
    # that already.
    return Gestures(
        pitch.astype(np.float32),
        sway.astype(np.float32),
        (shift * (f / 200) ** 1.25 * 0.5).astype(np.float32),
        hissing * np.float32(0.5),
        effort.astype(np.float32),
    )


def _stretched(unit: Unit, before: int, length: int) -> np.ndarray:
    """Frames of a syllable whose vowel begins at `before` and lasts for `length` frames."""
    head = np.arange(unit.middle - before, unit.middle)
    tail = np.arange(unit.middle, unit.end)
    if len(tail) >= length:
        rest = np.linspace(unit.middle, unit.end - 1, length)
    else:
        held = length - len(tail)
        # A held vowel wanders a little about its middle, so that it does not freeze.
        wander = 2.5 * np.sin(np.arange(held) * 0.21)
        rest = np.concatenate([unit.middle + wander, tail])
    return np.clip(np.round(np.concatenate([head, rest])), 0, unit.end - 1).astype(np.int64)


def _shifted(envelope: Signal, size: float) -> Signal:
    """Formants moved a little, so that one speaker lends words to several singers."""
    amount = 1 + 0.5 * (size - 1.08) if size > 1.08 else 1 + 0.5 * (size - 1.0)
    amount = float(np.clip(amount, 0.94, 1.08))
    places = np.arange(envelope.shape[1]) / amount
    left = np.minimum(places.astype(np.int64), envelope.shape[1] - 2)
    rest = np.clip(places - left, 0, 1).astype(np.float32)
    found: Signal = envelope[:, left] * (1 - rest) + envelope[:, left + 1] * rest
    return found
