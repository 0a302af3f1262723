"""Musicians: how they tune, bend notes and hit drums."""

from itertools import pairwise

import numpy as np
import pytest

from stemsplit.training.synth.band import Drummer, Player, draw_drummer, within
from stemsplit.training.synth.bends import bent, warped
from stemsplit.training.synth.drumming import play_drums
from stemsplit.training.synth.form import make_frame
from stemsplit.training.synth.kits import KITS
from stemsplit.training.synth.score import Bend, Note, Stroke
from stemsplit.training.synth.signals import SAMPLE_RATE, times
from stemsplit.training.synth.sounds import SAMPLED_KITS, SOUNDS

_LINE = [Note(0.5 * i, 0.48, 60 + i % 5, 0.8) for i in range(400)]
_CHORDS = [Note(0.5 * (i // 3), 0.48, 60 + 4 * (i % 3), 0.8) for i in range(400)]


def _hertz(sound: np.ndarray) -> float:
    """The loudest frequency of a second of sound, to a fortieth of a Hz."""
    spectrum = np.abs(np.fft.rfft(sound[:SAMPLE_RATE] * np.hanning(SAMPLE_RATE), 40 * SAMPLE_RATE))
    return float(spectrum.argmax()) / 40


def test_songs_are_tuned_a_little_apart_and_some_exactly() -> None:
    cents = [100 * make_frame(np.random.default_rng(i), "train").tuning for i in range(80)]
    assert max(map(abs, cents)) <= 50
    assert 4 < np.std(cents) < 20
    assert 3 < cents.count(0.0) < 40


def test_a_player_follows_the_tuning_of_the_song() -> None:
    values = {"a": 1.0, **dict.fromkeys("bcdefghi", 0.0), "speed": 1.0, "depth": 0.0, "click": 0.0}
    organ = next(name for name, sound in SOUNDS.items() if sound.engine == "organ")
    note = [Note(0.0, 2.0, 69, 0.8)]
    flat, sharp = (
        Player(organ, values, 1, 0.0, tuning).play(note, 0.0, 2 * SAMPLE_RATE)[0]
        for tuning in (0.0, 0.3)
    )
    assert 1200 * np.log2(_hertz(sharp) / _hertz(flat)) == pytest.approx(30, abs=1)


def test_a_slide_begins_beside_the_pitch_and_ends_on_it() -> None:
    tone = np.sin(2 * np.pi * 440 * times(3 * SAMPLE_RATE))[None].astype(np.float32)
    made = warped(tone, Bend(slide=-2.0, slide_seconds=0.4))[0]
    crossings = np.flatnonzero((made[:-1] < 0) & (made[1:] >= 0))
    assert SAMPLE_RATE / (crossings[2] - crossings[1]) == pytest.approx(392, rel=0.02)
    assert _hertz(made[SAMPLE_RATE:]) == pytest.approx(440, rel=1e-4)


def test_a_bend_of_nothing_changes_nothing() -> None:
    sound = np.random.default_rng(0).standard_normal((2, 3000)).astype(np.float32)
    np.testing.assert_allclose(warped(sound, Bend()), sound, atol=1e-5)


def test_leads_bend_some_notes_while_chords_and_keys_bend_none() -> None:
    bends = [note.bend for note in bent(np.random.default_rng(3), _LINE, "lead")]
    assert 20 < sum(bend is not None for bend in bends) < 390
    assert any(bend is not None and bend.slide for bend in bends)
    assert any(bend is not None and bend.vibrato_cents for bend in bends)
    assert bent(np.random.default_rng(3), _CHORDS, "lead")[:-1] == _CHORDS[:-1]
    assert bent(np.random.default_rng(3), _LINE, "piano") == _LINE


def test_notes_are_heard_as_long_as_they_ring() -> None:
    note = [Note(0.0, 1.0, 60, 0.8)]
    assert within(note, 3.0, 1.0, ring_seconds=4.0) == note
    assert within(note, 3.0, 1.0, ring_seconds=1.0) == []


def _drummer(kit: str = "studio") -> Drummer:
    return Drummer({"": kit}, 7, 0.5, dict.fromkeys(("kick", "snare", "hat", "open"), 1.0))


@pytest.mark.parametrize("drum", ["kick", "snare", "hat"])
def test_no_two_strokes_of_a_drum_are_equal(drum: str) -> None:
    drummer = _drummer()
    made = [drummer.play([Stroke(0.0, drum, 0.8, n)], 0, 4000) for n in range(12)]
    assert len({sound.tobytes() for sound in made}) == 12
    # One after the other they are no louder or softer copies either.
    for first, second in pairwise(made):
        likeness = np.vdot(first, second) / np.linalg.norm(first) / np.linalg.norm(second)
        assert likeness < 0.99999


def test_a_stroke_sounds_the_same_wherever_it_is_read() -> None:
    strokes = [Stroke(0.6 * n, ("kick", "hat")[n % 2], 0.7, n // 2) for n in range(6)]
    whole = _drummer().play(strokes, 0.0, 4 * SAMPLE_RATE)
    later = _drummer().play(strokes[1:], 1.5, SAMPLE_RATE)
    np.testing.assert_array_equal(whole[:, 66_150 : 66_150 + SAMPLE_RATE], later)


def test_strokes_are_counted_by_drum() -> None:
    strokes = play_drums(np.random.default_rng(0), make_frame(np.random.default_rng(0), "train"))
    for drum in {stroke.drum for stroke in strokes}:
        numbers = [stroke.number for stroke in strokes if stroke.drum == drum]
        assert numbers == list(range(len(numbers)))


def test_an_open_hat_ends_where_the_hat_is_closed() -> None:
    strokes = [Stroke(0.0, "open", 0.9), Stroke(0.1, "hat", 0.05)]
    closed = _drummer().play(strokes, 0.0, SAMPLE_RATE)
    open_alone = _drummer().play(strokes[:1], 0.0, SAMPLE_RATE)
    end = round(0.14 * SAMPLE_RATE)
    hat = _drummer().play(strokes[1:], 0.0, SAMPLE_RATE)
    assert np.abs(open_alone[:, end:]).max() > 0.05
    np.testing.assert_allclose(closed[:, end:], hat[:, end:], atol=1e-6)


def test_drums_that_a_kit_lacks_are_of_another_one() -> None:
    for seed in range(60):
        drummer = draw_drummer(np.random.default_rng(seed), ("acoustic",), "train")
        if drummer.kit_of[""] in ("red zeppelin", "black pearl"):
            assert drummer.kit_of["conga"] in KITS
        assert all(kit in KITS or kit in SAMPLED_KITS for kit in drummer.kit_of.values())
