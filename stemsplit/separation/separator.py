"""The front door: a song in, its stems out.

Shapes: S stems, C audio channels, N samples.
"""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stemsplit.audio.channels import match_channels
from stemsplit.audio.reader import AudioReader
from stemsplit.checkpoints.automatic import choose_model
from stemsplit.checkpoints.beginning import attainable
from stemsplit.checkpoints.load import LoadedModel, load_model
from stemsplit.checkpoints.resolve import AUTO
from stemsplit.errors import UnsupportedAudioError
from stemsplit.separation.background import Background
from stemsplit.separation.device import choose_device
from stemsplit.separation.ensemble import Ensemble, ProgressCallback, with_segment
from stemsplit.separation.events import EventSink, ModelReady, Notice
from stemsplit.separation.options import REPO_MODEL, SeparationOptions
from stemsplit.separation.piped import called, spool_if_pipe
from stemsplit.separation.prepared import PreparedSong, read_through, resampled
from stemsplit.separation.signal import SignalWindow
from stemsplit.separation.stopping import stopping

_ARRAY_BLOCK_SAMPLES = 1 << 18  # pieces in which an array is walked through
_BLOCKS_AHEAD = 4  # decoded blocks that wait for the networks


@dataclass(frozen=True)
class StemBlock:
    """A stretch of every stem."""

    start: int
    """Its first sample, counted from the beginning of the song or of the asked range."""

    stems: dict[str, Tensor]
    """Each (C, n), float32, at the song's own sample rate."""

    mix: Tensor | None = None
    """The same stretch (C, n) of the song itself, where it was asked for."""


@dataclass(frozen=True)
class Separation:
    """The stems of a whole song."""

    stems: dict[str, Tensor]
    """Each (C, N), float32, with the sample rate, channels and length of what came in."""

    sample_rate: int
    """In Hz."""

    seed: int | None
    """Seed of the random shifts; None when there were none."""


