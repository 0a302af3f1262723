"""Sounds of speech as data, and syllables made of them.

Formants are those of a man's voice; a singer's own size scales them. Source of the vowels: G. E.
Peterson, H. L. Barney, "Control methods used in a study of the vowels", JASA 24, 1952, table II.
"""

from dataclasses import dataclass

import numpy as np

from stemsplit.training.synth.tables import chance, choose

Formants = tuple[float, float, float]


@dataclass(frozen=True)
class Phoneme:
    """How a sound is made; what a vowel does not need is left at zero."""

    formants: Formants
    """In Hz; a consonant's are where the vowels beside it bend to."""

    voice: float = 1.0
    """Level of the vocal folds."""

    noise: float = 0.0
    """Level of the friction."""

    noise_hz: float = 3000
    """Centre of the friction."""

    noise_octaves: float = 0.8
    """Width of the friction, one deviation."""

    seconds: float = 0.07
    burst: bool = False
    """A closed mouth that opens: silence, then the friction."""

    nasal: bool = False


VOWELS: dict[str, Phoneme] = {
    "a": Phoneme((730, 1090, 2440)),
    "A": Phoneme((660, 1720, 2410)),
    "e": Phoneme((530, 1840, 2480)),
    "i": Phoneme((270, 2290, 3010)),
    "o": Phoneme((500, 840, 2410)),
    "u": Phoneme((300, 870, 2240)),
    "O": Phoneme((570, 840, 2410)),
    "V": Phoneme((640, 1190, 2390)),
    "I": Phoneme((390, 1990, 2550)),
    "U": Phoneme((440, 1020, 2240)),
    "R": Phoneme((490, 1350, 1690)),
    "y": Phoneme((280, 1850, 2150)),
    "@": Phoneme((500, 1450, 2450)),
}

CONSONANTS: dict[str, Phoneme] = {
    "s": Phoneme((320, 1700, 2600), 0, 0.55, 7500, 0.45, 0.12),
    "S": Phoneme((320, 1800, 2400), 0, 0.6, 3900, 0.5, 0.12),
    "f": Phoneme((340, 1100, 2100), 0, 0.16, 7000, 1.3, 0.1),
    "T": Phoneme((340, 1300, 2500), 0, 0.14, 6500, 1.2, 0.09),
    "h": Phoneme((500, 1500, 2500), 0, 0.25, 2200, 1.5, 0.07),
    "x": Phoneme((400, 1300, 2400), 0, 0.3, 2200, 0.8, 0.1),
    "z": Phoneme((290, 1700, 2600), 0.4, 0.32, 7500, 0.45, 0.09),
    "Z": Phoneme((290, 1800, 2400), 0.4, 0.35, 3900, 0.5, 0.09),
    "v": Phoneme((290, 1100, 2100), 0.5, 0.08, 6500, 1.2, 0.06),
    "D": Phoneme((290, 1300, 2500), 0.5, 0.08, 6000, 1.2, 0.05),
    "p": Phoneme((300, 900, 2100), 0, 0.4, 1400, 1.2, 0.09, burst=True),
    "t": Phoneme((320, 1750, 2650), 0, 0.6, 5200, 0.8, 0.09, burst=True),
    "k": Phoneme((320, 1700, 2200), 0, 0.5, 2400, 0.6, 0.1, burst=True),
    "b": Phoneme((260, 900, 2100), 0.15, 0.2, 900, 1.2, 0.06, burst=True),
    "d": Phoneme((260, 1700, 2600), 0.15, 0.3, 4200, 0.9, 0.06, burst=True),
    "g": Phoneme((260, 1700, 2200), 0.15, 0.3, 2200, 0.7, 0.07, burst=True),
    "C": Phoneme((320, 1800, 2400), 0, 0.65, 4000, 0.6, 0.14, burst=True),
    "J": Phoneme((280, 1800, 2400), 0.15, 0.45, 3800, 0.6, 0.1, burst=True),
    "m": Phoneme((250, 1000, 2200), 0.55, seconds=0.08, nasal=True),
    "n": Phoneme((250, 1600, 2500), 0.55, seconds=0.07, nasal=True),
    "N": Phoneme((250, 1900, 2300), 0.5, seconds=0.08, nasal=True),
    "l": Phoneme((360, 1100, 2600), 0.65, seconds=0.07),
    "r": Phoneme((330, 1150, 1500), 0.6, seconds=0.07),
    "w": Phoneme((290, 650, 2200), 0.6, seconds=0.07),
    "j": Phoneme((270, 2250, 3000), 0.6, seconds=0.06),
}

PHONEMES = VOWELS | CONSONANTS


@dataclass(frozen=True)
class Syllable:
    """Consonants, a vowel that may turn into another, consonants."""

    onset: str
    vowels: str
    coda: str = ""


@dataclass(frozen=True)
class Language:
    """What syllables are made of; letters listed twice are twice as likely."""

    onsets: tuple[str, ...]
    vowels: tuple[str, ...]
    codas: tuple[str, ...]
    closed: float
    """Share of syllables that end with a consonant."""


LANGUAGES: dict[str, Language] = {
    "northern": Language(
        (*"stdnmlrwhbkfgDjpvSC", "st", "tr", "pl", "br", "gr", "sl", "fl", "kr", ""),
        ("a", "e", "i", "o", "u", "V", "I", "A", "aI", "eI", "oU", "O", "R", "aU"),
        ("n", "t", "s", "d", "l", "m", "z", "k", "N", "r", "nd", "st", "ts", "v"),
        0.55,
    ),
    "southern": Language(
        (*"stdnmlrbkfgpvCJ", "tr", "pr", "br", ""),
        ("a", "a", "e", "i", "o", "o", "u", "ia", "ue"),
        ("n", "s", "r", "l"),
        0.2,
    ),
    "eastern": Language(
        (*"kstnhmjrwgzdbSCJ", ""),
        ("a", "i", "u", "e", "o", "a", "o"),
        ("n", "N"),
        0.15,
    ),
    "rounded": Language(
        (*"stdnmlrbkfgpvZSx", "tr", "kr", "bl", ""),
        ("y", "e", "i", "a", "o", "u", "@", "O", "R"),
        ("r", "t", "s", "l", "x", "n", "m"),
        0.35,
    ),
    "open": Language(("", "", "h", "l", "n", "j"), ("a", "o", "u", "a", "oU"), ("",), 0.0),
}


def make_words(draw: np.random.Generator, language: Language, count: int) -> list[Syllable]:
    """As many syllables as a line needs; some come again, as words of songs do."""
    known = [_syllable(draw, language) for _ in range(max(3, count // 2))]
    return [
        choose(draw, known) if chance(draw, 0.35) else _syllable(draw, language)
        for _ in range(count)
    ]


def _syllable(draw: np.random.Generator, language: Language) -> Syllable:
    coda = choose(draw, language.codas) if chance(draw, language.closed) else ""
    return Syllable(choose(draw, language.onsets), choose(draw, language.vowels), coda)
