"""Judges the stems of a song while they are made, with a few extra forward passes at its end.

Cost: one forward pass for every minute of the song, at least one and at most three, where a song of
four minutes takes some forty (htdemucs); the transforms of `quality`; and a second reading of the
file, to lay the mix beside the stems. Memory holds the excerpts of those passes, some 30 seconds.
"""

import torch
from torch import Tensor

from stemsplit.evaluation.quality import QualityMeter, WindowCutter
from stemsplit.separation.events import StemQuality
from stemsplit.separation.prepared import PreparedSong
from stemsplit.separation.separator import Separator, StemBlock

_EXCERPT_SECONDS = 12.0  # at most; else as long as one forward pass allows
_SECONDS_PER_EXCERPT = 60.0
_MAX_EXCERPTS = 3


class SongInspector:
    """Takes in the blocks of one separation, and gives a verdict on every stem.

    For every excerpt the network runs once more on a stretch that begins half a stride off the
    segments of the first run; the middle halves of the two answers are compared.
    """

    def __init__(self, separator: Separator, song: PreparedSong) -> None:
        """Inspect a song that `separator` is about to separate.

        Args:
            separator: runs the excerpts.
            song: what is separated; its blocks must come with the mix.
        """
        options = separator.options
        self._separator, self._song = separator, song
        self._meter = QualityMeter(
            separator.stems,
            sample_rate=song.sample_rate,
            num_samples=song.num_samples,
            explains_all=options.needed_stems is None and options.exact_sum is None,
        )
        segment = min(
            _EXCERPT_SECONDS,
            min(one.segment_samples for one in separator.model.members) / separator.sample_rate,
        )
        stride = max(1, int(segment * (1 - options.overlap) * song.sample_rate) - 1)
        self._length = min(stride, song.num_samples * 3 // 4)  # longer takes a second pass
        self._cutter = WindowCutter(self._excerpts(stride), self._length)
        self._kept: list[Tensor] = []

    def update(self, block: StemBlock) -> None:
        """Take in the next block, which holds the mix."""
        if block.mix is None:
            raise ValueError("the blocks must come with the mix")
        self._meter.update(block.stems, block.mix)
        rows = [*(block.stems[name] for name in self._meter.stems), block.mix]
        joined = torch.stack(rows)
        self._kept += [excerpt.clone() for _, excerpt in self._cutter.push(joined)]

    @property
    def num_held(self) -> int:
        """Samples of every signal that are held at the moment."""
        kept = sum(excerpt.shape[-1] for excerpt in self._kept)
        return kept + self._cutter.num_held + self._meter.num_held

    def finish(self) -> dict[str, StemQuality]:
        """Run the excerpts once more, and judge.

        Raises:
            Cancelled: the separator's `cancel` was set.
        """
        for excerpt in self._kept:
            middle = slice(self._length // 4, self._length - self._length // 4)
            again = self._separator.separate_excerpt(self._song, excerpt[-1])
            first = dict(zip(self._meter.stems, excerpt[:-1, :, middle], strict=True))
            second = {name: again[name][:, middle] for name in self._meter.stems}
            self._meter.compare(first, second)
        self._kept = []
        return self._meter.result()

    def _excerpts(self, stride: int) -> list[int]:
        """Where the excerpts begin: spread over the song, between the segments of the first run."""
        song, length = self._song, self._length
        if not length:  # a song of a single sample has nothing to compare
            return []
        wanted = round(song.duration_seconds / _SECONDS_PER_EXCERPT)
        count = max(1, min(wanted, _MAX_EXCERPTS))
        starts = []
        for index in range(count):
            middle = song.num_samples * (2 * index + 1) // (2 * count)
            near = (middle - length // 2) // stride * stride + stride // 2
            starts.append(max(0, min(near, song.num_samples - length)))
        return starts
