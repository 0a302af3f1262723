"""`stemsplit data`: the data sets that models are evaluated on and trained with."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stemsplit.cli import _options as cli
from stemsplit.cli import preview, synth
from stemsplit.cli._console import Console, duration, make_console

if TYPE_CHECKING:
    from stemsplit.evaluation.data.dataset import Dataset
    from stemsplit.evaluation.data.findings import TrackReport

_DEFAULT_JOBS = 2

app = typer.Typer(no_args_is_help=True, help="Check data sets, and make one of generated songs.")
app.command()(synth.synth)


app.command()(preview.preview)


@app.callback()
def data() -> None:
    """Check data sets for eval and training, and make one of generated songs."""


@app.command()
def check(
    path: Annotated[
        str, typer.Argument(metavar="PATH", help="A folder of songs, or musdb or moisesdb.")
    ],
    split: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Only this part: train, valid or test."),
    ] = None,
    jobs: Annotated[
        int, typer.Option("--jobs", "-j", min=1, help="Songs that are read side by side.")
    ] = _DEFAULT_JOBS,
    json: cli.JsonTable = False,
) -> None:
    """Read all of a data set and say what is missing, broken or not what it seems.

    Missing stems, files that cannot be read, differing lengths and rates, silence, clipping, and
    mixes that are not the sum of their stems. Exit status 1 if a song cannot be used as it is.
    """
    from stemsplit.evaluation.data.check import check_dataset
    from stemsplit.evaluation.data.find import open_dataset

    console = make_console(is_json=json)
    dataset = open_dataset(path, split or "all")
    console.say(_describe(dataset))
    reports = []
    for report in check_dataset(dataset, jobs=jobs):
        reports.append(report)
        if not json:
            _show(console, report)
    if json:
        console.document(_facts(dataset, reports))
    else:
        console.result(_summary(reports))
    if not all(report.is_usable for report in reports):
        raise typer.Exit(1)


def _describe(dataset: "Dataset") -> str:
    parts = f", {dataset.split or ' and '.join(dataset.splits)}" if dataset.splits else ""
    songs = f"{len(dataset)} {'song' if len(dataset) == 1 else 'songs'}"
    stems = ", ".join(dataset.stems)
    return f"{dataset.name}{parts} ({dataset.layout}): {songs} in {dataset.path}, stems {stems}."


def _show(console: Console, report: "TrackReport") -> None:
    name = f"{report.split}/{report.track}" if report.split else report.track
    for finding in report.findings:
        mark = "ERROR  " if finding.is_error else "warning"
        console.result(f"{mark}  {name}: {finding.message}")
    if not report.findings:
        seconds = (report.num_samples or 0) / (report.sample_rate or 1)
        console.say(f"ok       {name} ({duration(seconds)})")


def _summary(reports: "Sequence[TrackReport]") -> str:
    broken = sum(not report.is_usable for report in reports)
    doubtful = sum(report.is_usable and bool(report.findings) for report in reports)
    fine = len(reports) - broken - doubtful
    lines = [f"{fine} of {len(reports)} fine, {doubtful} with warnings, {broken} with errors."]
    rates = sorted({report.sample_rate for report in reports if report.sample_rate})
    if len(rates) > 1:
        lines.append(f"Sample rates: {', '.join(map(str, rates))} Hz.")
    sums = [(report.sum_error_db, report.track) for report in reports if not report.findings]
    known = [(error, track) for error, track in sums if error is not None]
    if known:
        error, track = max(known)
        exact = "exactly" if error == -math.inf else f"to {error:.1f} dB or better ({track})"
        lines.append(f"Mixes of the fine ones equal the sums of their stems {exact}.")
    return "\n".join(lines)


def _facts(dataset: "Dataset", reports: "Sequence[TrackReport]") -> dict[str, Any]:
    return {
        "name": dataset.name,
        "path": dataset.path,
        "layout": dataset.layout,
        "split": dataset.split,
        "splits": dataset.splits,
        "stems": dataset.stems,
        "tracks": [{**vars(report), "is_usable": report.is_usable} for report in reports],
    }
