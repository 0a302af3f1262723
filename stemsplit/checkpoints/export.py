"""Writes a model into a folder of its own: our files and the bag that combines them."""

import os
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from stemsplit.checkpoints.bags import Bag, format_bag
from stemsplit.checkpoints.cache import Cache
from stemsplit.checkpoints.obtain import ProgressSink, obtain
from stemsplit.checkpoints.resolve import resolve
from stemsplit.checkpoints.resolved import ResolvedModel
from stemsplit.errors import CheckpointError


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
    repo: Path | None = None,
    offline: bool = False,
    progress: ProgressSink | None = None,
) -> ExportedModel:
    """Write a model into a folder that `--model FOLDER` reads back, on this machine or another.

    Args:
        name: as `resolve` takes it.
        folder: where to write; it is made if needed.
        repo: as `resolve` takes it.
        offline: whether fetching is forbidden.
        progress: told about every piece of a download that arrives.

    Raises:
        UnknownModelError: nothing has this name.
        CheckpointError: the folder holds a model already or cannot be written, or weights cannot be
            had.
    """
    cache = Cache()
    model = resolve(name, repo=repo, cache=cache, offline=offline)
    plain_name = re.sub(r"[^\w.+-]", "-", model.name)
    bag_file = folder / f"{plain_name}.yaml"
    if bag_file.exists():
        raise CheckpointError(f"{bag_file} is there already: choose another folder.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        stems = [re.sub(r"[^\w.+-]", "-", Path(member.id).stem) for member in model.members]
        files = tuple(folder / f"{stem}.safetensors" for stem in stems)
        sources = _own_files(model, files, cache, offline, progress)
        for source, file in zip(sources, files, strict=True):
            if source is not None:
                _copy(source, file)
        _write_text(bag_file, format_bag(_as_bag(model, stems)))
    except OSError as error:
        raise CheckpointError(f"{folder} cannot be written: {error.strerror or error}.") from error
    return ExportedModel(name=model.name, folder=folder, files=(bag_file, *files))


def _own_files(
    model: ResolvedModel,
    targets: Sequence[Path],
    cache: Cache,
    offline: bool,
    progress: ProgressSink | None,
) -> Iterator[Path | None]:
    """Files of our own format to copy; None where one was written straight to its target."""
    kept = [member for member in model.members if member.path is None]
    stored = iter(obtain(kept, cache, model=model.name, offline=offline, progress=progress))
    for member, target in zip(model.members, targets, strict=True):
        if member.path is not None:
            _convert(member.path, target)
            yield None
        else:
            weights = next(stored)
            weights.check()
            yield weights.path


def _convert(source: Path, target: Path) -> None:
    from stemsplit.checkpoints.reading import read_checkpoint
    from stemsplit.checkpoints.weights import write_checkpoint

    checkpoint = read_checkpoint(source)
    write_checkpoint(target, checkpoint.state, checkpoint.info)


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
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        shutil.copyfile(source, temporary)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def _write_text(target: Path, text: str) -> None:
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
