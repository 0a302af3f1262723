"""Small data sets in every layout, made on the spot.

Songs last a second at 8 kHz and their stems are tones, so that a set of five files takes a fraction
of a second to write. The coded set has the rate of the real one.
"""

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from tests.audio.material import ffmpeg, write_wav

STEMS = ("bass", "drums", "other", "vocals")
CODED_ORDER = ("drums", "bass", "other", "vocals")
RATE = 8000
CODED_RATE = 44_100


def song(seconds: float = 1.0, rate: int = RATE, *, pitch: float = 100.0) -> dict[str, Tensor]:
    """Stem name to a stereo tone (2, N) of its own frequency and level; their sum stays below 1."""
    time = torch.arange(round(seconds * rate)) / rate
    tones = {}
    for place, stem in enumerate(STEMS, start=1):
        tone = 0.08 * place * torch.sin(2 * torch.pi * pitch * place * time)
        tones[stem] = torch.stack([tone, 0.5 * tone])
    return tones


def mix_of(stems: Mapping[str, Tensor]) -> Tensor:
    return torch.stack(list(stems.values())).sum(0)


def write_song(
    folder: Path, stems: Mapping[str, Tensor], mix: Tensor | None = None, rate: int = RATE
) -> Path:
    """A folder with a wav for each stem and one for the mix, where there is one."""
    folder.mkdir(parents=True)
    for name, signal in stems.items():
        write_wav(folder / f"{name}.wav", signal, rate)
    if mix is not None:
        write_wav(folder / "mixture.wav", mix, rate)
    return folder


def write_coded_song(path: Path, stems: Mapping[str, Tensor]) -> Path:
    """A `.stem.mp4` as in MUSDB18: five AAC streams, the mix first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    signals = [mix_of(stems), *(stems[name] for name in CODED_ORDER)]
    files = [
        write_wav(path.parent / f".{place}.wav", signal, CODED_RATE)
        for place, signal in enumerate(signals)
    ]
    inputs = [word for file in files for word in ("-i", file)]
    maps = [word for place in range(len(files)) for word in ("-map", str(place))]
    ffmpeg(*inputs, *maps, "-c:a", "aac", "-b:a", "256k", path)
    for file in files:
        file.unlink()
    return path


def write_described_song(
    folder: Path, recordings: Mapping[str, list[Tensor]], *, artist: str, title: str
) -> Path:
    """A song of MoisesDB: several recordings for a stem, and a `data.json` that lists them."""
    stems = []
    for stem, signals in recordings.items():
        (folder / stem).mkdir(parents=True)
        tracks = []
        for place, signal in enumerate(signals):
            write_wav(folder / stem / f"{stem}-{place}.wav", signal, RATE)
            tracks.append({"id": f"{stem}-{place}", "extension": "wav", "trackType": "any"})
        stems.append({"id": stem, "stemName": stem, "tracks": tracks})
    facts = {"artist": artist, "song": title, "genre": "rock", "stems": stems}
    (folder / "data.json").write_text(json.dumps(facts))
    return folder
