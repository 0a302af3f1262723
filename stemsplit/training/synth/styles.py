"""Styles as data: which tempo, harmony, grooves, instruments, singers and sound go together."""

from dataclasses import dataclass

from stemsplit.training.synth.tables import Range, Split


@dataclass(frozen=True)
class Style:
    """A kind of music."""

    bpm: Range
    grooves: tuple[str, ...]
    """Names in `grooves.GROOVES`, of the same split."""

    kits: tuple[str, ...]
    """Kinds of drum kits: acoustic, electronic; listed twice is twice as likely."""

    bass: tuple[str, ...]
    """Families of bass sounds: finger, pick, synthbass, sub, upright."""

    bass_lines: tuple[str, ...]
    """root, eighths, kick, walking, octaves, offbeat, riff, long."""

    roles: tuple[str, ...]
    """Families of the other instruments, the likeliest first."""

    comping: tuple[str, ...]
    """pad, strum, stab, arpeggio, block, offbeat, riff, picking."""

    harmony: tuple[str, ...]
    """Names in `theory.PROGRESSIONS`."""

    modes: tuple[str, ...] = ("major", "minor")
    split: Split = "train"
    swing: Range = (0.0, 0.08)
    """How late every second sixteenth is, as a share of a sixteenth; 0.33 is a triplet."""

    loose: Range = (0.004, 0.012)
    """Deviation of human timing in seconds."""

    sevenths: float = 0.2
    """Share of songs whose chords have sevenths."""

    parts: tuple[int, int] = (2, 4)
    """How many other instruments."""

    singing: tuple[str, ...] = ("sung", "sung", "sung", "belted")
    """Ways of singing: sung, belted, soft, rap, choir, none."""

    drive: Range = (0.0, 0.4)
    """Amplifier distortion of guitars and basses, from clean to much."""

    loudness: Range = (-17.0, -9.0)
    """Mean level of the mix in dB of full scale."""

    no_drums: float = 0.0
    """Share of songs without a drummer."""


