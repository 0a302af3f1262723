"""Sounds as data: the synthesised ones with their ranges, and the sampled ones of SoundFonts."""

from dataclasses import dataclass

from stemsplit.training.synth.tables import Range, Split


@dataclass(frozen=True)
class Sound:
    """A synthesised sound."""

    engine: str
    """Name in `tones.ENGINES`."""

    families: tuple[str, ...]
    """What it is used as."""

    ranges: dict[str, Range]
    """What a song draws; the rest is in `DEFAULTS`."""

    split: Split = "train"


@dataclass(frozen=True)
class Sampled:
    """A sound of a SoundFont."""

    font: str
    """Name in `sources.SOURCES`."""

    program: int
    families: tuple[str, ...]
    split: Split = "train"
    bank: int = 0


DEFAULTS: dict[str, dict[str, Range]] = {
    "subtractive": {
        "shape": (0, 1.99), "width": (0.1, 1), "voices": (1, 3.99), "detune": (4, 22),
        "vibrato": (0, 0.003),
        "sub": (-0.3, 0.3), "attack": (0.002, 0.02), "fall": (0.1, 0.8), "sustain": (0.3, 0.9),
        "release": (0.05, 0.3), "sweep": (0, 3), "sweep_sustain": (0.1, 0.7), "cutoff": (500, 4000),
        "resonance": (0.7, 3)},
    "fm": {
        "attack": (0.001, 0.004), "fall": (0.8, 2.5), "sustain": (0.05, 0.4), "release": (0.1, 0.4),
        "ratio": (1, 1), "index": (0.6, 2.5), "bright_seconds": (0.4, 2), "tine": (0, 0.35),
        "ratio2": (7, 15),
        "tine_seconds": (0.1, 0.5), "tremolo": (0, 0.25)},
    "string": {
        "strings": (1, 1), "detune": (1, 8), "bright": (0.1, 0.6), "place": (0.08, 0.35),
        "tilt": (0.2, 0.9),
        "ring": (1.5, 6), "damp_hz": (1500, 7000), "release": (0.06, 0.3), "body": (300, 1500),
        "thump": (0.05, 0.3)},
    "organ": {**dict.fromkeys("abcdefghi", (0.0, 1.0)), "a": (0.4, 1), "b": (0.4, 1),
        "speed": (0.7, 7), "depth": (0, 1), "click": (0, 0.4)},
    "bowed": {
        "players": (1, 1), "wander": (2, 8), "vibrato": (8, 35), "attack": (0.03, 0.12),
        "sustain": (0.7, 1),
        "release": (0.06, 0.25), "breath": (0.02, 0.2), "formant1": (280, 700), "formant2": (900,
        1900),
        "formant3": (2200, 4500), "cutoff": (1500, 7000), "swell": (0, 0.5)},
    "modal": {
        "stretch": (0.2, 1.0), "ring": (0.4, 2.5), "damp": (0.3, 1.5), "fall": (0.3, 0.8),
        "strike": (0, 0.5),
        "release": (0.3, 1.5)},
}  # fmt: skip

_SPLITS: dict[str, Split] = {"v": "valid", "t": "test"}


def _s(engine: str, families: str, split: str = "", **ranges: Range) -> Sound:
    return Sound(engine, tuple(families.split()), ranges, _SPLITS.get(split, "train"))


