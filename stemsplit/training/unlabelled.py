"""Music without stems: folders of songs, and the names that their songs could be known by."""

import logging
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from stemsplit.evaluation.data.dataset import MIX_NAMES, Track
from stemsplit.evaluation.data.sources import FileSource
from stemsplit.separation.collect import collect
from stemsplit.training.songs import WHOLE

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Music:
    """Songs of which nothing but the mix is known."""

    sources: tuple[str, ...]
    """Folders, files or patterns."""

    @cached_property
    def tracks(self) -> tuple[Track, ...]:
        """Every file as a track whose only stem is the mix.

        Raises:
            AudioError: a folder is not there, or holds no music.
        """
        if not self.sources:
            return ()
        found = collect(self.sources, output_folder=Path("separated"))
        for notice in found.notices:
            _log.warning(notice)
        return tuple(_track(song.source) for song in found.songs)

    @property
    def aliases(self) -> tuple[Track, ...]:
        """The tracks under all names that they could be known by: those of their folders too."""
        roots = [Path(source).absolute() for source in self.sources]
        named = []
        for track in self.tracks:
            path = path_of(track).absolute()
            root = next((root for root in roots if path.is_relative_to(root)), path.parent)
            names = dict.fromkeys((track.name, *path.relative_to(root).parts[:-1], root.name))
            named += [Track(name=name, split="", stems=track.stems) for name in names]
        return tuple(named)


def path_of(track: Track) -> Path:
    """The file of a track without stems."""
    source = track.stems[WHOLE]
    assert isinstance(source, FileSource)
    return source.path


def _track(path: Path) -> Track:
    """A file that is called like a mix is known by the name of its folder."""
    name = path.stem.removesuffix(".stem")
    if name.casefold() in MIX_NAMES:
        name = path.absolute().parent.name
    return Track(name=name, split="", stems={WHOLE: FileSource(path)})
