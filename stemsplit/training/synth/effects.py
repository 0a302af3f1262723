"""What a mixing desk does to a signal: equalisers, rooms, echoes, compressors, distortion.

Shapes: C audio channels, N samples, T frames, F frequency bins.
"""

from collections.abc import Sequence

import numpy as np

from stemsplit.training.synth.signals import (
    HOP,
    N_FFT,
    SAMPLE_RATE,
    Signal,
    as_signal,
    frame_count,
    samples,
    signal_of,
    spectrum,
)

_TAPS = 1024  # of an equaliser
_BLOCK = 1 << 13  # samples of a piece of a convolution, at least
_AT_ONCE = 1 << 16  # samples that are transformed together, so that they stay in the cache
_STEP = 128  # samples between values of a moving gain, 2.9 ms
_FLOOR = 1e-9


def equaliser(points: Sequence[tuple[float, float]]) -> Signal:
    """The impulse response (1, n) that has these gains.

    Args:
        points: frequency in Hz and gain in dB, rising in frequency; straight lines over the
            logarithm of the frequency between them.
    """
    f = np.fft.rfftfreq(2 * _TAPS, 1 / SAMPLE_RATE)
    hertz, gains = zip(*points, strict=True)
    decibels = np.interp(np.log2(np.maximum(f, 10)), np.log2(hertz), gains)
    # The least delay that magnitudes allow: the cepstrum folded onto positive times.
    cepstrum = np.fft.irfft(decibels * (np.log(10) / 20))
    cepstrum[1:_TAPS] *= 2
    cepstrum[_TAPS + 1 :] = 0
    response = np.fft.irfft(np.exp(np.fft.rfft(cepstrum)))[:_TAPS]
    response[_TAPS // 2 :] *= np.hanning(_TAPS)[_TAPS // 2 :]
    return response[None].astype(np.float32)


def pass_points(low_hz: float, high_hz: float) -> list[tuple[float, float]]:
    """Points of an equaliser that lets a band through, falling by 12 dB an octave beside it."""
    points = [(max(5.0, low_hz / 4), -24.0), (low_hz, -3.0), (low_hz * 1.5, 0.0)]
    if high_hz < 20_000:
        points += [(max(low_hz * 1.6, high_hz / 1.4), 0.0), (high_hz, -3.0), (high_hz * 3, -40.0)]
    return points


def convolved(signal: Signal, response: Signal) -> Signal:
    """A signal (C, N) through an impulse response (C or 1, n), cut to N samples."""
    taps = response.shape[-1]
    size = max(_BLOCK, 1 << (3 * taps - 1).bit_length())
    step = size - taps + 1
    num_samples = signal.shape[-1]
    count = -(-num_samples // step)
    padded = np.zeros((signal.shape[0], taps - 1 + count * step), dtype=np.float32)
    padded[:, taps - 1 : taps - 1 + num_samples] = signal
    pieces = np.lib.stride_tricks.sliding_window_view(padded, size, axis=-1)[:, ::step]
    transfer = spectrum(response, size)[:, None]
    channels = max(signal.shape[0], response.shape[0])
    found = np.empty((channels, count, step), dtype=np.float32)
    batch = max(1, _AT_ONCE // size)
    for first in range(0, count, batch):
        part = spectrum(pieces[:, first : first + batch]) * transfer
        found[:, first : first + batch] = signal_of(part, size)[..., taps - 1 :]
    return found.reshape(channels, -1)[:, :num_samples]


def room(draw: np.random.Generator, seconds: float, *, dark: float, wait: float = 0.01) -> Signal:
    """The echo (2, n) of a room.

    Args:
        draw: of its reflections.
        seconds: until it has fallen by 60 dB.
        dark: 0 a tiled room, 1 one with curtains.
        wait: seconds until the first reflection.
    """
    count = samples(min(seconds, 4.0) * 0.8)
    t = np.arange(count, dtype=np.float32) / SAMPLE_RATE
    air = draw.standard_normal((2, count), dtype=np.float32)
    bright = air * np.exp(-6.9 * t / (seconds * (1 - 0.75 * dark)))
    walk = as_signal(np.cumsum(air, axis=-1))
    walk[:, 24:] -= walk[:, :-24].copy()
    late = walk / np.float32(10) * np.exp(-6.9 * t / seconds)
    tail = as_signal(0.6 * bright * (1 - 0.6 * dark) + 0.7 * late)
    tail *= np.minimum(t / 0.02, 1)
    for place in draw.uniform(0.002, 0.06, 10):
        tail[int(draw.integers(2)), min(count - 1, samples(place))] += draw.normal(0, 4) * np.exp(
            -place * 20
        )
    tail = np.concatenate([np.zeros((2, samples(wait)), np.float32), tail], axis=-1)
    tail -= tail.mean(axis=-1, keepdims=True)
    return as_signal(tail / np.sqrt((tail**2).sum(axis=-1, keepdims=True)))


def echoed(signal: Signal, seconds: float, feedback: float, *, crossing: bool) -> Signal:
    """Repeats (2, N) of a signal, without the signal itself; they may change sides."""
    found = np.zeros_like(signal)
    shift, level = samples(seconds), feedback
    current = signal
    for turn in range(1, 7):
        if level < 0.03 or turn * shift >= signal.shape[-1]:
            break
        current = current[::-1] if crossing else current
        found[:, turn * shift :] += current[:, : -turn * shift] * np.float32(level)
        level *= feedback
    return found


def chorused(
    draw: np.random.Generator, signal: Signal, *, depth_seconds: float, rate_hz: float
) -> Signal:
    """A signal (2, N) with a copy that wavers in time, differently on either side."""
    num_samples = signal.shape[-1]
    t = np.arange(num_samples, dtype=np.float64)  # single precision cannot tell parts of a sample
    found = np.empty_like(signal)
    for channel in range(2):
        turn = 2 * np.pi * rate_hz / SAMPLE_RATE * t + draw.uniform(0, 6)
        late = (0.008 + depth_seconds * np.sin(turn)) * SAMPLE_RATE
        found[channel] = np.interp(t - late, t, signal[channel])
    return (signal + np.float32(0.7) * found) * np.float32(0.75)


def driven(signal: Signal, drive: float, *, lopsided: float = 0.0) -> Signal:
    """Soft saturation: 0 next to nothing, 1 a distorted amplifier."""
    level = float(np.sqrt(np.mean(signal**2)) + _FLOOR)
    gain = 10 ** (drive * 2.2) * 0.12 / level
    found = np.tanh(signal * np.float32(gain) + np.float32(lopsided)) - np.tanh(lopsided)
    return as_signal(found * np.float32((1 + 2 * drive) / gain))


def compressed(
    signal: Signal,
    *,
    threshold_db: float,
    ratio: float,
    attack: float = 0.01,
    release: float = 0.15,
) -> Signal:
    """A signal (C, N) whose loud passages are turned down; the threshold is over its mean level."""
    return signal * compression(
        signal, threshold_db=threshold_db, ratio=ratio, attack=attack, release=release
    )


def compression(
    signal: Signal,
    *,
    threshold_db: float,
    ratio: float,
    attack: float = 0.01,
    release: float = 0.15,
) -> Signal:
    """The gain (N,) of a compressor that listens to a signal (C, N)."""
    power = _in_steps(signal**2, "mean")
    active = power[power > power.max(initial=0) * 1e-4]
    if len(active) == 0:
        return np.ones(signal.shape[-1], dtype=np.float32)
    level = 10 * np.log10(np.maximum(power, _FLOOR) / active.mean())
    over = np.maximum(0, level - threshold_db) * (1 - 1 / ratio)
    smooth = _follow(over, attack, release)
    return _per_sample(10 ** (-smooth / 20), signal.shape[-1])


def limiting(signal: Signal, ceiling: float, *, release: float = 0.08) -> Signal:
    """The gain (N,) that keeps a signal (C, N) at or below a ceiling."""
    peak = _in_steps(np.abs(signal), "max")
    wanted = np.minimum(1, ceiling / np.maximum(peak, _FLOOR))
    # Two steps on either side: the gain is down before the peak comes.
    held = np.min([np.roll(np.pad(wanted, 2, mode="edge"), s)[2:-2] for s in range(-2, 3)], axis=0)
    recovered = 10 ** (-_follow(-20 * np.log10(held), 1e-4, release) / 20)
    kernel = np.ones(3) / 3
    smooth = np.convolve(np.pad(np.minimum(recovered, held), 1, mode="edge"), kernel, "valid")
    return _per_sample(smooth, signal.shape[-1])


def _in_steps(values: Signal, what: str) -> np.ndarray:
    count = -(-values.shape[-1] // _STEP)
    padded = np.zeros((values.shape[0], count * _STEP), dtype=np.float32)
    padded[:, : values.shape[-1]] = values
    blocks = padded.reshape(values.shape[0], count, _STEP)
    found: np.ndarray = blocks.mean(axis=(0, 2)) if what == "mean" else blocks.max(axis=(0, 2))
    return found.astype(np.float64)


def _follow(values: np.ndarray, attack: float, release: float) -> np.ndarray:
    """Values that rise as fast as `attack` and fall as slowly as `release` let them."""
    up = 1 - float(np.exp(-_STEP / SAMPLE_RATE / attack))
    down = 1 - float(np.exp(-_STEP / SAMPLE_RATE / release))
    found, state = [], 0.0
    for value in values.tolist():
        state += (up if value > state else down) * (value - state)
        found.append(state)
    return np.array(found)


def _per_sample(values: np.ndarray, num_samples: int) -> Signal:
    places = np.arange(num_samples, dtype=np.float32) / _STEP - 0.5
    return as_signal(np.interp(places, np.arange(len(values)), values))


def lossy_gains(mix: Signal, *, top_hz: float, depth_db: float) -> Signal:
    """What a lossy codec lets through of a mix (2, N): a mask (T, F) of zeros and ones.

    Bins far below their neighbours are dropped, and so is all above `top_hz`. The same mask on all
    stems leaves their sum what the codec would have made of the mix.
    """
    mono = mix.mean(axis=0)
    count = frame_count(len(mono))
    padded = np.zeros((count - 1) * HOP + N_FFT, dtype=np.float32)
    padded[N_FFT - HOP : N_FFT - HOP + len(mono)] = mono
    frames = np.lib.stride_tricks.sliding_window_view(padded, N_FFT)[::HOP]
    level = np.abs(spectrum(frames * np.hanning(N_FFT).astype(np.float32)))
    width = 24
    sums = np.cumsum(np.pad(level**2, ((0, 0), (width + 1, width)), mode="edge"), axis=-1)
    around = np.sqrt((sums[:, 2 * width + 1 :] - sums[:, : -2 * width - 1]) / (2 * width + 1))
    f = np.fft.rfftfreq(N_FFT, 1 / SAMPLE_RATE)
    allowed = 10 ** (-(depth_db - 10 * np.clip((f - 6000) / 8000, 0, 1)) / 20)
    kept = (level > around * allowed[None]) | (f < 3000)
    return as_signal(kept & (f < top_hz))
