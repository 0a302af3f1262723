"""Drum grooves as data: a bar of steps per drum.

``X`` is an accent, ``x`` a stroke, ``o`` a soft one, ``?`` a soft one at times, ``.`` none. A bar
has sixteen steps in four-four time and twelve in three-four and twelve-eight.
"""

from dataclasses import dataclass, field

from stemsplit.training.synth.tables import Split


@dataclass(frozen=True)
class Groove:
    """A bar, or several that follow each other."""

    drums: dict[str, str]
    """Drum to steps."""

    split: Split = "train"

    beat: int = 4
    """Steps of a beat: 4, or 3 where beats are divided in three."""

    steps: int = field(init=False)
    """Steps of a bar."""

    def __post_init__(self) -> None:
        """Find the length of the bar."""
        longest = max(len(line) for line in self.drums.values())
        object.__setattr__(self, "steps", 12 if longest % 16 else 16)


def _g(split: Split = "train", beat: int = 4, **drums: str) -> Groove:
    return Groove(drums, split, beat)


GROOVES: dict[str, Groove] = {
    "rock eight": _g(kick="X.....x.X.......", snare="....X.......X..?", hat="x.x.x.x.x.x.x.x."),
    "rock drive": _g(kick="X.x...x.X.x.....", snare="....X.......X...", hat="X.x.X.x.X.x.X.x."),
    "rock half": _g(kick="X.....x...x.....", snare="........X.....?.", hat="x.x.x.x.x.x.x.x."),
    "rock ride": _g(kick="X.....x.X..x....", snare="....X..?....X...", ride="X.x.X.x.X.x.X.x."),
    "rock open": _g(kick="X...X...X...X.x.", snare="....X.......X...", open="X...X...X...X..."),
    "metal double": _g(kick="xxxxxxxxxxxxxxxx", snare="....X.......X...", ride="X...X...X...X..."),
    "punk": _g(kick="X..xX..xX..xX..x", snare="..X...X...X...X.", hat="X.X.X.X.X.X.X.X."),
    "house": _g(kick="X...X...X...X...", clap="....X.......X...", open="..x...x...x...x.",
                shaker="oxoxoxoxoxoxoxox"),
    "deep house": _g(kick="X...X...X...X...", rim="...x..x....x..x.", hat="..x...x...x...x.",
                     clap="....X.......X..."),
    "techno": _g(kick="X...X...X...X...", hat="..X...X...X...X.", clap="............X...",
                 tom="...x......x...x."),
    "trance": _g(kick="X...X...X...X...", clap="....X.......X...", hat="xoXoxoXoxoXoxoXo"),
    "trap": _g(kick="X......x..x.....", clap="........X.......", hat="x.x.xxx.x.x.xoxo",
               open="..............x."),
    "drill": _g(kick="X.....x....x....", snare="......X.......X.", hat="x..x..x.x..x..x."),
    "boom bap": _g(kick="X..x....x.x.....", snare="....X..o.o..X...", hat="x.x.x.x.x.x.x.x."),
    "lofi": _g(kick="X......xx.......", snare="....X.......X..o", hat="x.xox.x.x.xox.x."),
    "funk": _g(kick="X..x..x...x..x..", snare="....X.o.o.o.X..o", hat="xxxxxxxxxxxxxxxx"),
    "funk linear": _g(kick="X.....xx..x.....", snare="....X..o.o..X.o.", hat="x.xx.x..x.xx.x.x"),
    "disco": _g(kick="X...X...X...X...", snare="....X.......X...", hat="x.o.x.o.x.o.x.o.",
                open="..x...x...x...x.", tambourine="....x.......x..."),
    "motown": _g(kick="X.....x.x.......", snare="X...X...X...X...", tambourine="x.x.x.x.x.x.x.x."),
    "soul": _g(kick="X......x..x.....", rim="....X.......X...", hat="x.x.x.x.x.x.x.x."),
    "reggae": _g(kick="........X.......", rim="........X.......", hat="x..xx..xx..xx..x"),
    "dancehall": _g(kick="X..x..X...X..x..", snare="...x..x....x..x.", hat="x.x.x.x.x.x.x.x."),
    "bossa": _g(kick="X..xX..xX..xX..x", rim="x..x..x...x..x..", hat="x.xxx.xxx.xxx.xx",
                shaker="XoxoXoxoXoxoXoxo"),
    "salsa": _g(kick="...x..x....x..x.", cowbell="x.x.xx.xx.x.xx.x", conga="x.ooX.ooo.ooX.XX"),
    "ballad": _g(kick="X.........x.....", rim="....x.......x...", hat="x...x...x...x..."),
    "ballad big": _g(kick="X.....x...x.....", snare="....X.......X...", ride="x.x.x.x.x.x.x.x.",
                     tambourine="....x.......x..."),
    "country train": _g(kick="X...x...X...x...", snare="ooXoooXoooXoooXo"),
    "folk stomp": _g(kick="X...X...X...X...", tambourine="..x...x...x...x."),
    "breakbeat": _g(kick="X.X.......XX....", snare="....X..o.o..X..o", ride="x.x.x.x.x.x.x.x."),
    "jungle": _g(kick="X.X.......X.....", snare="....X..o.o....X.", hat="x.x.x.xox.x.x.x."),
    "swing": _g(ride="X...X..xX...X..x", hat="....x.......x...", kick="o...o...o...o...",
                snare=".......?...?...."),
    "waltz": _g(kick="X...........", snare="....x...x...", hat="x.x.x.x.x.x."),
    "slow twelve": _g(beat=3, kick="X.......x...", snare="......X.....", hat="x.x.x.x.x.x."),
    "shuffle twelve": _g(beat=3, kick="X.....X.....", snare="...X.....X..", ride="X.xX.xX.xX.x"),
    # Kept out of training.
    "rock push": _g("valid", kick="X..x..X....x..x.", snare="....X.......X.o.",
                    hat="X.x.X.x.X.x.X.xx"),
    "electro": _g("valid", kick="X..x..X...X..x..", clap="....X.......X...",
                  cowbell="..x..x..x..x..x.", hat="xxxxxxxxxxxxxxxx"),
    "halftime soul": _g("valid", kick="X.....x..x......", snare="........X..o....",
                        hat="x.x.xxx.x.x.x.xx"),
    "indie dance": _g("test", kick="X...X...X...X.x.", snare="....X..o....X...",
                      hat="..xx..xx..xx..xx"),
    "afrobeat": _g("test", kick="X...x.x.X...x.x.", snare="..o.X..o..o.X.o.",
                   hat="x.xxx.xxx.xxx.xx", shaker="XoxoXoxoXoxoXoxo", conga="..x..x.x..x..xx."),
    "dub step": _g("test", kick="X.........x.....", snare="........X.......",
                   hat="x..x..x.x..x..x."),
    "six eight": _g("test", 3, kick="X....xX.....", snare="......X....o", hat="x.x.x.x.x.x."),
}  # fmt: skip
