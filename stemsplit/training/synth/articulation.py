"""From syllables on notes to gestures of the throat: the synthesiser's own singers.

Shapes: T frames, F frequency bins.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stemsplit.training.synth.phonemes import PHONEMES, Phoneme, Syllable
from stemsplit.training.synth.signals import HOP, N_FFT, SAMPLE_RATE, bin_frequencies
from stemsplit.training.synth.singing import Gestures, Throat

_FRAME = HOP / SAMPLE_RATE  # seconds
_UPPER = (3500.0, 4500.0, 5600.0, 7000.0)  # Hz; formants that hardly move
_LEAD = N_FFT // HOP  # frames before the beginning


@dataclass(frozen=True)
class SungNote:
    """A syllable on a pitch."""

    start: float
    """Of the vowel, in seconds from the beginning of the phrase."""

    seconds: float
    pitch: float
    velocity: float
    glide: float = 0.06
    """Seconds that the voice takes to reach the pitch."""


@dataclass(frozen=True)
class _Piece:
    phoneme: Phoneme
    start: int
    end: int


def articulate(
    draw: np.random.Generator,
    throat: Throat,
    notes: Sequence[SungNote],
    words: Sequence[Syllable],
    seconds: float,
) -> Gestures:
    """Gestures of a phrase.

    Args:
        draw: of the small irregularities.
        throat: of the singer.
        notes: in the order of time, none before `onset_seconds` of its syllable.
        words: a syllable per note.
        seconds: length of the phrase.
    """
    num_frames = int(seconds / _FRAME) + 2 * _LEAD
    pieces = [piece for found in _laid_out(draw, notes, words) for piece in found]
    formants = np.full((num_frames, 3), (500.0, 1450.0, 2450.0))
    voice, hiss = np.zeros(num_frames), np.zeros(num_frames)
    centre, width = np.full(num_frames, 3000.0), np.full(num_frames, 1.0)
    nasal = np.zeros(num_frames)
    for piece in pieces:
        span = slice(max(0, piece.start), min(num_frames, piece.end))
        p = piece.phoneme
        formants[span] = p.formants
        voice[span], nasal[span] = p.voice, float(p.nasal)
        centre[span], width[span] = p.noise_hz, p.noise_octaves
        burst = int((piece.end - piece.start) * 0.55) if p.burst else 0
        hiss[slice(span.start + burst, span.stop)] = p.noise
        if p.burst:
            voice[slice(span.start + burst, span.stop)] *= 0.5
    pitch, effort, level, sway = pitch_lines(draw, notes, num_frames)
    moving = _smooth(formants, 0.06) * throat.size
    voiced = _mouth(moving, _smooth(nasal, 0.03), throat)
    voiced *= (_smooth(voice, 0.02) * level)[:, None]
    hissing = _friction(centre, width) * (_smooth(hiss, 0.012) * (0.4 + 0.6 * level))[:, None]
    return Gestures(
        pitch.astype(np.float32),
        sway.astype(np.float32),
        voiced.astype(np.float32),
        hissing.astype(np.float32) * np.float32(1.3),
        effort.astype(np.float32),
    )


def _laid_out(
    draw: np.random.Generator, notes: Sequence[SungNote], words: Sequence[Syllable]
) -> list[list[_Piece]]:
    """Where every sound of every syllable lies; consonants take time from the vowel before."""
    found: list[list[_Piece]] = []
    haste = draw.uniform(0.75, 1.15)
    for number, (note, word) in enumerate(zip(notes, words, strict=True)):
        onset = [PHONEMES[letter] for letter in word.onset]
        coda = [PHONEMES[letter] for letter in word.coda]
        start = note.start - sum(p.seconds for p in onset) * haste
        end = note.start + note.seconds
        if number + 1 < len(notes):
            after = words[number + 1].onset
            lead = sum(PHONEMES[letter].seconds for letter in after) * haste
            end = min(end, notes[number + 1].start - lead)
        tail = sum(p.seconds for p in coda) * haste
        tail = min(tail, max(0.0, (end - note.start) * 0.5))
        scale = tail / max(sum(p.seconds for p in coda), 1e-6)
        spans = [(p, p.seconds * haste) for p in onset]
        middle = max(0.03, end - tail - note.start)
        share = (0.65, 0.35) if len(word.vowels) > 1 else (1.0,)
        spans += [(PHONEMES[v], middle * s) for v, s in zip(word.vowels, share, strict=False)]
        spans += [(p, p.seconds * scale) for p in coda]
        pieces = []
        for phoneme, length in spans:
            first = _LEAD + round(start / _FRAME)
            start += length
            pieces.append(_Piece(phoneme, first, _LEAD + round(start / _FRAME)))
        found.append(pieces)
    return found


def pitch_lines(
    draw: np.random.Generator, notes: Sequence[SungNote], num_frames: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Pitch, effort, level and depth of vibrato at every frame."""
    pitch = np.full(num_frames, notes[0].pitch, dtype=np.float64)
    effort, level = np.full(num_frames, 0.5), np.zeros(num_frames)
    sway = np.zeros(num_frames)
    for number, note in enumerate(notes):
        first = _LEAD + round(note.start / _FRAME)
        pitch[max(0, first - 4) :] = note.pitch
        last = first + round(note.seconds / _FRAME)
        lead = 30 if number == 0 else 22
        effort[max(0, first - lead) :] = note.velocity
        level[max(0, first - lead) : last] = 0.35 + 0.65 * note.velocity
        length = last - first
        if length > 50:
            rise = np.clip((np.arange(length) - 35) / 45, 0, 1)
            sway[first:last] = rise[: max(0, min(num_frames, last) - first)]
    glide = float(np.mean([note.glide for note in notes]))
    curve = _smooth(pitch, max(0.02, glide))
    first = _LEAD + round(notes[0].start / _FRAME)
    scoop = draw.uniform(0, 2.5) * np.exp(-np.maximum(np.arange(num_frames) - first, 0) * 0.06)
    swell = 1 + 0.15 * np.sin(np.arange(num_frames) * draw.uniform(0.01, 0.04))
    return curve - scoop, _smooth(effort, 0.1), _smooth(level, 0.05) * swell, _smooth(sway, 0.1)


