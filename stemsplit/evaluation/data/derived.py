"""Names of signals that are sums of other stems of a song. Imports no torch.

Many sets keep an instrumental beside the stems that it is made of. Added up with them, it would be
in the mix twice.
"""

from collections.abc import Collection

VOCALS = "vocals"
WITHOUT_VOCALS = ("instrumental", "accompaniment", "no_vocals")
"""All stems but the vocals."""

_INVERSE = "no_"  # and the name of the stem that is left out


def left_out_of(stem: str) -> str | None:
    """The stem that a sum of all others leaves out; None for a stem that is no such sum."""
    name = stem.lower()
    if name in WITHOUT_VOCALS:
        return VOCALS
    return name.removeprefix(_INVERSE) if name.startswith(_INVERSE) else None


def without_sums(stems: Collection[str]) -> tuple[str, ...]:
    """The stems of a song that add up to its mix, each part once.

    A sum of stems is left out where there are stems that it is made of, or another such sum: of
    vocals, drums and instrumental the vocals and the drums are kept, of vocals and instrumental
    both.

    Args:
        stems: names, in any letter case.

    Returns:
        Those to add up, in their order.
    """
    known = {VOCALS, *(stem.lower() for stem in stems)}
    sums = [stem for stem in stems if left_out_of(stem) in known]
    plain = [stem for stem in stems if stem not in sums]
    if any(stem.lower() != left_out_of(one) for stem in plain for one in sums[:1]):
        return tuple(plain)
    return tuple(stem for stem in stems if stem not in sums[1:])