STYLES: dict[str, Style] = {
    "rock": Style((95, 150), ("rock eight", "rock drive", "rock ride", "rock open", "rock half"),
        ("acoustic",), ("pick", "finger"), ("eighths", "kick", "root"),
        ("distorted", "distorted", "guitar", "organ", "lead"), ("strum", "riff", "eighths"),
        ("pop", "minor pop", "modal"), drive=(0.3, 0.9), loudness=(-13, -8),
        singing=("belted", "belted", "sung"), no_drums=0.02),
    "punk": Style((150, 205), ("punk", "rock drive"), ("acoustic",), ("pick",), ("eighths",),
        ("distorted", "distorted", "guitar"), ("eighths", "strum"), ("pop", "folk"),
        drive=(0.5, 1.0), loudness=(-12, -7), singing=("belted",), parts=(2, 3)),
    "metal": Style((90, 180), ("metal double", "rock drive", "rock half"), ("acoustic",),
        ("pick",), ("kick", "eighths", "riff"), ("distorted", "distorted", "lead", "strings"),
        ("riff", "eighths"), ("dark", "modal"), modes=("minor", "phrygian", "harmonic minor"),
        drive=(0.8, 1.0), loudness=(-11, -7), singing=("belted", "belted", "choir")),
    "pop": Style((85, 130), ("rock eight", "house", "disco", "ballad big", "trap"),
        ("acoustic", "electronic"), ("synthbass", "finger", "sub"), ("kick", "eighths", "octaves"),
        ("keys", "pad", "pluck", "guitar", "synth", "strings"),
        ("block", "stab", "arpeggio", "pad", "strum"), ("pop", "minor pop"), parts=(2, 5),
        loudness=(-13, -8)),
    "ballad": Style((58, 84), ("ballad", "ballad big", "slow twelve"), ("acoustic",),
        ("finger", "upright"), ("root", "long", "kick"),
        ("piano", "strings", "guitar", "keys", "pad"), ("block", "arpeggio", "pad", "picking"),
        ("pop", "minor pop"), sevenths=0.3, loudness=(-19, -12), no_drums=0.3,
        singing=("sung", "soft", "belted")),
    "singer and guitar": Style((70, 125), ("folk stomp", "ballad", "waltz"), ("acoustic",),
        ("upright", "finger"), ("root", "long"), ("guitar", "guitar", "piano", "strings"),
        ("picking", "strum"), ("folk", "pop"), parts=(1, 3), loudness=(-21, -13), no_drums=0.6,
        singing=("sung", "soft", "soft")),
    "country": Style((85, 140), ("country train", "rock eight", "waltz"), ("acoustic",),
        ("finger", "upright"), ("root", "walking"), ("guitar", "guitar", "piano", "strings",
        "organ"), ("strum", "picking"), ("folk", "pop"), modes=("major", "mixolydian"),
        loudness=(-16, -10)),
    "house": Style((118, 128), ("house", "deep house", "disco"), ("electronic",),
        ("synthbass", "sub"), ("offbeat", "kick", "octaves"), ("piano", "synth", "pad", "pluck",
        "organ"), ("stab", "pad", "arpeggio"), ("minor pop", "static", "modal"), sevenths=0.5,
        modes=("minor", "dorian"), loose=(0.0, 0.003), loudness=(-13, -8)),
    "techno": Style((124, 142), ("techno", "trance", "house"), ("electronic",),
        ("synthbass", "sub"),
        ("offbeat", "riff", "kick"), ("synth", "pad", "pluck", "bell"), ("stab", "arpeggio", "pad"),
        ("static", "dark"), modes=("minor", "phrygian"), loose=(0.0, 0.001), loudness=(-12, -8),
        singing=("none", "soft", "choir", "sung")),
    "trap": Style((130, 160), ("trap", "drill"), ("electronic",), ("sub",), ("kick", "long"),
        ("bell", "pluck", "pad", "piano", "strings"), ("arpeggio", "pad", "block"),
        ("static", "dark", "minor pop"), modes=("minor", "phrygian", "harmonic minor"),
        loose=(0.0, 0.002), loudness=(-12, -7), singing=("rap", "rap", "sung"), parts=(1, 3)),
    "hip hop": Style((78, 100), ("boom bap", "lofi", "breakbeat"), ("acoustic", "electronic"),
        ("sub", "upright", "finger"), ("kick", "riff", "root"), ("keys", "piano", "brass",
        "strings", "guitar"), ("block", "stab", "riff"), ("jazz", "static", "minor pop"),
        sevenths=0.7, modes=("minor", "dorian"), swing=(0.05, 0.25), loudness=(-14, -9),
        singing=("rap", "rap", "rap", "sung")),
    "lofi": Style((68, 88), ("lofi", "boom bap"), ("acoustic", "electronic"), ("upright", "sub"),
        ("root", "long"), ("keys", "guitar", "piano", "pad"), ("block", "picking", "pad"),
        ("jazz",), sevenths=1.0, swing=(0.1, 0.3), loudness=(-18, -12),
        singing=("none", "soft", "sung")),
    "funk": Style((92, 118), ("funk", "funk linear", "disco"), ("acoustic",),
        ("finger", "synthbass"),
        ("riff", "octaves", "kick"), ("guitar", "organ", "keys", "brass", "synth"),
        ("stab", "strum", "riff"), ("modal", "static", "blues"), sevenths=0.8,
        modes=("dorian", "mixolydian"), swing=(0.0, 0.15), drive=(0, 0.3)),
    "disco": Style((108, 126), ("disco", "house"), ("acoustic", "electronic"),
        ("finger", "synthbass"),
        ("octaves", "eighths"), ("strings", "guitar", "piano", "brass", "organ"),
        ("stab", "pad", "strum"), ("minor pop", "jazz"), sevenths=0.6),
    "soul": Style((65, 118), ("soul", "motown", "funk"), ("acoustic",), ("finger",),
        ("riff", "walking", "kick"), ("organ", "keys", "piano", "brass", "guitar", "strings"),
        ("block", "stab", "offbeat"), ("jazz", "pop", "blues"), sevenths=0.7, swing=(0, 0.2),
        loose=(0.006, 0.016), singing=("belted", "sung", "choir")),
    "reggae": Style((66, 92), ("reggae", "dancehall"), ("acoustic",), ("finger", "sub"),
        ("riff", "root"), ("organ", "guitar", "piano", "brass"), ("offbeat",),
        ("modal", "pop", "folk"), swing=(0, 0.2)),
    "bossa": Style((110, 150), ("bossa",), ("acoustic",), ("upright", "finger"), ("root",),
        ("guitar", "piano", "flute", "strings"), ("picking", "stab"), ("jazz",), sevenths=1.0,
        loudness=(-20, -13), no_drums=0.2, singing=("soft", "sung", "none")),
    "latin": Style((88, 116), ("salsa", "bossa", "dancehall"), ("acoustic",),
        ("upright", "finger"), ("offbeat", "riff"), ("piano", "brass", "guitar", "mallet"),
        ("riff", "stab"), ("modal", "jazz", "minor pop"), sevenths=0.5),
    "jazz": Style((100, 190), ("swing", "bossa"), ("acoustic",), ("upright",),
        ("walking",), ("piano", "brass", "guitar", "mallet", "organ", "flute"),
        ("stab", "block"), ("jazz", "blues"), sevenths=1.0, swing=(0.3, 0.36),
        loose=(0.008, 0.02), loudness=(-22, -14), singing=("none", "none", "sung", "soft")),
    "blues": Style((60, 120), ("shuffle twelve", "slow twelve"), ("acoustic",),
        ("finger", "upright"), ("walking", "root"), ("guitar", "distorted", "organ", "piano",
        "brass"), ("block", "riff", "strum"), ("blues",), modes=("mixolydian", "dorian"),
        sevenths=0.9, loose=(0.006, 0.018), drive=(0.2, 0.6)),
    "breaks": Style((130, 176), ("breakbeat", "jungle"), ("acoustic", "electronic"),
        ("sub", "synthbass"), ("long", "riff", "kick"), ("pad", "synth", "keys", "strings"),
        ("pad", "stab"), ("static", "dark", "minor pop"), sevenths=0.4, loudness=(-12, -8),
        singing=("none", "soft", "rap", "sung")),
    "synth pop": Style((98, 130), ("rock eight", "house", "trance"), ("electronic",),
        ("synthbass",), ("eighths", "octaves", "kick"), ("synth", "pad", "lead", "bell", "pluck"),
        ("arpeggio", "pad", "stab", "block"), ("pop", "minor pop"), loose=(0, 0.003)),
    "cinematic": Style((60, 110), ("folk stomp", "ballad big", "waltz"), ("acoustic",),
        ("sub", "upright"), ("long", "root"), ("strings", "pad", "brass", "piano", "mallet",
        "flute"), ("pad", "arpeggio", "block"), ("minor pop", "modal", "dark"), parts=(3, 5),
        loudness=(-22, -12), no_drums=0.4, singing=("choir", "choir", "soft", "none")),
    # Kept out of training.
    "indie rock": Style((105, 160), ("rock push",), ("acoustic",), ("pick", "finger"),
        ("eighths", "kick"), ("guitar", "distorted", "keys", "synth"), ("strum", "picking"),
        ("pop", "modal"), split="valid", drive=(0.1, 0.6)),
    "electro": Style((100, 132), ("electro",), ("electronic",), ("synthbass", "sub"),
        ("riff", "octaves"), ("synth", "pad", "pluck"), ("arpeggio", "stab", "pad"),
        ("static", "minor pop"), split="valid", loose=(0, 0.003), singing=("sung", "rap", "soft")),
    "neo soul": Style((66, 96), ("halftime soul",), ("acoustic",), ("finger", "sub"),
        ("riff", "kick"), ("keys", "guitar", "strings", "piano"), ("block", "stab"), ("jazz",),
        split="valid", sevenths=1.0, swing=(0.1, 0.25), singing=("sung", "soft", "choir")),
    "indie dance": Style((104, 128), ("indie dance",), ("acoustic", "electronic"),
        ("pick", "synthbass"), ("octaves", "eighths"), ("guitar", "synth", "pad", "distorted"),
        ("strum", "arpeggio", "pad"), ("pop", "minor pop"), split="test", drive=(0.0, 0.5)),
    "afrobeat": Style((98, 122), ("afrobeat",), ("acoustic",), ("finger",), ("riff", "kick"),
        ("guitar", "brass", "organ", "keys"), ("riff", "stab", "picking"), ("modal", "static"),
        split="test", modes=("dorian", "mixolydian", "minor"), sevenths=0.5),
    "bass music": Style((136, 146), ("dub step",), ("electronic",), ("synthbass", "sub"),
        ("long", "riff"), ("synth", "pad", "keys"), ("pad", "stab"), ("static", "dark"),
        split="test", modes=("minor", "phrygian"), loudness=(-11, -7),
        singing=("soft", "rap", "sung")),
    "slow six": Style((54, 72), ("six eight",), ("acoustic",), ("finger", "upright"),
        ("root", "kick"), ("piano", "guitar", "strings", "organ"), ("arpeggio", "block", "pad"),
        ("pop", "minor pop", "folk"), split="test", singing=("belted", "sung")),
}  # fmt: skip
