"""Everything about a run that can be decided, and refused, before any work. Needs no torch."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from stemsplit.audio.formats import OutputFormat, resolve_format
from stemsplit.audio.probe import probe
from stemsplit.checkpoints.describe import ModelDescription
from stemsplit.errors import (
    AudioError,
    ConfigError,
    EncodeError,
    OutputConflictError,
)
from stemsplit.separation.collect import Song, collect, is_pipe, is_there, nearest_existing
from stemsplit.separation.events import Notice
from stemsplit.separation.ledger import Ledger, settings_digest
from stemsplit.separation.naming import Naming, SongJob, Tags, Template, plan_jobs
from stemsplit.separation.options import OutputOptions, SeparationOptions

_DEVICES = ("auto", "cpu", "cuda", "mps", "xpu", "hpu", "mtia", "xla")


@dataclass(frozen=True, kw_only=True)
class BatchPlan:
    """The songs of a run and the files that they become."""

    model: str
    stems: tuple[str, ...]
    """What every song is separated into."""

    jobs: tuple[SongJob, ...]
    """Songs to work on, in order."""

    skipped: tuple[SongJob, ...]
    """Songs whose stems are already there."""

    output: OutputOptions
    output_format: OutputFormat
    settings: str
    """Digest of what decides the stems, for the ledger."""

    notices: tuple[Notice, ...] = ()
    """What the user should know about the model and the choice of songs."""


def plan_batch(
    inputs: Sequence[str],
    *,
    model: ModelDescription,
    options: SeparationOptions,
    output: OutputOptions,
) -> BatchPlan:
    """Check a run and lay out its files; nothing is written.

    Args:
        inputs: what the user named, see `collect`.
        model: what will separate them.
        options: how songs will be separated.
        output: what will be written, and where.

    Raises:
        AudioError: an input does not exist, or holds no audio files.
        UnknownModelError: the model has no such stem.
        ConfigError: a setting, or the template, is not possible.
        OutputConflictError: two results share a file, or a file that is not ours is in the way.
        EncodeError: the output folder cannot be written to.
    """
    _check_device(options.device)
    output_format = resolve_format(output.format, output.bit_depth, output.bitrate)
    stems = output_format.order_stems(options.output_stems(model.name, model.stems))
    naming = Naming(
        template=Template(output.template),
        folder=output.folder,
        model=model.name,
        stems=stems,
        extension=output_format.extension,
        is_single_file=output_format.format.is_single_file,
    )
    _check_writable(output.folder)
    found = collect(inputs, output_folder=output.folder)
    jobs = plan_jobs(found.songs, naming, read_tags=_read_tags)
    settings = settings_digest(model.fingerprint, options, output)
    ledger = Ledger(output.folder)
    done = {id(job) for job in jobs if output.skip_existing and _is_current(ledger, job, settings)}
    waiting = tuple(job for job in jobs if id(job) not in done)
    if not output.overwrite:
        _check_in_the_way(waiting, ledger)
        _check_parts(waiting, ledger, output, settings)
    return BatchPlan(
        model=model.name,
        stems=stems,
        jobs=waiting,
        skipped=tuple(job for job in jobs if id(job) in done),
        output=output,
        output_format=output_format,
        settings=settings,
        notices=(
            *_about_model(model),
            *(Notice(message=text, is_warning=True) for text in found.notices),
        ),
    )


def _about_model(model: ModelDescription) -> Iterator[Notice]:
    if model.deprecated_by is not None:
        message = f"The model {model.name} is deprecated: use {model.deprecated_by}."
        yield Notice(message=message, is_warning=True)
    if not model.is_cached and model.licence is not None:
        yield Notice(
            message=f"First use of {model.name}; the terms of its weights: {model.licence}"
        )


def about_other_models(plan: BatchPlan) -> Iterator[Notice]:
    """Says which models began with the songs of a run that is gone on with by another one."""
    sources = [job.source for job in plan.jobs if not is_pipe(job.source)]
    others = [name for name in Ledger(plan.output.folder).models_of(sources) if name != plan.model]
    if plan.output.skip_existing and others:
        yield Notice(
            message=f"Songs that {' and '.join(others)} has separated before are not skipped, as"
            f" this run uses {plan.model}. To go on with the earlier one, add --model {others[0]}.",
            is_warning=True,
        )


def remainder_stem(model_stems: Sequence[str]) -> str:
    """The stem that takes what a model left over: ``other`` where there is one, else the last."""
    return "other" if "other" in model_stems else model_stems[-1]


def _check_device(name: str) -> None:
    """Refuse what cannot be a device, before torch is there to say so."""
    kind = name.partition(":")[0]
    if kind not in _DEVICES:
        raise ConfigError(
            f"--device {name!r} is not a device: use auto, cpu, cuda, cuda:1, mps or xpu."
        )


def _read_tags(song: Song) -> Tags:
    try:
        return {} if is_pipe(song.source) else probe(song.source).tags
    except AudioError:  # said when the song's turn comes
        return {}


def _is_current(ledger: Ledger, job: SongJob, settings: str) -> bool:
    return ledger.is_current(job.files.values(), source=job.source, settings=settings)


def _check_writable(folder: Path) -> None:
    existing = nearest_existing(folder)
    if not existing.is_dir():
        raise EncodeError(
            f"{existing}: is a file, so no results can go there; choose another --out."
        )
    if not os.access(existing, os.W_OK | os.X_OK):
        raise EncodeError(f"{existing}: results may not be written there; choose another --out.")


def _check_in_the_way(jobs: Sequence[SongJob], ledger: Ledger) -> None:
    """Refuse to replace anything but what an earlier run made of the same song.

    Raises:
        OutputConflictError: a file is in the way.
    """
    foreign = [
        (path, job)
        for job in jobs
        for path in dict.fromkeys(job.files.values())
        if is_there(path) and not _may_replace(ledger, path, job)
    ]
    if not foreign:
        return
    path, job = foreign[0]
    others = f", and so are {len(foreign) - 1} more" if len(foreign) > 1 else ""
    raise OutputConflictError(
        f"{path} is in the way{others}: it is not, or no longer, what stemsplit made of"
        f" {job.source}. Add --overwrite to replace it, or choose another --out."
    )


def _check_parts(
    jobs: Sequence[SongJob], ledger: Ledger, output: OutputOptions, settings: str
) -> None:
    """Refuse to replace the stems of a song by those of a part of it.

    Raises:
        OutputConflictError: a file holds more of the song than this run would put there.
    """
    for job in jobs:
        for path in job.files.values():
            made = ledger.find(path)
            if made is None or made.settings == settings:
                continue
            if made.holds_more_than(output.start_seconds, output.stop_seconds):
                raise OutputConflictError(
                    f"{path} is in the way: it holds more of {job.source} than the part that is"
                    " asked for. Add --overwrite to replace it, or choose another --out."
                )


def _may_replace(ledger: Ledger, path: Path, job: SongJob) -> bool:
    made = ledger.find(path)
    if made is None:
        return False
    if made.input is None:  # of a pipe, whose name says nothing of the song in it
        return False
    return made.source == str(job.source.absolute()) or made.input.fits(job.source)