class Separator:
    """Separates songs with one model, loaded once.

    ```python
    separator = Separator("htdemucs")
    stems = separator.separate(mix, 44_100).stems
    ```
    """

    def __init__(
        self,
        model: str | LoadedModel = "htdemucs",
        options: SeparationOptions | None = None,
        *,
        offline: bool = False,
        repo: Path | None = None,
        on_event: EventSink | None = None,
        cancel: threading.Event | None = None,
    ) -> None:
        """Load a model onto a device.

        Args:
            model: a name, path or hub id as `--model` takes it, ``auto`` included, or an already
                loaded model. With a `repo`, ``auto`` is htdemucs, as in demucs.
            options: how to separate.
            offline: never open a network connection.
            repo: folder of weights to look the name up in.
            on_event: told when the model is ready and what the user should know.
            cancel: set it from another thread to stop; the work then ends with `Cancelled`.

        Raises:
            UnknownModelError: no such model, or it has no such stem.
            CheckpointError: its weights cannot be had or read.
            ConfigError: the options do not suit the model.
            DeviceError: the device cannot be used.
        """
        self.options = options or SeparationOptions()
        self.cancel = cancel or threading.Event()
        began = time.perf_counter()
        choice = choose_device(self.options.device)
        if choice.warning and on_event:
            on_event(Notice(message=choice.warning, is_warning=True))
        if model == AUTO and repo is not None:
            model = REPO_MODEL
        elif model == AUTO:
            chosen = attainable(
                choose_model(self.options.needed_stems, offline=offline), self.options.needed_stems
            )
            if chosen.notice and on_event:
                on_event(Notice(message=chosen.notice, is_warning=chosen.is_warning))
            model = chosen.name
        if isinstance(model, str):
            model = load_model(
                model,
                stems=self.options.needed_stems,
                offline=offline,
                repo=repo,
                progress=stopping(self.cancel),
            )
        self.model = with_segment(model, self.options.segment_seconds)
        self.device = choice.device
        self._predicted = self.options.predicted_stems(self.model.name, self.model.stems)
        self._ensemble = Ensemble(
            self.model, self._predicted, self.options, self.device, self.cancel
        )
        if on_event:
            on_event(
                ModelReady(
                    model=self.model.name,
                    device=str(self.device),
                    precision=self.options.precision,
                    networks=self._ensemble.num_networks,
                    seconds=time.perf_counter() - began,
                )
            )

    @property
    def stems(self) -> tuple[str, ...]:
        """Names of the stems that come out, in order."""
        return self.options.output_stems(self.model.name, self.model.stems)

    @property
    def sample_rate(self) -> int:
        """The model's sample rate in Hz; songs of any other rate are resampled there and back."""
        return self.model.sample_rate

    @property
    def seed(self) -> int | None:
        """Seed of the shifts, or None without shifts."""
        return self.options.seed if self.options.shifts else None

    def separate(
        self,
        mix: Tensor | NDArray[np.floating],
        sample_rate: int,
        *,
        on_progress: ProgressCallback | None = None,
    ) -> Separation:
        """Separate a whole song in memory.

        Args:
            mix: (C, N) or (N,), full scale at 1; left unchanged.
            sample_rate: of `mix`, in Hz.
            on_progress: told the finished share, from 0 to 1.

        Returns:
            The stems, with the length, channels and rate of `mix`.

        Raises:
            UnsupportedAudioError: `mix` is empty, has another shape, or holds NaN or infinity.
            Cancelled: the work was called off.
        """
        prepared = self.prepare_array(mix, sample_rate)
        return Separation(self._joined(prepared, on_progress), sample_rate, self.seed)

    def prepare_array(self, mix: Tensor | NDArray[np.floating], sample_rate: int) -> PreparedSong:
        """Take a song in memory as if it had been read from a file; see `separate`."""
        signal = torch.as_tensor(mix, dtype=torch.float32)
        signal = signal[None] if signal.dim() == 1 else signal
        if signal.dim() != 2 or 0 in signal.shape or signal.shape[0] > 2:
            raise UnsupportedAudioError(
                f"A mix must be (1, samples) or (2, samples), got {tuple(signal.shape)}."
            )
        if not bool(torch.isfinite(signal).all()):
            raise UnsupportedAudioError("The mix holds NaN or infinite samples: remove them first.")
        return read_through(
            Path(),
            lambda: iter(torch.split(signal, _ARRAY_BLOCK_SAMPLES, dim=-1)),
            sample_rate,
            signal.shape[0],
            model_rate=self.sample_rate,
            cancel=self.cancel,
        )

    def stream(
        self,
        path: Path | str,
        *,
        start_seconds: float = 0.0,
        stop_seconds: float | None = None,
        on_progress: ProgressCallback | None = None,
    ) -> Iterator[StemBlock]:
        """Separate a file piece by piece; memory does not grow with its length.

        Args:
            path: any file that ffmpeg reads.
            start_seconds: where to begin.
            stop_seconds: where to stop; None is the end.
            on_progress: told the finished share, from 0 to 1.

        Yields:
            Consecutive blocks of all stems, with the file's own rate and length and its channels
            (more than two are downmixed to stereo).

        Raises:
            AudioError: the file cannot be read.
            Cancelled: the work was called off.
        """
        prepared = self.prepare(Path(path), start_seconds=start_seconds, stop_seconds=stop_seconds)
        yield from self.stream_prepared(prepared, on_progress=on_progress)

    def prepare(
        self,
        path: Path,
        *,
        start_seconds: float = 0.0,
        stop_seconds: float | None = None,
        sample_rate: int | None = None,
    ) -> PreparedSong:
        """Read a file once for its length and statistics; may run beside a separation.

        Args:
            path: any file that ffmpeg reads.
            start_seconds: where to begin.
            stop_seconds: where to stop; None is the end.
            sample_rate: that the song and its stems shall have, in Hz; None is the file's own.

        Raises:
            AudioError: the file cannot be read, or holds no samples.
        """
        spooled = spool_if_pipe(path, self.cancel)
        with called(path, spooled):
            reader = AudioReader(
                spooled.path,
                sample_rate=sample_rate,
                start_seconds=start_seconds,
                stop_seconds=stop_seconds,
            )
            prepared = read_through(
                path,
                reader.__iter__,
                reader.sample_rate,
                reader.channels,
                model_rate=self.sample_rate,
                cancel=self.cancel,
                info=reader.info,
            )
        return replace(
            prepared,
            downmixed_from=reader.downmixed_from,
            faults=reader.faults,
            spooled=spooled,
        )

    def stream_prepared(
        self,
        song: PreparedSong,
        *,
        with_mix: bool = False,
        on_progress: ProgressCallback | None = None,
    ) -> Iterator[StemBlock]:
        """Separate a song that has been prepared; see `stream`.

        Args:
            song: what `prepare` returned.
            with_mix: hand out the song itself as well.
            on_progress: told the finished share, from 0 to 1.
        """
        is_partial = self.options.two_stems is None and self.options.exact_sum is None
        mix: SignalWindow | None = None
        if with_mix or not is_partial:
            mix = SignalWindow(song.open_blocks(), song.num_samples)
        start = 0
        for piece in self._at_song_rate(song, on_progress):
            stop = start + piece.shape[-1]
            stems = dict(zip(self._predicted, piece, strict=True))
            heard = None
            if mix is not None:
                heard = mix.take(start, stop)
                stems = self._complete(stems, heard)
                mix.drop(stop)
            yield StemBlock(start, stems, heard if with_mix else None)
            start = stop

    def separate_excerpt(self, song: PreparedSong, mix: Tensor) -> dict[str, Tensor]:
        """Separate a stretch of a prepared song, taken to be as loud as the whole.

        Args:
            song: what the stretch is from.
            mix: (C, n) of it, at its rate.

        Returns:
            The stems, each (C, n).
        """
        excerpt = read_through(
            song.path,
            lambda: iter([mix]),
            song.sample_rate,
            song.channels,
            model_rate=self.sample_rate,
            cancel=self.cancel,
        )
        statistics = song.statistics.scaled_to(excerpt.statistics.num_samples)
        return self._joined(replace(excerpt, statistics=statistics))

    def _joined(
        self, song: PreparedSong, on_progress: ProgressCallback | None = None
    ) -> dict[str, Tensor]:
        blocks = list(self.stream_prepared(song, on_progress=on_progress))
        return {name: torch.cat([b.stems[name] for b in blocks], dim=-1) for name in self.stems}

    def _complete(self, stems: dict[str, Tensor], mix: Tensor) -> dict[str, Tensor]:
        """Add what the networks left over: as a stem of its own, or to one of the stems."""
        rest = mix - torch.stack(list(stems.values())).sum(dim=0)
        if self.options.two_stems is not None:
            return {**stems, f"no_{self.options.two_stems}": rest}
        if self.options.exact_sum is not None:
            stems[self.options.exact_sum] = stems[self.options.exact_sum] + rest
        return stems

    def _at_song_rate(
        self, song: PreparedSong, on_progress: ProgressCallback | None
    ) -> Iterator[Tensor]:
        """The stems (S, C, n) as the song is: its channels, its rate, its number of samples."""
        num_left = song.num_samples
        folded = (
            match_channels(piece, song.channels).flatten(0, 1)
            for piece in self._at_model_rate(song, on_progress)
        )
        for rows in resampled(folded, self.sample_rate, song.sample_rate):
            piece = rows.view(len(self._predicted), song.channels, -1)[..., :num_left]
            num_left -= piece.shape[-1]
            if piece.shape[-1]:
                yield piece

    def _at_model_rate(
        self, song: PreparedSong, on_progress: ProgressCallback | None
    ) -> Iterator[Tensor]:
        mean, std = song.statistics.mean, song.statistics.std
        channels = self.model.channels
        normalised = (
            match_channels((block - mean) / std, channels)
            for block in resampled(song.open_blocks(), song.sample_rate, self.sample_rate)
        )
        with Background(normalised, ahead=_BLOCKS_AHEAD) as blocks:
            for piece in self._ensemble.predict(
                iter(blocks), song.statistics.num_samples, on_progress=on_progress
            ):
                yield piece * std + mean
