"""Seeds that numbers decide."""

from collections.abc import Sequence

from numpy.random import SeedSequence


def hash_of(numbers: Sequence[int]) -> int:
    """A seed of 32 bits; those of neighbouring numbers have nothing in common."""
    return int(SeedSequence(list(numbers)).generate_state(1)[0])
