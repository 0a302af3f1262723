"""`stemsplit demo`: splits the song of the package and scores it against its true stems."""

from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Annotated

import typer

from stemsplit.cli import _options as cli
from stemsplit.cli._console import Console, Mode, make_console
from stemsplit.cli._progress import make_reporter
from stemsplit.cli.separate import run, settle
from stemsplit.separation.events import SongFailed, SongFinished, SongSkipped
from stemsplit.separation.options import OutputOptions, SeparationOptions

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from stemsplit.evaluation.data.dataset import Track

_OURS = "htdemucs_nn"
_MIX = "mixture.flac"
_TEMPLATE = "{model}/{stem}.{ext}"


@dataclass(frozen=True, kw_only=True)
class StemScore:
    """How near a stem came to the true one."""

    stem: str
    sdr_db: float
    """uSDR of the stem: error against signal, over the whole song."""
    mix_sdr_db: float
    """uSDR of the song itself at the level that suits the stem best: of no separation at all."""
    file: Path


def demo(
    out: Annotated[
        Path,
        typer.Option("--out", "-o", parser=cli.folder, metavar="DIR", help="Where the stems go."),
    ] = Path("demo"),
    model: Annotated[
        str, typer.Option("--model", "-n", metavar="NAME", help="As separate takes it, auto too.")
    ] = _OURS,
    overwrite: cli.Overwrite = cli.OUTPUT.overwrite,
    device: cli.Device = cli.SEPARATION.device,
    offline: cli.Offline = False,
    json: cli.Json = False,
) -> None:
    """Split a song that comes with stemsplit, and score the stems against the true ones.

    With the model that comes along it needs no network. The song was generated; its style, sounds
    and voices were kept out of training.
    """
    from stemsplit.checkpoints.bundled import FOLDER
    from stemsplit.evaluation.data.find import open_dataset

    song = FOLDER / "song"
    settled = settle(
        [str(song / _MIX)],
        model,
        SeparationOptions(device=device),
        OutputOptions(folder=out, template=_TEMPLATE, overwrite=overwrite),
        offline=offline,
    )
    console = make_console(is_json=json)
    reporter = make_reporter(console, settled.about)
    reporter.lists_results = False
    if run(settled, reporter).failed:
        raise typer.Exit(1)
    scores = [
        score for result in reporter.results for score in _score(result, open_dataset(song)[0])
    ]
    if console.mode is Mode.JSON:
        console.record("scores", {"song": song, "stems": scores})
    elif scores:
        _show(console, scores)
    else:
        console.say(f"Nothing to score: the song has none of the stems of {settled.plan.model}.")


def _score(
    result: SongFinished | SongFailed | SongSkipped, track: "Track"
) -> "Iterator[StemScore]":
    """Set the stems of the song beside the true ones."""
    from stemsplit.evaluation.data.sources import FileSource
    from stemsplit.evaluation.metrics import usdr

    if not isinstance(result, SongFinished):
        return
    mix = track.mix.read()
    gain = 10 ** (result.gain_db / 20)  # which all stems have, where one would have clipped
    for stem, file in result.files.items():
        if stem in track.stems:
            true = track.stems[stem].read()
            yield StemScore(
                stem=stem,
                sdr_db=float(usdr(true * gain, FileSource(file).read())),
                mix_sdr_db=float(usdr(true, mix * ((true * mix).sum() / (mix * mix).sum()))),
                file=file,
            )


def _show(console: Console, scores: "Sequence[StemScore]") -> None:
    rows = [
        (one.stem, f"{one.sdr_db:.2f} dB", f"{one.mix_sdr_db:.2f} dB", str(one.file))
        for one in scores
    ]
    mean, mix_mean = (
        fmean(values)
        for values in ([one.sdr_db for one in scores], [one.mix_sdr_db for one in scores])
    )
    rows.append(("mean", f"{mean:.2f} dB", f"{mix_mean:.2f} dB", ""))
    console.table(("stem", "SDR", "of the mix", "file"), rows)
