"""A run goes on with the states of the same run, by whatever version they were written."""

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from stemsplit.training.recipe import SourceSection, TrainingRecipe
from stemsplit.training.recipe_files import load_recipe, recipe_from_dict, recipe_to_dict
from stemsplit.training.run_identity import departures
from stemsplit.training.setup import plan_training


def hash_of(*overrides: str) -> str:
    return plan_training(load_recipe("tiny", overrides)).run_hash


@pytest.mark.parametrize(
    "override",
    [
        *("epochs=3", "summary=other", "validation.every=7", "data.workers=5"),
        *("data.cache=true", "data.cache_dir=elsewhere"),
    ],
)
def test_what_changes_no_step_is_not_in_the_hash(override: str) -> None:
    assert hash_of(override) == hash_of()


@pytest.mark.parametrize(
    "override",
    [
        *("seed=1", "batch_size=3", "task=reconstruct", "optim.lr=1e-5", "loss.waveform_l2=1"),
        *("network.stems=vocals,other", "network.channels=1", "network.segment_seconds=2"),
        *("data.segment_seconds=2", "data.synth.seed=2"),
        *("augment.gain.probability=0.25", "ema.steps=0.5", "schedule.name=plateau"),
        *("steps_per_epoch=7", "accumulation_steps=2", "start.freeze=encoder"),
    ],
)
def test_what_changes_a_step_is_in_the_hash(override: str) -> None:
    assert hash_of(override) != hash_of()


def test_whether_songs_are_held_back_is_in_the_hash(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text('extends = "tiny"\n[[validation.sources]]\npath = "judges"\n')
    assert plan_training(load_recipe(own)).run_hash != hash_of()


def test_validation_counts_where_the_learning_rate_follows_it() -> None:
    plateau = "schedule.name=plateau"
    assert hash_of(plateau, "validation.every=7") != hash_of(plateau)


def test_a_value_is_in_the_hash_though_another_has_its_default() -> None:
    usual = TrainingRecipe().optim.lr
    hashes = {hash_of(f"optim.lr={lr}") for lr in (usual, 2 * usual, 3 * usual)}
    assert len(hashes) == 3
    assert hash_of("optim.lr=1e-5", "seed=1") != hash_of("optim.lr=1e-5")


@dataclass(frozen=True)
class Part:
    name: str
    size: int = 1


@dataclass(frozen=True)
class Whole:
    parts: tuple[Part, ...] = ()
    one: Part = Part("a", size=3)
    perhaps: Part | None = None
    number: float = 0.5


@dataclass(frozen=True)
class LaterPart(Part):
    colour: str = "red"


@dataclass(frozen=True)
class LaterWhole:
    parts: tuple[LaterPart, ...] = ()
    one: LaterPart = LaterPart("a", size=3)
    perhaps: LaterPart | None = None
    number: float = 0.5
    more: tuple[float, ...] = (1.0, 2.0)
    other: LaterPart = field(default_factory=lambda: LaterPart("b"))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, {}),
        (
            {"parts": lambda part: (part("x", 1), part("y", 2))},
            {"parts": [{"name": "x"}, {"name": "y", "size": 2}]},
        ),
        ({"one": lambda part: part("a", 3)}, {}),
        # The default of the part, but not that of the whole.
        ({"one": lambda part: part("a", 1)}, {"one": {"size": 1}}),
        ({"perhaps": lambda part: part("p", 1)}, {"perhaps": {"name": "p"}}),
        ({"number": lambda _: 0.25}, {"number": 0.25}),
    ],
)
def test_a_version_with_more_fields_finds_the_same_departures(
    values: dict[str, Any], expected: dict[str, object]
) -> None:
    versions: list[tuple[Any, Any]] = [(Whole, Part), (LaterWhole, LaterPart)]
    for whole, part in versions:
        made = {name: value(part) for name, value in values.items()}
        assert departures(whole(**made)) == expected


@pytest.mark.parametrize("name", ["htdemucs", "htdemucs_ft", "tfswa", "tfswa_pretrain", "tiny"])
def test_departures_say_all_of_a_recipe(name: str) -> None:
    recipe = load_recipe(name)
    recipe = dataclasses.replace(
        recipe,
        data=dataclasses.replace(recipe.data, sources=(SourceSection(path="x", weight=0.5),)),
    )
    plain = json.loads(json.dumps(departures(recipe)))
    assert recipe_from_dict(plain) == recipe
    assert len(json.dumps(plain)) < len(json.dumps(recipe_to_dict(recipe))) / 2