def _mouth(formants: np.ndarray, nasal: np.ndarray, throat: Throat) -> np.ndarray:
    """Magnitudes (T, F) of a row of resonances."""
    f = np.maximum(bin_frequencies(), 30.0)[None].astype(np.float32)
    gains = np.ones((len(formants), f.shape[1]), dtype=np.float32)
    upper = np.broadcast_to(np.array(_UPPER) * throat.size, (len(formants), len(_UPPER)))
    for place, centre in enumerate(np.concatenate([formants, upper], axis=1).T):
        c = centre[:, None].astype(np.float32)
        bandwidth = np.float32(50 + 28 * place) + c * np.float32(0.02)
        ratio = (f / c) ** 2
        gains *= 1 / np.sqrt((1 - ratio) ** 2 + (bandwidth * f / c**2) ** 2)
    # A row of resonances alone falls without end; the many higher ones hold it up.
    gains *= np.minimum((1 + (f / (3500 * throat.size)) ** 2) ** 2.6, 1e6)
    boost = 10 ** (throat.ring / 20) - 1
    gains *= 1 + boost * np.exp(-((np.log2(f / 2900) * 2.5) ** 2))
    dip = 1 - 0.7 * nasal[:, None] * np.exp(-((np.log2(f / 800) * 1.5) ** 2))
    soft = 1 / (1 + nasal[:, None] * (f / 1200) ** 1.2)
    low_cut = 1 / np.sqrt(1 + (90 / f) ** 4)
    shelf = 1 / np.sqrt(1 + (f / 12_000) ** 4)
    found: np.ndarray = gains * dip * soft * low_cut * shelf
    return found


def _friction(centre: np.ndarray, width: np.ndarray) -> np.ndarray:
    f = np.maximum(bin_frequencies(), 60.0)[None]
    octaves = np.log2(f / _smooth(centre, 0.02)[:, None])
    found: np.ndarray = np.exp(-0.5 * (octaves / _smooth(width, 0.02)[:, None]) ** 2)
    return found


def _smooth(values: np.ndarray, seconds: float) -> np.ndarray:
    """Values that move as slowly as muscles do."""
    count = max(3, round(seconds / _FRAME)) | 1
    kernel = np.hanning(count + 2)[1:-1]
    kernel /= kernel.sum()
    edge = count // 2
    if values.ndim == 1:
        return np.convolve(np.pad(values, edge, mode="edge"), kernel, "valid")
    return np.stack([_smooth(column, seconds) for column in values.T], axis=1)


def onset_seconds(word: Syllable) -> float:
    """How long before its vowel a syllable begins, at most."""
    return 1.15 * sum(PHONEMES[letter].seconds for letter in word.onset)
