"""The options of the commands, declared once; their defaults stand in `separation/options.py`."""

import math
import os
import re
from pathlib import Path
from typing import Annotated, Any

import typer

from stemsplit.errors import ConfigError
from stemsplit.separation.options import OutputOptions, SeparationOptions

SEPARATION = SeparationOptions()
OUTPUT = OutputOptions()
DEFAULT_MODEL = "auto"

_FORMATS = "wav|flac|mp3|m4a|alac|ogg|opus|stems"
_WHAT, _WHERE, _SOUND = "What to separate", "Where results go", "Sound of the files"
_HOW, _TALK, _DEMUCS = "How to compute", "What is printed", "As in demucs"


def clock(text: str | float) -> float:
    """Seconds from what a person writes for a time: ``70``, ``1:10`` or ``0:01:10.5``.

    Raises:
        ConfigError: it is no time.
    """
    if isinstance(text, int | float):
        return float(text)
    match = re.fullmatch(r"(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d*)?|\.\d+)", text.strip())
    if match is None:
        raise ConfigError(f"{text!r} is not a time: write seconds, 1:10 or 0:01:10.5.")
    hours, minutes, seconds = (float(part or 0) for part in match.groups())
    if (match[2] and seconds >= 60) or (match[1] and minutes >= 60):
        raise ConfigError(f"{text!r} is not a time: minutes and seconds go up to 59.")
    return hours * 3600 + minutes * 60 + seconds


def names(text: str) -> tuple[str, ...]:
    """The names in ``vocals, drums``.

    Raises:
        ConfigError: there is none.
    """
    found = tuple(name.strip() for name in text.split(",") if name.strip())
    if not found:
        raise ConfigError("--stems needs at least one name, such as vocals or vocals,drums.")
    return found


def kilobits(text: str | int) -> int:
    """Bit rate in kbit/s from ``320`` or ``320k``.

    Raises:
        ConfigError: it is no bit rate.
    """
    match = re.fullmatch(r"(\d+)k?", str(text).strip().lower())
    if match is None:
        raise ConfigError(f"{text!r} is not a bit rate in kbit/s, such as 320.")
    return int(match[1])


def number(text: str | float) -> float:
    """A finite number.

    Raises:
        ConfigError: it is none.
    """
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ConfigError(f"{text!r} is not a number.")
    return value


def folder(text: str | Path) -> Path:
    """A folder, with ``~`` for the home folder also where the shell leaves it: ``--out=~/x``."""
    return Path(os.path.expanduser(text))  # noqa: PTH111 (Path's raises on a name like ~stems)


def either(option: str, *values: Any, default: Any = None) -> Any:
    """The one value that was given among several ways to say the same.

    Args:
        option: its main name, for the message.
        values: what each way says; None and False count as nothing.
        default: the value when there is none.

    Raises:
        ConfigError: two ways say different things.
    """
    given = [value for value in values if value is not None and value is not False]
    if len(set(given)) > 1:
        said = " and ".join(str(value) for value in given)
        raise ConfigError(f"{option} is asked to be {said}: choose one.")
    return given[0] if given else default


Inputs = Annotated[
    list[str],
    typer.Argument(
        metavar="SONG",
        help="Audio or video files, folders, patterns such as 'music/**/*.flac', or - for standard"
        " input.",
        show_default=False,
    ),
]
Model = Annotated[
    str,
    typer.Option(
        "--model",
        "--name",
        "-n",
        metavar="NAME",
        help="A name from `stemsplit models list`, a file or folder of weights, or"
        " hf:owner/repository. auto: the best one in the cache; else htdemucs, which is fetched;"
        " without a network, the one that comes with stemsplit.",
        rich_help_panel=_WHAT,
    ),
]
Stems = Annotated[
    str | None,
    typer.Option(
        metavar="A,B",
        help="Only these stems; networks that they do not need are not run.",
        rich_help_panel=_WHAT,
    ),
]
TwoStems = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="This stem, and everything else as no_NAME (karaoke: vocals).",
        rich_help_panel=_WHAT,
    ),
]
Start = Annotated[
    float,
    typer.Option(
        "--from",
        parser=clock,
        metavar="TIME",
        help="Begin here: 70, 1:10 or 0:01:10.5.",
        rich_help_panel=_WHAT,
        show_default=False,
    ),
]
Stop = Annotated[
    float | None,
    typer.Option("--to", parser=clock, metavar="TIME", help="Stop here.", rich_help_panel=_WHAT),
]
Repo = Annotated[
    Path | None,
    typer.Option(
        parser=folder,
        metavar="DIR",
        help="Look the model up in this folder of .th, .safetensors and .yaml files.",
        rich_help_panel=_WHAT,
    ),
]
Offline = Annotated[
    bool,
    typer.Option("--offline", help="Never open a network connection.", rich_help_panel=_WHAT),
]

Out = Annotated[
    Path,
    typer.Option(
        "--out",
        "-o",
        parser=folder,
        metavar="DIR",
        help="Output folder.",
        rich_help_panel=_WHERE,
    ),
]
Template = Annotated[
    str | None,
    typer.Option(
        metavar="PATH",
        show_default=OUTPUT.template,
        help="Path of a stem below the output folder. Fields: model, track, trackext, stem, ext,"
        " artist, albumartist, album, title, tracknumber, discnumber, year, genre, composer.",
        rich_help_panel=_WHERE,
    ),
]
SkipExisting = Annotated[
    bool,
    typer.Option(
        "--skip-existing",
        help="Leave out songs whose stems are there already, made from the same file by the same"
        " model and settings. Goes on with a run that was stopped.",
        rich_help_panel=_WHERE,
    ),
]
Overwrite = Annotated[
    bool,
    typer.Option(
        "--overwrite",
        help="Replace files in the way, also those that stemsplit did not make of the song.",
        rich_help_panel=_WHERE,
    ),
]

