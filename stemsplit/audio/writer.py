"""The stems of a song become files: all of them under their final names, or none.

Blocks come from one thread; encoders run as processes. Files carry temporary names in the folder
they are meant for until every one of them is complete.

Shapes: C audio channels, N samples.
"""

import contextlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from torch import Tensor

from stemsplit.audio.channels import match_channels
from stemsplit.audio.encoder import Encoder
from stemsplit.audio.formats import MIX_TRACK, OutputFormat
from stemsplit.audio.levels import peak, shared_gain, to_db
from stemsplit.audio.probe import probe
from stemsplit.audio.resample import Resampler
from stemsplit.audio.spool import BlockSpool
from stemsplit.audio.staging import StagedFiles, write_error, writing
from stemsplit.audio.tags import extract_cover, write_tag_file
from stemsplit.errors import EncodeError

ClipPolicy = Literal["shared", "clamp", "none"]


@dataclass(frozen=True, kw_only=True)
class StemSetReport:
    """What was written."""

    files: dict[str, Path]
    """Stem name to file; a single-file format has the same file under every name."""

    num_samples: int
    """Length of every file, at `sample_rate`."""

    sample_rate: int
    """Of the files, in Hz; another one than the song's only where the format cannot hold that."""

    gain_db: float
    """Gain that all stems were given alike so that none exceeds full scale; 0 for none."""

    clipped_samples: int
    """Samples that were cut off at full scale."""

    peaks: dict[str, float]
    """Largest absolute sample per track before any gain; full scale is 1."""


@dataclass
class _Track:
    """One signal on its way to disk."""

    resampler: Resampler
    spool: BlockSpool | None
    peak: float = 0.0


@dataclass
class _File:
    """One file on its way to its name."""

    destination: Path
    temporary: Path
    tracks: tuple[str, ...]
    seed: int
    encoder: Encoder | None = None


