"""The parts of a song: what musicians play, and what their sounds are like."""

import numpy as np
import pytest

from stemsplit.training.synth.articulation import SungNote, articulate
from stemsplit.training.synth.band import draw_values, place
from stemsplit.training.synth.bassline import play_bass
from stemsplit.training.synth.drumming import play_drums
from stemsplit.training.synth.effects import compression, convolved, equaliser, limiting
from stemsplit.training.synth.form import make_frame
from stemsplit.training.synth.kits import KITS, hit
from stemsplit.training.synth.melody import transposed, write_vocals
from stemsplit.training.synth.mixdown import master, mix_bass
from stemsplit.training.synth.phonemes import LANGUAGES, Syllable, make_words
from stemsplit.training.synth.signals import (
    SAMPLE_RATE,
    classic_table,
    frame_count,
    shaped,
)
from stemsplit.training.synth.singing import Throat, sing
from stemsplit.training.synth.sounds import SOUNDS
from stemsplit.training.synth.tables import between
from stemsplit.training.synth.theory import Key, chord_on, frequency
from stemsplit.training.synth.tones import make_note
from stemsplit.training.synth.voices import VOICES

_THROAT = Throat(1.0, 0.1, 0.03, 5.5, 30, 0.003, 0.0, 3.0)


def _centroid(sound: np.ndarray) -> float:
    power = np.abs(np.fft.rfft(sound)) ** 2
    return float((power * np.fft.rfftfreq(len(sound), 1 / SAMPLE_RATE)).sum() / power.sum())


def test_chords_of_a_key_are_in_its_scale() -> None:
    key = Key(2, "dorian")
    for degree in range(7):
        assert all(key.has(c) for c in chord_on(key, degree, sevenths=True).classes)
    assert chord_on(Key(0, "major"), 4, sevenths=False).classes == (7, 11, 2)


def test_steps_of_a_scale_begin_at_its_nearest_pitch() -> None:
    key = Key(0, "major")
    assert [key.step(60, steps) for steps in (-1, 0, 1, 2, 7)] == [59, 60, 62, 64, 72]
    assert key.step(61, 0) in (60, 62)
    assert (key.step(0, -3), key.step(127, 3)) == (12, 119)


def test_a4_is_440_hz() -> None:
    assert frequency(69) == 440
    assert frequency(57) == 220


@pytest.mark.parametrize("name", SOUNDS)
def test_every_sound_is_finite_and_in_tune(name: str) -> None:
    draw = np.random.default_rng(4)
    values = draw_values(draw, name)
    note = make_note(draw, SOUNDS[name].engine, values, frequency=220, seconds=0.5, velocity=0.8)
    assert np.isfinite(note).all()
    assert 0.01 < np.abs(note).max() < 20
    power = np.abs(np.fft.rfft(note * np.hanning(len(note)))) ** 2
    hertz = np.fft.rfftfreq(len(note), 1 / SAMPLE_RATE)
    near = np.zeros(len(hertz), dtype=bool)
    for harmonic in np.arange(0.5, 12, 0.5):
        near |= np.abs(hertz / (220 * harmonic) - 1) < 0.04
    if SOUNDS[name].engine in ("subtractive", "string", "organ"):
        assert power[near].sum() > 0.5 * power.sum()


@pytest.mark.parametrize("kit", KITS)
def test_drums_sound_like_themselves(kit: str) -> None:
    draw = np.random.default_rng(1)
    kick, snare, hat = (hit(draw, draw, KITS[kit], drum, 0.9) for drum in ("kick", "snare", "hat"))
    assert _centroid(kick) < 600 < _centroid(hat) / 5
    assert _centroid(kick) < _centroid(snare) < _centroid(hat)
    assert all(np.isfinite(sound).all() for sound in (kick, snare, hat))


def test_harder_strokes_are_louder() -> None:
    draw = np.random.default_rng(2)
    loud, soft = (np.abs(hit(draw, draw, KITS["studio"], "snare", v)).max() for v in (1.0, 0.3))
    assert loud > 3 * soft


def test_drums_and_bass_stay_within_the_song_and_on_its_grid() -> None:
    for seed in range(5):
        draw = np.random.default_rng(seed)
        frame = make_frame(draw, "train")
        strokes, notes = play_drums(draw, frame), play_bass(draw, frame)
        end = frame.seconds + 1
        assert all(0 <= stroke.start < end and 0 < stroke.velocity <= 1 for stroke in strokes)
        assert all(0 <= note.start < end and 24 <= note.pitch < 80 for note in notes)
        assert [stroke.start for stroke in strokes] == sorted(stroke.start for stroke in strokes)


