"""Pitched sounds made of oscillators: how each engine makes a note.

A sound is drawn once for a song, within the ranges of its row in `sounds.SOUNDS`; every note of the
song is then made with the same values.
"""

from collections.abc import Callable, Mapping

import numpy as np

from stemsplit.training.synth.signals import (
    SAMPLE_RATE,
    Signal,
    adsr,
    as_signal,
    at_frames,
    band_gains,
    classic_table,
    decay,
    faded,
    harmonics_below,
    low_pass_gains,
    noise,
    normalised,
    phase_of,
    play,
    samples,
    shaped,
    times,
    wave_table,
)

Values = Mapping[str, float]
Engine = Callable[[np.random.Generator, float, float, float, Values], Signal]


def subtractive(
    draw: np.random.Generator, frequency: float, seconds: float, velocity: float, v: Values
) -> Signal:
    """Detuned waves through a resonant low pass with an envelope of its own."""
    count = samples(seconds + v["release"])
    shape = ("saw", "square", "pulse", "triangle")[int(v["shape"])]
    width = round(0.1 + 0.3 * v["width"], 2) if shape == "pulse" else 0.5
    table = classic_table(shape, harmonics_below(frequency), width)
    voices = int(v["voices"])
    sway = 1 + v["vibrato"] * np.sin(2 * np.pi * 5.2 * times(count)) * np.minimum(
        times(count) * 2, 1
    )
    sound = np.zeros(count, dtype=np.float32)
    for place in np.linspace(-1, 1, voices) if voices > 1 else (0.0,):
        pitch = frequency * 2 ** (place * v["detune"] / 1200)
        sound += play(table, phase_of(pitch * sway, count) + draw.random())
    if v["sub"] > 0.05:
        half = phase_of(frequency / 2, count)
        sound += np.float32(v["sub"] * voices) * np.sin(2 * np.pi * half).astype(np.float32)
    envelope = adsr(count, v["attack"], v["fall"], v["sustain"], v["release"])
    opening = adsr(count, v["attack"] * 0.5, v["fall"] * 0.6, v["sweep_sustain"], v["release"])
    octaves = v["sweep"] * (0.4 + 0.6 * velocity) * opening
    cutoff = np.minimum(v["cutoff"] * (frequency / 220) ** 0.5 * 2**octaves, 19_000)
    gains = low_pass_gains(at_frames(cutoff.astype(np.float32), count), v["resonance"])
    return shaped(sound, gains) * envelope / np.float32(voices**0.6)


def fm(
    draw: np.random.Generator, frequency: float, seconds: float, velocity: float, v: Values
) -> Signal:
    """Two pairs of operators: electric pianos, bells, basses."""
    count = samples(seconds + v["release"])
    phase = 2 * np.pi * phase_of(frequency, count)
    envelope = adsr(count, v["attack"], v["fall"], v["sustain"], v["release"])
    index = min(v["index"] * (0.3 + velocity), _fm_room(frequency, v["ratio"]))
    depth = index * decay(count, v["bright_seconds"])
    body = np.sin(phase + depth * np.sin(phase * v["ratio"]))
    ratio = round(v["ratio2"])
    strike = min(1.2 * velocity, _fm_room(frequency, ratio))
    tine = np.sin(phase + strike * np.sin(phase * ratio))
    ring = decay(count, v["tine_seconds"])
    wobble = 1 + v["tremolo"] * np.sin(2 * np.pi * 5 * times(count))
    return as_signal((body + v["tine"] * tine * ring) * envelope * wobble)


def _fm_room(frequency: float, ratio: float) -> float:
    """The greatest index of modulation whose sidebands stay below the Nyquist frequency."""
    return max(0.0, (16_000 / frequency - 1) / max(ratio, 0.5) - 1)


def string(
    draw: np.random.Generator, frequency: float, seconds: float, velocity: float, v: Values
) -> Signal:
    """A plucked or struck string: a short noise that goes round in a loop and loses its highs."""
    ring = seconds + v["release"]
    sound = np.zeros(samples(ring), dtype=np.float32)
    for place in range(int(v["strings"])):
        detune = 2 ** (v["detune"] * (place - 0.5) / 1200) if v["strings"] > 1 else 1.0
        sound += _loop(draw, frequency * detune, len(sound), velocity, v)
    damped = np.minimum((ring - times(len(sound))) / v["release"], 1).clip(0) ** 2
    thump = shaped(noise(draw, min(len(sound), 4000)), band_gains(80, v["body"], order=1))
    sound[: len(thump)] += thump * decay(len(thump), 0.03) * np.float32(v["thump"] * velocity)
    return as_signal(sound * damped)


