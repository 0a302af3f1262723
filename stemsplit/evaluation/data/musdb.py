"""MUSDB18 and MUSDB18-HQ: 150 songs with four stems. Imports no torch.

    MUSDB18      train/NAME.stem.mp4      five AAC streams: mix, drums, bass, other, vocals
    MUSDB18-HQ   train/NAME/vocals.wav    and bass, drums, other, mixture

Source: Z. Rafii, A. Liutkus, F.-R. Stöter, S. I. Mimilakis, R. Bittner, "The MUSDB18 corpus for
music separation", 2017, doi:10.5281/zenodo.1117372; MUSDB18-HQ, 2019, doi:10.5281/zenodo.3338373.
"""

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
