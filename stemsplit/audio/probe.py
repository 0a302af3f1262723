"""What a file says about itself before it is decoded. Imports no torch.

The ffmpeg that comes with imageio-ffmpeg has no ffprobe beside it, so the description that ffmpeg
prints of its input is read; rate and channels come from the first decoded frame, which is what will
arrive, not what a header claims.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from stemsplit.audio.completeness import missing_bytes
from stemsplit.audio.ffmpeg import FFmpegProcess, file_input, pipe_output, reason
from stemsplit.errors import DecodeError, UnsupportedAudioError

_STREAM = re.compile(r"^ {2,4}Stream #0:(\d+)(?:\[0x[0-9a-f]+\])?(?:\([^)]*\))?: (\w+): ([\w.-]+)")
_DURATION = re.compile(r"^  Duration: (\d+):(\d\d):(\d\d\.\d+)")
_CONTAINER = re.compile(r"^Input #0, (.+?), from '")
_TAG = re.compile(r"^ {4,8}(\S.*?) *: (.*)$")
_CONTINUED_TAG = re.compile(r"^ {8,}: (.*)$")
_CLOCK = re.compile(r"^(\d+):(\d\d):(\d\d\.\d+)$")
_FRAME = re.compile(r"channels:(\d+) chlayout:.* rate:(\d+)")

_EXACT_CONTAINERS = frozenset(  # those that state their length instead of leaving it to a guess
    {"aiff", "ape", "asf", "caf", "flac", "matroska", "mov", "mp3", "mpc", "mpc8", "ogg", "tta"}
    | {"w64", "wav", "wv"}
)
_DESCRIPTION_LINES = 100_000  # lyrics and chapters may be long
_GUESSED = ("Estimating duration from bitrate", "invalid concatenated file detected")
_REMEMBERED = 4096  # files: a folder or data set is looked through before its songs are read


@dataclass(frozen=True, kw_only=True)
class AudioInfo:
    """An audio file as it will be decoded."""

    path: Path
    """The file."""

    sample_rate: int
    """Of the decoded audio, in Hz."""

    channels: int
    """Channels in the file, before any downmix."""

    codec: str
    """ffmpeg's name of the codec, such as mp3, aac or pcm_s16le."""

    container: str
    """ffmpeg's name of the container, such as mp3, ogg or mov,mp4,m4a,3gp,3g2,mj2."""

    stream_index: int
    """The stream that is read: the audio stream that was asked for, or else the first one that is
    marked as default, or else the first."""

    duration_seconds: float | None
    """Announced length, to a hundredth of a second; None where the file does not say."""

    is_duration_exact: bool
    """Whether the length is stated by the file for this very stream, and not estimated."""

    tags: dict[str, str] = field(default_factory=dict)
    """What the file says about the song; keys in lower case."""

    cover_index: int | None = None
    """Stream that holds the cover picture."""

    num_audio_streams: int = 1
    """Audio streams in the file; more than one in a film or a file of stems."""

    @property
    def has_cover(self) -> bool:
        """Whether there is a cover picture."""
        return self.cover_index is not None

    @property
    def is_lossless(self) -> bool:
        """Whether every announced sample is really stored, so that none may be missing."""
        return self.codec.startswith("pcm_") or self.codec in {"flac", "alac", "wavpack", "tta"}


def probe(path: Path | str, *, audio_stream: int | None = None) -> AudioInfo:
    """Describe the audio in a file.

    Args:
        path: the file.
        audio_stream: which of its audio streams, counted from 0; None lets the file decide.

    Returns:
        What will be decoded; asking twice about an unchanged file costs nothing.

    Raises:
        DecodeError: there is no such file, it may not be read, or a part of it is missing.
        UnsupportedAudioError: it is a folder, is empty, is no audio, or has no such audio track.
        FFmpegNotFoundError: there is no ffmpeg.
    """
    path = Path(path)
    try:
        status = path.stat()
        _refuse_what_is_no_file(path, status.st_size)
        with path.open("rb"):
            pass
    except (OSError, ValueError) as error:  # ValueError: a name with a zero byte
        why = error.strerror if isinstance(error, OSError) else error
        raise DecodeError(
            f"Cannot read {path}: {why}. Check the name and your permissions."
        ) from error
    try:
        return _probe(path, status.st_size, status.st_mtime_ns, audio_stream)
    except OSError as error:
        raise DecodeError(
            f"Cannot read {path}: {error.strerror or error}. Copy it to another disk."
        ) from error


def _refuse_what_is_no_file(path: Path, size_bytes: int) -> None:
    if path.is_dir():
        raise UnsupportedAudioError(
            f"Cannot read {path}: it is a folder. Name the audio files in it."
        )
    if not path.is_file():
        raise UnsupportedAudioError(
            f"Cannot read {path}: a pipe or device can be read only once. Save it to a file first."
        )
    if size_bytes == 0:
        raise UnsupportedAudioError(f"Cannot read {path}: the file is empty. Fetch it again.")


@lru_cache(maxsize=_REMEMBERED)
def _probe(path: Path, size_bytes: int, modified_ns: int, audio_stream: int | None) -> AudioInfo:
    del size_bytes, modified_ns  # they are here to notice a changed file
    lacking = missing_bytes(path)
    if lacking:
        raise DecodeError(
            f"Cannot use {path}: it ends early, {lacking:,} bytes that it announces are missing. "
            "Fetch or copy it again."
        )
    described = _describe(path)
    stream = described.stream(audio_stream)
    channels, sample_rate = _first_frame(path, stream)
    return AudioInfo(
        path=path,
        sample_rate=sample_rate,
        channels=channels,
        codec=stream.codec,
        container=described.container,
        stream_index=stream.index,
        duration_seconds=described.stated_seconds(stream) or described.announced_seconds,
        is_duration_exact=described.is_duration_exact(stream),
        tags={**stream.tags, **described.tags},
        cover_index=described.cover_index,
        num_audio_streams=len(described.audio),
    )


