"""From what the user typed to a list of songs: files, folders, patterns and standard input."""

import glob
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from stemsplit.errors import AudioError, suggest
from stemsplit.separation.ledger import Ledger

STANDARD_INPUT = Path("-")

_AUDIO = (
    ".aac .ac3 .aif .aifc .aiff .alac .amr .ape .au .bwf .caf .dff .dsf .dts .eac3 .flac .m4a .m4b"
    " .m4r .mka .mp1 .mp2 .mp3 .mpc .oga .ogg .opus .ra .rf64 .snd .spx .tak .tta .voc .w64 .wav"
    " .wave .weba .wma .wv"
)
_VIDEO = (  # .ts is left out: in a folder it is more often a program than a film
    ".3g2 .3gp .asf .avi .f4v .flv .m2ts .m4v .mkv .mov .mp4 .mpeg .mpg .mts .mxf .ogv .rm .vob"
    " .webm .wmv"
)
MEDIA_SUFFIXES = frozenset((*_AUDIO.split(), *_VIDEO.split()))


_DEVICES = (Path("/dev"), Path("/dev/fd"))  # where a shell's <(...) lies


@dataclass(frozen=True)
class Song:
    """One input to separate."""

    source: Path
    """The file, or `STANDARD_INPUT`."""

    folder: PurePath = field(default=PurePath())
    """Where the file lies below the folder that was asked for; empty for a file named itself."""

    @property
    def track(self) -> str:
        """The name of the song for its results."""
        if self.source == STANDARD_INPUT or self.source.parent in _DEVICES:
            return "stdin"
        return self.source.stem


@dataclass(frozen=True)
class Collection:
    """The songs of a run in the order of work, and what was left out on the way."""

    songs: tuple[Song, ...]
    notices: tuple[str, ...] = ()


@dataclass
class _Search:
    output_folder: Path
    songs: dict[Path, Song] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)

    def add(self, song: Song) -> None:
        key = song.source if song.source == STANDARD_INPUT else song.source.resolve()
        self.songs.setdefault(key, song)

    def add_folder(self, folder: Path) -> None:
        found = list(self._walk(folder))
        if not found:
            raise AudioError(f"{folder}: no audio files in this folder or below it.")
        for path in found:
            self.add(Song(path, path.parent.relative_to(folder)))

    def _walk(self, top: Path) -> Iterator[Path]:
        made: set[Path] = set()  # results of earlier runs, which are no songs
        seen: set[Path] = set()  # folders, so that a loop of links ends

        for where, folders, files in os.walk(top, followlinks=True, onerror=self._unreadable):
            here = Path(where)
            real = here.resolve()
            if real in seen or (real == self.output_folder and here != top):
                folders.clear()
                continue
            seen.add(real)
            made |= Ledger(real).files()
            folders[:] = sorted(
                (name for name in folders if not _is_hidden(name)), key=str.casefold
            )
            for name in sorted(files, key=str.casefold):
                path = here / name
                if is_media(path) and not _is_hidden(name) and real / name not in made:
                    yield path

    def _unreadable(self, error: OSError) -> None:
        self.notices.append(f"{error.filename}: left out, {error.strerror or error}.")


def collect(inputs: Sequence[str], *, output_folder: Path) -> Collection:
    """Find the songs that `inputs` name.

    Inside folders only files with the suffix of an audio or video format count, hidden ones and our
    own results are passed over; a file that is named itself is always taken. Every song is taken
    once, also when several inputs or links lead to it.

    Args:
        inputs: files, folders, glob patterns that the shell did not expand (``**`` descends), or
            ``-`` for standard input.
        output_folder: where results go; it is not searched when it lies inside a folder.

    Raises:
        AudioError: an input does not exist, a pattern matches nothing, or a folder holds no audio.
    """
    search = _Search(output_folder.resolve())
    missing: list[str] = []
    for text in inputs:
        path = _find(text)
        if text == str(STANDARD_INPUT):
            search.add(Song(STANDARD_INPUT))
        elif path is not None and path.is_dir():
            search.add_folder(path)
        elif path is not None:
            search.add(Song(path))
        elif matches := _matches(text):
            for match in matches:
                search.add(Song(match))
        else:
            missing.append(text)
    if missing:
        raise AudioError(_missing_message(missing))
    return Collection(tuple(search.songs.values()), tuple(search.notices))


def is_media(path: Path) -> bool:
    """Whether the name of a file promises audio or video."""
    return path.suffix.lower() in MEDIA_SUFFIXES


def is_pipe(path: Path) -> bool:
    """Whether a path can be read only once: standard input, a FIFO or a shell's ``<(...)``."""
    try:
        return path == STANDARD_INPUT or not stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return False


def is_there(path: Path) -> bool:
    """Whether a path exists, as far as one may know: below a closed folder nothing does."""
    return os.path.exists(path)  # noqa: PTH110 (Path's raises where a folder is closed)


def nearest_existing(path: Path) -> Path:
    """The path itself, or the nearest folder above it that exists."""
    return next(one for one in (path, *path.absolute().parents) if is_there(one))


def _find(text: str) -> Path | None:
    """The file or folder of this name, with ``~`` standing for the home folder if need be."""
    for name in (text, os.path.expanduser(text)):  # noqa: PTH111 (Path's raises on a name like ~song)
        try:
            if name and Path(name).exists():
                return Path(name)
        except (OSError, ValueError):  # too long, forbidden, or not a name at all
            continue
    return None


def _matches(pattern: str) -> list[Path]:
    if not glob.has_magic(pattern):
        return []
    found = glob.glob(os.path.expanduser(pattern), recursive=True)  # noqa: PTH111, PTH207
    return [path for path in map(Path, sorted(found, key=str.casefold)) if path.is_file()]


def _is_hidden(name: str) -> bool:
    # A title may begin with an ellipsis, so only a single dot hides ("._song.mp3", ".Trash").
    return name.startswith(".") and not name.startswith("..")


def _missing_message(missing: Sequence[str]) -> str:
    first = missing[0]
    if "://" in first:
        return f"{first}: is a web address; download the file first."
    if glob.has_magic(first):
        return f"{first}: no file matches this pattern."
    others = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
    try:
        siblings = [path.name for path in Path(first).parent.iterdir()]
    except (OSError, ValueError):
        siblings = []
    near = suggest(Path(first).name, siblings, limit=1)
    return f"{first or repr(first)}: no such file or folder{others}.{near}"
