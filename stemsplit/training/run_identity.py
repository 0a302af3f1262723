"""Which runs can go on with the states of which others.

Only what departs from its default is compared, so that a later version may add values with a
default to recipes and configurations: states of this version fit it.
"""

import dataclasses
import hashlib
import json
from typing import Any

from stemsplit.models.base import ModelConfig
from stemsplit.models.serialization import to_plain
from stemsplit.training.recipe import TrainingRecipe

_CHANGES_NOTHING = ("summary", "epochs", "validation")
_CHANGES_NOTHING_OF_DATA = ("workers", "cache", "cache_dir")


def run_hash(recipe: TrainingRecipe, architecture: str, config: ModelConfig) -> str:
    """The same for runs of which one can go on with the states of the other.

    That is all that decides a step. How many epochs there are is not in it, so that a run can be
    made longer; validation is where the learning rate follows its scores, and of its sources that
    there are any, since songs are held back where there are none.

    Args:
        recipe: of the run.
        architecture: of its network, as the registry has it.
        config: of its network in its final form.
    """
    plain = departures(recipe)
    for name in _CHANGES_NOTHING:
        if name != "validation" or recipe.schedule.name != "plateau":
            plain.pop(name, None)
    if recipe.validation.sources:
        plain["holds_back_no_songs"] = True
    data = plain.pop("data", {})
    plain["data"] = {key: data[key] for key in data if key not in _CHANGES_NOTHING_OF_DATA}
    parts = [plain, architecture, departures(config)]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def departures(value: Any, default: Any = None) -> dict[str, Any]:
    """Fields of a dataclass that are not as by default, as data that JSON can hold.

    Args:
        value: a dataclass, with others in it.
        default: one of the same kind to compare it with; anything else stands for the defaults of
            the fields.
    """
    found = {}
    for field in dataclasses.fields(value):
        own = getattr(value, field.name)
        usual = getattr(default, field.name) if type(default) is type(value) else _usual(field)
        if own != usual or type(own) is not type(usual):
            found[field.name] = _plain(own, usual)
    return found


def _plain(value: Any, usual: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return departures(value, usual)
    if isinstance(value, tuple):
        return [_plain(item, None) for item in value]
    return to_plain(value)


def _usual(field: "dataclasses.Field[Any]") -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default