SOUNDS: dict[str, Sound] = {
    "saw bass": _s("subtractive", "synthbass", sub=(0.1, 0.8), cutoff=(250, 900), sweep=(0.5, 3.5),
                   shape=(0, 0.9), voices=(1, 2.9), detune=(2, 12)),
    "square bass": _s("subtractive", "synthbass", shape=(1, 1.9), cutoff=(250, 800),
                      voices=(1, 1.9)),
    "acid bass": _s("subtractive", "synthbass", shape=(0, 1.9), resonance=(3, 9), sweep=(2, 4.5),
                    cutoff=(150, 400), fall=(0.08, 0.3), voices=(1, 1)),
    "growl bass": _s("fm", "synthbass", ratio=(0.5, 2.2), index=(2, 6), bright_seconds=(0.3, 3),
                     tine=(0, 0), sustain=(0.6, 1), tremolo=(0, 0.6)),
    "sine bass": _s("subtractive", "sub", shape=(3, 3.9), voices=(1, 1), cutoff=(200, 900),
                    sustain=(0.7, 1), sweep=(0, 1.5), sub=(0, 0.3), fall=(0.3, 2)),
    "long eight": _s("fm", "sub", ratio=(1, 1), index=(0.05, 0.9), tine=(0, 0), fall=(1, 3),
                     sustain=(0.3, 0.8), bright_seconds=(0.1, 0.6), tremolo=(0, 0)),
    "finger bass": _s("string", "finger", bright=(0.02, 0.08), place=(0.12, 0.3), tilt=(0.5, 1.2),
                      ring=(1.5, 4), damp_hz=(700, 2500), thump=(0.1, 0.4), body=(150, 600)),
    "pick bass": _s("string", "pick", bright=(0.06, 0.3), place=(0.06, 0.2), tilt=(0.3, 0.8),
                    ring=(2, 5), damp_hz=(1500, 4000), thump=(0.1, 0.4)),
    "upright bass": _s("string", "upright", bright=(0.015, 0.06), tilt=(0.6, 1.4), ring=(0.8, 2),
                       damp_hz=(400, 1500), thump=(0.3, 0.8), body=(120, 500), release=(0.1, 0.3)),
    "muted bass": _s("string", "finger pick", bright=(0.01, 0.05), place=(0.06, 0.3),
                     tilt=(0.4, 1.2), ring=(0.3, 1.2), damp_hz=(300, 1200), thump=(0.1, 0.6),
                     body=(150, 700)),
    "two saws": _s("subtractive", "synthbass", shape=(0, 0.9), voices=(2, 3.9), detune=(10, 40),
                   cutoff=(150, 700), sweep=(0, 2), sustain=(0.7, 1), sub=(0, 0.6)),
    "steel guitar": _s("string", "guitar", bright=(0.2, 0.7), ring=(2, 5), damp_hz=(2500, 8000)),
    "nylon guitar": _s("string", "guitar", bright=(0.06, 0.25), ring=(1, 3), damp_hz=(1200, 4000),
                       tilt=(0.5, 1.0)),
    "electric guitar": _s("string", "guitar distorted lead", bright=(0.1, 0.4), ring=(3, 8),
                          damp_hz=(2000, 6000), thump=(0, 0.1)),
    "twelve strings": _s("string", "guitar", strings=(2, 2), detune=(6, 16), bright=(0.3, 0.8)),
    "wire piano": _s("string", "piano", strings=(2, 3.9), detune=(0.5, 4), bright=(0.1, 0.4),
                     place=(0.1, 0.13), tilt=(0.4, 0.8), ring=(3, 8), damp_hz=(1500, 5000),
                     thump=(0.15, 0.4), release=(0.1, 0.25)),
    "tine piano": _s("fm", "keys piano", index=(0.5, 1.6), tine=(0.1, 0.4)),
    "reed piano": _s("fm", "keys", ratio=(2, 2), index=(0.4, 1.4), tine=(0, 0.1)),
    "glass keys": _s("fm", "keys bell pluck", ratio=(2, 5), index=(0.5, 2), fall=(0.5, 1.5)),
    "drawbars": _s("organ", "organ"),
    "full organ": _s("organ", "organ keys", d=(0.5, 1), f=(0.4, 1), i=(0.3, 1), depth=(0.4, 1)),
    "warm pad": _s("subtractive", "pad", attack=(0.15, 0.8), release=(0.4, 1.0), voices=(3, 5.9),
                   cutoff=(500, 2200), sweep=(0, 1), sustain=(0.8, 1), fall=(1, 2)),
    "bright pad": _s("subtractive", "pad synth", attack=(0.05, 0.4), release=(0.3, 0.8),
                     voices=(3, 6.9), cutoff=(2000, 7000), sustain=(0.8, 1), detune=(10, 30)),
    "super saw": _s("subtractive", "synth lead", shape=(0, 0.9), voices=(5, 7.9), detune=(15, 40),
                    cutoff=(2500, 9000), sustain=(0.7, 1)),
    "synth brass": _s("subtractive", "brass synth", shape=(0, 0.9), attack=(0.02, 0.07),
                      sweep=(1, 3), cutoff=(500, 1500), sweep_sustain=(0.4, 0.8)),
    "pluck": _s("subtractive", "pluck", sustain=(0, 0.1), fall=(0.1, 0.4), sweep=(2, 4.5),
                cutoff=(300, 1200)),
    "square lead": _s("subtractive", "lead synth", shape=(1, 2.9), voices=(1, 2.9),
                      vibrato=(0.002, 0.006), cutoff=(1500, 6000), sustain=(0.7, 1)),
    "section": _s("bowed", "strings", players=(3, 4.9), attack=(0.08, 0.3), release=(0.2, 0.5)),
    "fiddle": _s("bowed", "strings lead", vibrato=(15, 35), cutoff=(2500, 8000)),
    "horns": _s("bowed", "brass", players=(1, 3.9), vibrato=(2, 15), attack=(0.02, 0.06),
                formant1=(400, 700), formant2=(1000, 1500), breath=(0.01, 0.06)),
    "reed": _s("bowed", "brass lead flute", attack=(0.02, 0.07), breath=(0.05, 0.25),
               formant1=(500, 900), vibrato=(5, 30)),
    "pipe": _s("bowed", "flute", breath=(0.1, 0.5), cutoff=(600, 1800), vibrato=(10, 30)),
    "wooden bars": _s("modal", "mallet", stretch=(0.6, 1.2), ring=(0.3, 0.8)),
    "metal bars": _s("modal", "mallet bell", stretch=(0.5, 1.3), ring=(1.2, 3), strike=(0, 0.2)),
    # Kept out of training.
    "rubber bass": _s("subtractive", "synthbass sub", "v", shape=(2, 2.9), cutoff=(200, 700),
                      sweep=(1, 3), voices=(1, 1)),
    "flat bass": _s("string", "finger pick upright", "v", bright=(0.02, 0.15), tilt=(0.4, 1.1),
                    ring=(1, 3), damp_hz=(600, 2200), thump=(0.1, 0.5)),
    "archtop": _s("string", "guitar distorted", "v", bright=(0.08, 0.35), ring=(1.5, 5),
                  damp_hz=(1500, 5000)),
    "toy piano": _s("fm", "keys piano bell", "v", ratio=(1, 3), index=(0.3, 1.5), tine=(0.1, 0.3)),
    "pulse pad": _s("subtractive", "pad strings synth", "v", shape=(2, 2.9), attack=(0.05, 0.4),
                    voices=(2, 4.9), sustain=(0.8, 1), release=(0.2, 0.7)),
    "stab": _s("subtractive", "pluck synth lead brass", "v", fall=(0.15, 0.5), sustain=(0.1, 0.5),
               sweep=(1, 3)),
    "saloon piano": _s("string", "piano", "t", strings=(2, 3.9), detune=(4, 14), bright=(0.1, 0.35),
                       place=(0.1, 0.14), ring=(2, 6), damp_hz=(1500, 4500), thump=(0.1, 0.3)),
    "quartet": _s("bowed", "strings", "t", players=(2, 4.9), attack=(0.05, 0.2),
                  vibrato=(10, 30), release=(0.15, 0.4)),
    "poly": _s("subtractive", "synth pad pluck brass", "t", voices=(1, 3.9), cutoff=(400, 3000),
               sweep=(0.5, 3), release=(0.1, 0.6)),
    "felt bass": _s("string", "finger upright", "t", bright=(0.01, 0.05), tilt=(0.6, 1.3),
                    ring=(0.8, 2.5), damp_hz=(400, 1500), thump=(0.2, 0.6), body=(120, 500)),
    "round bass": _s("subtractive", "synthbass sub", "t", shape=(0, 1.9), cutoff=(120, 350),
                     sweep=(0, 2), sub=(0.2, 0.9), voices=(1, 1)),
    "pulse bass": _s("subtractive", "synthbass sub", "t", shape=(2, 2.9), width=(0.3, 1),
                     cutoff=(200, 900), resonance=(1, 5), voices=(1, 2.9), sub=(0, 0.6)),
    "short bass": _s("string", "finger pick upright", "t", bright=(0.03, 0.2), tilt=(0.3, 1.0),
                     ring=(0.6, 2), damp_hz=(800, 3000)),
    "parlour guitar": _s("string", "guitar distorted", "t", bright=(0.15, 0.5), ring=(1, 3),
                         damp_hz=(1500, 6000), thump=(0.1, 0.3)),
    "old organ": _s("organ", "organ keys piano", "t", a=(0.6, 1), c=(0.4, 1), g=(0.2, 0.9)),
    "air pad": _s("bowed", "pad strings synth", "t", players=(2, 3.9), attack=(0.1, 0.4),
                  breath=(0.2, 0.6), release=(0.2, 0.6)),
    "blown": _s("bowed", "brass flute lead", "t", attack=(0.02, 0.06), breath=(0.05, 0.2)),
}  # fmt: skip


