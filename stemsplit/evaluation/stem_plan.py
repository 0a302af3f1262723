"""Which stems are scored, when sets and models do not divide songs alike. Imports no torch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stemsplit.errors import ConfigError, DatasetError, suggest
from stemsplit.evaluation.data.derived import VOCALS, left_out_of

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
    guitar and piano, so that all are scored on the same thing. A sum of all stems but one, such as
    ``instrumental``, is that of the set's stems, and of those of a candidate that has no such sum
    but other; it is scored where no part of it is, or where it is asked for.

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
        if stem != REMAINDER
        and left_out_of(stem) is None
        and all(stem in stems for stems in candidates.values())
    ]
    rest = _rest(data, shared)
    rests = {name: _rest(stems, shared) for name, stems in candidates.items()}
    has_rest = bool(rest) and all(REMAINDER in stems for stems in rests.values())
    scored = [stem for stem in data if stem in shared or (stem == REMAINDER and has_rest)]
    if has_rest and REMAINDER not in scored:
        scored.append(REMAINDER)
    sums = _sums(data, candidates)
    if wanted is None:
        scored += [name for name, missing in sums.items() if set(scored) <= {missing}][:1]
    else:
        scored = _chosen([*scored, *sums], wanted)
    if not scored:
        owners = "; ".join(f"{name} has {', '.join(stems)}" for name, stems in candidates.items())
        raise DatasetError(
            f"There is no stem to score: the data set has {', '.join(data) or 'none'}; {owners}."
        )
    totals = {
        REMAINDER: rest,
        **{name: tuple(one for one in data if one != missing) for name, missing in sums.items()},
    }
    references = {stem: totals.get(stem, (stem,)) for stem in scored}
    estimates = {}
    for name, stems in candidates.items():
        totals = {
            REMAINDER: rests[name],
            **{one: _all_but(missing, stems) for one, missing in sums.items()},
        }
        estimates[name] = {stem: totals.get(stem, (stem,)) for stem in scored}
    notes = _notes(rest, rests) if REMAINDER in scored else ()
    if wanted is None:
        notes = (*notes, *_left_aside(candidates, estimates))
    return {name: StemPlan(references, estimates[name], notes) for name in candidates}


def _rest(stems: Sequence[str], shared: Sequence[str]) -> tuple[str, ...]:
    """What other is; beside no vocals it is what a training makes of it, and not all the rest."""
    named = () if VOCALS in shared else ("drums", "bass", VOCALS)
    return tuple(
        stem for stem in stems if stem not in (*shared, *named) and left_out_of(stem) is None
    )


def _sums(data: Sequence[str], candidates: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Sums of all stems but one that all have or can add up, with the stem that they leave out."""
    names: dict[str, str] = {}
    for stem in (*data, *(stem for stems in candidates.values() for stem in stems)):
        missing = left_out_of(stem)
        if missing is not None and missing not in names.values():
            names[stem] = missing
    return {
        name: missing
        for name, missing in names.items()
        if any(one != missing for one in data)
        and all(_all_but(missing, stems) for stems in candidates.values())
    }


def _all_but(stem: str, stems: Sequence[str]) -> tuple[str, ...]:
    """The stems of a candidate that are everything but one; none where that is not sure."""
    finished = [one for one in stems if left_out_of(one) == stem]
    if finished:
        return (finished[0],)
    if stem not in stems or REMAINDER not in stems:
        return ()
    return tuple(one for one in stems if one != stem and left_out_of(one) is None)


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
        finished = tuple(one for one in stems if left_out_of(one) == stem)[:1]
        others = finished or tuple(one for one in stems if one != stem)
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


def _chosen(stems: Sequence[str], wanted: Sequence[str]) -> list[str]:
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


def _left_aside(
    candidates: Mapping[str, Sequence[str]], estimates: Mapping[str, Mapping[str, Sequence[str]]]
) -> tuple[str, ...]:
    """A line about the stems of candidates that are in no score."""
    parts = []
    for name, stems in candidates.items():
        used = {one for group in estimates[name].values() for one in group}
        unused = [stem for stem in stems if stem not in used]
        if unused:
            parts.append(f"{', '.join(unused)} of {name}")
    if not parts:
        return ()
    return (f"Not scored: {'; '.join(parts)}.",)