def test_singers_take_rests_and_sing_one_note_at_a_time() -> None:
    draw = np.random.default_rng(3)
    frame = make_frame(draw, "train")
    lines = write_vocals(draw, frame, "sung", 60)
    lead = next(line for line in lines if line.role == "lead")
    for phrase in lead.phrases:
        ends = [note.start + note.seconds for note in phrase.notes]
        starts = [note.start for note in phrase.notes[1:]]
        assert all(end <= start + 1e-6 for end, start in zip(ends, starts, strict=False))
    sung = sum(phrase.end - phrase.start for phrase in lead.phrases)
    assert 0.15 * frame.seconds < sung < 0.9 * frame.seconds


@pytest.mark.parametrize(
    ("names", "lowest", "highest"),
    [
        (("baritone", "tenor", "crooner", "english man"), 45, 68),  # A2 to G#4
        (("belter", "chanteuse", "american woman", "soprano"), 56, 77),  # G#3 to F5
    ],
)
def test_leads_lie_where_people_sing(names: tuple[str, ...], lowest: int, highest: int) -> None:
    pitches: list[int] = []
    for seed in range(24):
        draw = np.random.default_rng(seed)
        centre = between(draw, VOICES[names[seed % len(names)]].centre)
        lines = write_vocals(draw, make_frame(draw, "train"), "sung", centre)
        leads = (line for line in lines if line.role == "lead")
        pitches += [n.pitch for line in leads for phrase in line.phrases for n in phrase.notes]
    assert lowest <= np.percentile(pitches, 5)
    assert np.percentile(pitches, 95) <= highest


@pytest.mark.parametrize("centre", [44.0, 57.0, 70.0])
def test_other_singers_sing_in_their_own_octave(centre: float) -> None:
    draw = np.random.default_rng(1)
    for line in write_vocals(draw, make_frame(draw, "train"), "choir", 66):
        assert line.voice != 0
        before, after = (
            np.array([n.pitch for phrase in one.phrases for n in phrase.notes])
            for one in (line, transposed(line, centre))
        )
        assert abs(float(after.mean()) - centre) <= 6
        assert len({*(after - before)}) == 1
        assert (after - before)[0] % 12 == 0


def test_a_voice_sings_the_pitch_it_is_given() -> None:
    draw = np.random.default_rng(5)
    notes = [SungNote(0.5, 1.5, 57, 0.8)]
    gestures = articulate(draw, _THROAT, notes, [Syllable("", "a")], 2.3)
    sound = sing(draw, _THROAT, gestures)[int(0.9 * SAMPLE_RATE) : int(1.9 * SAMPLE_RATE)]
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
    product = np.prod([spectrum[::k][:1000] for k in (1, 2, 3, 4)], axis=0)
    found = float(np.argmax(product[100:]) + 100)  # bins of 1 Hz
    assert abs(found / 220 - 1) < 0.03  # half a semitone: voices drift


def test_hisses_are_brighter_than_vowels() -> None:
    draw = np.random.default_rng(6)
    notes = [SungNote(0.5, 0.6, 55, 0.8)]
    gestures = articulate(draw, _THROAT, notes, [Syllable("s", "o")], 1.5)
    sound = sing(draw, _THROAT, gestures)
    hiss, vowel = sound[int(0.41 * SAMPLE_RATE) :][:2000], sound[int(0.7 * SAMPLE_RATE) :][:8000]
    assert _centroid(hiss) > 4000 > _centroid(vowel)


def test_words_are_as_many_as_notes() -> None:
    draw = np.random.default_rng(0)
    for language in LANGUAGES.values():
        assert len(make_words(draw, language, 9)) == 9


def test_an_equaliser_has_the_gains_it_is_asked_for() -> None:
    response = equaliser([(50, 0.0), (1000, -12.0), (8000, 6.0)])
    spectrum = 20 * np.log10(np.abs(np.fft.rfft(response[0], 1 << 15)))
    for hertz, gain in ((60, -0.7), (1000, -12), (8000, 6)):
        assert abs(spectrum[round(hertz / SAMPLE_RATE * (1 << 15))] - gain) < 0.7


def test_block_convolution_equals_the_direct_one() -> None:
    draw = np.random.default_rng(0)
    signal = draw.standard_normal((2, 20_000)).astype(np.float32)
    response = draw.standard_normal((1, 700)).astype(np.float32)
    direct = np.stack([np.convolve(channel, response[0])[:20_000] for channel in signal])
    # Single precision over 700 products of size 1.
    np.testing.assert_allclose(convolved(signal, response), direct, atol=1e-3)


