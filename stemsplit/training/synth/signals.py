"""What all sounds are made of: waves, envelopes, noise, and filters that move.

Shapes: N samples, T frames, F frequency bins. Signals are float32 at `SAMPLE_RATE`.
"""

from functools import lru_cache

import numpy as np
import numpy.typing as npt
import torch

Signal = npt.NDArray[np.float32]

SAMPLE_RATE = 44_100  # Hz, of everything here
HOP = 256  # samples between frames of a moving filter, 5.8 ms
N_FFT = 1024  # of a moving filter; 43 Hz a bin
_TABLE = 2048  # samples of one period of a wave


def spectrum(signal: Signal, size: int | None = None) -> npt.NDArray[np.complex64]:
    """The real Fourier transform over the last axis; torch's is several times numpy's speed."""
    found = torch.fft.rfft(torch.from_numpy(np.require(signal, requirements=("C", "W"))), n=size)
    return np.asarray(found.numpy())


def signal_of(spectra: npt.NDArray[np.complex64], size: int | None = None) -> Signal:
    """The inverse of `spectrum`."""
    return np.asarray(torch.fft.irfft(torch.from_numpy(spectra), n=size).numpy())


def as_signal(values: npt.ArrayLike) -> Signal:
    """The same values as float32; not copied where they are that already."""
    return np.asarray(values, dtype=np.float32)


def samples(seconds: float) -> int:
    """A number of samples from a time, one at least."""
    return max(1, round(seconds * SAMPLE_RATE))


def times(num_samples: int) -> Signal:
    """The time of every sample, in seconds."""
    return np.arange(num_samples, dtype=np.float32) / np.float32(SAMPLE_RATE)


def noise(draw: np.random.Generator, num_samples: int) -> Signal:
    """White noise of deviation 1."""
    return draw.standard_normal(num_samples, dtype=np.float32)