@dataclass
class _Stream:
    index: int
    kind: str
    codec: str
    is_default: bool
    is_picture: bool
    tags: dict[str, str] = field(default_factory=dict)


@dataclass
class _Description:
    path: Path
    lines: list[str]
    container: str = ""
    announced_seconds: float | None = None
    tags: dict[str, str] = field(default_factory=dict)
    streams: list[_Stream] = field(default_factory=list)

    @property
    def audio(self) -> list[_Stream]:
        return [stream for stream in self.streams if stream.kind == "Audio"]

    def stream(self, audio_stream: int | None) -> _Stream:
        audio = self.audio
        if not audio:
            raise UnsupportedAudioError(
                f"Cannot use {self.path}: it has no audio track. Choose a file with sound."
            )
        if audio_stream is None:
            return next((stream for stream in audio if stream.is_default), audio[0])
        if audio_stream >= len(audio):
            raise UnsupportedAudioError(
                f"Cannot read audio track {audio_stream + 1} of {self.path}: it has only "
                f"{len(audio)}. Choose a file that holds all stems."
            )
        return audio[audio_stream]

    @property
    def cover_index(self) -> int | None:
        return next((stream.index for stream in self.streams if stream.is_picture), None)

    @property
    def _containers(self) -> set[str]:
        return set(self.container.split(","))

    def stated_seconds(self, stream: _Stream) -> float | None:
        """The length of a stream as Matroska states it: in a tag, which others copy unchanged."""
        clock = _CLOCK.match(stream.tags.get("duration", ""))
        return _seconds(clock) if clock and "matroska" in self._containers else None

    def is_duration_exact(self, stream: _Stream) -> bool:
        if self.stated_seconds(stream):
            return True
        is_stated = bool(_EXACT_CONTAINERS & self._containers)
        # Where a film and its sound share a file, the length is that of the longer one.
        is_alone = not any(s.kind != "Audio" and not s.is_picture for s in self.streams)
        is_guessed = any(sign in line for sign in _GUESSED for line in self.lines)
        return self.announced_seconds is not None and is_stated and is_alone and not is_guessed


def _describe(path: Path) -> _Description:
    # A file of metadata takes no streams, so that nothing is decoded; and nothing is written to it.
    options = {"f": "ffmetadata", "map_metadata": -1, "map_chapters": -1}
    output = pipe_output([file_input(path)], options)
    with FFmpegProcess(output, log_level="info", kept_lines=_DESCRIPTION_LINES) as process:
        process.read(1 << 16)
        status = process.finish()
        lines = process.lines
    if status != 0:
        raise UnsupportedAudioError(
            f"Cannot use {path} as audio: {reason(lines)}. Check that the file is complete and "
            "plays."
        )
    return _parse_description(path, lines)


def _parse_description(path: Path, lines: Sequence[str]) -> _Description:
    found = _Description(path, [])
    section: dict[str, str] | None = None  # whose tags are being listed
    key = ""
    for line in _about_input(lines):
        found.lines.append(line)
        if match := _CONTAINER.match(line):
            found.container = match[1]
            section = found.tags
        elif match := _DURATION.match(line):
            found.announced_seconds = _seconds(match)
        elif match := _STREAM.match(line):
            is_default, is_picture = "(default)" in line, "(attached pic)" in line
            stream = _Stream(int(match[1]), match[2], match[3], is_default, is_picture)
            found.streams.append(stream)
            section = stream.tags
        elif line.lstrip().startswith(("Chapters:", "Program ", "Side data:")):
            section = None
        elif section is not None and (match := _TAG.match(line)):
            key = match[1].lower()
            section[key] = match[2]
        elif section is not None and key in section and (match := _CONTINUED_TAG.match(line)):
            section[key] += "\n" + match[1]
    return found


def _about_input(lines: Sequence[str]) -> Iterator[str]:
    for line in lines:
        if line.startswith(("Output #0", "Stream mapping:")):
            return
        yield line


def _seconds(clock: re.Match[str]) -> float:
    return int(clock[1]) * 3600 + int(clock[2]) * 60 + float(clock[3])


def _first_frame(path: Path, stream: _Stream) -> tuple[int, int]:
    source: Any = file_input(path)[str(stream.index)]
    options = {"af": "ashowinfo", "frames:a": 1, "f": "null", "map_metadata": -1}
    with FFmpegProcess(pipe_output([source], options), log_level="level+info") as process:
        process.finish()
        lines = process.lines
    frame = next((match for line in lines if (match := _FRAME.search(line))), None)
    if frame is not None:
        return int(frame[1]), int(frame[2])
    if not any("[error]" in line or "[fatal]" in line for line in lines):
        raise UnsupportedAudioError(
            f"Cannot use {path}: its audio track holds no samples. Choose a file with sound."
        )
    raise UnsupportedAudioError(
        f"Cannot use {path}: its audio ({stream.codec}) cannot be decoded: {reason(lines)}. "
        "Check that the file plays, or convert it to wav or flac first."
    )
