"""Recipes by name or from TOML files, changed by single values.

A file names what it starts from and states what differs:

    extends = "htdemucs"           # a recipe that comes with stemsplit, or another file
    epochs = 50

    [optim]                        # a table changes the fields it names
    lr = 1e-4

    [[data.sources]]               # an array takes the place of the whole array
    path = "musdb"

Without `extends` it starts from the defaults of `stemsplit.training.recipe`. Nothing here imports
torch.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from stemsplit.errors import ConfigError, suggest
from stemsplit.models.overrides import override
from stemsplit.models.serialization import from_plain, to_plain
from stemsplit.models.toml_tables import follow, merge, read_table
from stemsplit.training.recipe import TrainingRecipe

_SUFFIX = ".toml"


def shipped_recipes() -> tuple[str, ...]:
    """Names of the recipes that come with stemsplit."""
    return tuple(sorted(path.stem for path in _folder().glob(f"*{_SUFFIX}")))


def recipe_of_network(network: str) -> str | None:
    """The shipped recipe that trains a registered network from the beginning, if there is one."""
    for name in shipped_recipes():
        recipe = _load(name, ())
        is_whole = recipe.task == "separate" and recipe.start.model is None and not recipe.phases
        if is_whole and recipe.network.name == network and not recipe.network.overrides:
            return name
    return None


def load_recipe(name: str | Path, overrides: Sequence[str] = ()) -> TrainingRecipe:
    """The recipe that a name or a file stands for.

    Args:
        name: of a shipped recipe, or a TOML file as at the head of this module; a text is taken for
            a file if it ends with `.toml`.
        overrides: values to change, such as `optim.lr=3e-4`; later ones win.

    Raises:
        ConfigError: there is no such recipe, or something in it does not fit; the message names
            the file, the key and the nearest key.
    """
    recipe = _load(name, ())
    if not overrides:
        return recipe
    return from_plain(
        TrainingRecipe, override(TrainingRecipe, to_plain(recipe), overrides), prefix=""
    )


def recipe_to_dict(recipe: TrainingRecipe) -> dict[str, Any]:
    """A recipe, every field of it, as data that JSON can hold."""
    plain: dict[str, Any] = to_plain(recipe)
    return plain


def recipe_from_dict(data: Mapping[str, Any]) -> TrainingRecipe:
    """The recipe that `recipe_to_dict` was given.

    Raises:
        ConfigError: the data do not fit a recipe.
    """
    return from_plain(TrainingRecipe, data, prefix="")


def recipe_hash(recipe: TrainingRecipe) -> str:
    """SHA-256 of all fields, in hexadecimal: the same for two recipes that say the same."""
    canonical = json.dumps(to_plain(recipe), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def recipe_to_toml(recipe: TrainingRecipe) -> str:
    """A recipe, every field of it, as a file that `load_recipe` reads."""
    return "\n".join(_lines(to_plain(recipe), "")).lstrip() + "\n"


def _folder() -> Path:
    return Path(str(files("stemsplit.training"))) / "recipes"


def _load(name: str | Path, extending: Sequence[Path]) -> TrainingRecipe:
    """The recipe of a name or a file; for `extending` see `follow`."""
    if isinstance(name, Path) or name.endswith(_SUFFIX):
        return _read_file(_expand(name), extending)
    if name not in shipped_recipes():
        known = shipped_recipes()
        hint = suggest(name, known) or f" There are {', '.join(known)}."
        raise ConfigError(f"There is no recipe {name!r}.{hint} A file must end with {_SUFFIX}.")
    return _read_file(_folder() / f"{name}{_SUFFIX}", extending)


def _read_file(path: Path, extending: Sequence[Path]) -> TrainingRecipe:
    table = _without_retired(path, _parse(path))
    base = _base(path, table.pop("extends", None), follow(path, extending))
    try:
        return from_plain(TrainingRecipe, merge(to_plain(base), table), prefix="")
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def _without_retired(path: Path, table: dict[str, Any]) -> dict[str, Any]:
    """A recipe without what the folders of earlier runs say and what cannot be chosen any more."""
    data = table.get("data")
    if isinstance(data, dict) and data.pop("normalize", True) is not True:
        raise ConfigError(
            f"{path}: data.normalize=false is gone, since the separation always divides by the "
            "level of the song. Leave the line out."
        )
    return table


def _parse(path: Path) -> dict[str, Any]:
    try:
        return read_table(path)
    except FileNotFoundError as error:
        near = suggest(path.name, [file.name for file in path.parent.glob(f"*{_SUFFIX}")])
        raise ConfigError(f"There is no recipe {path}.{near}") from error


def _base(path: Path, extends: Any, extending: Sequence[Path]) -> TrainingRecipe:
    if extends is None:
        return TrainingRecipe()
    if not isinstance(extends, str) or not extends:
        raise ConfigError(
            f"{path}: extends must name a recipe or another file, such as extends = "
            f'"{shipped_recipes()[0]}".'
        )
    if extends.endswith(_SUFFIX):
        return _read_file(path.parent / _expand(extends), extending)
    return _load(extends, extending)


def _expand(name: str | Path) -> Path:
    try:
        return Path(name).expanduser()
    except RuntimeError as error:  # the home of nobody
        raise ConfigError(f"There is no recipe {name}.") from error


def _lines(table: Mapping[str, Any], prefix: str) -> list[str]:
    """Lines of a table: first its values, then the tables in it."""
    lines, tables = [], []
    for key, value in table.items():
        if isinstance(value, Mapping):
            tables += ["", f"[{prefix}{key}]", *_lines(value, f"{prefix}{key}.")]
        elif value and isinstance(value, list) and isinstance(value[0], Mapping):
            for item in value:
                tables += ["", f"[[{prefix}{key}]]", *_lines(item, f"{prefix}{key}.")]
        else:
            lines.append(f"{key} = {_toml(value)}")
    return lines + tables


def _toml(value: Any) -> str:
    if value is None:
        return '"none"'
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, list):
        return f"[{', '.join(_toml(item) for item in value)}]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
