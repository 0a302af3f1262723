"""Finds finished stems on disk, in the tree that `separate` writes and in flat ones.

    DIR/TRACK/STEM.wav           DIR/MODEL/TRACK/STEM.wav      and deeper
    DIR/TRACK_STEM.wav           also TRACK - STEM, TRACK.STEM, TRACK-STEM, TRACK (STEM)
    DIR/STEM/TRACK.wav

Imports no torch.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePath

from stemsplit.errors import DatasetError
from stemsplit.separation.collect import is_media
from stemsplit.separation.naming import safe_name

StemFiles = Mapping[str, Mapping[str, Path]]
"""Track to stem to file."""

_SEPARATORS = r"(?:_| - |-|\.| )"


def find_estimates(
    folder: Path, *, tracks: Sequence[str], stems: Sequence[str]
) -> dict[str, StemFiles]:
    """The stems in a folder that belong to tracks of a data set.

    Args:
        folder: where to look, at any depth.
        tracks: names of the tracks; letter case does not matter.
        stems: names that stems may have, ``no_<stem>`` included.

    Returns:
        Name of the set of stems to its files. There is one, called like the folder, unless the
        tracks lie in several folders, as those of several models do: then each is one.

    Raises:
        DatasetError: the folder is not there, holds no such stems, or two files for one of them.
    """
    if not folder.is_dir():
        raise DatasetError(f"--estimates {folder}: there is no such folder.")
    names = {track.casefold(): track for track in tracks}
    names |= {safe_name(track).casefold(): track for track in tracks}  # as `separate` calls it
    groups: dict[str, dict[str, dict[str, Path]]] = {}
    for path in sorted(folder.rglob("*")):
        if not is_media(path) or path.name.startswith("."):
            continue
        found = _identify(path.relative_to(folder), names, stems)
        if found is None:
            continue
        group, track, stem = found
        files = groups.setdefault(group, {}).setdefault(track, {})
        if stem in files:
            raise DatasetError(
                f"{path} and {files[stem]} are both {stem} of {track}: remove one of them."
            )
        files[stem] = path
    if not groups:
        raise DatasetError(
            f"--estimates {folder}: holds no stems of these tracks. Expected are files such as"
            f" {tracks[0]}/{stems[0]}.wav."
        )
    if len(groups) == 1:
        return {folder.name or str(folder): next(iter(groups.values()))}
    return {f"{folder.name}/{group}" if group else folder.name: groups[group] for group in groups}


def _identify(
    path: PurePath, names: Mapping[str, str], stems: Sequence[str]
) -> tuple[str, str, str] | None:
    """Folder in front of the track, track and stem that a file is, or None."""
    for depth, name, stem in _readings(path, stems):
        track = names.get(name.casefold()) or names.get(name.casefold().removesuffix(".stem"))
        if track is not None:
            return "/".join(path.parts[:depth]), track, stem
    return None


def _readings(path: PurePath, stems: Sequence[str]) -> Iterator[tuple[int, str, str]]:
    """What a path may mean: folders in front, name of the track, name of the stem."""
    folders = path.parts[:-1]
    if path.stem in stems:
        for depth in reversed(range(len(folders))):
            yield depth, folders[depth], path.stem
    for stem in stems:
        ending = rf"(?:{_SEPARATORS}{re.escape(stem)}| \({re.escape(stem)}\))$"
        if match := re.search(ending, path.stem, re.IGNORECASE):
            yield len(folders), path.stem[: match.start()], stem
    if folders and folders[-1] in stems:
        yield len(folders) - 1, path.stem, folders[-1]
