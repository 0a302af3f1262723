"""Sounds that other packages bring; skipped where they are not installed."""

import numpy as np
import pytest

from stemsplit.training.synth.espeak import say
from stemsplit.training.synth.sampled import KEYS, lacks, sampled_hit, sampled_note
from stemsplit.training.synth.sounds import SAMPLED_KITS, Sampled
from stemsplit.training.synth.sources import find
from stemsplit.training.synth.speech import lines_of, spoken_line
from stemsplit.training.synth.voices import VOICES, source_of

_needs_font = pytest.mark.skipif(find("timgm") is None, reason="no SoundFont is installed")
_needs_speech = pytest.mark.skipif(find("espeak") is None, reason="eSpeak NG is not installed")
_PIANO = Sampled("timgm", 0, ("piano",))
_ORGAN = Sampled("timgm", 16, ("organ",))


@_needs_font
def test_a_sampled_note_is_in_tune_and_the_same_each_time() -> None:
    first = sampled_note(_PIANO, pitch=69, seconds=1, velocity=0.8)
    sampled_note(_PIANO, pitch=40, seconds=0.3, velocity=1)
    again = sampled_note(_PIANO, pitch=69, seconds=1, velocity=0.8)
    assert first.tobytes() == again.tobytes()
    spectrum = np.abs(np.fft.rfft(first.mean(axis=0)[:44_100]))
    assert abs(int(spectrum.argmax()) - 440) <= 3  # bins of 1 Hz


@_needs_font
@pytest.mark.parametrize("seconds", [0.2, 0.4, 0.8])
def test_the_end_of_a_sampled_note_does_not_click(seconds: float) -> None:
    made = sampled_note(_ORGAN, pitch=45, seconds=seconds, velocity=1)[0]
    end = round(seconds * 44_100)
    steps = np.abs(np.diff(made))
    assert steps[end - 2000 : end - 100].max() > 1e-3  # it sounds
    assert steps[end - 100 : end + 200].max() < 1.3 * steps[end - 2000 : end - 100].max()


@pytest.mark.parametrize("name", SAMPLED_KITS)
def test_every_drum_of_a_sampled_kit_sounds(name: str) -> None:
    kit = SAMPLED_KITS[name]
    if find(kit.font) is None:
        pytest.skip(f"{kit.font} is not installed")
    for drum in KEYS:
        if lacks(kit, drum):
            assert drum == "conga"
            continue
        for other in (False, True):
            made = sampled_hit(kit, drum, 0.9, other=other)
            assert np.isfinite(made).all()
            assert 0.5 < np.abs(made).max() <= 1, (drum, other)
            assert 0.03 < made.shape[-1] / 44_100 < 4.5


@_needs_font
def test_a_sampled_note_can_be_tuned() -> None:
    spectra = [
        np.abs(np.fft.rfft(made[0, :44_100], 441_000))
        for made in (
            sampled_note(_ORGAN, pitch=69, seconds=1, velocity=0.8, tuning=tuning)
            for tuning in (0.0, 0.5, 0.0)
        )
    ]
    plain, sharp, again = (float(s[4000:5000].argmax() + 4000) / 10 for s in spectra)
    assert plain == again
    assert abs(1200 * np.log2(sharp / plain) - 50) < 3


@_needs_font
def test_the_body_of_a_sampled_note_moves_and_its_pitch_stays() -> None:
    cello = Sampled("timgm", 42, ("strings",))
    made = [
        sampled_note(cello, pitch=57, seconds=1, velocity=0.8, body=body)[0, :44_100]
        for body in (0, 6)
    ]
    spectra = [np.abs(np.fft.rfft(sound)) for sound in made]
    harmonics = [[s[220 * k - 9 : 220 * k + 10].max() for k in range(1, 9)] for s in spectra]
    for spectrum, levels in zip(spectra, harmonics, strict=True):
        assert np.square(levels).sum() > 0.1 * np.square(spectrum).sum()  # at 220 Hz still
    plain, moved = (20 * np.log10(np.array(levels) / max(levels)) for levels in harmonics)
    assert np.abs(plain - moved).max() > 3  # dB


@_needs_font
@pytest.mark.parametrize(("program", "family"), [(14, "bell"), (11, "mallet"), (46, "pluck")])
def test_ringing_sounds_end_in_silence(program: int, family: str) -> None:
    made = sampled_note(Sampled("timgm", program, (family,)), pitch=72, seconds=0.2, velocity=0.9)
    peaks = np.abs(made).max(axis=0)
    last = peaks[-4410:-2205].max()
    assert last < 0.03  # 30 dB below the peak where the longest release is over
    steps = np.abs(np.diff(peaks[-8192:]))
    assert steps.max() < 0.1


@_needs_speech
@pytest.mark.parametrize("voice", ["en-us+f2", "de+m7", "ja+belinda"])
def test_spoken_lines_have_as_many_syllables_as_people_hear(voice: str) -> None:
    line = spoken_line(voice, 0)
    assert line is not None
    assert 5 <= len(line.units) <= 16
    assert all(unit.first <= unit.middle < unit.end for unit in line.units)
    assert all(a.end <= b.first + 1 for a, b in zip(line.units, line.units[1:], strict=False))
    assert np.isfinite(line.envelope).all()


@_needs_speech
def test_every_voice_can_say_its_lines() -> None:
    for name, voice in VOICES.items():
        if source_of(voice) == "espeak":
            lines = lines_of(voice.speech)
            assert len(say(voice.speech, lines)) == len(lines), name


@pytest.mark.skipif(find("flite") is None, reason="Flite is not installed")
def test_flite_says_the_same_lines_with_syllables() -> None:
    line = spoken_line("flite:slt", 0)
    assert line is not None
    assert 5 <= len(line.units) <= 16


@_needs_speech
def test_an_unknown_voice_says_nothing() -> None:
    assert say("xx-nobody", ("hello",)) == ()