Report = Annotated[
    bool,
    typer.Option(
        "--report",
        help="Judge every stem from 0 to 100 without the true ones, say why, and which songs to"
        " listen to first; kept in quality.csv. Up to three more forward passes a song.",
        rich_help_panel=_WHERE,
    ),
]

Format = Annotated[
    str | None,
    typer.Option(
        metavar=_FORMATS, help="Kind of file.", show_default=OUTPUT.format, rich_help_panel=_SOUND
    ),
]
BitDepth = Annotated[
    int | None,
    typer.Option(
        metavar="16|24|32",
        help="Of lossless formats; 32 is floating point, for wav only. With --format stems it asks"
        " for Apple Lossless instead of AAC.",
        show_default="16",
        rich_help_panel=_SOUND,
    ),
]
Bitrate = Annotated[
    int | None,
    typer.Option(
        parser=kilobits,
        metavar="KBIT",
        help="Of lossy formats, in kbit/s.",
        show_default="mp3 320, m4a, ogg and stems 256, opus 192",
        rich_help_panel=_SOUND,
    ),
]
Clip = Annotated[
    str | None,
    typer.Option(
        metavar="shared|clamp|none",
        show_default=OUTPUT.clip,
        help="When a stem is too loud for the format: one gain for all stems, cut peaks, or"
        " nothing.",
        rich_help_panel=_SOUND,
    ),
]
ExactSum = Annotated[
    bool,
    typer.Option(
        "--exact-sum",
        help="Add what the model left over to `other` (or the last stem), so that all stems add up"
        " to the song.",
        rich_help_panel=_SOUND,
    ),
]

Shifts = Annotated[
    int,
    typer.Option(
        metavar="N",
        help="Average N predictions of shifted input: a little better, N times slower.",
        rich_help_panel=_HOW,
    ),
]
Seed = Annotated[int, typer.Option(metavar="N", help="Of the random shifts.", rich_help_panel=_HOW)]
Overlap = Annotated[
    float,
    typer.Option(
        parser=number, metavar="SHARE", help="Of neighbouring segments.", rich_help_panel=_HOW
    ),
]
Segment = Annotated[
    float | None,
    typer.Option(
        parser=number,
        metavar="SECONDS",
        help="Length of a segment; at most what the model takes. Shorter needs less memory, but"
        " not with networks of fixed length (htdemucs and its kin), which it only slows down.",
        show_default="the model's",
        rich_help_panel=_HOW,
    ),
]
Batch = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="Segments per forward pass.",
        show_default="what the memory allows",
        rich_help_panel=_HOW,
    ),
]
Device = Annotated[
    str,
    typer.Option(
        "--device",
        "-d",
        metavar="NAME",
        help="auto, cpu, cuda, cuda:1, mps or xpu.",
        rich_help_panel=_HOW,
    ),
]
Precision = Annotated[
    str,
    typer.Option(
        metavar="auto|fp32|fp16|bf16",
        help="Arithmetic. auto is fp32; fp16 and bf16 are meant to be faster on a GPU, and give"
        " slightly other stems.",
        rich_help_panel=_HOW,
    ),
]
Jobs = Annotated[
    int,
    typer.Option(
        "--jobs",
        "-j",
        metavar="N",
        help="Forward passes side by side on a CPU.",
        rich_help_panel=_HOW,
    ),
]

Json = Annotated[
    bool,
    typer.Option("--json", help="One JSON object per line, for programs.", rich_help_panel=_TALK),
]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="Only the paths of results.", rich_help_panel=_TALK)
]
JsonTable = Annotated[bool, typer.Option("--json", help="JSON instead of a table.")]


def _list_models(wanted: bool) -> None:
    if wanted:
        from stemsplit.cli.models import list_models

        list_models()
        raise typer.Exit


ListModels = Annotated[
    bool,
    typer.Option(
        "--list-models",
        help="stemsplit models list.",
        callback=_list_models,
        is_eager=True,
        rich_help_panel=_DEMUCS,
    ),
]
Mp3 = Annotated[bool, typer.Option("--mp3", help="--format mp3.", rich_help_panel=_DEMUCS)]
Flac = Annotated[bool, typer.Option("--flac", help="--format flac.", rich_help_panel=_DEMUCS)]
Int24 = Annotated[bool, typer.Option("--int24", help="--bit-depth 24.", rich_help_panel=_DEMUCS)]
Float32 = Annotated[
    bool, typer.Option("--float32", help="--bit-depth 32.", rich_help_panel=_DEMUCS)
]
Mp3Bitrate = Annotated[
    int | None,
    typer.Option(
        parser=kilobits, metavar="KBIT", help="--bitrate of mp3.", rich_help_panel=_DEMUCS
    ),
]
Filename = Annotated[
    str | None,
    typer.Option(metavar="PATH", help="--template below {model}/.", rich_help_panel=_DEMUCS),
]
ClipMode = Annotated[
    str | None,
    typer.Option(
        metavar="rescale|clamp|none",
        help="--clip; rescale is shared.",
        rich_help_panel=_DEMUCS,
    ),
]
