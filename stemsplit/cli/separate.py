"""`stemsplit separate`: songs in, stems out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from stemsplit import __version__
from stemsplit.cli import _options as cli
from stemsplit.cli._console import make_console
from stemsplit.cli._progress import Reporter, make_reporter
from stemsplit.cli._stopping import stop_on_signals
from stemsplit.errors import DownloadError, EncodeError, OutputConflictError
from stemsplit.evaluation.quality_table import QualityTable
from stemsplit.separation.events import Event, EventSink, Notice, SongFinished
from stemsplit.separation.options import REPO_MODEL, OutputOptions, SeparationOptions

if TYPE_CHECKING:
    from stemsplit.evaluation.inspection import SongInspector
    from stemsplit.separation.batch_plan import BatchPlan
    from stemsplit.separation.events import BatchFinished
    from stemsplit.separation.prepared import PreparedSong
    from stemsplit.separation.separator import Separator


def separate(
    songs: cli.Inputs,
    model: cli.Model = cli.DEFAULT_MODEL,
    stems: cli.Stems = None,
    two_stems: cli.TwoStems = cli.SEPARATION.two_stems,
    start: cli.Start = cli.OUTPUT.start_seconds,
    stop: cli.Stop = cli.OUTPUT.stop_seconds,
    repo: cli.Repo = None,
    offline: cli.Offline = False,
    out: cli.Out = cli.OUTPUT.folder,
    template: cli.Template = None,
    skip_existing: cli.SkipExisting = cli.OUTPUT.skip_existing,
    overwrite: cli.Overwrite = cli.OUTPUT.overwrite,
    report: cli.Report = False,
    format: cli.Format = None,
    bit_depth: cli.BitDepth = cli.OUTPUT.bit_depth,
    bitrate: cli.Bitrate = cli.OUTPUT.bitrate,
    clip: cli.Clip = None,
    exact_sum: cli.ExactSum = False,
    shifts: cli.Shifts = cli.SEPARATION.shifts,
    seed: cli.Seed = cli.SEPARATION.seed,
    overlap: cli.Overlap = cli.SEPARATION.overlap,
    segment: cli.Segment = cli.SEPARATION.segment_seconds,
    batch: cli.Batch = cli.SEPARATION.batch,
    device: cli.Device = cli.SEPARATION.device,
    precision: cli.Precision = cli.SEPARATION.precision,
    jobs: cli.Jobs = cli.SEPARATION.jobs,
    json: cli.Json = False,
    quiet: cli.Quiet = False,
    mp3: cli.Mp3 = False,
    flac: cli.Flac = False,
    int24: cli.Int24 = False,
    float32: cli.Float32 = False,
    mp3_bitrate: cli.Mp3Bitrate = None,
    filename: cli.Filename = None,
    clip_mode: cli.ClipMode = None,
    list_models: cli.ListModels = False,
) -> None:
    """Split songs into their stems.

    One song, many, or whole folders. A file that stemsplit did not make of the
    same song is never replaced, unless --overwrite says so.

    Exit status: 0 done, 1 something failed, 2 wrong usage, 130 stopped.
    """
    options = SeparationOptions(
        stems=None if stems is None else cli.names(stems),
        two_stems=two_stems,
        shifts=shifts,
        seed=seed,
        overlap=overlap,
        segment_seconds=segment,
        batch=batch,
        jobs=jobs,
        device=device,
        precision=precision,  # type: ignore[arg-type]  # checked by the class
    )
    in_demucs = None if filename is None else f"{{model}}/{filename}"
    clip_mode = "shared" if clip_mode == "rescale" else clip_mode
    output = OutputOptions(
        folder=out,
        template=cli.either("--template", template, in_demucs, default=cli.OUTPUT.template),
        format=cli.either("--format", format, mp3 and "mp3", flac and "flac", default="wav"),
        bit_depth=cli.either("--bit-depth", bit_depth, int24 and 24, float32 and 32),
        bitrate=cli.either("--bitrate", bitrate, mp3_bitrate),
        clip=cli.either("--clip", clip, clip_mode, default=cli.OUTPUT.clip),
        start_seconds=start,
        stop_seconds=stop,
        skip_existing=skip_existing,
        overwrite=overwrite,
    )
    settled = settle(songs, model, options, output, repo=repo, offline=offline, is_exact=exact_sum)
    reporter = make_reporter(make_console(is_json=json, is_quiet=quiet), settled.about)
    finished = run(settled, reporter, is_judging=report)
    if finished.failed:
        raise typer.Exit(1)


@dataclass(frozen=True, kw_only=True)
class Settled:
    """A run whose model is chosen, once for all of its songs."""

    plan: "BatchPlan"
    model: str
    """As `--model` takes it."""
    options: SeparationOptions
    repo: Path | None
    offline: bool
    spare: str | None = None
    """A model that comes with the package, if this one is to be fetched and that may fail."""

    @property
    def about(self) -> dict[str, object]:
        """Facts for the manifest."""
        return {
            "stemsplit": __version__,
            "model": self.plan.model,
            "options": self.options,
            "output": self.plan.output,
        }


def settle(
    songs: Sequence[str],
    model: str,
    options: SeparationOptions,
    output: OutputOptions,
    *,
    repo: Path | None = None,
    offline: bool = False,
    is_exact: bool = False,
) -> Settled:
    """Choose the model and check everything, before any work.

    Args:
        songs: what the user named.
        model: as `--model` takes it, `auto` included.
        options: how to separate.
        output: what to write, and where.
        repo: folder to look the model up in; `auto` then means what demucs takes by default.
        offline: whether fetching is forbidden.
        is_exact: whether all stems shall add up to the song.

    Raises:
        StemsplitError: the run is not possible; see `plan_batch`, `choose_model`, `resolve`.
    """
    from stemsplit.checkpoints.automatic import Choice, choose_model
    from stemsplit.checkpoints.beginning import attainable
    from stemsplit.checkpoints.describe import describe_model
    from stemsplit.checkpoints.resolve import AUTO
    from stemsplit.separation.batch_plan import about_other_models, plan_batch, remainder_stem

    def settled(choice: Choice) -> Settled:
        described = describe_model(choice.name, repo=repo, offline=offline)
        chosen = options
        if is_exact:
            chosen = replace(options, exact_sum=remainder_stem(described.stems))
        plan = plan_batch(songs, model=described, options=chosen, output=output)
        if choice.notice is not None:
            notice = Notice(message=choice.notice, is_warning=choice.is_warning)
            plan = replace(plan, notices=(notice, *plan.notices))
        return Settled(
            plan=plan,
            model=choice.name,
            options=chosen,
            repo=repo,
            offline=offline,
            spare=choice.spare,
        )

    if model != AUTO:
        return settled(Choice(name=model, is_here=True))
    if repo is not None:
        return settled(Choice(name=REPO_MODEL, is_here=True))
    choice = choose_model(options.needed_stems, offline=offline)
    # Whatever is wrong with the songs or the options is said without waiting for the network.
    planned = settled(choice)
    if not planned.plan.jobs:
        return planned
    attained = attainable(choice, options.needed_stems)
    planned = planned if attained is choice else settled(attained)
    notices = (*planned.plan.notices, *about_other_models(planned.plan))
    return replace(planned, plan=replace(planned.plan, notices=notices))


def run(settled: Settled, reporter: Reporter, *, is_judging: bool = False) -> "BatchFinished":
    """Separate the songs.

    Args:
        settled: what `settle` returned.
        reporter: told everything that happens.
        is_judging: whether to judge the stems without the true ones.

    Raises:
        StemsplitError: the model cannot be had, the device failed, or the user stopped the run.
    """
    from stemsplit.separation.batch import load_separator, run_batch

    plan = settled.plan
    tell: EventSink = reporter
    if is_judging:
        table = QualityTable(plan.output.folder)
        tell = _recording(reporter, table)
        plan = replace(plan, notices=(*plan.notices, *_unjudged(plan, table)))
    with reporter, stop_on_signals() as stop:

        def make_separator() -> "Separator":
            try:
                separator = load_separator(
                    settled.model,
                    settled.options,
                    offline=settled.offline,
                    repo=settled.repo,
                    on_event=reporter,
                    on_download=reporter.download,
                    cancel=stop.cancel,
                )
            except DownloadError as error:
                raise DownloadError(f"{error}{_way_out(settled)}") from error
            stop.is_gentle = True
            return separator

        return run_batch(
            plan,
            make_separator,
            make_inspector=_inspector if is_judging else None,
            on_event=tell,
        )


def _way_out(settled: Settled) -> str:
    if settled.spare is None:
        return ""
    return (
        " What has arrived is kept: run the same again to go on, or with --offline to use "
        f"{settled.spare}, which comes with stemsplit."
    )


def _inspector(separator: "Separator", song: "PreparedSong") -> "SongInspector":
    from stemsplit.evaluation.inspection import SongInspector

    return SongInspector(separator, song)


def _unjudged(plan: "BatchPlan", table: QualityTable) -> Iterator[Notice]:
    """Says how many songs are left out though nobody has judged them."""
    count = sum(not table.has(job.source) for job in plan.skipped)
    if count:
        songs = "1 song is" if count == 1 else f"{count} songs are"
        yield Notice(
            message=f"{songs} done but not judged, as --report was not given then. For a verdict,"
            " leave out --skip-existing.",
            is_warning=True,
        )


def _recording(reporter: Reporter, table: QualityTable) -> EventSink:
    """Tells the reporter, and puts the verdicts on a song into the table."""

    def tell(event: Event) -> None:
        reporter(event)
        if isinstance(event, SongFinished):
            try:
                table.record(event.song, event.quality)
            except (EncodeError, OutputConflictError) as error:
                reporter(Notice(message=str(error), is_warning=True))

    return tell
