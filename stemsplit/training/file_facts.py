"""What tells the files of a song from others, and from themselves before they changed."""

from collections.abc import Iterator
from typing import Any

from stemsplit.evaluation.data.dataset import Track
from stemsplit.evaluation.data.sources import FileSource, Source, SummedSource


def files_of(source: Source) -> Iterator[FileSource]:
    """The files that a signal is made of."""
    if isinstance(source, SummedSource):
        for part in source.parts:
            yield from files_of(part)
    elif isinstance(source, FileSource):
        yield source


def file_facts(source: FileSource) -> list[Any]:
    """What changes when a file does.

    Raises:
        OSError: there is no such file.
    """
    stat = source.path.stat()
    return [str(source.path.resolve()), source.audio_stream, stat.st_size, stat.st_mtime_ns]


def track_facts(track: Track) -> dict[str, list[list[Any]]]:
    """What changes when a file of a track does, by its stems.

    Raises:
        OSError: a file is not there.
    """
    return {
        name: [file_facts(file) for file in files_of(source)]
        for name, source in track.stems.items()
    }
