"""How data sets lie on disk, and how they are recognised. Opens no audio.

    SET/train/SONG.stem.mp4           MUSDB18
    SET/train/SONG/vocals.wav         MUSDB18-HQ, and folders of songs for training
    SET/SONG/vocals.wav               a folder of songs
    SET/SONG/data.json, SONG/vocals/  MoisesDB
    SET/vocals/SONG.wav               a folder for each stem
    LIST.csv                          rows of stem and path

Any audio format will do. The mix may be missing, and is called mixture or mix.
"""

from collections.abc import Iterator
from pathlib import Path

from stemsplit.errors import DatasetError
from stemsplit.evaluation.data import musdb
from stemsplit.evaluation.data.dataset import Dataset, Track
from stemsplit.evaluation.data.sources import FileSource, Source

_SPLITS = {
    "train": "train",
    "training": "train",
    "valid": "valid",
    "validation": "valid",
    "val": "valid",
    "test": "test",
}
MIX_NAMES = ("mixture", "mix")
AUDIO_SUFFIXES = frozenset(
    {".wav", ".flac", ".mp3", ".m4a", ".mp4", ".ogg", ".opus", ".aif", ".aiff", ".wv", ".w64"}
)
_MUSDB_SUFFIX = ".stem.mp4"


def read_layout(path: Path, split: str | None = None) -> Dataset:
    """List the tracks of the data set at `path`.

    Args:
        path: an existing folder.
        split: which part; None takes ``test`` if there is one, else everything.

    Raises:
        DatasetError: there are no tracks, or there is no such split.
    """
    tracks = sorted(_all_tracks(path), key=lambda track: (track.split, track.name))
    if not tracks:
        raise DatasetError(
            f"Cannot use {path} as a data set: there are no songs in it. It needs a folder for "
            "each song with a file for each stem, such as SONG/vocals.wav."
        )
    splits = tuple(dict.fromkeys(track.split for track in tracks if track.split))
    chosen = _choose_split(path, splits, split)
    kept = tuple(track for track in tracks if chosen in ("", track.split))
    layout = "stem.mp4 files" if _is_musdb_file(tracks[0]) else "a folder for each song"
    return Dataset(
        name=path.name, path=path, split=chosen, splits=splits, layout=layout, tracks=kept
    )


def _is_musdb_file(track: Track) -> bool:
    mix = track.stored_mix
    return isinstance(mix, FileSource) and mix.path.name.endswith(_MUSDB_SUFFIX)


def _choose_split(path: Path, splits: tuple[str, ...], wanted: str | None) -> str:
    if wanted is None:
        return "test" if "test" in splits else ""
    if wanted not in splits:
        raise DatasetError(
            f"{path} has no split {wanted}: it has {', '.join(splits) or 'none'}. Choose one of "
            "them, or leave the split out."
        )
    return wanted


def _all_tracks(path: Path) -> Iterator[Track]:
    for folder in _folders(path):
        if folder.name.lower() in _SPLITS:
            yield from _tracks_in(folder, _SPLITS[folder.name.lower()])
    yield from _tracks_in(path, "")


def _tracks_in(path: Path, split: str) -> Iterator[Track]:
    for file in sorted(path.glob(f"*{_MUSDB_SUFFIX}")):
        name = file.name.removesuffix(_MUSDB_SUFFIX)
        stems = {stem: FileSource(file, place) for place, stem in enumerate(musdb.STREAMS, 1)}
        yield Track(
            name=name, split=_split_of(name, split), stems=stems, stored_mix=FileSource(file, 0)
        )
    for folder in _folders(path):
        stems = {file.stem: FileSource(file) for file in _audio_files(folder)}
        mix: Source | None = None
        for name in MIX_NAMES:
            mix = stems.pop(name, None) or mix
        if stems:
            split_name = _split_of(folder.name, split)
            yield Track(name=folder.name, split=split_name, stems=stems, stored_mix=mix)


def _split_of(name: str, split: str) -> str:
    return "valid" if split == "train" and name in musdb.VALIDATION_TRACKS else split


def _folders(path: Path) -> list[Path]:
    return sorted(entry for entry in path.iterdir() if entry.is_dir() and _is_visible(entry))


def _audio_files(path: Path) -> list[Path]:
    return sorted(
        entry
        for entry in path.iterdir()
        if entry.suffix.lower() in AUDIO_SUFFIXES and entry.is_file() and _is_visible(entry)
    )


def _is_visible(path: Path) -> bool:
    return not path.name.startswith(".")
