"""`--model auto`: the best model that is here, else one to be fetched, else the package's own.

Nothing here imports torch.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from stemsplit.checkpoints import hub
from stemsplit.checkpoints.cache import Cache
from stemsplit.checkpoints.catalog import Catalog, ModelEntry, load_catalog
from stemsplit.checkpoints.resolve import from_catalog
from stemsplit.checkpoints.resolved import ResolvedModel
from stemsplit.errors import UnknownModelError, suggest
from stemsplit.models.base import STEMS_4


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Which model to use, and which one if that cannot be had."""

    name: str
    is_here: bool
    """Whether it can be used without the network."""

    spare: str | None = None
    """A model that comes with the package, to be used if `name` cannot be fetched."""

    notice: str | None = None
    """What the user should know about the choice."""

    is_warning: bool = False
    """Whether that is not what the user will have expected."""

    def without_network(self, reason: str) -> "Choice":
        """The choice once it has turned out that `name` cannot be fetched now."""
        if self.spare is None:
            return self
        notice = _on_spare(self.spare, self.name, f"cannot be had now ({reason})")
        return Choice(name=self.spare, is_here=True, notice=notice, is_warning=True)


def choose_model(
    stems: Sequence[str] | None = None, *, offline: bool = False, cache: Cache | None = None
) -> Choice:
    """The model for some stems; opens no connection.

    Of the models that give these stems, it is the best one in the cache, in the order of the
    catalogue. If there is none, it is the recommended one, to be fetched, with a spare for the case
    that it cannot be. Drums, bass, other and vocals come from models of these four: the `other` of
    models with more stems lacks them.

    Args:
        stems: what is asked for; None means the four.
        offline: whether fetching is forbidden; then the spare is taken at once.
        cache: where weights are kept; None takes the user's.

    Raises:
        UnknownModelError: no model gives these stems; the message offers the nearest.
    """
    cache = cache or Cache()
    catalog = load_catalog()
    fitting = [entry for entry in catalog.by_quality if _fits(catalog.stems_of(entry), stems)]
    if not fitting:
        raise UnknownModelError(_unknown(catalog, stems or ()))
    models = [from_catalog(entry, catalog) for entry in fitting]
    fetched = [model for model in models if not _is_bundled(model)]
    spare = next((m.name for m in models if _is_bundled(m) and _is_here(m, stems, cache)), None)
    wanted = next((model for model in fetched if model.is_recommended), (fetched or models)[0])
    here = next((model for model in fetched if _is_here(model, stems, cache)), None)
    if here is not None:
        return Choice(name=here.name, is_here=True, notice=_better(here, wanted, fetched))
    choice = Choice(name=wanted.name, is_here=False, spare=spare)
    if spare is None or not (offline or hub.is_offline()):
        return choice
    why = "is not in the cache and the network may not be used (offline)"
    notice = _on_spare(spare, wanted.name, why)
    return Choice(name=spare, is_here=True, notice=notice)


def _on_spare(spare: str, wanted: str, why: str) -> str:
    """What to say where the package's own model is used, and how to get the better one."""
    return (
        f"Using {spare}, which comes with stemsplit, as {wanted} {why}. For better stems, once "
        f"with a network: stemsplit models download {wanted}"
    )


def _fits(has: Sequence[str], stems: Sequence[str] | None) -> bool:
    if stems is None or set(stems) <= set(STEMS_4):
        return set(has) == set(STEMS_4)
    return set(stems) <= set(has)


def _is_bundled(model: ResolvedModel) -> bool:
    return all(member.is_bundled for member in model.members)


def _is_here(model: ResolvedModel, stems: Sequence[str] | None, cache: Cache) -> bool:
    """Whether every network that has a say in the stems can be used without fetching."""
    needed = (model.members[position] for position in model.needed(stems))
    return all(m.is_there if m.is_bundled else cache.find(m.id) is not None for m in needed)


def _better(
    here: ResolvedModel, wanted: ResolvedModel, ranked: Sequence[ResolvedModel]
) -> str | None:
    """What to say where the best model that is here is not as good as the recommended one."""
    names = [model.name for model in ranked]
    if names.index(here.name) <= names.index(wanted.name):
        return None
    return (
        f"Using {here.name}, the best model that is in the cache. For better stems: stemsplit "
        f"models download {wanted.name}"
    )


def _unknown(catalog: Catalog, stems: Sequence[str]) -> str:
    entries: Sequence[ModelEntry] = catalog.by_quality
    known = list(dict.fromkeys(stem for entry in entries for stem in catalog.stems_of(entry)))
    stranger = next((stem for stem in stems if stem not in known), ", ".join(stems))
    return (
        f"No model of the catalogue gives the stem {stranger!r}; there are {', '.join(known)}."
        f"{suggest(stranger, known)}"
    )
