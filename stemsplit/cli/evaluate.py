"""`stemsplit eval`: scores of models and of finished stems, with what they mean."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stemsplit.cli import _options as cli
from stemsplit.cli._console import make_console
from stemsplit.cli._scores import EvaluationReporter, make_evaluation_reporter
from stemsplit.cli._stopping import stop_on_signals
from stemsplit.errors import Cancelled
from stemsplit.evaluation.options import METRICS, MetricOptions
from stemsplit.evaluation.run_options import EvaluationOptions
from stemsplit.separation.options import SeparationOptions

if TYPE_CHECKING:
    from stemsplit.evaluation.session import Request
    from stemsplit.separation.separator import Separator

METRIC_DEFAULTS, DEFAULTS = MetricOptions(), EvaluationOptions()
_QUICK_METRICS = "sdr,csdr,usdr,si_sdr"
_STOPPED = 130
_WHAT, _HOW, _RESULT = "What to evaluate", "What to measure", "What comes out"

Models = Annotated[
    list[str] | None,
    typer.Option(
        "--model",
        "--name",
        "-n",
        metavar="NAME",
        help="A model to separate with, as `separate --model` takes it, but not auto; may be"
        " repeated.",
        rich_help_panel=_WHAT,
    ),
]
Estimates = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="DIR",
        help="Finished stems, in the tree that `separate` writes or TRACK_STEM.wav; may be"
        " repeated.",
        rich_help_panel=_WHAT,
    ),
]
Data = Annotated[
    str,
    typer.Option(
        metavar="DIR|NAME",
        help="A folder of songs with their stems, or musdb or moisesdb.",
        rich_help_panel=_WHAT,
    ),
]
Split = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Part of the set: train, valid or test.",
        show_default="test, if there is one",
        rich_help_panel=_WHAT,
    ),
]
Stems = Annotated[
    str | None,
    typer.Option(metavar="A,B", help="Score only these stems.", rich_help_panel=_WHAT),
]
Tracks = Annotated[
    int | None,
    typer.Option(metavar="N", help="Only the first N tracks.", rich_help_panel=_WHAT),
]
Metrics = Annotated[
    str,
    typer.Option(
        metavar="A,B",
        help=f"Which to compute: {', '.join(METRICS)}, or all. Those left out by default, isr, sir"
        " and sar, need nearly all of the time of all.",
        rich_help_panel=_HOW,
    ),
]
Metric = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="The one for the table, the ranking, --fail-under and --compare.",
        rich_help_panel=_HOW,
    ),
]
Window = Annotated[
    float,
    typer.Option(
        parser=cli.number,
        metavar="SECONDS",
        help="Length of the windows of SDR, ISR, SIR and SAR; published figures have 1.",
        rich_help_panel=_HOW,
    ),
]
Hop = Annotated[
    float | None,
    typer.Option(
        parser=cli.number,
        metavar="SECONDS",
        help="Distance between windows.",
        show_default="the window",
        rich_help_panel=_HOW,
    ),
]
Engine = Annotated[
    str,
    typer.Option(metavar="fast|museval", help="What computes them.", rich_help_panel=_HOW),
]
Workers = Annotated[
    int,
    typer.Option(
        metavar="N",
        help="Tracks in work at the same time: one is separated while others are scored.",
        rich_help_panel=_HOW,
    ),
]
Calibrate = Annotated[
    bool,
    typer.Option(
        "--calibrate",
        help="Judge the stems without a reference too, as `separate --report` does, and tell how"
        " well that follows the true scores.",
        rich_help_panel=_HOW,
    ),
]
Seed = Annotated[
    int,
    typer.Option(metavar="N", help="Of random shifts and of resampling.", rich_help_panel=_HOW),
]
Out = Annotated[
    Path,
    typer.Option(
        "--out",
        "-o",
        parser=cli.folder,
        metavar="DIR",
        help="Folder of results.json, results.csv, report.html and finished tracks; the same"
        " command goes on where it was stopped.",
        rich_help_panel=_RESULT,
    ),
]
Baseline = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="What the others are compared with.",
        show_default="the first",
        rich_help_panel=_RESULT,
    ),
]
Compare = Annotated[
    Path | None,
    typer.Option(
        metavar="OLD.json",
        help="results.json of an earlier run; exit status 1 if a stem got worse.",
        rich_help_panel=_RESULT,
    ),
]
FailUnder = Annotated[
    list[str] | None,
    typer.Option(
        metavar="STEM=DB",
        help="Exit status 1 if a stem is below; all is the mean over stems; may be repeated.",
        rich_help_panel=_RESULT,
    ),
]


def evaluate(
    model: Models = None,
    estimates: Estimates = None,
    data: Data = "musdb",
    split: Split = None,
    stems: Stems = None,
    two_stems: cli.TwoStems = DEFAULTS.two_stems,
    tracks: Tracks = DEFAULTS.max_tracks,
    repo: cli.Repo = None,
    offline: cli.Offline = False,
    metrics: Metrics = _QUICK_METRICS,
    metric: Metric = DEFAULTS.metric,
    window: Window = METRIC_DEFAULTS.window_seconds,
    hop: Hop = None,
    engine: Engine = METRIC_DEFAULTS.engine,
    workers: Workers = DEFAULTS.workers,
    calibrate: Calibrate = DEFAULTS.is_judging,
    seed: Seed = DEFAULTS.seed,
    out: Out = DEFAULTS.folder,
    baseline: Baseline = DEFAULTS.baseline,
    compare: Compare = None,
    fail_under: FailUnder = None,
    shifts: cli.Shifts = cli.SEPARATION.shifts,
    overlap: cli.Overlap = cli.SEPARATION.overlap,
    segment: cli.Segment = cli.SEPARATION.segment_seconds,
    batch: cli.Batch = cli.SEPARATION.batch,
    device: cli.Device = cli.SEPARATION.device,
    precision: cli.Precision = cli.SEPARATION.precision,
    jobs: cli.Jobs = cli.SEPARATION.jobs,
    json: cli.Json = False,
    quiet: cli.Quiet = False,
) -> None:
    """Score models on songs whose stems are known, or score finished stems.

    Prints a table and writes results.json, results.csv and report.html. A
    model that was trained on the songs is flagged and ranked apart.

    Exit status: 0 all is well, 1 a track failed, a stem got worse or is below
    --fail-under, 2 wrong usage, 130 stopped.
    """
    from stemsplit.evaluation.comparison import parse_floors
    from stemsplit.evaluation.session import Request

    wanted = ",".join(METRICS) if metrics == "all" else metrics
    names = tuple(part.strip() for part in wanted.split(",") if part.strip())
    request = Request(
        data=data,
        split=split,
        models=tuple(model or ()),
        estimates=tuple(estimates or ()),
        separation=SeparationOptions(
            shifts=shifts,
            seed=seed,
            overlap=overlap,
            segment_seconds=segment,
            batch=batch,
            jobs=jobs,
            device=device,
            precision=precision,  # type: ignore[arg-type]  # checked by the class
        ),
        evaluation=EvaluationOptions(
            stems=None if stems is None else cli.names(stems),
            two_stems=two_stems,
            max_tracks=tracks,
            metrics=MetricOptions(
                metrics=names,  # type: ignore[arg-type]  # checked by the class
                window_seconds=window,
                hop_seconds=window if hop is None else hop,
                engine=engine,  # type: ignore[arg-type]
            ),
            metric=metric,  # type: ignore[arg-type]
            baseline=baseline,
            workers=workers,
            seed=seed,
            is_judging=calibrate,
            folder=out,
        ),
        floors=parse_floors(fail_under) if fail_under else {},
        compare=compare,
        repo=repo,
        offline=offline,
    )
    _run(request, make_evaluation_reporter(make_console(is_json=json, is_quiet=quiet)))


def _run(request: "Request", reporter: EvaluationReporter) -> None:
    from stemsplit.evaluation.session import prepare, run
    from stemsplit.separation.batch import load_separator

    session = prepare(request)
    with reporter, stop_on_signals() as stop:

        def load(name: str, options: SeparationOptions) -> "Separator":
            return load_separator(
                name,
                options,
                offline=request.offline,
                repo=request.repo,
                on_event=reporter.separation,
                on_download=reporter.download,
                cancel=stop.cancel,
            )

        stop.is_gentle = True
        try:
            findings, files = run(session, load, on_event=reporter, cancel=stop.cancel)
        except Cancelled:
            reporter.console.complain("stopped; scored tracks stay, and the same command goes on.")
            raise typer.Exit(_STOPPED) from None
    reporter.show(findings, files)
    if not findings.is_good:
        raise typer.Exit(1)
