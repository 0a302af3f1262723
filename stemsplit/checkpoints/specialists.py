"""Networks that are each best at some stems, joined into one model."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from stemsplit.checkpoints.export import ExportedModel, numbered, plain_name, write_model
from stemsplit.checkpoints.obtain import ProgressSink
from stemsplit.checkpoints.resolve import resolve
from stemsplit.checkpoints.resolved import Member, ResolvedModel
from stemsplit.errors import ConfigError, suggest


def join_specialists(
    folder: Path,
    specialists: Sequence[tuple[str, str]],
    *,
    others: str | None = None,
    offline: bool = False,
    progress: ProgressSink | None = None,
) -> ExportedModel:
    """Write a bag in which every stem comes from the model that was named for it.

    Args:
        folder: where to write it; the bag is called like it.
        specialists: stems, each with a model as `resolve` takes it; models that are named for the
            same stem are averaged.
        others: the model that gives all stems that no specialist was named for.
        offline: whether fetching is forbidden.
        progress: told about every piece of a download that arrives.

    Raises:
        ConfigError: the models do not fit together, or a stem has no model.
        UnknownModelError: there is no such model.
        CheckpointError: the folder holds a model already or cannot be written, or weights cannot be
            had.
    """
    names = [name for _, name in specialists] + ([others] if others is not None else [])
    models = {name: resolve(name, offline=offline) for name in names}
    stems = _common_stems(models)
    givers = _givers(stems, specialists, others)
    rows: list[tuple[float, ...]] = []
    members: list[Member] = []
    for name, model in models.items():
        for member, weights in zip(model.members, _shares(model), strict=True):
            pairs = zip(stems, weights, strict=True)
            row = tuple(weight if name in givers[stem] else 0.0 for stem, weight in pairs)
            if any(row):
                members.append(member)
                rows.append(row)
    joined = replace(
        next(iter(models.values())),
        name=folder.resolve().name,
        members=tuple(members),
        stem_weights=tuple(rows),
    )
    return write_model(joined, _names(stems, rows), folder, offline=offline, progress=progress)


def _common_stems(models: Mapping[str, ResolvedModel]) -> tuple[str, ...]:
    (first_name, first), *rest = models.items()
    for name, model in rest:
        for what, ours, theirs in (
            ("stems", first.stems, model.stems),
            ("sample rate", first.sample_rate, model.sample_rate),
            ("channels", first.channels, model.channels),
            ("segment", first.segment_seconds, model.segment_seconds),
        ):
            if ours != theirs:
                raise ConfigError(
                    f"{first_name} and {name} cannot be one model, since they differ in their "
                    f"{what}: {_words(ours)}, and {_words(theirs)}."
                )
    return first.stems


def _givers(
    stems: Sequence[str], specialists: Sequence[tuple[str, str]], others: str | None
) -> dict[str, list[str]]:
    """The models that give each stem."""
    givers: dict[str, list[str]] = {stem: [] for stem in stems}
    for stem, name in specialists:
        if stem not in givers:
            raise ConfigError(
                f"The models have no stem {stem!r}: they have {', '.join(stems)}."
                f"{suggest(stem, stems)}"
            )
        givers[stem].append(name)
    missing = [stem for stem, names in givers.items() if not names]
    if missing and others is None:
        raise ConfigError(
            f"No model was named for {', '.join(missing)}: add --stem {missing[0]}=MODEL, or "
            "--others MODEL for all of them."
        )
    if others is not None:
        if not missing:
            raise ConfigError(f"Every stem has its model: nothing is left for {others}.")
        for stem in missing:
            givers[stem].append(others)
    return givers


def _shares(model: ResolvedModel) -> list[tuple[float, ...]]:
    """The stem weights of a model, such that those of every stem add up to 1."""
    totals = [sum(column) for column in zip(*model.stem_weights, strict=True)]
    return [
        tuple(weight / total for weight, total in zip(row, totals, strict=True))
        for row in model.stem_weights
    ]


def _names(stems: Sequence[str], rows: Sequence[Sequence[float]]) -> list[str]:
    """A name for each network: the stems that it has a say in, and a number where that is taken."""
    given = (
        "-".join(stem for stem, weight in zip(stems, row, strict=True) if weight) for row in rows
    )
    return numbered(map(plain_name, given))


def _words(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
