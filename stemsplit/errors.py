"""Everything stemsplit raises on purpose.

StemsplitError
├── AudioError
│   ├── FFmpegNotFoundError
│   ├── DecodeError
│   ├── EncodeError
│   └── UnsupportedAudioError
├── CatalogError
│   ├── UnknownModelError
│   └── CatalogFormatError
├── CheckpointError
│   ├── DownloadError
│   │   └── OfflineError
│   ├── ChecksumError
│   ├── UnsafeCheckpointError
│   └── KeyMismatchError
├── ConfigError
├── SeparationError
│   ├── SegmentOrderError
│   ├── DeviceError
│   ├── OutputConflictError
│   └── Cancelled
├── DatasetError
└── TrainingError

A message is one line with three parts: what failed (with the path or name), why (in the words of
the tool that refused), and what to do about it.
"""

import difflib
from collections.abc import Iterable


class StemsplitError(Exception):
    """Base of every error a user can cause; the command line prints it as one line."""


class AudioError(StemsplitError):
    """Something about an audio file."""


class FFmpegNotFoundError(AudioError):
    """No usable ffmpeg program was found."""


class DecodeError(AudioError):
    """A file could not be read as audio, or ended before its announced end."""


class EncodeError(AudioError):
    """A stem could not be written."""


class UnsupportedAudioError(AudioError):
    """The audio is readable but cannot be handled: no audio stream, no samples, no such format."""


class CatalogError(StemsplitError):
    """Something about the list of models."""


class UnknownModelError(CatalogError):
    """No model of this name exists, or it has no such stem."""


class CatalogFormatError(CatalogError):
    """A catalogue file breaks its schema."""


class CheckpointError(StemsplitError):
    """Something about a file of weights."""


class DownloadError(CheckpointError):
    """A file could not be fetched."""


class OfflineError(DownloadError):
    """A file is not in the cache and the network may not be, or cannot be, used."""


class ChecksumError(CheckpointError):
    """A file's contents are not what was published."""


class UnsafeCheckpointError(CheckpointError):
    """A file asks for code to be run or for objects that are not plain data."""


class KeyMismatchError(CheckpointError):
    """The tensors of a file are not those of the network it claims to hold."""


class ConfigError(StemsplitError):
    """A setting, or a combination of settings, is not possible."""


class SeparationError(StemsplitError):
    """Separation could not be carried out."""


class SegmentOrderError(SeparationError):
    """Segments came in another order, number or length than planned."""


class DeviceError(SeparationError):
    """The asked device is missing, unusable or out of memory."""


class OutputConflictError(SeparationError):
    """Two results would be written to one file, or a file is in the way."""


class Cancelled(SeparationError):
    """The user stopped the work."""


class DatasetError(StemsplitError):
    """A data set is missing, incomplete or inconsistent."""


class TrainingError(StemsplitError):
    """A training cannot go on, or cannot be gone on with."""


def suggest(name: str, known: Iterable[str], *, limit: int = 3) -> str:
    """A sentence naming the known names nearest to `name`, or the empty string.

    Args:
        name: what the user typed.
        known: what would have been accepted.
        limit: how many names to offer at most.
    """
    near = difflib.get_close_matches(name, list(known), n=limit, cutoff=0.5)
    return f" Did you mean {' or '.join(near)}?" if near else ""