_NOT_APART = {("timgm", program) for program in (19, 27, 43, 61, 105)}
"""Programs that play some of the recordings that others of their font play."""


def _gm(
    family: str,
    *programs: int,
    valid: int = -1,
    test: int = -1,
    fonts: tuple[str, ...] = ("fluid", "timgm"),
) -> dict[str, Sampled]:
    """Rows of General MIDI programs for every font; held out is what has recordings of its own."""
    rows = {}
    for font in fonts:
        for program in programs:
            split: Split = "valid" if program == valid else "test" if program == test else "train"
            split = "train" if (font, program) in _NOT_APART else split
            name = f"{font} {program} as {family}"
            rows[name] = Sampled(font, program, (family,), split)
    return rows


_MUSESCORE = ("musescore",)  # only its programs that play none of Fluid's recordings

SAMPLED: dict[str, Sampled] = {
    **_gm("finger", 33, 35),
    **_gm("pick", 34, 36, 37, valid=36, test=37),
    **_gm("upright", 32, 43, test=43),
    **_gm("synthbass", 38, 39),
    **_gm("piano", 0, 1, 2, 3),
    **_gm("keys", 4, 5, 6, 7, test=6),
    **_gm("organ", 16, 17, 18, 19, 21, valid=19, test=21),
    **_gm("guitar", 24, 25, 26, 27, 28, valid=27),
    **_gm("distorted", 29, 30),
    **_gm("strings", 40, 41, 42, 44, 45, 48, 49, 50),
    **_gm("brass", 56, 57, 58, 60, 61, 62, 63, 64, 65, 66, 67, valid=65, test=61),
    **_gm("flute", 68, 71, 72, 73, 74, 75, 77, valid=68, test=71),
    **_gm("lead", 80, 81, 84, 87, 22, 110),
    **_gm("pad", 88, 89, 90, 92, 94, 95),
    **_gm("mallet", 11, 12, 13, 108, valid=13, test=12),
    **_gm("bell", 8, 9, 10, 14, 98, valid=9, test=10),
    **_gm("pluck", 15, 46, 104, 105, 106, 107, valid=105, test=46),
    **_gm("synthbass", 38, 39, fonts=_MUSESCORE),
    **_gm("piano", 0, 1, 3, fonts=_MUSESCORE),
    **_gm("keys", 5, fonts=_MUSESCORE),
    **_gm("guitar", 25, test=25, fonts=_MUSESCORE),
    **_gm("strings", 42, 44, 45, 48, 49, 50, 51, test=42, fonts=_MUSESCORE),
    **_gm("brass", 62, 63, fonts=_MUSESCORE),
    **_gm("flute", 71, test=71, fonts=_MUSESCORE),
    **_gm("lead", 80, 81, 87, fonts=_MUSESCORE),
    **_gm("pad", 88, 89, 90, 92, 95, fonts=_MUSESCORE),
    **_gm("bell", 10, 98, test=10, fonts=_MUSESCORE),
}

