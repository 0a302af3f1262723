"""What a check of a data set found. Imports no torch."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["missing", "unreadable", "length", "rate", "channels", "silence", "clipping", "sum"]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that is not as it should be."""

    kind: Kind
    """What it is about."""

    message: str
    """What is wrong, in a line."""

    stem: str | None = None
    """The stem it is about, ``mixture`` for the mix; None where it is about the song."""

    is_error: bool = False
    """Whether the song cannot be used as it is; else it is worth knowing."""


@dataclass(frozen=True, kw_only=True)
class TrackReport:
    """What was found about one song."""

    track: str
    """Its name."""

    split: str
    """The split it belongs to."""

    findings: tuple[Finding, ...]
    """In the order of the stems."""

    sample_rate: int | None
    """Of the song, in Hz; None where it could not be read."""

    num_samples: int | None
    """Length of the longest of its files, decoded; None where it could not be read."""

    sum_error_db: float | None
    """Level of what remains of the mix without its stems, against the mix; None without a mix."""

    @property
    def is_usable(self) -> bool:
        """Whether there is no error."""
        return not any(finding.is_error for finding in self.findings)
