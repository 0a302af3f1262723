"""Where sounds come from and under which terms, and which of them this machine has.

What is made here needs nothing else. Sampled sounds and spoken words are read from files of other
packages where they are installed; they are trained with and never shipped.
"""

import importlib.util
import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

FOLDERS_VARIABLE = "STEMSPLIT_SOUNDFONTS"  # further folders with SoundFonts, between colons


@dataclass(frozen=True)
class Source:
    """Something that sounds are made with."""

    summary: str
    licence: str
    origin: str
    """Package that brings it."""

    places: tuple[str, ...] = ()
    """Files, of which one must exist; ``module:path`` is within an installed Python module."""

    modules: tuple[str, ...] = ()
    """Python modules that must be installed to use it."""


_FONTS = "/usr/share/sounds/sf2"
_PLAYER = "pip install --no-deps tinysoundfont"  # its own dependency, PyAudio, is not needed

SOURCES: dict[str, Source] = {
    "synthesis": Source(
        "Drums, basses, instruments and singers made of oscillators and noise",
        "MIT",
        "stemsplit itself",
    ),
    "timgm": Source(
        "TimGM6mb, a General MIDI SoundFont by Tim Brechbill",
        "GPL-2.0",
        f"pip install pretty_midi, or Debian: timgm6mb-soundfont; {_PLAYER}",
        ("pretty_midi:TimGM6mb.sf2", f"{_FONTS}/TimGM6mb.sf2"),
        ("tinysoundfont",),
    ),
    "fluid": Source(
        "Fluid (R3), a General MIDI SoundFont by Frank Wen",
        "MIT",
        f"Debian: fluid-soundfont-gm; {_PLAYER}",
        (f"{_FONTS}/FluidR3_GM.sf2",),
        ("tinysoundfont",),
    ),
    "musescore": Source(
        "MuseScore General, a General MIDI SoundFont by S. Christian Collins, after Fluid",
        "MIT; parts CC0 or public domain",
        f"Debian: musescore-general-soundfont-small; {_PLAYER}",
        ("/usr/share/sounds/sf3/MuseScore_General_Lite.sf3",),
        ("tinysoundfont",),
    ),
    "red zeppelin": Source(
        "Red Zeppelin, an acoustic drum kit by Glen MacArthur",
        "GPL-2.0-or-later, as Debian packages it",
        f"Debian: avldrums.lv2-soundfont; {_PLAYER}",
        (f"{_FONTS}/Red_Zeppelin_4_LV2.sf2",),
        ("tinysoundfont",),
    ),
    "black pearl": Source(
        "Black Pearl, an acoustic drum kit by Glen MacArthur",
        "GPL-2.0-or-later, as Debian packages it",
        f"Debian: avldrums.lv2-soundfont; {_PLAYER}",
        (f"{_FONTS}/Black_Pearl_4_LV2.sf2",),
        ("tinysoundfont",),
    ),
    "espeak": Source(
        "eSpeak NG, a formant synthesiser of speech in a hundred languages",
        "GPL-3.0-or-later for the program; what it says is free of it",
        "pip install espeakng-loader",
        ("espeakng_loader:espeak-ng-data/phontab",),
    ),
    "flite": Source(
        "Flite with the CMU ARCTIC voices, made from recordings of four people",
        "BSD-like, of Carnegie Mellon University",
        "Debian: flite",
        ("/usr/bin/flite",),
    ),
}


@lru_cache(maxsize=32)
def find(name: str) -> Path | None:
    """The file of a source; None where it is not installed or cannot be used."""
    source = SOURCES[name]
    if any(importlib.util.find_spec(module) is None for module in source.modules):
        return None
    for place in source.places:
        path = _path_of(place)
        if path is not None and path.is_file():
            return path
    return None


def _path_of(place: str) -> Path | None:
    module, colon, inside = place.partition(":")
    if colon:
        spec = importlib.util.find_spec(module)
        if spec is None or spec.origin is None:
            return None
        return Path(spec.origin).parent / inside
    name = Path(place).name
    folders = [Path(folder) for folder in os.environ.get(FOLDERS_VARIABLE, "").split(":") if folder]
    return next((path for path in (f / name for f in folders) if path.is_file()), Path(place))


def available() -> tuple[str, ...]:
    """Names of the sources that can be used here."""
    found = [name for name in SOURCES if name == "synthesis" or find(name) is not None]
    return tuple(found)


def missing() -> tuple[str, ...]:
    """Names of the sources that cannot."""
    return tuple(name for name in SOURCES if name not in available())
