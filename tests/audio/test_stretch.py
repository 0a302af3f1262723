"""Pitch and tempo: measured on what comes out."""

import math

import pytest
import torch
from torch import Tensor

from stemsplit.audio.stretch import stretch
from stemsplit.errors import UnsupportedAudioError

RATE = 16_000


def tone(hz: float, seconds: float = 2.0) -> Tensor:
    time = torch.arange(round(seconds * RATE)) / RATE
    return (0.3 * torch.sin(2 * math.pi * hz * time)).expand(2, -1).contiguous()


def frequency(signal: Tensor) -> float:
    """The strongest frequency of the first channel in Hz."""
    power = torch.fft.rfft(signal[0] * torch.hann_window(signal.shape[1])).abs()
    return int(power.argmax()) * RATE / signal.shape[1]


@pytest.mark.parametrize("semitones", [-2, -1, 1, 2])
def test_pitch_moves_a_tone_and_leaves_its_length(semitones: int) -> None:
    changed = stretch(tone(440.0), RATE, pitch=2 ** (semitones / 12))
    assert changed.shape == (2, 2 * RATE)
    # Bins of half a hertz, and a filter that is off by two cents: together below four cents.
    cents = 1200 * math.log2(frequency(changed) / 440.0)
    assert cents == pytest.approx(100 * semitones, abs=4)


@pytest.mark.parametrize("tempo", [0.9, 1.1])
def test_tempo_changes_the_length_and_leaves_a_tone(tempo: float) -> None:
    changed = stretch(tone(440.0), RATE, tempo=tempo)
    assert changed.shape == (2, round(2 * RATE / tempo))
    assert abs(1200 * math.log2(frequency(changed) / 440.0)) < 4


def test_strokes_come_when_the_tempo_says() -> None:
    signal = torch.zeros(1, 4 * RATE)
    strokes = [RATE, 2 * RATE, 3 * RATE]
    noise = torch.randn(400, generator=torch.Generator().manual_seed(0))
    for stroke in strokes:
        signal[0, stroke : stroke + 400] = noise * torch.linspace(1, 0, 400)
    energy = stretch(signal, RATE, tempo=0.9)[0].square()
    for stroke in strokes:
        place = round(stroke / 0.9)
        around = energy[place - RATE // 4 : place + RATE // 4]
        found = (around * torch.arange(len(around))).sum() / around.sum() - RATE // 4
        assert abs(found) < 0.03 * RATE  # 20 ms early at most, and a stroke of 25 ms


@pytest.mark.parametrize("length", [1, 100, 1000, 4001])
def test_short_signals_keep_their_promise_of_length(length: int) -> None:
    signal = 0.1 * torch.randn(2, length, generator=torch.Generator().manual_seed(0))
    changed = stretch(signal, RATE, tempo=0.93, pitch=1.1)
    assert changed.shape == (2, round(length / 0.93))
    assert torch.isfinite(changed).all()


def test_channels_stay_the_same_where_they_were_the_same() -> None:
    changed = stretch(tone(300.0), RATE, pitch=1.1, tempo=1.05)
    assert torch.equal(changed[0], changed[1])


def test_silence_stays_silence_and_no_change_changes_nothing() -> None:
    silence = torch.zeros(2, 1000)
    assert torch.equal(stretch(silence, RATE, tempo=0.5), torch.zeros(2, 2000))
    signal = tone(440.0, 0.1)
    same = stretch(signal, RATE)
    assert torch.equal(same, signal)
    assert same.data_ptr() != signal.data_ptr()


def test_the_same_signal_gives_the_same_result() -> None:
    once, again = (stretch(tone(440.0, 0.5), RATE, pitch=1.1) for _ in range(2))
    assert torch.equal(once, again)


def test_an_ffmpeg_without_the_filter_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stemsplit.audio.stretch._FILTER", "rubberbandit")
    with pytest.raises(UnsupportedAudioError, match="this ffmpeg was built without rubberband"):
        stretch(tone(440.0, 0.1), RATE, pitch=1.1)