def _loop(
    draw: np.random.Generator, frequency: float, count: int, velocity: float, v: Values
) -> Signal:
    period = max(8, round(SAMPLE_RATE / frequency))
    spectrum = np.fft.rfft(draw.standard_normal(period))
    k = np.arange(len(spectrum))
    hardness = v["bright"] * (0.35 + 0.65 * velocity) * SAMPLE_RATE / 2 / frequency
    spectrum = spectrum / np.maximum(np.abs(spectrum), 1e-9) * np.exp(1j * 0)
    pluck = np.abs(np.sin(np.pi * k * v["place"])) + 0.05
    spectrum *= pluck * np.exp(-k / max(hardness, 2)) / np.maximum(k, 1) ** v["tilt"]
    spectrum[0] = 0
    # Every turn of the loop multiplies each harmonic by its loss.
    f = k * frequency
    fall = v["ring"] * (220 / max(frequency, 40)) ** 0.4 / (1 + (f / v["damp_hz"]) ** 1.5)
    loss = np.exp(-6.9 / frequency / np.maximum(fall, 0.01))
    rounds = -(-count // period) + 2
    powers = loss[None] ** np.arange(rounds)[:, None]
    cycles = np.fft.irfft(spectrum[None] * powers, n=period, axis=-1).reshape(-1)
    places = np.arange(count) * (frequency * period / SAMPLE_RATE)
    made = np.interp(places, np.arange(len(cycles)), cycles).astype(np.float32)
    return normalised(made) * np.minimum(times(count) * 1500, 1)


def organ(
    draw: np.random.Generator, frequency: float, seconds: float, velocity: float, v: Values
) -> Signal:
    """Drawbars through a rotating speaker, with a click of the key."""
    count = samples(seconds + 0.05)
    amplitudes = np.zeros(16, dtype=np.float32)
    for harmonic, level in zip((1, 2, 3, 4, 6, 8, 10, 12, 16), "abcdefghi", strict=True):
        if harmonic * frequency < 17_000:
            amplitudes[harmonic - 1] = v[level]
    t = times(count)
    turn = np.sin(2 * np.pi * v["speed"] * t + draw.uniform(0, 6)).astype(np.float32)
    phase = phase_of(frequency / 2, count) + 0.0007 * v["depth"] * turn * frequency / 100
    sound = play(wave_table(amplitudes), phase) * (1 + 0.25 * v["depth"] * turn)
    click = noise(draw, count) * decay(count, 0.015) * np.float32(v["click"])
    return as_signal((sound + click) * adsr(count, 0.006, 1, 1, 0.04))


def bowed(
    draw: np.random.Generator, frequency: float, seconds: float, velocity: float, v: Values
) -> Signal:
    """Bowed and blown sounds: players who begin and waver each in their own way, with a body."""
    count = samples(seconds + v["release"])
    table = classic_table("saw", harmonics_below(frequency, 16_000))
    t = times(count)
    sound = np.zeros(count, dtype=np.float32)
    for _ in range(int(v["players"])):
        slow = np.interp(t, np.linspace(0, t[-1] + 0.01, 8), draw.normal(0, v["wander"], 8))
        vibrato = v["vibrato"] * np.minimum(t * draw.uniform(1, 4), 1)
        sway = 2 ** ((slow + vibrato * np.sin(2 * np.pi * draw.uniform(4.6, 6.2) * t)) / 1200)
        sound += play(table, phase_of(frequency * sway, count) + draw.random())
    breath = noise(draw, count) * np.float32(v["breath"] * v["players"] ** 0.5)
    f = np.maximum(np.fft.rfftfreq(1024, 1 / SAMPLE_RATE), 20)
    body = 0.5 + sum(
        np.exp(-((np.log2(f / v[name]) * 2.2) ** 2))
        for name in ("formant1", "formant2", "formant3")
    )
    bright = v["cutoff"] * (0.5 + velocity)
    gains = (body / (1 + (f / bright) ** 2))[None].astype(np.float32)
    envelope = adsr(count, v["attack"] * (1.3 - 0.6 * velocity), 0.3, v["sustain"], v["release"])
    swell = 1 + v["swell"] * np.sin(np.pi * np.minimum(t / max(seconds, 0.05), 1))
    mixed = as_signal(sound + breath)
    share = np.float32(v["players"] ** -0.5)
    return as_signal(shaped(mixed, gains) * envelope * swell * share)


def modal(
    draw: np.random.Generator, frequency: float, seconds: float, velocity: float, v: Values
) -> Signal:
    """Bars and bells: a few partials that are not harmonic."""
    count = samples(min(seconds + v["release"], v["ring"]))
    t = times(count)
    sound = np.zeros(count, dtype=np.float32)
    for order in range(6):
        ratio = (order + 1) ** (1 + v["stretch"])
        if frequency * ratio > 17_000:
            break
        level = v["fall"] ** order * (0.5 + velocity) ** order
        fall = np.exp(-t * np.float32(6.9 / (v["ring"] / (1 + order * v["damp"]))))
        sound += np.float32(level) * fall * np.sin(2 * np.pi * np.float32(frequency * ratio) * t)
    strike = noise(draw, count) * decay(count, 0.012) * np.float32(v["strike"] * velocity)
    return faded(sound * np.minimum(t * 1200, 1) + strike, 0.03)


ENGINES: dict[str, Engine] = {
    "subtractive": subtractive,
    "fm": fm,
    "string": string,
    "organ": organ,
    "bowed": bowed,
    "modal": modal,
}


def make_note(
    draw: np.random.Generator,
    engine: str,
    values: Values,
    *,
    frequency: float,
    seconds: float,
    velocity: float,
) -> Signal:
    """A note (N,) whose level follows the velocity."""
    sound = ENGINES[engine](draw, frequency, seconds, velocity, values)
    return faded(sound) * np.float32(velocity**1.2)
