"""Where results go: the template of their paths, filled in and checked before any work.

A template is a path below the output folder with fields in braces. What a field brings in can never
lead out of the folder it stands in, and every name that comes out can be stored on Linux, macOS and
Windows alike.
"""

import hashlib
import os
import re
import string
import sys
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from stemsplit.errors import ConfigError, OutputConflictError, suggest
from stemsplit.separation.collect import Song

Tags = Mapping[str, str]

FILE_FIELDS = ("model", "track", "trackext", "stem", "ext")
TAG_FIELDS: dict[str, tuple[str, ...]] = {  # field -> names that files give the tag, in lower case
    "artist": ("artist",),
    "albumartist": ("album_artist", "albumartist", "album artist"),
    "album": ("album",),
    "title": ("title",),
    "tracknumber": ("track", "tracknumber"),
    "discnumber": ("disc", "discnumber"),
    "year": ("date", "year", "originaldate"),
    "genre": ("genre",),
    "composer": ("composer",),
}

_MAX_NAME_BYTES = 200  # of the 255 that file systems allow; the rest is for temporary names
_UNSAFE = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f\ud800-\udfff]')
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(?=\.|$)", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class SongJob:
    """One song and the files that its stems become."""

    song: Song
    files: dict[str, Path]
    """Stem name to file; a single-file format has the same file under every name."""

    @property
    def source(self) -> Path:
        """The song's file."""
        return self.song.source


@dataclass(frozen=True, kw_only=True)
class Naming:
    """How the results of a run are named."""

    template: "Template"
    folder: Path
    model: str
    stems: Sequence[str]
    extension: str
    """Without the leading dot, such as ``wav`` or ``stem.m4a``."""
    is_single_file: bool = False
    """Whether all stems of a song go into one file."""

    def __post_init__(self) -> None:
        has_many = len(self.stems) > 1 and not self.is_single_file
        if has_many and "stem" not in self.template.fields:
            raise ConfigError(
                f"--template {self.template.text!r} needs the field {{stem}}: without it all stems"
                " of a song would be one file."
            )
        if not self.template.text.endswith((".{ext}", f".{self.extension}")):
            raise ConfigError(f"--template {self.template.text!r} must end with .{{ext}}.")

    def files(self, song: Song, track: str, tags: Tags) -> dict[str, Path]:
        """The file of every stem of `song`."""
        values = {
            "model": self.model,
            "track": track,
            "trackext": song.source.suffix.removeprefix("."),
            "ext": self.extension,
            **_tag_values(tags, track),
        }
        return {
            # One file for all stems is named after the song where the stem would stand.
            stem: self.folder
            / self.template.path(
                {**values, "stem": track if self.is_single_file else stem}, song.folder
            )
            for stem in self.stems
        }


class Template:
    """A checked template, such as ``{model}/{track}/{stem}.{ext}``."""

    def __init__(self, text: str) -> None:
        """Take a template apart.

        Args:
            text: names with fields in braces, separated by slashes; ``{{`` is a brace itself.

        Raises:
            ConfigError: a field is unknown, the braces do not match, or the path is empty, absolute
                or leads upwards.
        """
        self.text = text
        names = text.replace("\\", "/").split("/")
        if not text or PurePath(text).is_absolute() or text[0] in "/\\" or text[1:2] == ":":
            raise ConfigError(
                f"--template {text!r} must be a path below the output folder (--out)."
            )
        self._names = [self._parse(name) for name in names if name not in ("", ".")]
        if ".." in names or not self._names:
            raise ConfigError(f"--template {text!r} may not lead out of the output folder (--out).")
        self.fields = {part for name in self._names for is_field, part in name if is_field}

    @property
    def uses_tags(self) -> bool:
        """Whether the tags of the songs are needed."""
        return not self.fields.isdisjoint(TAG_FIELDS)

    def path(self, values: Mapping[str, str], folder: PurePath) -> PurePath:
        """The path for one set of values.

        Args:
            values: one for every field.
            folder: where the song lay below the folder that was asked for; it is kept in front of
                the name that holds the track, or in front of everything.
        """
        names = [_fill(name, values) for name in self._names]
        holders = (i for i, name in enumerate(self._names) if (True, "track") in name)
        at = next(holders, 0)
        kept = [safe_name(name) for name in folder.parts]
        return PurePath(*names[:at], *kept, *names[at:])

    def _parse(self, name: str) -> list[tuple[bool, str]]:
        parts: list[tuple[bool, str]] = []
        try:
            pieces = list(string.Formatter().parse(name))
        except ValueError as error:
            raise ConfigError(
                f"--template {self.text!r} is not valid: {error}. Write {{{{ for a brace itself."
            ) from error
        for literal, field, spec, conversion in pieces:
            if literal:
                parts.append((False, literal))
            if field is None:
                continue
            if field not in FILE_FIELDS and field not in TAG_FIELDS:
                raise ConfigError(self._unknown(field))
            if spec or conversion:
                raise ConfigError(f"--template: write {{{field}}} without a format.")
            parts.append((True, field))
        return parts

    def _unknown(self, field: str) -> str:
        known = [*FILE_FIELDS, *TAG_FIELDS]
        near = suggest(field, known) or f" Known fields: {', '.join(known)}."
        return f"--template has no field {{{field}}}.{near}"


