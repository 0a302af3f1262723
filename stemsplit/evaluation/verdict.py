"""From what was observed of a stem to a number and words. Imports no torch."""

from dataclasses import asdict, dataclass

from stemsplit.separation.events import StemQuality

DEFINITION = 1  # raised when the same observations begin to give another number


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What was observed of one stem of one song."""

    level_db: float
    """Its energy against that of all stems together."""
    is_silent: bool
    agreement_db: float | None
    """Energy of the stem against that of the difference between two runs; None if not looked at."""
    unexplained_db: float | None
    """Energy that no stem explains where this one is heard, against its own; None where the stems
    do not claim to be the whole song."""
    leak_db: float | None
    """How much of it moves with a louder stem in the same band, from 0 dB for all of it; None for
    a stem alone."""
    most_like: str | None
    """That stem."""
    most_like_band_hz: tuple[int, int] | None
    """Where."""
    clipped_share: float
    """Share of its samples beyond full scale."""


@dataclass(frozen=True)
class _Ramp:
    """How an observation becomes a share of the score."""

    weight: float
    worst: float
    """Gives nothing."""
    best: float
    """Gives everything."""

    def share(self, value: float) -> float:
        return min(1.0, max(0.0, (value - self.worst) / (self.best - self.worst)))


# The ends are what is seen of stems that are useless and of stems without audible faults; the
# weights follow how well each observation ranked 40 made-up songs as two small networks separated
# them. What is not known is left out, and the others weigh more.
AGREEMENT = _Ramp(weight=0.25, worst=0.0, best=25.0)
LEAK = _Ramp(weight=0.5, worst=-3.0, best=-35.0)
UNEXPLAINED = _Ramp(weight=0.25, worst=-3.0, best=-25.0)

_CLIPPED_SHARE = 0.001  # from here on it is heard
_CLIPPING_COST = 0.2  # of the score, at most
_REASON_FROM = 0.5  # below this share an observation is worth a word


def judge(name: str, evidence: Evidence) -> StemQuality:
    """The score of a stem and what speaks against it.

    A silent stem scores 100, since nothing in it can be heard to be wrong; that it is silent is
    said.

    Args:
        name: of the stem, for the words.
        evidence: what was observed.
    """
    measures = {key: value for key, value in asdict(evidence).items() if value is not None}
    if evidence.is_silent:
        reason = f"silent: the song seems to have no {name}"
        return StemQuality(score=100, reasons=(reason,), measures=measures)
    parts = [
        (AGREEMENT, evidence.agreement_db, _words_on_agreement),
        (LEAK, evidence.leak_db, _words_on_leak),
        (UNEXPLAINED, evidence.unexplained_db, _words_on_unexplained),
    ]
    shares = [
        (ramp.share(value), ramp.weight, words) for ramp, value, words in parts if value is not None
    ]
    weights = sum(weight for _, weight, _ in shares)
    score = sum(share * weight for share, weight, _ in shares) / weights if weights else 1.0
    clipping = min(1.0, evidence.clipped_share / _CLIPPED_SHARE)
    losses = sorted(shares, key=lambda part: (1 - part[0]) * part[1], reverse=True)
    reasons = [words(evidence) for share, _, words in losses if share < _REASON_FROM]
    if clipping >= 1:
        reasons.append(f"{evidence.clipped_share:.1%} of its samples exceed full scale")
    return StemQuality(
        score=round(100 * score * (1 - _CLIPPING_COST * clipping)),
        reasons=tuple(reasons),
        measures=measures,
    )


def _words_on_agreement(evidence: Evidence) -> str:
    return (
        "a second run, shifted against the first, gives another stem"
        f" (they agree to {evidence.agreement_db:.0f} dB; above 20 dB is good)"
    )


def _words_on_leak(evidence: Evidence) -> str:
    low, high = evidence.most_like_band_hz or (0, 0)
    return (
        f"sounds like {evidence.most_like} in part, most of all from {low} to {high} Hz"
        f" ({evidence.leak_db:.0f} dB; below -20 dB is good)"
    )


def _words_on_unexplained(evidence: Evidence) -> str:
    return (
        "much of the song where it plays is in no stem"
        f" ({evidence.unexplained_db:.0f} dB against it; below -20 dB is good)"
    )
