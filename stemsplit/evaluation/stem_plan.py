"""Which stems are scored, when sets and models do not divide songs alike. Imports no torch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stemsplit.errors import ConfigError, DatasetError, suggest

REMAINDER = "other"


@dataclass(frozen=True)
class StemPlan:
    """What every scored stem is the sum of."""

    references: Mapping[str, tuple[str, ...]]
    """Scored stem to stems of the data set."""
    estimates: Mapping[str, tuple[str, ...]]
    """Scored stem to stems of the candidate."""
    notes: tuple[str, ...] = ()
    """What a reader should know about it."""

    @property
    def stems(self) -> tuple[str, ...]:
        """The scored stems, in order."""
        return tuple(self.references)


def plan_stems(
    data: Sequence[str],
    candidates: Mapping[str, Sequence[str]],
    *,
    wanted: Sequence[str] | None = None,
    two_stems: str | None = None,
) -> dict[str, StemPlan]:
    """Find stems that mean the same for the data set and for every candidate.

    Stems that all of them have are scored as they are. What only some have belongs to ``other`` for
    the rest: a model with guitar and piano is scored on a set without them by the sum of its other,
    guitar and piano, so that all are scored on the same thing.

    Args:
        data: stems of the data set.
        candidates: name to stems.
        wanted: score only these; None scores all that can be.
        two_stems: score this stem, and everything else as ``no_<stem>``.

    Returns:
        A plan per candidate, all with the same scored stems.

    Raises:
        ConfigError: a stem that was asked for does not exist.
        DatasetError: nothing is left to be scored.
    """
    if two_stems is not None:
        return _two_stems(data, candidates, two_stems)
    shared = [
        stem
        for stem in data
        if stem != REMAINDER and all(stem in stems for stems in candidates.values())
    ]
    rest = tuple(stem for stem in data if stem not in shared)
    rests = {
        name: tuple(stem for stem in stems if stem not in shared)
        for name, stems in candidates.items()
    }
    has_rest = REMAINDER in rest and all(REMAINDER in stems for stems in rests.values())
    scored = [stem for stem in data if stem in shared or (stem == REMAINDER and has_rest)]
    scored = _chosen(scored, wanted)
    if not scored:
        owners = "; ".join(f"{name} has {', '.join(stems)}" for name, stems in candidates.items())
        raise DatasetError(
            f"There is no stem to score: the data set has {', '.join(data) or 'none'}; {owners}."
        )
    notes = _notes(rest, rests) if REMAINDER in scored else ()
    return {
        name: StemPlan(
            {stem: rest if stem == REMAINDER else (stem,) for stem in scored},
            {stem: rests[name] if stem == REMAINDER else (stem,) for stem in scored},
            notes,
        )
        for name in candidates
    }


def _two_stems(
    data: Sequence[str], candidates: Mapping[str, Sequence[str]], stem: str
) -> dict[str, StemPlan]:
    if stem not in data:
        raise ConfigError(
            f"--two-stems: the data set has no stem {stem!r}.{suggest(stem, data)}"
            f" It has {', '.join(data)}."
        )
    inverse = f"no_{stem}"
    references = {stem: (stem,), inverse: tuple(one for one in data if one != stem)}
    plans = {}
    for name, stems in candidates.items():
        if stem not in stems:
            raise ConfigError(f"--two-stems: {name} has no stem {stem!r}.{suggest(stem, stems)}")
        others = (inverse,) if inverse in stems else tuple(one for one in stems if one != stem)
        has_inverse = bool(others and references[inverse])
        kept = (stem, inverse) if has_inverse else (stem,)
        plans[name] = StemPlan(
            {one: references[one] for one in kept},
            {one: others if one == inverse else (stem,) for one in kept},
        )
    if len({plan.stems for plan in plans.values()}) > 1:
        only = {name: StemPlan({stem: (stem,)}, {stem: (stem,)}) for name in plans}
        return only
    return plans


def _chosen(stems: Sequence[str], wanted: Sequence[str] | None) -> list[str]:
    if wanted is None:
        return list(stems)
    for stem in wanted:
        if stem not in stems:
            raise ConfigError(
                f"--stems: {stem!r} cannot be scored, since the data set or a candidate does not"
                f" have it.{suggest(stem, stems)} Possible are {', '.join(stems) or 'none'}."
            )
    return [stem for stem in stems if stem in wanted]


def _notes(rest: Sequence[str], rests: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    notes = []
    if len(rest) > 1:
        notes.append(f"The stem other of the data set is the sum of {', '.join(rest)}.")
    for name, stems in rests.items():
        if len(stems) > 1:
            notes.append(f"The stem other of {name} is the sum of {', '.join(stems)}.")
    return tuple(notes)
