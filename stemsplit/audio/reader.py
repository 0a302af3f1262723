"""A file as a stream of blocks (C, N), decoded by ffmpeg.

A stream that ends before its announced end is an error, never a shorter result.
"""

import logging
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import torch
from torch import Tensor

from stemsplit.audio.ffmpeg import FFmpegProcess, file_input, message, pipe_output
from stemsplit.audio.probe import AudioInfo, probe
from stemsplit.audio.resample import Resampler
from stemsplit.errors import DecodeError, UnsupportedAudioError

_SAMPLE_BYTES = 4  # float32
_BLOCK_SAMPLES = 1 << 16  # 1.5 s at 44.1 kHz

# How much shorter than announced a stream may be. Announcements are rounded to 0.01 s; lossy ones
# may count the encoder's lead-in and padding, and one lost frame (26 ms of mp3) is a fault that is
# reported but need not cost the song.
_LOSSLESS_TOLERANCE_SECONDS = 0.02
_LOSSY_TOLERANCE_SECONDS = 0.25

# Containers whose packets state exactly when they are heard, so that decoding may begin anywhere.
_SEEKABLE = frozenset({"wav", "w64", "aiff", "caf", "flac", "mov"})
_RUN_UP_SECONDS = 1  # decoded and dropped: the first packets after a jump are not whole

_CUT_SHORT = ("partial file", "File ended prematurely", "Packet corrupt", "Truncating packet")
_CUT_SHORT_IS_NORMAL = ("wav", "mpegts")  # wav is checked by its header; broadcasts have gaps

_log = logging.getLogger(__name__)


