"""Singers at work: a vocal line becomes sound.

Shapes: N samples.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stemsplit.training.synth.articulation import SungNote, articulate, onset_seconds
from stemsplit.training.synth.band import place
from stemsplit.training.synth.melody import Phrase, VocalLine
from stemsplit.training.synth.phonemes import LANGUAGES, make_words
from stemsplit.training.synth.signals import (
    SAMPLE_RATE,
    Signal,
    band_gains,
    noise,
    samples,
    shaped,
)
from stemsplit.training.synth.singing import Gestures, Throat, sing
from stemsplit.training.synth.sources import find
from stemsplit.training.synth.speech import SpokenLine, lines_of, sing_line, spoken_line
from stemsplit.training.synth.tables import Split, between, choose, rows_of
from stemsplit.training.synth.voices import VOICES, Voice, source_of

_BEFORE = 0.45  # seconds of a phrase before its first vowel
_AFTER = 0.35


@dataclass
class Singer:
    """A person with a voice."""

    name: str
    """Row in `voices.VOICES`."""

    centre: float
    throat: Throat
    draw: np.random.Generator
    glide: float
    gasps: float
    """Share of phrases that begin with a breath."""

    tuning: float = 0.0
    """Semitones above an A of 440 Hz."""

    def sing(self, line: VocalLine, start: float, num_samples: int, *, late: float = 0.0) -> Signal:
        """A line (2, num_samples) from `start` seconds on, sung `late` seconds behind its notes."""
        track = np.zeros((2, num_samples), dtype=np.float32)
        until = start + num_samples / SAMPLE_RATE
        for number, phrase in enumerate(line.phrases):
            if phrase.end + _AFTER < start or phrase.start - _BEFORE > until:
                continue
            # Its own numbers, so that a phrase sounds the same in every stretch it is heard in.
            self.draw = np.random.default_rng(
                [phrase.words & 0xFFFF, number, round(late * 1e6) & 0xFFFF]
            )
            made = self._phrase(phrase, line.role)
            place(track, made[None], phrase.start - _BEFORE + late - start, 0.0)
        return track

    def _phrase(self, phrase: Phrase, role: str) -> Signal:
        begin = phrase.start - _BEFORE
        glide = 0.03 if phrase.kind == "rap" else self.glide
        notes = [
            SungNote(n.start - begin, n.seconds, n.pitch + self.tuning, n.velocity, glide)
            for n in phrase.notes
        ]
        seconds = phrase.end - begin + _AFTER
        made = sing(self.draw, self.throat, self._gestures(phrase, notes, seconds))
        if role in ("lead", "calls") and self.draw.random() < self.gasps:
            made = _with_gasp(self.draw, made)
        return made

    def _gestures(self, phrase: Phrase, notes: list[SungNote], seconds: float) -> Gestures:
        voice = VOICES[self.name]
        words = np.random.default_rng(phrase.words)
        lines = self._lines(voice, words) if phrase.kind != "hum" else []
        if lines:
            is_rap = phrase.kind == "rap"
            return sing_line(self.draw, self.throat, notes, lines, seconds, spoken=is_rap)
        language = LANGUAGES["open" if phrase.kind == "hum" else voice.language]
        syllables = make_words(words, language, len(notes))
        # A syllable that would begin before the phrase loses its consonants.
        if onset_seconds(syllables[0]) > _BEFORE - 0.1:
            syllables[0] = make_words(words, LANGUAGES["open"], 1)[0]
        return articulate(self.draw, self.throat, notes, syllables, seconds)

    def _lines(self, voice: Voice, words: np.random.Generator) -> list[SpokenLine]:
        if not voice.speech:
            return []
        count = len(lines_of(voice.speech))
        first = int(words.integers(count))
        found = [spoken_line(voice.speech, (first + more) % count) for more in range(2)]
        return [line for line in found if line is not None and line.units]


def draw_singer(
    draw: np.random.Generator, split: Split, *, tuning: float = 0.0, avoid: Sequence[str] = ()
) -> Singer:
    """Draw a voice and what it is like in this song."""
    rows = rows_of(VOICES, split)
    names = [
        name
        for name, row in rows.items()
        if name not in avoid and (not row.speech or find(source_of(row)) is not None)
    ]
    name = choose(draw, names or list(rows))
    voice = rows[name]
    throat = Throat(
        size=between(draw, voice.size),
        tilt=between(draw, voice.tilt),
        breath=between(draw, voice.breath),
        vibrato_hz=between(draw, voice.vibrato_hz),
        vibrato_cents=between(draw, voice.vibrato_cents),
        jitter=between(draw, voice.jitter),
        grit=between(draw, voice.grit),
        ring=between(draw, voice.ring),
    )
    centre, glide = between(draw, voice.centre), float(draw.uniform(0.03, 0.14))
    return Singer(name, centre, throat, draw, glide, float(draw.uniform(0, 0.6)), tuning)


def _with_gasp(draw: np.random.Generator, sound: Signal) -> Signal:
    """A breath taken before the first word."""
    count = min(len(sound), samples(draw.uniform(0.15, 0.35)))
    air = noise(draw, count) * np.sin(np.linspace(0, np.pi, count, dtype=np.float32)) ** 2
    air = shaped(air, band_gains(draw.uniform(700, 1500), draw.uniform(4000, 9000), order=1))
    level = float(np.abs(sound).max(initial=0)) * draw.uniform(0.02, 0.08)
    sound = sound.copy()
    sound[:count] += air * np.float32(level)
    return sound
