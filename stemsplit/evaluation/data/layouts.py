"""How data sets lie on disk, and how they are recognised. Opens no audio.

    SET/train/SONG.stem.mp4           MUSDB18
    SET/train/SONG/vocals.wav         MUSDB18-HQ, and folders of songs for training
    SET/SONG/vocals.wav               a folder of songs
    SET/SONG/data.json, vocals/       MoisesDB, at most two folders further down
    SET/vocals/SONG.wav               a folder for each stem; files of one name are one song
    SONG/vocals.wav                   one song
    LIST.csv                          a row for each stem, see `stemsplit.evaluation.data.table`

Any audio format will do, and any names of stems. The mix may be missing; its file is called mixture
or mix, or else linear_mixture. What is not looked at: an instrumental beside the stems that it is
made of, and what begins with a dot.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from stemsplit.errors import DatasetError
from stemsplit.evaluation.data import moisesdb, musdb, table
from stemsplit.evaluation.data.dataset import MIX_NAMES, Dataset, Track
from stemsplit.evaluation.data.sources import FileSource, Source

_SPLITS = {
    "train": "train",
    "training": "train",
    "valid": "valid",
    "validation": "valid",
    "val": "valid",
    "test": "test",
}
_SPLIT_ORDER = ("train", "valid", "test", "")
_STEM_NAMES = frozenset(  # names that tell stems from songs, where one could be the other
    {"vocals", "drums", "bass", "other", "guitar", "piano", "instrumental", "accompaniment"}
    | {"no_vocals", "speech", "music", "sfx", *MIX_NAMES}
)
_AUDIO_SUFFIXES = frozenset(
    {".wav", ".flac", ".mp3", ".m4a", ".mp4", ".aac", ".ogg", ".opus", ".aif", ".aiff", ".wv"}
    | {".w64", ".wma", ".mka"}
)

CODED, SONG_FOLDERS, DESCRIBED = "stem.mp4 files", "a folder for each song", "MoisesDB"

Layout = tuple[str, list[Track]]


def read_layout(path: Path, split: str | None = None) -> Dataset:
    """List the tracks of the data set at `path`.

    Args:
        path: an existing folder, or a CSV table.
        split: which part, or several joined by ``+``; ``all`` is everything, None is ``test`` if
            there is one and else everything.

    Raises:
        DatasetError: there are no tracks, or there is no such split.
    """
    layout, tracks = _recognise(path)
    if not tracks:
        raise DatasetError(
            f"Cannot use {path} as a data set: there are no songs in it. It needs a folder for "
            "each song with a file for each stem, such as SONG/vocals.wav."
        )
    name, tracks = _identify(path, layout, tracks)
    tracks.sort(key=lambda track: (_SPLIT_ORDER.index(track.split), track.name))
    splits = tuple(dict.fromkeys(track.split for track in tracks if track.split))
    chosen = _choose_split(path, splits, split)
    kept = [track for track in tracks if not chosen or track.split in chosen.split("+")]
    return Dataset(
        name=name, path=path, split=chosen, splits=splits, layout=layout, tracks=_distinct(kept)
    )


def _distinct(tracks: Sequence[Track]) -> tuple[Track, ...]:
    """The tracks, with its split in the name where several splits have a song of one name."""
    counts = Counter(track.name for track in tracks)
    return tuple(
        replace(track, name=f"{track.name} ({track.split})")
        if counts[track.name] > 1 and track.split
        else track
        for track in tracks
    )


def _choose_split(path: Path, splits: Sequence[str], wanted: str | None) -> str:
    if wanted is None:
        return "test" if "test" in splits else ""
    if wanted == "all":
        return ""
    unknown = [part for part in wanted.split("+") if part not in splits]
    if unknown:
        raise DatasetError(
            f"{path} has no split {unknown[0]}: it has {', '.join(splits) or 'none'}. Choose one "
            "of them, all, or leave the split out."
        )
    return wanted


def _identify(path: Path, layout: str, tracks: Sequence[Track]) -> tuple[str, list[Track]]:
    """The name of the data set, and its tracks with the splits that are known of it."""
    if layout == DESCRIBED:
        return "moisesdb", list(tracks)
    is_coded = layout == CODED
    if not is_coded and not musdb.are_from_musdb(track.name for track in tracks):
        return path.stem, list(tracks)
    moved = [
        Track(
            name=track.name,
            split=musdb.part_of(track.name, track.split),
            stems=track.stems,
            stored_mix=track.stored_mix,
        )
        for track in tracks
    ]
    return "musdb18" if is_coded else "musdb18hq", moved


def _recognise(path: Path) -> Layout:
    """What kind of data set there is, and its tracks."""
    try:
        if path.is_file():
            return "a CSV table", table.read_table(path)
        found = [_tracks_in(path, "")]
        for folder in _folders(path):
            if folder.name.lower() in _SPLITS:
                found.append(_tracks_in(folder, _SPLITS[folder.name.lower()]))
    except OSError as error:
        raise DatasetError(
            f"Cannot read {error.filename or path}: {error.strerror}. Check your permissions."
        ) from error
    if not any(tracks for _, tracks in found):
        found.append(_song_alone(path))
    kinds = [layout for layout, tracks in found if tracks]
    return (kinds or [""])[0], [track for _, tracks in found for track in tracks]


def _tracks_in(path: Path, split: str) -> Layout:
    files = [file for file in _audio_files(path) if file.name.endswith(musdb.SUFFIX)]
    if files:
        return CODED, [_coded_song(file, split) for file in files]
    folders = [folder for folder in _folders(path) if split or folder.name.lower() not in _SPLITS]
    described = _described_folders(folders)
    if described:
        return DESCRIBED, moisesdb.read_songs(described, split)
    if folders and all(folder.name.lower() in _STEM_NAMES for folder in folders):
        return "a folder for each stem", _songs_across(folders, split)
    songs = [_song(folder, split) for folder in folders]
    return SONG_FOLDERS, [song for song in songs if song is not None]


def _song_alone(path: Path) -> Layout:
    song = _song(path, "")
    is_song = song is not None and any(stem.lower() in _STEM_NAMES for stem in song.stems)
    return "one song", [song] if song is not None and is_song else []


def _coded_song(file: Path, split: str) -> Track:
    stems = {stem: FileSource(file, place) for place, stem in enumerate(musdb.STREAMS, start=1)}
    name = file.name.removesuffix(musdb.SUFFIX)
    return Track(name=name, split=split, stems=stems, stored_mix=FileSource(file, 0))


def _described_folders(folders: Sequence[Path]) -> list[Path]:
    """Folders with a `data.json`; those of MoisesDB lie in one of their distributor."""
    for _ in range(3):
        described = [folder for folder in folders if (folder / moisesdb.DESCRIPTION).is_file()]
        if described or len(folders) != 1:
            return described
        folders = _folders(folders[0])
    return []


def _song(folder: Path, split: str) -> Track | None:
    return _track(folder.name, split, _files_by_name(folder))


def _songs_across(folders: Sequence[Path], split: str) -> list[Track]:
    songs: dict[str, dict[str, Source]] = {}
    for folder in folders:
        for name, source in _files_by_name(folder).items():
            songs.setdefault(name, {})[folder.name.lower()] = source
    tracks = [_track(name, split, stems) for name, stems in songs.items()]
    return [track for track in tracks if track is not None]


def _track(name: str, split: str, stems: dict[str, Source]) -> Track | None:
    mixes = {stem.lower(): stems.pop(stem) for stem in [*stems] if stem.lower() in MIX_NAMES}
    if not stems:
        return None
    stored_mix = next((mixes[stem] for stem in MIX_NAMES if stem in mixes), None)
    return Track(name=name, split=split, stems=stems, stored_mix=stored_mix)


def _files_by_name(folder: Path) -> dict[str, Source]:
    files: dict[str, Source] = {}
    for file in _audio_files(folder):
        if file.stem in files:
            raise DatasetError(
                f"Cannot use {folder}: it has two files of {file.stem}. Keep one of them."
            )
        files[file.stem] = FileSource(file)
    return files


def _folders(path: Path) -> list[Path]:
    return sorted(entry for entry in path.iterdir() if entry.is_dir() and _is_visible(entry))


def _audio_files(path: Path) -> list[Path]:
    return sorted(
        entry
        for entry in path.iterdir()
        if entry.suffix.lower() in _AUDIO_SUFFIXES and entry.is_file() and _is_visible(entry)
    )


def _is_visible(path: Path) -> bool:
    return not path.name.startswith(".")