class StemSetWriter:
    """Writes the stems of one song.

    What exceeds full scale is treated by `clip`:

    - ``shared``: the loudest peak of all stems decides one gain for all of them, so that their
      balance and sum are kept. Encoding begins at once, in the hope that none exceeds full scale;
      from the first one that does, the stems wait on disk as float until the gain is known.
    - ``clamp``: samples beyond full scale are set to full scale, and counted.
    - ``none``: nothing is changed. Integers cannot hold what exceeds full scale, so that this
      equals ``clamp`` for 16 and 24 bits; lossy encoders are handed the samples as they are.

    Floating-point wav is never touched, whatever `clip` says.

    A context manager: leaving it without `commit`, by an exception or not, leaves nothing behind.

    Args:
        paths: stem name to destination; for a single-file format the same path for every stem.
            Folders are made as needed; files that are in the way are replaced.
        sample_rate: of the blocks, in Hz.
        channels: of the blocks, 1 or 2.
        audio_format: what to write.
        clip: see above.
        tags: per stem, made by `stemsplit.audio.tags.stem_tags`; under `MIX_TRACK` those of a
            single-file format.
        cover_from: file whose cover picture is carried over.

    Raises:
        EncodeError: a destination cannot be written to.
        ConfigError: the format cannot hold these stems.
    """

    def __init__(
        self,
        paths: Mapping[str, Path],
        *,
        sample_rate: int,
        channels: int,
        audio_format: OutputFormat,
        clip: ClipPolicy = "shared",
        tags: Mapping[str, Mapping[str, str]] | None = None,
        cover_from: Path | None = None,
    ) -> None:
        self._format = audio_format
        self._clip = "none" if audio_format.is_float else clip
        self._channels = max(channels, audio_format.format.min_channels)
        self._sample_rate = audio_format.sample_rate_for(sample_rate)
        self._stems = audio_format.order_stems(paths)
        self._tags = tags or {}
        self._num_samples = 0
        self._clipped_samples = 0
        self._is_waiting = False  # for the gain that the stems will share
        self._staged = StagedFiles()
        self._cleanup = contextlib.ExitStack()  # closes encoders and spools before files go
        self._cleanup.callback(self._staged.discard)
        with contextlib.ExitStack() as undo:
            undo.enter_context(self._cleanup)
            self._files = self._stage_files(paths)
            self._tracks = {
                name: _Track(Resampler(sample_rate, self._sample_rate), self._open_spool(file))
                for file in self._files
                for name in file.tracks
            }
            self._scratch = self._staged.scratch_folder(self._files[0].destination)
            self._cover = self._find_cover(cover_from)
            undo.pop_all()

    def _stage_files(self, paths: Mapping[str, Path]) -> list[_File]:
        if self._format.format.is_single_file:
            groups = [(paths[self._stems[0]], (MIX_TRACK, *self._stems))]
        else:
            groups = [(paths[stem], (stem,)) for stem in self._stems]
        return [
            _File(destination, self._staged.add(destination), tracks, seed=place)
            for place, (destination, tracks) in enumerate(groups)
        ]

    def _open_spool(self, file: _File) -> BlockSpool | None:
        if self._clip != "shared":
            return None
        with writing(file.destination):
            spool = BlockSpool(file.destination.parent, self._channels)
        return self._cleanup.enter_context(spool)

    def _find_cover(self, cover_from: Path | None) -> Path | None:
        if cover_from is None or not self._format.format.holds_cover:
            return None
        return extract_cover(probe(cover_from), self._scratch)

    def write(self, blocks: Mapping[str, Tensor]) -> None:
        """Add the next stretch of every stem.

        Args:
            blocks: stem name to (C, n) float32, all of the same n; with `MIX_TRACK` for a
                single-file format.

        Raises:
            EncodeError: the disk is full, an encoder failed, or a stem holds NaN or infinity.
            ValueError: the blocks are not those that were announced.
        """
        if blocks.keys() != self._tracks.keys():
            raise ValueError(f"expected {sorted(self._tracks)}, got {sorted(blocks)}")
        self._accept(
            {
                name: track.resampler.process(match_channels(blocks[name], self._channels))
                for name, track in self._tracks.items()
            }
        )

    def _accept(self, blocks: Mapping[str, Tensor]) -> None:
        lengths = {block.shape[-1] for block in blocks.values()}
        if len(lengths) != 1:
            raise ValueError(f"stems must have equal lengths, got {sorted(lengths)}")
        self._num_samples += lengths.pop()
        for file in self._files:
            for name in file.tracks:
                self._measure(file, name, blocks[name])
        self._is_waiting = self._is_waiting or self._needs_gain()
        if self._is_waiting:
            self._drop_encoders()
            return
        for file in self._files:
            self._encode(file, [self._limited(blocks[name]) for name in file.tracks])

    def _needs_gain(self) -> bool:
        return self._clip == "shared" and self._highest_peak() > 1.0

    def _highest_peak(self) -> float:
        return max(track.peak for track in self._tracks.values())

    def _drop_encoders(self) -> None:
        for file in self._files:
            if file.encoder is not None:
                file.encoder.stop()
                file.encoder = None

    def _measure(self, file: _File, name: str, block: Tensor) -> None:
        track = self._tracks[name]
        block_peak = peak(block)
        if not math.isfinite(block_peak):
            raise EncodeError(
                f"Cannot write {file.destination}: stem {name} holds samples that are not numbers. "
                "Try --precision fp32 or --device cpu."
            )
        track.peak = max(track.peak, block_peak)
        if track.spool is not None:
            try:
                track.spool.append(block)
            except OSError as error:
                raise EncodeError(
                    f"Cannot write {file.destination}: {error.strerror}, with the stems waiting "
                    "beside it for their common level. Make room, choose a folder on another disk, "
                    "or use --clip clamp, which needs no waiting room."
                ) from error

    def _limited(self, block: Tensor) -> Tensor:
        is_kept = self._format.is_float or (self._clip == "none" and self._format.is_lossy)
        if is_kept or peak(block) <= 1.0:
            return block
        self._clipped_samples += int((block.abs() > 1.0).sum())
        return block.clamp(-1.0, 1.0)

    def _encode(self, file: _File, blocks: Sequence[Tensor]) -> None:
        if file.encoder is None:
            file.encoder = self._cleanup.enter_context(self._open_encoder(file))
        file.encoder.write(blocks)

    def _open_encoder(self, file: _File) -> Encoder:
        tag_file = self._scratch / f"{file.seed}.txt"
        is_picture_a_tag = self._format.name in ("ogg", "opus")
        with writing(file.destination):
            write_tag_file(
                tag_file,
                self._tags.get(file.tracks[0], {}),
                format_name=self._format.name,
                cover=self._cover if is_picture_a_tag else None,
            )
        return Encoder(
            file.temporary,
            file.destination,
            self._format,
            tracks=file.tracks,
            sample_rate=self._sample_rate,
            channels=self._channels,
            tags=tag_file,
            cover=None if is_picture_a_tag else self._cover,
            seed=file.seed,
        )

    def commit(self) -> StemSetReport:
        """Complete all files and give them their names.

        Raises:
            EncodeError: a file could not be completed, or nothing was written; nothing is left.
        """
        with self._cleanup:
            self._accept({name: each.resampler.flush() for name, each in self._tracks.items()})
            if not self._num_samples:
                raise write_error(self._files[0].destination, "there are no samples")
            gain = self._release_spools()
            for file in self._files:
                if file.encoder is not None:
                    file.encoder.finish()
            self._staged.publish()
        return StemSetReport(
            files={stem: f.destination for f in self._files for stem in self._stems_in(f)},
            num_samples=self._num_samples,
            sample_rate=self._sample_rate,
            gain_db=to_db(gain),
            clipped_samples=self._clipped_samples,
            peaks={name: track.peak for name, track in self._tracks.items()},
        )

    @staticmethod
    def _stems_in(file: _File) -> tuple[str, ...]:
        return tuple(name for name in file.tracks if name != MIX_TRACK or len(file.tracks) == 1)

    def _release_spools(self) -> float:
        """Encode what has been waiting, with the gain that is known now."""
        if not self._is_waiting:
            return 1.0
        gain = shared_gain(self._highest_peak(), self._format.bit_depth)
        for blocks in zip(*(self._waiting(file) for file in self._files), strict=True):
            for file, block in zip(self._files, blocks, strict=True):
                self._encode(file, [each * gain for each in block])
        return gain

    def _waiting(self, file: _File) -> Iterator[Sequence[Tensor]]:
        spools = [self._tracks[name].spool for name in file.tracks]
        with writing(file.destination):
            yield from zip(*(spool.blocks() for spool in spools if spool), strict=True)

    def abort(self) -> None:
        """Give up and leave nothing behind; harmless after `commit`."""
        self._cleanup.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.abort()