class AudioReader:
    """The audio of a file, as blocks; may be iterated any number of times.

    Every iteration decodes afresh. Memory does not grow with the length of the file. Samples come
    as they were decoded: full scale is 1, and what exceeds it is kept.

    Args:
        path: any file that ffmpeg reads, with or without pictures.
        sample_rate: rate to resample to, in Hz; None keeps the file's own.
        start_seconds: where to begin, exact to the sample of a full decode.
        stop_seconds: where to stop; None, or a time after the end, is the end.
        block_samples: length of a block before any resampling.
        audio_stream: which audio stream of the file, counted from 0; None lets the file decide.
        is_seeking: jump to a little before `start_seconds` where the format allows that to the
            sample, instead of decoding what comes before it. Noise that an AAC decoder makes up
            is another one then.

    Raises:
        DecodeError: the file cannot be opened, or a part of it is missing.
        UnsupportedAudioError: it is not audio, or shorter than `start_seconds`.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        sample_rate: int | None = None,
        start_seconds: float = 0.0,
        stop_seconds: float | None = None,
        block_samples: int = _BLOCK_SAMPLES,
        audio_stream: int | None = None,
        is_seeking: bool = False,
    ) -> None:
        self.info: AudioInfo = probe(path, audio_stream=audio_stream)
        self.sample_rate = sample_rate or self.info.sample_rate
        self.channels = min(self.info.channels, 2)
        self.faults: tuple[str, ...] = ()
        self._start = round(start_seconds * self.info.sample_rate)
        self._stop = None if stop_seconds is None else round(stop_seconds * self.info.sample_rate)
        self._jump_seconds = self._jump(start_seconds) if is_seeking else 0
        self._block_samples = block_samples
        self._running: set[FFmpegProcess] = set()
        announced = self.info.duration_seconds
        if self._start and announced and self.info.is_duration_exact and start_seconds > announced:
            raise UnsupportedAudioError(self._begins_too_late())

    @property
    def downmixed_from(self) -> int | None:
        """Channels of the file when it has more than two, which are then mixed down to stereo."""
        return self.info.channels if self.info.channels > 2 else None

    def __iter__(self) -> Iterator[Tensor]:
        """Decode from the beginning.

        Yields:
            Consecutive blocks (C, n), float32, finite; n is `block_samples` but for the last one
            where nothing is resampled.

        Raises:
            DecodeError: ffmpeg failed, the stream ends early, or it holds NaN or infinity.
            UnsupportedAudioError: there are no samples in the asked range.
        """
        if self.sample_rate == self.info.sample_rate:
            yield from self._decoded()
            return
        resampler = Resampler(self.info.sample_rate, self.sample_rate)
        for block in self._decoded():
            if (resampled := resampler.process(block)).shape[-1]:
                yield resampled
        if (rest := resampler.flush()).shape[-1]:
            yield rest

    def _decoded(self) -> Iterator[Tensor]:
        num_samples = 0
        with FFmpegProcess(self._command()) as process:
            self._running.add(process)
            while data := process.read(self._block_samples * self.channels * _SAMPLE_BYTES):
                block = torch.frombuffer(data, dtype=torch.float32).view(-1, self.channels).t()
                num_samples += block.shape[-1]
                yield self._checked(block.contiguous())
            status = process.finish()
            self._running.discard(process)
            self._check_end(process, status, num_samples)

    def _command(self) -> Any:
        options: dict[str, object] = {
            "f": "f32le",
            "ac": self.channels,
            "ar": self.info.sample_rate,  # a stream may change its rate half way
            "map_metadata": -1,
        }
        options |= self._trimming()
        jump = {"ss": self._jump_seconds} if self._jump_seconds else {}
        stream = file_input(self.info.path, **jump)[str(self.info.stream_index)]
        return pipe_output([stream], options)

    def _trimming(self) -> dict[str, object]:
        if not self._start and self._stop is None:
            return {}
        # After a jump the first packet need not begin there: its time stamp tells where it does.
        rate, jumped = self.info.sample_rate, self._jump_seconds * self.info.sample_rate
        unit, before = ("pts", f"asettb=1/{rate},") if jumped else ("sample", "")
        stop = "" if self._stop is None else f":end_{unit}={self._stop - jumped}"
        return {"af": f"{before}atrim=start_{unit}={self._start - jumped}{stop}"}

    def _jump(self, start_seconds: float) -> int:
        """Whole seconds to jump over; whole ones are whole samples at any rate."""
        is_exact = bool(_SEEKABLE & set(self.info.container.split(",")))
        return max(int(start_seconds) - _RUN_UP_SECONDS, 0) if is_exact else 0

    def _checked(self, block: Tensor) -> Tensor:
        if not torch.isfinite(block).all():
            raise DecodeError(
                f"Cannot use {self.info.path}: it holds samples that are not numbers (NaN or "
                "infinity). Export it again from the program that made it."
            )
        return block

    def _check_end(self, process: FFmpegProcess, status: int, num_samples: int) -> None:
        path, lines = self.info.path, process.lines
        if status != 0:
            raise DecodeError(
                f"Cannot decode {path}: {process.reason()}. Fetch the file again, or salvage what "
                f"is left of it with another program."
            )
        reached = self._start + num_samples
        wanted = self._least_samples()
        is_cut = self.info.container not in _CUT_SHORT_IS_NORMAL and any(
            sign in line for sign in _CUT_SHORT for line in lines
        )
        is_whole_asked = self._stop is None or reached < self._stop
        if reached < wanted or (is_cut and is_whole_asked and not self.info.is_duration_exact):
            raise DecodeError(self._ends_early(reached if num_samples else None))
        if num_samples == 0:
            if self._start:
                raise UnsupportedAudioError(self._begins_too_late())
            raise UnsupportedAudioError(
                f"Cannot use {path}: it holds no samples. Choose a file with sound."
            )
        self.faults = tuple(message(line) for line in lines if "[error]" in line)
        if self.faults:
            _log.info("%s: %s (%d faults)", path, self.faults[0], len(self.faults))

    def _least_samples(self) -> int:
        """Where a complete stream gets to at least, counted from its beginning."""
        info = self.info
        if info.duration_seconds is None or not info.is_duration_exact:
            return 0
        tolerance = _LOSSLESS_TOLERANCE_SECONDS if info.is_lossless else _LOSSY_TOLERANCE_SECONDS
        least = int((info.duration_seconds - tolerance) * info.sample_rate)
        return least if self._stop is None else min(least, self._stop)

    def _ends_early(self, reached: int | None) -> str:
        announced = self.info.duration_seconds
        where = "" if reached is None else f" after {reached / self.info.sample_rate:.2f} s"
        promise = (
            f", though it announces {announced:.2f} s"
            if announced is not None and self.info.is_duration_exact
            else ": its last piece is incomplete"
        )
        return (
            f"Cannot use {self.info.path}: it ends early{where}{promise}. Fetch the file again, "
            "or convert what is left of it to wav and use that."
        )

    def _begins_too_late(self) -> str:
        announced = self.info.duration_seconds
        length = "shorter than that" if announced is None else f"only {announced:.2f} s long"
        return (
            f"Cannot begin {self.info.path} at {self._start / self.info.sample_rate:.2f} s: it is "
            f"{length}. Choose an earlier start."
        )

    def close(self) -> None:
        """Stop decoding; harmless when nothing is being decoded."""
        while self._running:
            self._running.pop().stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
