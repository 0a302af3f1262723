"""One file being written: blocks go to an ffmpeg process that encodes them.

Shapes: C audio channels, N samples.
"""

import itertools
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import torch
from torch import Tensor

from stemsplit.audio.ffmpeg import FFmpegProcess, file_input, file_output, pipe_input
from stemsplit.audio.formats import OutputFormat
from stemsplit.audio.levels import Quantiser
from stemsplit.audio.spool import as_bytes
from stemsplit.audio.staging import write_error, writing
from stemsplit.audio.stems_file import add_stem_box, track_name
from stemsplit.audio.tags import cover_input

_RAW_FORMATS = {None: "f32le", 16: "s16le", 24: "s32le", 32: "f32le"}
_OPUS_CHANNEL_BITRATE = 256  # kbit/s that one channel may take at most

# Nominal stereo bit rates of libvorbis at 44.1 kHz, for the qualities 0, 1, ... 10.
_VORBIS_BITRATES = (64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 500)  # kbit/s


class Encoder:
    """Writes one audio file with one or several tracks of equal length.

    Args:
        path: the file to write, which is replaced.
        destination: the name it will have, for messages.
        output_format: what to write.
        tracks: names of the tracks; more than one only for a single-file format.
        sample_rate: of the blocks and of the file, in Hz.
        channels: of every track.
        tags: file of tags, made by `write_tag_file`.
        cover: picture file, or None.
        seed: of the dither; tracks that are summed should have different ones.

    Raises:
        FFmpegNotFoundError: there is no ffmpeg.
    """

    def __init__(
        self,
        path: Path,
        destination: Path,
        output_format: OutputFormat,
        *,
        tracks: Sequence[str],
        sample_rate: int,
        channels: int,
        tags: Path,
        cover: Path | None,
        seed: int,
    ) -> None:
        self._path = path
        self._destination = destination
        self._format = output_format
        self._tracks = tracks
        self._quantisers = [
            Quantiser(output_format.bit_depth, seed + place)
            for place in range(len(tracks))
            if output_format.bit_depth in (16, 24)
        ]
        source = pipe_input(
            f=_RAW_FORMATS[output_format.bit_depth], ar=sample_rate, ac=channels * len(tracks)
        )
        streams = _split_tracks(source, len(tracks), channels)
        options = {**_codec_options(output_format, channels), **_track_options(tracks)}
        # It has no streams: a map that may match nothing makes ffmpeg-python list it as input 1.
        streams.append(file_input(tags, f="ffmetadata")["a?"])
        options["map_metadata"] = 1
        if cover is not None:
            streams.append(cover_input(cover))
            options |= _COVER_OPTIONS
        self._process = FFmpegProcess(
            file_output(streams, path, options), log_level="level+error", has_input=True
        )

    def write(self, blocks: Sequence[Tensor]) -> None:
        """Add the next stretch of every track, each (C, N) float32, in the order of the tracks.

        Raises:
            EncodeError: ffmpeg has given up, because the disk is full for instance.
        """
        if self._quantisers:
            rounded = (each(block) for each, block in zip(self._quantisers, blocks, strict=True))
            samples = torch.cat(list(rounded), dim=1)
        else:
            samples = torch.cat(list(blocks)).t().contiguous()
        if not samples.numel():
            return
        try:
            self._process.write(as_bytes(samples))
        except BrokenPipeError:
            self._process.finish()
            raise write_error(self._destination, self._process.reason()) from None

    def finish(self) -> None:
        """Complete the file.

        Raises:
            EncodeError: it could not be completed.
        """
        status = self._process.finish()
        if status != 0:
            raise write_error(self._destination, self._process.reason())
        if self._format.format.is_single_file:
            with writing(self._destination):
                add_stem_box(self._path, self._tracks[1:])

    def stop(self) -> None:
        """Give up; what has been written so far is of no use."""
        self._process.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()


def _split_tracks(source: Any, num_tracks: int, channels: int) -> list[Any]:
    """The tracks of an input that holds all of them side by side as channels."""
    if num_tracks == 1:
        return [source["a"]]
    layout = "mono" if channels == 1 else "stereo"
    copies = source.filter_multi_output("asplit", num_tracks)
    return [
        copies[track].filter(
            "channelmap",
            map="|".join(str(track * channels + channel) for channel in range(channels)),
            channel_layout=layout,
        )
        for track in range(num_tracks)
    ]


_COVER_OPTIONS: dict[str, object] = {
    "c:v": "copy",
    "disposition:v": "attached_pic",
    "metadata:s:v": "comment=Cover (front)",
}


def _track_options(tracks: Sequence[str]) -> dict[str, object]:
    """Only the first track is enabled; the others wait for software that knows what they are."""
    if len(tracks) == 1:
        return {}
    options: dict[str, object] = {}
    for place, track in enumerate(tracks):
        options[f"disposition:a:{place}"] = "default" if place == 0 else "0"
        options[f"metadata:s:a:{place}"] = f"handler_name={track_name(track)}"
    return options


def _codec_options(output_format: OutputFormat, channels: int) -> dict[str, object]:
    bit_depth, bitrate = output_format.bit_depth, output_format.bitrate or 0
    match output_format.name:
        case "wav":
            codec = {16: "pcm_s16le", 24: "pcm_s24le", 32: "pcm_f32le"}[bit_depth or 16]
            return {"f": "wav", "c:a": codec, "rf64": "auto"}
        case "flac":
            return {"f": "flac", "c:a": "flac", **_integer_options(bit_depth, planar=False)}
        case "mp3":
            # Many players still read only version 3 of ID3v2.
            return {"f": "mp3", "c:a": "libmp3lame", "b:a": f"{bitrate}k", "id3v2_version": 3}
        case "ogg":
            return {"f": "ogg", "c:a": "libvorbis", "q:a": vorbis_quality(bitrate)}
        case "opus":
            highest = _OPUS_CHANNEL_BITRATE * channels
            return {"f": "opus", "c:a": "libopus", "b:a": f"{min(bitrate, highest)}k"}
        case _:  # m4a, alac, stems: the file that Apple's programs write
            if bit_depth is None:
                return {"f": "ipod", "c:a": "aac", "b:a": f"{bitrate}k"}
            return {"f": "ipod", "c:a": "alac", **_integer_options(bit_depth, planar=True)}


def _integer_options(bit_depth: int | None, *, planar: bool) -> dict[str, object]:
    suffix = "p" if planar else ""
    if bit_depth == 16:
        return {"sample_fmt": f"s16{suffix}"}
    return {"sample_fmt": f"s32{suffix}", "bits_per_raw_sample": 24}


def vorbis_quality(bitrate: int) -> float:
    """The quality whose nominal stereo bit rate is `bitrate` kbit/s, from -2 to 10.

    libvorbis can hold a bit rate only at some combinations of rate and channels, but a quality at
    all of them.
    """
    if bitrate < _VORBIS_BITRATES[0]:
        return max((bitrate - _VORBIS_BITRATES[0]) / 16, -2.0)
    for quality, (low, high) in enumerate(itertools.pairwise(_VORBIS_BITRATES)):
        if bitrate <= high:
            return round(quality + (bitrate - low) / (high - low), 2)
    return 10.0
