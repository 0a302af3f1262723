"""MUSDB18 and MUSDB18-HQ: 150 songs with four stems. Imports no torch.

    MUSDB18      train/NAME.stem.mp4      five AAC streams: mix, drums, bass, other, vocals
    MUSDB18-HQ   train/NAME/vocals.wav    and bass, drums, other, mixture

Source: Z. Rafii, A. Liutkus, F.-R. Stöter, S. I. Mimilakis, R. Bittner, "The MUSDB18 corpus for
music separation", 2017, doi:10.5281/zenodo.1117372; MUSDB18-HQ, 2019, doi:10.5281/zenodo.3338373.
"""

from collections.abc import Iterable

SUFFIX = ".stem.mp4"
STREAMS = ("drums", "bass", "other", "vocals")  # of a `.stem.mp4` after the mix

VALIDATION_TRACKS = frozenset(  # of the train folder; source: musdb 0.4.3, configs/mus.yaml
    {
        "ANiMAL - Rockshow",
        "Actions - One Minute Smile",
        "Alexander Ross - Goodbye Bolero",
        "Clara Berry And Wooldog - Waltz For My Victims",
        "Fergessen - Nos Palpitants",
        "James May - On The Line",
        "Johnny Lokke - Promises & Lies",
        "Leaf - Summerghost",
        "Meaxic - Take A Step",
        "Patrick Talbot - A Reason To Leave",
        "Skelpolu - Human Mistakes",
        "Traffic Experiment - Sirens",
        "Triviul - Angelsaint",
        "Young Griffo - Pennies",
    }
)

TEST_TRACKS = frozenset(
    {
        "AM Contra - Heart Peripheral",
        "Al James - Schoolboy Facination",
        "Angels In Amplifiers - I'm Alright",
        "Arise - Run Run Run",
        "BKS - Bulldozer",
        "BKS - Too Much",
        "Ben Carrigan - We'll Talk About It All Tonight",
        "Bobby Nobody - Stitch Up",
        "Buitraker - Revo X",
        "Carlos Gonzalez - A Place For Us",
        "Cristina Vane - So Easy",
        "Detsky Sad - Walkie Talkie",
        "Enda Reilly - Cur An Long Ag Seol",
        "Forkupines - Semantics",
        "Georgia Wonder - Siren",
        "Girls Under Glass - We Feel Alright",
        "Hollow Ground - Ill Fate",
        "James Elder & Mark M Thompson - The English Actor",
        "Juliet's Rescue - Heartbeats",
        "Little Chicago's Finest - My Own",
        "Louis Cressy Band - Good Time",
        "Lyndsey Ollard - Catching Up",
        "M.E.R.C. Music - Knockout",
        "Moosmusic - Big Dummy Shake",
        "Motor Tapes - Shore",
        "Mu - Too Bright",
        "Nerve 9 - Pray For The Rain",
        "PR - Happy Daze",
        "PR - Oh No",
        "Punkdisco - Oral Hygiene",
        "Raft Monk - Tiring",
        "Sambasevam Shanmugam - Kaathaadi",
        "Secretariat - Borderline",
        "Secretariat - Over The Top",
        "Side Effects Project - Sing With Me",
        "Signe Jakobsen - What Have You Done To Me",
        "Skelpolu - Resurrection",
        "Speak Softly - Broken Man",
        "Speak Softly - Like Horses",
        "The Doppler Shift - Atrophy",
        "The Easton Ellises (Baumi) - SDRNR",
        "The Easton Ellises - Falcon 69",
        "The Long Wait - Dark Horses",
        "The Mountaineering Club - Mallory",
        "The Sunshine Garcia Band - For I Am The Moon",
        "Timboz - Pony",
        "Tom McKenzie - Directions",
        "Triviul feat. The Fiend - Widow",
        "We Fell From The Sky - Not You",
        "Zeno - Signs",
    }
)


def part_of(track: str, folder: str) -> str:
    """The split of a track of MUSDB.

    Args:
        track: its name.
        folder: the split that its folder is named after; empty for none.

    Returns:
        ``valid`` for the usual fourteen of the training songs, ``test`` for a test song wherever it
        lies, else `folder`.
    """
    if track in VALIDATION_TRACKS:
        return "valid"
    return "test" if track in TEST_TRACKS else folder


def are_from_musdb(tracks: Iterable[str]) -> bool:
    """Whether there are songs of MUSDB18 among some, and nothing is known to be another song.

    Names of the other 86 training songs are not known here: they pass as such in company.
    """
    return any(track in VALIDATION_TRACKS or track in TEST_TRACKS for track in tracks)