# All for training: kits of one font share their cymbals and more.
SAMPLED_KITS: dict[str, Sampled] = {
    "fluid standard": Sampled("fluid", 0, ("acoustic",), bank=128),
    "fluid standard 2": Sampled("fluid", 2, ("acoustic",), bank=128),
    "fluid standard 5": Sampled("fluid", 5, ("acoustic",), bank=128),
    "fluid room": Sampled("fluid", 8, ("acoustic",), bank=128),
    "fluid room 4": Sampled("fluid", 12, ("acoustic",), bank=128),
    "fluid power": Sampled("fluid", 16, ("acoustic",), bank=128),
    "fluid electronic": Sampled("fluid", 24, ("electronic",), bank=128),
    "fluid 808": Sampled("fluid", 25, ("electronic",), bank=128),
    "fluid jazz": Sampled("fluid", 32, ("acoustic",), bank=128),
    "fluid brush": Sampled("fluid", 40, ("acoustic",), bank=128),
    "timgm standard": Sampled("timgm", 0, ("acoustic",), bank=128),
    "timgm room": Sampled("timgm", 8, ("acoustic",), bank=128),
    "timgm power": Sampled("timgm", 16, ("acoustic",), bank=128),
    "timgm electronic": Sampled("timgm", 24, ("electronic",), bank=128),
    "timgm 808": Sampled("timgm", 25, ("electronic",), bank=128),
    "timgm jazz": Sampled("timgm", 32, ("acoustic",), bank=128),
    "timgm brush": Sampled("timgm", 40, ("acoustic",), bank=128),
    "red zeppelin": Sampled("red zeppelin", 0, ("acoustic",)),
    "black pearl": Sampled("black pearl", 0, ("acoustic",)),
}
