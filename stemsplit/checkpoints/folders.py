"""Models in a user's own files and folders, read in place.

The layout is that of demucs's `--repo` folders: bags are `NAME.yaml`, weights `SIGNATURE.th` or
`SIGNATURE-SHA.th`, where SHA is the beginning of the file's SHA-256. Our own files and the
safetensors of demucs 4.1 lie there just as well.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from stemsplit.checkpoints.bags import Bag, combine, is_bag, parse_bag
from stemsplit.checkpoints.cache import sha256_of
from stemsplit.checkpoints.reading import SUFFIXES, describe_file
from stemsplit.checkpoints.resolved import Member, ResolvedModel
from stemsplit.errors import CatalogFormatError, ChecksumError, UnknownModelError, suggest

BAG_SUFFIXES = (".yaml", ".yml")
_TRAINED = "best"


def model_at(path: Path) -> ResolvedModel:
    """The model that a path means: a file of weights, a bag, or a folder with either.

    Raises:
        UnknownModelError: a folder does not hold exactly one model.
        CatalogFormatError: the bag's YAML file is faulty.
        CheckpointError: a file of weights is faulty.
    """
    if path.is_dir():
        found = model_at(_only_model_of(path))
        # All trainings call their weights so.
        return replace(found, name=path.resolve().name) if found.name == _TRAINED else found
    if path.suffix.lower() in BAG_SUFFIXES:
        return _from_bag_file(path)
    return _from_files(path.stem, [path], None, origin=path)


def _only_model_of(folder: Path) -> Path:
    """The one thing in a folder that can be meant by naming the folder."""
    weights = _with_suffix(folder, SUFFIXES)
    bags = _with_suffix(folder, BAG_SUFFIXES)
    if len(weights) == 1:  # YAML of another program does not hide it
        bags = [path for path in bags if _is_bag_file(path)]
    if len(bags) == 1:
        return bags[0]
    named = [path for path in bags if path.stem == folder.name]
    if named:
        return named[0]
    if not bags and len(weights) == 1:
        return weights[0]
    found = ", ".join(path.name for path in (bags or weights)[:10])
    what = f"holds several: {found}. Name one of them" if found else "holds no weights and no bag"
    raise UnknownModelError(f"{folder} {what}.")


def _is_bag_file(path: Path) -> bool:
    try:
        return is_bag(path.read_bytes())
    except OSError:
        return True  # reading it as a bag says why it cannot be read


def _from_bag_file(path: Path) -> ResolvedModel:
    try:
        bag = parse_bag(path.read_text(encoding="utf-8"), origin=str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise CatalogFormatError(f"{path} cannot be read: {error}.") from error
    files = [_find_weights(path.parent, member) for member in bag.members]
    missing = [name for name, file in zip(bag.members, files, strict=True) if file is None]
    if missing:
        raise UnknownModelError(
            f"{path} names {', '.join(missing)}, but there is no such file beside it."
        )
    return _from_files(path.stem, [file for file in files if file is not None], bag, origin=path)


def _from_files(
    name: str, files: Sequence[Path], bag: Bag | None, *, origin: Path
) -> ResolvedModel:
    infos = [describe_file(file) for file in files]
    first, stem_weights = combine(infos, bag, origin=str(origin))
    members = (
        Member(
            id=file.name,
            architecture=info.architecture,
            path=file,
            licence=info.licence or (bag.licence if bag else None),
            trained_on=info.trained_on or (bag.trained_on if bag else None),
            trained_sets=info.trained_sets,
        )
        for file, info in zip(files, infos, strict=True)
    )
    return ResolvedModel(
        name=name,
        kind="path",
        summary=f"From {origin}",
        members=tuple(members),
        stems=first.stems,
        stem_weights=stem_weights,
        sample_rate=first.sample_rate,
        channels=first.channels,
        segment_seconds=bag.segment_seconds if bag else None,
    )


def model_in(folder: Path, name: str) -> ResolvedModel:
    """The model of this name or signature in a folder.

    Raises:
        UnknownModelError: the folder holds none.
        CatalogFormatError: the bag's YAML file is faulty.
        CheckpointError: a file of weights is faulty.
    """
    if not folder.is_dir():
        raise UnknownModelError(f"{folder} is no folder, so it holds no model {name!r}.")
    for suffix in BAG_SUFFIXES:
        bag = folder / f"{name}{suffix}"
        if bag.is_file():
            return _from_bag_file(bag)
    weights = _find_weights(folder, name)
    if weights is not None:
        return _from_files(name, [weights], None, origin=weights)
    bags = {path.stem for path in _with_suffix(folder, BAG_SUFFIXES)}
    signatures = {_signature(path) for path in _with_suffix(folder, SUFFIXES)}
    known = ", ".join(sorted(bags | signatures)) or "nothing"
    hint = suggest(name, bags | signatures)
    raise UnknownModelError(f"{folder} holds no model {name!r}; it holds {known}.{hint}")


def _find_weights(folder: Path, name: str) -> Path | None:
    """The file of weights of this name, whose hash is checked where the name ends in one.

    Raises:
        ChecksumError: the file `NAME-HASH.th` has another hash.
        UnknownModelError: there are several files of this name.
    """
    exact = [folder / f"{name}{suffix}" for suffix in SUFFIXES]
    for path in exact:
        if path.is_file():
            return path
    dashed = [path for path in _with_suffix(folder, SUFFIXES) if _signature(path) == name]
    if len(dashed) > 1:
        raise UnknownModelError(
            f"{folder} holds {len(dashed)} files of the name {name!r}: remove all but one."
        )
    if not dashed:
        return None
    digits = dashed[0].stem.rpartition("-")[2]
    if re.fullmatch(r"[0-9a-f]{8,64}", digits) and not sha256_of(dashed[0]).startswith(digits):
        raise ChecksumError(
            f"{dashed[0]} does not have the SHA-256 that its name promises, so it is not used: "
            "get it again."
        )
    return dashed[0]


def _signature(path: Path) -> str:
    return path.stem.rpartition("-")[0] or path.stem


def _with_suffix(folder: Path, suffixes: Sequence[str]) -> list[Path]:
    files = (path for path in folder.iterdir() if path.suffix.lower() in suffixes)
    return sorted(path for path in files if not path.name.startswith("."))
