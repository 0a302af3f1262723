"""Writes a model into a folder of its own: our files and the bag that combines them."""

import re
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from stemsplit.checkpoints.bags import Bag, format_bag
from stemsplit.checkpoints.bundled import check_in_place
from stemsplit.checkpoints.cache import Cache
from stemsplit.checkpoints.obtain import ProgressSink, obtain
from stemsplit.checkpoints.reading import SUFFIXES
from stemsplit.checkpoints.replacing import replacing
from stemsplit.checkpoints.resolve import resolve
from stemsplit.checkpoints.resolved import ResolvedModel
from stemsplit.checkpoints.weights import read_info
from stemsplit.errors import CheckpointError, ConfigError

STORED = "stored"
PRECISIONS = (STORED, "fp16")


@dataclass(frozen=True, kw_only=True)
class ExportedModel:
    """Where a model was written."""

    name: str
    folder: Path
    files: tuple[Path, ...]


def export_model(
    name: str,
    folder: Path,
    *,
    precision: str = STORED,
    licence: str | None = None,
    repo: Path | None = None,
    offline: bool = False,
    progress: ProgressSink | None = None,
) -> ExportedModel:
    """Write a model into a folder that `--model FOLDER` reads back, on this machine or another.

    Args:
        name: as `resolve` takes it.
        folder: where to write; it is made if needed.
        precision: of the weights: `stored` leaves them as they are, `fp16` rounds them.
        licence: terms of weights that do not state any.
        repo: as `resolve` takes it.
        offline: whether fetching is forbidden.
        progress: told about every piece of a download that arrives.

    Raises:
        UnknownModelError: nothing has this name.
        ConfigError: there is no such precision.
        CheckpointError: the folder holds a model already or cannot be written, or weights cannot be
            had, or are too large for half precision.
    """
    if precision not in PRECISIONS:
        raise ConfigError(f"--precision must be one of {', '.join(PRECISIONS)}; got {precision}.")
    model = resolve(name, repo=repo, cache=Cache(), offline=offline)
    return write_model(
        model,
        member_names(model),
        folder,
        precision=precision,
        licence=licence,
        offline=offline,
        progress=progress,
    )


def write_model(
    model: ResolvedModel,
    names: Sequence[str],
    folder: Path,
    *,
    precision: str = STORED,
    licence: str | None = None,
    offline: bool = False,
    progress: ProgressSink | None = None,
) -> ExportedModel:
    """Write a model into a folder: all of it, or nothing.

    Args:
        model: what to write.
        names: of its files of weights, without the ending; one for each network.
        folder: where to write; it is made if needed.
        precision: as `export_model` takes it.
        licence: terms of weights that do not state any.
        offline: whether fetching is forbidden.
        progress: told about every piece of a download that arrives.

    Raises:
        CheckpointError: the folder holds a model already or cannot be written, or weights cannot be
            had.
    """
    bag_file = folder / f"{plain_name(model.name)}.yaml"
    files = tuple(folder / f"{name}.safetensors" for name in names)
    for file in (bag_file, *files):
        if file.exists():
            raise CheckpointError(f"{file} is there already: choose another folder.")
    bag = _as_bag(model, names)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        sources = _sources(model, offline, progress)
        for (source, is_ours), file in zip(sources, files, strict=True):
            is_as_wanted = licence is None and precision == STORED
            if is_ours and is_as_wanted and not Path(read_info(source).origin).is_absolute():
                _copy(source, file)
            else:
                _convert(source, file, licence, precision)
        write_text(bag_file, format_bag(replace(bag, licence=bag.licence or licence)))
    except BaseException as error:
        for file in (bag_file, *files) if folder.is_dir() else ():
            file.unlink(missing_ok=True)
        if isinstance(error, OSError):
            reason = error.strerror or error
            raise CheckpointError(f"{folder} cannot be written: {reason}.") from error
        raise
    return ExportedModel(name=model.name, folder=folder, files=(bag_file, *files))


def _sources(
    model: ResolvedModel, offline: bool, progress: ProgressSink | None
) -> Iterator[tuple[Path, bool]]:
    """Where the weights of each network are, and whether that is a checked file of ours."""
    kept = [member for member in model.members if member.path is None]
    stored = iter(obtain(kept, Cache(), model=model.name, offline=offline, progress=progress))
    for member in model.members:
        if member.path is not None:
            check_in_place(member)
            yield member.path, member.is_bundled
        else:
            weights = next(stored)
            weights.check()
            yield weights.path, True


def member_names(model: ResolvedModel) -> list[str]:
    """A name for the file of each network; different ones for different networks."""
    ids = list(dict.fromkeys(member.id for member in model.members))
    names = dict(zip(ids, numbered(map(_without_ending, ids)), strict=True))
    return [names[member.id] for member in model.members]


def _without_ending(weights_id: str) -> str:
    path = Path(weights_id)
    return plain_name(path.stem if path.suffix.lower() in SUFFIXES else weights_id)


def numbered(names: Iterable[str], before: str = ".", after: str = "") -> list[str]:
    """The names, with a number behind those that were there before.

    Args:
        names: in order.
        before: what comes before a number.
        after: what comes after it.
    """
    found: list[str] = []
    for name in names:
        same = sum(other == name or other.startswith(f"{name}{before}") for other in found)
        found.append(f"{name}{before}{same + 1}{after}" if same else name)
    return found


def plain_name(name: str) -> str:
    """A name that a file can have."""
    return re.sub(r"[^\w.+-]", "-", name)


def _convert(source: Path, target: Path, licence: str | None, precision: str) -> None:
    from stemsplit.checkpoints.reading import read_checkpoint
    from stemsplit.checkpoints.weights import halved, write_checkpoint

    checkpoint = read_checkpoint(source)
    info = replace(checkpoint.info, licence=checkpoint.info.licence or licence)
    if Path(info.origin).is_absolute():  # as weights were registered once
        info = replace(info, origin=Path(info.origin).name)
    state = checkpoint.state if precision == STORED else halved(checkpoint.state, name=str(source))
    write_checkpoint(target, state, info)


def _as_bag(model: ResolvedModel, names: Sequence[str]) -> Bag:
    is_equal = all(weight == 1 for row in model.stem_weights for weight in row)
    return Bag(
        members=tuple(names),
        stem_weights=None if is_equal else [list(row) for row in model.stem_weights],
        segment_seconds=model.segment_seconds,
        licence=model.licence,
        trained_on=model.trained_on,
    )


def _copy(source: Path, target: Path) -> None:
    with replacing(target) as temporary:
        shutil.copyfile(source, temporary)


def write_text(target: Path, text: str) -> None:
    """Write a file at once."""
    with replacing(target) as temporary:
        temporary.write_text(text, encoding="utf-8")