def plan_jobs(
    songs: Sequence[Song], naming: Naming, *, read_tags: Callable[[Song], Tags]
) -> tuple[SongJob, ...]:
    """Give every song its files.

    Songs that differ only in their suffix (``a.mp3`` beside ``a.wav``) are told apart by adding it
    to their track names.

    Args:
        songs: the songs of a run.
        naming: how results are named.
        read_tags: the tags of a song, asked for only when the template uses them.

    Raises:
        OutputConflictError: two songs, or two stems, would be written to one file, or a result
            would replace a song of the run.
    """
    tags = {song: read_tags(song) if naming.template.uses_tags else {} for song in songs}
    jobs = [SongJob(song=song, files=naming.files(song, song.track, tags[song])) for song in songs]
    twins = {id(job) for group in _shared(jobs) for job in group}
    jobs = [
        SongJob(song=job.song, files=naming.files(job.song, _full_track(job.song), tags[job.song]))
        if id(job) in twins
        else job
        for job in jobs
    ]
    _check_distinct(jobs, naming)
    return tuple(jobs)


def _full_track(song: Song) -> str:
    suffix = song.source.suffix.removeprefix(".")
    return f"{song.track} ({suffix})" if suffix else song.track


def _shared(jobs: Iterable[SongJob]) -> list[list[SongJob]]:
    """The groups of jobs that want the same file."""
    owners: dict[str, list[SongJob]] = defaultdict(list)
    for job in jobs:
        for key in {_key(path) for path in job.files.values()}:
            owners[key].append(job)
    return [group for group in owners.values() if len(group) > 1]


def _check_distinct(jobs: Sequence[SongJob], naming: Naming) -> None:
    for job in jobs:
        keys = {_key(path) for path in job.files.values()}
        if len(keys) < len(job.files) and not naming.is_single_file:
            raise OutputConflictError(
                f"{job.source}: two of its stems would be written to one file"
                f" ({next(iter(job.files.values()))}); add {{stem}} to --template."
            )
    for first, second, *_ in _shared(jobs):
        shared = {_key(path): path for path in first.files.values()}
        path = next(shared[_key(p)] for p in second.files.values() if _key(p) in shared)
        raise OutputConflictError(
            f"{first.source} and {second.source} would both be written to {path}; give the folder"
            " that holds both so that its tree is kept, or choose another --template."
        )
    sources = {_key(job.source.resolve()): job.source for job in jobs}
    for job in jobs:
        for path in job.files.values():
            if source := sources.get(_key(path.resolve())):
                raise OutputConflictError(
                    f"{source}: a stem would replace this song itself; choose another --out."
                )


def _key(path: Path) -> str:
    """The same for paths that a file system of this kind takes for one."""
    text = unicodedata.normalize("NFC", str(path))
    return text.casefold() if os.name == "nt" or sys.platform == "darwin" else text


def _tag_values(tags: Tags, track: str) -> dict[str, str]:
    lower = {name.lower(): value.strip() for name, value in tags.items()}
    values = {}
    for field, names in TAG_FIELDS.items():
        found = next((lower[name] for name in names if lower.get(name)), "")
        if field in ("tracknumber", "discnumber"):  # "3/12" sorts as "03"
            found = found.split("/")[0].strip().zfill(2) if found else "00"
        elif field == "year":
            found = found[:4]
        values[field] = found or (track if field == "title" else f"unknown {field}")
    return values


def _fill(name: Sequence[tuple[bool, str]], values: Mapping[str, str]) -> str:
    """One file or folder name; the longest values are cut when it becomes too long."""
    parts = [values[part] if is_field else part for is_field, part in name]
    fixed = {
        i for i, (is_field, part) in enumerate(name) if not is_field or part in ("stem", "ext")
    }
    while (excess := len(_encode("".join(parts))) - _MAX_NAME_BYTES) > 0:
        free = [i for i in range(len(parts)) if i not in fixed]
        if not free:
            raise ConfigError(f"--template gives a name that is too long: {''.join(parts)[:60]}…")
        longest = max(free, key=lambda i: len(_encode(parts[i])))
        parts[longest] = _cut(parts[longest], excess)
        fixed.add(longest)
    return safe_name("".join(parts))


def _cut(value: str, excess: int) -> str:
    """`value` shorter by `excess` bytes, with a mark that keeps names with one beginning apart."""
    mark = f"~{hashlib.sha256(_encode(value)).hexdigest()[:6]}"
    keep = max(len(_encode(value)) - excess - len(mark), 1)
    return _encode(value)[:keep].decode("utf-8", errors="ignore").rstrip() + mark


def safe_name(name: str) -> str:
    """`name` as every file system takes it: one level, no device, no dot or space at the end."""
    name = _UNSAFE.sub("_", name).strip(" ").rstrip(". ")
    if not name:
        return "_"
    return _RESERVED.sub(r"\1_", name) if _RESERVED.match(name) else name


def _encode(text: str) -> bytes:
    return text.encode("utf-8", errors="replace")