def test_a_moving_filter_that_stands_open_changes_nothing() -> None:
    signal = np.random.default_rng(0).standard_normal(5000).astype(np.float32)
    gains = np.ones((frame_count(5000), 513), dtype=np.float32)
    np.testing.assert_allclose(shaped(signal, gains), signal, atol=1e-5)


def test_a_limiter_keeps_the_ceiling_and_leaves_the_quiet_alone() -> None:
    signal = 0.1 * np.random.default_rng(0).standard_normal((2, 40_000)).astype(np.float32)
    signal[:, 20_000:20_100] *= 20
    gain = limiting(signal, 0.9)
    assert np.abs(signal * gain).max() <= 0.9 * 1.02  # the rest is taken off the whole song
    assert gain[:10_000].min() > 0.99


def test_a_compressor_turns_loud_passages_down() -> None:
    signal = np.full((1, 44_100), 0.05, dtype=np.float32)
    signal[:, 20_000:] = 0.8
    gain = compression(signal, threshold_db=-6, ratio=4)
    assert gain[40_000] < 0.7 < 0.95 < gain[10_000]


def test_waves_have_no_harmonics_beyond_those_asked_for() -> None:
    spectrum = np.abs(np.fft.rfft(classic_table("saw", 8)))
    assert spectrum[1:9].min() > 1e-2 * spectrum.max()
    assert spectrum[9:].max() < 1e-4 * spectrum.max()


def _levels(sound: np.ndarray, *hertz: float) -> list[float]:
    """Magnitudes of a second of sound at some frequencies."""
    spectrum = np.abs(np.fft.rfft(sound[:SAMPLE_RATE] * np.hanning(SAMPLE_RATE)))
    return [float(spectrum[round(one)]) for one in hertz]


def test_a_square_wave_has_no_even_harmonics() -> None:
    values = {**draw_values(np.random.default_rng(1), "stab"), "shape": 1.0, "width": 0.3}
    values |= {"voices": 1.0, "sub": 0.0, "vibrato": 0.0, "cutoff": 19_000.0, "sustain": 1.0}
    draw = np.random.default_rng(2)
    sound = make_note(draw, "subtractive", values, frequency=220, seconds=1.2, velocity=0.8)
    odd, even = _levels(sound, 660, 440)
    assert even < 0.01 * odd


def test_high_bells_have_no_mirrored_partials() -> None:
    values = {**draw_values(np.random.default_rng(1), "toy piano"), "tine": 1.0, "ratio2": 15.0}
    draw = np.random.default_rng(2)
    sound = make_note(draw, "fm", values, frequency=2093, seconds=1.2, velocity=1.0)
    tone, mirrored = _levels(sound, 2093, 44_100 - 16 * 2093)
    assert mirrored < 1e-6 * tone


@pytest.mark.parametrize(("family", "highest_db"), [("synthbass", -3.0), ("sub", -10.0)])
def test_most_of_a_bass_lies_below_300_hz(family: str, highest_db: float) -> None:
    t = np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE
    buzz = sum(np.sin(2 * np.pi * 55 * k * t) for k in range(1, 40))  # as loud at 2 kHz as at 55 Hz
    track = np.stack([buzz, buzz]).astype(np.float32) * np.float32(0.05)
    for seed in range(6):
        made = mix_bass(np.random.default_rng(seed), track, family, drive=0.3)
        power = np.abs(np.fft.rfft(made[0])) ** 2
        edge = round(300 * len(made[0]) / SAMPLE_RATE)
        high_db = 10 * np.log10(power[edge:].sum() / power[:edge].sum())
        assert high_db < highest_db + 1.5  # what the slope of the equaliser leaves


def test_silence_is_mastered_to_silence() -> None:
    stems = {name: np.zeros((2, 3000), np.float32) for name in ("drums", "other")}
    for seed in range(8):
        made, _ = master(np.random.default_rng(seed), stems, -14.0)
        assert not any(stem.any() for stem in made.values())


def test_what_lies_outside_a_track_is_cut_off() -> None:
    track = np.zeros((2, 100), dtype=np.float32)
    sound = np.ones((1, 60), dtype=np.float32)
    place(track, sound, -30 / SAMPLE_RATE, 0.0)
    place(track, sound, 80 / SAMPLE_RATE, 0.0)
    place(track, sound, 3.0, 0.0)
    assert track[0].nonzero()[0].tolist() == [*range(30), *range(80, 100)]
