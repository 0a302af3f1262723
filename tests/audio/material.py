"""Small audio files for the tests, made on the spot."""

import math
import subprocess
from collections.abc import Mapping
from pathlib import Path

import soundfile
import torch
from torch import Tensor

from stemsplit.audio.ffmpeg import find_ffmpeg

RATE = 44_100
TAGS = {
    "title": "Söng = 1; #2 \\ 3",
    "artist": "A: B",
    "album": "歌 🎵",
    "date": "2020-05-01",
    "genre": "Pop",
    "comment": "first line\nsecond: line",
}


def ffmpeg(*arguments: str | Path) -> None:
    """Run ffmpeg; the test fails with its words if it fails."""
    command = [find_ffmpeg(), "-hide_banner", "-nostdin", "-y", "-v", "error"]
    done = subprocess.run(
        [*command, *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def music(num_samples: int, channels: int = 2, rate: int = RATE, *, seed: int = 0) -> Tensor:
    """A decaying chord with some noise, (C, N), below half of full scale, never silent."""
    generator = torch.Generator().manual_seed(seed)
    time = torch.arange(num_samples) / rate
    rows = []
    for channel in range(channels):
        tones = sum(
            torch.sin(2 * math.pi * 110 * (k + 1) * time + k + channel) / (k + 1) for k in range(5)
        )
        noise = torch.randn(num_samples, generator=generator)
        rows.append(0.15 * tones * torch.exp(-time) + 0.01 * noise)
    return torch.stack(rows)


def write_wav(path: Path, signal: Tensor, rate: int = RATE, subtype: str = "FLOAT") -> Path:
    """A wav file, written by a library that the program does not use."""
    soundfile.write(path, signal.t().numpy(), rate, subtype=subtype)
    return path


def read_samples(path: Path) -> Tensor:
    """The samples of a wav or flac file, (C, N), by the same library."""
    samples, _ = soundfile.read(path, dtype="float32", always_2d=True)
    return torch.from_numpy(samples).t()


def encode(path: Path, signal: Tensor, rate: int = RATE, *options: str) -> Path:
    """A file of any kind that ffmpeg writes, judged by its extension."""
    source = write_wav(path.with_name("encode-source.wav"), signal, rate)
    ffmpeg("-i", source, *options, f"file:{path}")
    source.unlink()
    return path


def tag_file(path: Path, tags: Mapping[str, str] = TAGS) -> Path:
    """Tags in ffmpeg's text format."""
    escaped = str.maketrans({c: f"\\{c}" for c in "=;#\\\n"})
    lines = [f"{key}={value.translate(escaped)}" for key, value in tags.items()]
    path.write_text("\n".join([";FFMETADATA1", *lines]) + "\n", encoding="utf-8")
    return path


def picture(path: Path) -> Path:
    """A small jpeg or png."""
    ffmpeg("-f", "lavfi", "-i", "testsrc=s=32x24", "-frames:v", "1", path)
    return path


def tagged_song(path: Path, *, cover: Path | None = None, num_samples: int = 20_000) -> Path:
    """A song with `TAGS`, and a cover where the format holds one."""
    source = write_wav(path.with_name("tagged-source.wav"), music(num_samples))
    tags = tag_file(path.with_name("tagged-source.txt"))
    arguments: list[str | Path] = ["-i", source, "-i", tags]
    if cover is not None:
        arguments += ["-i", cover, "-map", "0", "-map", "2", "-c:v", "copy"]
        arguments += ["-disposition:v", "attached_pic"]
    ffmpeg(*arguments, "-map_metadata", "1", path)
    source.unlink()
    tags.unlink()
    return path


def cut(path: Path, share: float) -> Path:
    """A copy of a file that stops after a share of its bytes."""
    data = path.read_bytes()
    short = path.with_name(f"cut-{path.name}")
    short.write_bytes(data[: int(len(data) * share)])
    return short
