"""The worst moment of a track, to be seen and heard in the report.

Shapes: C audio channels, N samples, F frequency bins, T frames.
"""

import base64
import math
import tempfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from stemsplit.audio.formats import resolve_format
from stemsplit.audio.writer import StemSetWriter
from stemsplit.evaluation.png import write_png

_SECONDS = 6.0
_BITRATE = 128  # of the sounds, in kbit/s
_FRAME_SECONDS = 0.09
_COLUMNS, _ROWS = 320, 128  # of a spectrogram
_LOWEST_HZ, _HIGHEST_HZ = 40.0, 16_000.0
_RANGE_DB = 80.0


def make_excerpt(
    stem: str, reference: Tensor, estimate: Tensor, mix: Tensor, *, sample_rate: int
) -> dict[str, Any]:
    """The few seconds in which a stem is furthest from the truth.

    Args:
        stem: its name.
        reference: (C, N) the truth.
        estimate: (C, N).
        mix: (C, N).
        sample_rate: of all of them, in Hz.

    Returns:
        What JSON can hold: stem, start and length in seconds, MP3 sounds of mix, reference and
        estimate, and PNG spectrograms of reference, estimate and error, in base64.
    """
    start, stop = _worst(reference - estimate, round(_SECONDS * sample_rate), sample_rate)
    signals = {
        "mix": mix[:, start:stop],
        "reference": reference[:, start:stop],
        "estimate": estimate[:, start:stop],
    }
    pictures = {name: signals[name] for name in ("reference", "estimate")}
    pictures["error"] = signals["estimate"] - signals["reference"]
    loudest = max(float(_power(signal, sample_rate).max()) for signal in pictures.values())
    return {
        "stem": stem,
        "start_seconds": start / sample_rate,
        "seconds": (stop - start) / sample_rate,
        "sounds": {name: _text(data) for name, data in _encoded(signals, sample_rate).items()},
        "pictures": {
            name: _text(write_png(_pixels(signal, sample_rate, loudest)))
            for name, signal in pictures.items()
        },
    }


def _worst(error: Tensor, length: int, step: int) -> tuple[int, int]:
    """The stretch with the most energy of the error, found in steps of `step` samples."""
    num_samples = error.shape[-1]
    if num_samples <= length:
        return 0, num_samples
    summed = error.double().square().sum(dim=0).cumsum(dim=0)
    summed = torch.nn.functional.pad(summed, (1, 0))
    starts = torch.arange(0, num_samples - length + 1, step)
    start = int(starts[(summed[starts + length] - summed[starts]).argmax()])
    return start, start + length


def _encoded(signals: dict[str, Tensor], sample_rate: int) -> dict[str, bytes]:
    """Every signal as the bytes of an MP3 file, all with one gain where anything would clip."""
    with tempfile.TemporaryDirectory(prefix="stemsplit-") as folder:
        paths = {name: Path(folder) / f"{name}.mp3" for name in signals}
        channels = next(iter(signals.values())).shape[0]
        with StemSetWriter(
            paths,
            sample_rate=sample_rate,
            channels=channels,
            audio_format=resolve_format("mp3", None, _BITRATE),
        ) as writer:
            writer.write(signals)
            writer.commit()
        return {name: path.read_bytes() for name, path in paths.items()}


def _pixels(signal: Tensor, sample_rate: int, loudest: float) -> Any:
    """A spectrogram (rows, columns), high frequencies on top, in steps of the range below 0 dB."""
    power = _power(signal, sample_rate)
    level = 10 * torch.log10(power / max(loudest, 1e-20) + 1e-12)
    shade = ((level + _RANGE_DB) / _RANGE_DB).clamp(0, 1) * 255
    return shade.round().to(torch.uint8).flip(0).numpy()


def _power(signal: Tensor, sample_rate: int) -> Tensor:
    """Power (rows, columns): rows spaced evenly in pitch, columns in time."""
    n_fft = 2 ** round(math.log2(_FRAME_SECONDS * sample_rate))
    mono = signal.mean(dim=0)
    mono = torch.nn.functional.pad(mono, (0, max(0, n_fft - mono.shape[-1])))
    hop = max(1, (mono.shape[-1] - n_fft) // (_COLUMNS - 1))
    window = torch.hann_window(n_fft)
    spectrum = torch.stft(mono, n_fft, hop, window=window, center=False, return_complex=True)
    power = spectrum.abs().square()[:, :_COLUMNS]  # (F, T)
    highest = min(_HIGHEST_HZ, sample_rate / 2)
    pitches = torch.linspace(math.log(_LOWEST_HZ), math.log(highest), _ROWS).exp()
    bins = (pitches * n_fft / sample_rate).clamp(max=power.shape[0] - 1)
    below = bins.floor().long().clamp(max=power.shape[0] - 2)
    share = (bins - below)[:, None]
    rows: Tensor = power[below] * (1 - share) + power[below + 1] * share
    return rows


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