def wave_table(amplitudes: Signal, phases: Signal | None = None) -> Signal:
    """One period of the wave with these harmonics, the first being the fundamental."""
    spectrum = np.zeros(_TABLE // 2 + 1, dtype=np.complex64)
    count = min(len(amplitudes), _TABLE // 2)
    angles = np.zeros(count, np.float32) if phases is None else phases[:count]
    spectrum[1 : count + 1] = amplitudes[:count] * np.exp(1j * (angles - np.pi / 2))
    return (np.fft.irfft(spectrum) * (_TABLE / 2)).astype(np.float32)


@lru_cache(maxsize=256)
def classic_table(shape: str, harmonics: int, width: float = 0.5) -> Signal:
    """A period of a saw, square, pulse or triangle wave that stays below the Nyquist frequency."""
    k = np.arange(1, harmonics + 1, dtype=np.float32)
    if shape == "saw":
        amplitudes = 1 / k
    elif shape == "triangle":
        amplitudes = np.where(k % 2 == 1, np.where(k % 4 == 1, 1, -1) / k**2, 0)
    elif shape == "sine":
        amplitudes = np.where(k == 1, 1, 0)
    else:
        amplitudes = 2 * np.sin(np.pi * k * width) / k / 2
    return wave_table(amplitudes.astype(np.float32))


def harmonics_below(frequency: float, limit_hz: float = 18_000) -> int:
    """How many harmonics fit, rounded down to a few steps so that tables are shared."""
    count = max(1, int(limit_hz / max(frequency, 20)))
    return min(900, int(2 ** (np.floor(np.log2(count) * 4) / 4)))


def fraction(phase: npt.NDArray[np.float64]) -> Signal:
    """Where in its period an oscillator is, from 0 to 1."""
    return as_signal(phase - np.floor(phase))


def play(table: Signal, phase: npt.NDArray[np.float64]) -> Signal:
    """A table read at a phase in periods, which may run on for ever."""
    place = fraction(phase) * np.float32(len(table))
    left = np.minimum(place.astype(np.int32), len(table) - 1)
    rest = place - left.astype(np.float32)
    wrapped = np.append(table, table[0])
    return as_signal(wrapped[left] * (1 - rest) + wrapped[left + 1] * rest)


def read_at(signal: Signal, places: npt.NDArray[np.float64]) -> Signal:
    """A signal (C, N) between its samples, (C, n): cubic, and silent outside."""
    whole = np.floor(places)
    x = as_signal(places - whole)
    padded = np.pad(signal, ((0, 0), (3, 4)))
    left = np.clip(whole.astype(np.int64), -3, signal.shape[-1]) + 2
    a, b, c, d = (padded.take(left + k, axis=-1) for k in range(4))
    curve = (0.5 * (3 * (b - c) + d - a) * x + a - 2.5 * b + 2 * c - 0.5 * d) * x
    return as_signal((curve + 0.5 * (c - a)) * x + b)


def phase_of(
    frequency: npt.NDArray[np.floating] | float, num_samples: int
) -> npt.NDArray[np.float64]:
    """The phase, in periods, of an oscillator whose frequency may change at every sample."""
    if isinstance(frequency, float | int):
        return np.arange(num_samples, dtype=np.float64) * (frequency / SAMPLE_RATE)
    turns = np.cumsum(np.asarray(frequency, dtype=np.float64))
    return np.asarray(turns / SAMPLE_RATE, dtype=np.float64)


def decay(num_samples: int, seconds: float) -> Signal:
    """An exponential that has fallen by 60 dB after `seconds`."""
    return as_signal(np.exp(times(num_samples) * np.float32(-6.9 / max(seconds, 1e-3))))


def adsr(num_samples: int, attack: float, fall: float, sustain: float, release: float) -> Signal:
    """A rise, a fall to a level, and an end within the last `release` seconds."""
    t = times(num_samples)
    rise = np.minimum(t / np.float32(max(attack, 1e-3)), 1)
    held = sustain + (1 - sustain) * np.exp(-np.maximum(t - attack, 0) * 5 / max(fall, 1e-3))
    left = np.clip((t[-1] - t) / np.float32(max(release, 2e-3)), 0, 1)
    return as_signal(rise * held * left**1.5)


def faded(signal: Signal, seconds: float = 0.005) -> Signal:
    """The signal with an end that does not click."""
    count = min(signal.shape[-1], samples(seconds))
    signal[..., -count:] *= np.linspace(1, 0, count, dtype=np.float32)
    return signal


def normalised(signal: Signal) -> Signal:
    """The signal with a peak of 1; silence stays."""
    peak = float(np.abs(signal).max(initial=0))
    return signal if peak < 1e-9 else signal * np.float32(1 / peak)


def tilted(signal: Signal, share: float) -> Signal:
    """The signal (C, N) a little brighter, or darker where `share` is negative."""
    found = signal.copy()
    found[:, 1:] += np.float32(share) * np.diff(signal, axis=-1)
    return found


@lru_cache(maxsize=8)
def bin_frequencies(n_fft: int = N_FFT) -> Signal:
    """Frequency of every bin, in Hz."""
    return np.fft.rfftfreq(n_fft, 1 / SAMPLE_RATE).astype(np.float32)


@lru_cache(maxsize=2)
def _window() -> Signal:
    return np.sqrt(np.hanning(N_FFT + 1)[:-1]).astype(np.float32)


def frame_count(num_samples: int) -> int:
    """T of a moving filter over a signal."""
    return -(-num_samples // HOP) + N_FFT // HOP - 1


def shaped(signal: Signal, gains: Signal) -> Signal:
    """A signal through a filter that moves.

    Args:
        signal: (N,).
        gains: magnitudes (T, F), with T = `frame_count(N)`, or (1, F) for one that stands still.

    Returns:
        (N,).
    """
    num_samples = len(signal)
    num_frames = frame_count(num_samples)
    start = N_FFT - HOP
    padded = np.zeros((num_frames - 1) * HOP + N_FFT, dtype=np.float32)
    padded[start : start + num_samples] = signal
    frames = np.lib.stride_tricks.sliding_window_view(padded, N_FFT)[::HOP]
    spectra = spectrum(frames * _window())
    spectra *= gains
    frames = signal_of(spectra) * _window()
    blocks = np.zeros((num_frames + 3, HOP), dtype=np.float32)
    for part in range(N_FFT // HOP):
        blocks[part : part + num_frames] += frames[:, part * HOP : (part + 1) * HOP]
    return blocks.reshape(-1)[start : start + num_samples] * np.float32(0.5)


def band_gains(low_hz: float, high_hz: float, *, order: float = 2) -> Signal:
    """Magnitudes (1, F) of a band pass."""
    f = np.maximum(bin_frequencies(), 1)
    high_pass = 1 / np.sqrt(1 + (low_hz / f) ** (2 * order))
    low_pass = 1 / np.sqrt(1 + (f / high_hz) ** (2 * order))
    return (high_pass * low_pass)[None].astype(np.float32)


def low_pass_gains(cutoff_hz: Signal, resonance: float) -> Signal:
    """Magnitudes (T, F) of a resonant low pass whose corner moves; falls by 24 dB an octave."""
    ratio = bin_frequencies()[None] / np.maximum(cutoff_hz, 30)[:, None]
    damping = 1 / max(resonance, 0.3)
    first = 1 / np.sqrt((1 - ratio**2) ** 2 + (damping * ratio) ** 2)
    return (first / np.sqrt(1 + ratio**4)).astype(np.float32)


def at_frames(values: Signal, num_samples: int) -> Signal:
    """Values per sample, read at the frames of a moving filter."""
    places = np.arange(frame_count(num_samples)) * HOP - (N_FFT // 2 - HOP)
    found: Signal = values[np.clip(places, 0, len(values) - 1)]
    return found
