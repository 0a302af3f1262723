"""Recipes: what the shipped ones say, what a file may say, and how it is told what it may not."""

import json
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from stemsplit.errors import ConfigError
from stemsplit.training.phases import plan_phases
from stemsplit.training.recipe import SourceSection, TrainingRecipe
from stemsplit.training.recipe_files import (
    load_recipe,
    recipe_from_dict,
    recipe_hash,
    recipe_of_network,
    recipe_to_dict,
    recipe_to_toml,
    shipped_recipes,
)

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(text: str, name: str = "my.toml") -> Path:
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


@pytest.mark.parametrize("name", shipped_recipes())
def test_a_shipped_recipe_fits_its_network_and_survives_its_own_text(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.summary
    assert plan_phases(recipe)[-1].end_epoch == recipe.epochs
    assert recipe_from_dict(json.loads(json.dumps(recipe_to_dict(recipe)))) == recipe
    assert recipe_from_dict(tomllib.loads(recipe_to_toml(recipe))) == recipe


def test_recipes_are_there_for_every_published_training() -> None:
    assert {"hdemucs", "htdemucs", "htdemucs_ft", "htdemucs_nn", "tfswa", "tfswa_paper"} <= set(
        shipped_recipes()
    )


@pytest.mark.parametrize(
    ("network", "recipe"),
    [
        ("htdemucs", "htdemucs"),
        ("hdemucs_mmi", "hdemucs"),
        ("tfswa_unet", "tfswa"),
        ("tfswa_resunet", "tfswa_paper"),
        ("htdemucs_6s", None),
    ],
)
def test_a_network_has_the_recipe_that_trains_it(network: str, recipe: str | None) -> None:
    assert recipe_of_network(network) == recipe


def test_the_recipe_of_htdemucs_hears_what_the_published_weights_were_built_for() -> None:
    (phase,) = plan_phases(load_recipe("htdemucs"))
    assert phase.segment_samples == phase.network.config.segment_samples == 343_980
    assert phase.batch_size == 32


def test_the_recipe_of_tfswa_has_the_numbers_of_its_description() -> None:
    recipe = load_recipe("tfswa")
    assert (recipe.optim.name, recipe.optim.lr, recipe.optim.weight_decay) == ("adamw", 1e-3, 1e-4)
    assert (recipe.schedule.name, recipe.schedule.warmup_steps) == ("cosine", 1000)
    assert (recipe.optim.clip_norm, recipe.precision, recipe.batch_size) == (1.0, "fp16", 12)


def test_a_file_changes_what_it_names_and_keeps_the_rest(write: Write) -> None:
    base = load_recipe("htdemucs_nn")
    path = write(
        'extends = "htdemucs_nn"\nepochs = 3\n[optim]\nlr = 1\n[[data.sources]]\npath = "mine"\n'
    )
    recipe = load_recipe(path)
    assert (recipe.epochs, recipe.optim.lr) == (3, 1.0)
    assert recipe.data.sources == (SourceSection(path="mine"),)
    assert recipe.optim.betas == base.optim.betas
    assert recipe.schedule == base.schedule
    assert load_recipe(str(path)) == recipe


def test_an_empty_file_is_the_recipe_of_defaults(write: Write) -> None:
    assert load_recipe(write("")) == TrainingRecipe()


def test_files_extend_files_relative_to_themselves(write: Write, tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    write("epochs = 7\n", "base.toml")
    path = write('extends = "../base.toml"\nbatch_size = 2\n', "deep/child.toml")
    assert load_recipe(path) == TrainingRecipe(epochs=7, batch_size=2)


def test_overrides_are_read_as_what_the_field_holds() -> None:
    recipe = load_recipe(
        "htdemucs",
        [
            "optim.lr=3e-4",
            "epochs = 2",
            "start.model=955717e8",  # digits and an e, but a name
            "network.stems=vocals, accompaniment",
            "ema.steps=0.9,0.99",
            "ema.epochs=[]",
            'data.sources=[{path="a", weight=2}]',
            "optim.clip_norm=1",
            "optim.clip_norm=none",
            "precision=bf16",
        ],
    )
    assert (recipe.optim.lr, recipe.epochs, recipe.start.model) == (3e-4, 2, "955717e8")
    assert recipe.network.stems == ("vocals", "accompaniment")
    assert (recipe.ema.steps, recipe.ema.epochs) == ((0.9, 0.99), ())
    assert recipe.data.sources == (SourceSection(path="a", weight=2.0),)
    assert recipe.optim.clip_norm is None
    assert recipe.precision == "bf16"


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("optim.lrr=1", r"optim\.lrr does not exist\. Did you mean optim\.lr"),
        ("lr=1", r"lr does not exist\. Did you mean optim\.lr\?"),
        ("qqq=1", "qqq does not exist. There are summary, task, seed"),
        ("optim.lr.low=1", r"optim\.lr\.low does not exist"),
        ("optim.lr=fast", "optim.lr cannot be 'fast': it takes a number"),
        ("epochs=1.5", "epochs cannot be 1.5: it takes a whole number"),
        ("precision=fp8", "precision cannot be 'fp8': it takes fp32 or bf16 or fp16"),
        ("optim.lr", "'optim.lr' sets nothing: write it as key=value"),
        ("optim.lr=nan", "optim.lr cannot be nan"),
        ("optim.lr=-1", "optim.lr must be positive, got -1"),
        ("=", " does not exist"),
    ],
)
def test_an_override_that_does_not_fit_is_refused(override: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_recipe("htdemucs", [override])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epoch = 3", r"my\.toml: epoch does not exist\. Did you mean epochs"),
        ("[optim]\nlrr = 3", r"my\.toml: optim\.lrr does not exist"),
        ('[[data.sources]]\npaht = "x"', r"data\.sources\[0\]\.paht does not exist"),
        ("[[data.sources]]\nweight = 1", r"data\.sources\[0\]\.path is missing"),
        ("epochs = ", r"my\.toml is no TOML file"),
        ('extends = "htdemux"', r"no recipe 'htdemux'\. Did you mean htdemucs"),
        ('extends = "mi.toml"', r"no recipe .*mi\.toml\. Did you mean my\.toml\?"),
        ('extends = "my.toml"', r"circle: my\.toml extends my\.toml"),
        ("extends = 3", "extends must name a recipe or another file"),
        ("batch_size = 5\naccumulation_steps = 2", "batch_size 5 cannot be cut into 2 parts"),
        ("[[phases]]\nshare = 0.5", "shares of phases must add up to 1, got 0.5"),
        ("[augment.gain]\nlow = 2.0", "augment.gain must be a range of positive numbers"),
        ("[schedule]\nwarmup_steps = 1\nwarmup_epochs = 1", "warmup_steps or warmup_epochs"),
        ("[schedule]\npatience = 0", "schedule.patience must be positive"),
        ("[loss]\nwaveform_l1 = 0", "loss needs a weight above 0"),
        ('[teacher]\nmodel = "htdemucs"', r"teacher\.sources must name folders"),
    ],
)
def test_a_file_that_does_not_fit_is_refused(write: Write, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_recipe(write(text))


def test_recipes_of_earlier_runs_are_read(write: Write) -> None:
    assert load_recipe(write("[data]\nnormalize = true\n")) == TrainingRecipe()
    with pytest.raises(ConfigError, match=r"data\.normalize=false is gone"):
        load_recipe(write("[data]\nnormalize = false\n"))


def test_unknown_recipes_are_refused_with_the_nearest_name() -> None:
    with pytest.raises(ConfigError, match=r"no recipe 'tfsaw'\. Did you mean tfswa"):
        load_recipe("tfsaw")
    with pytest.raises(ConfigError, match="There is no recipe ~nobody-of-this-name"):
        load_recipe("~nobody-of-this-name/x.toml")


def test_the_hash_tells_recipes_apart_and_not_where_they_came_from(write: Write) -> None:
    recipe = load_recipe("htdemucs")
    again = load_recipe(write(recipe_to_toml(recipe)))
    assert recipe_hash(again) == recipe_hash(recipe)
    assert len(recipe_hash(recipe)) == 64
    assert recipe_hash(load_recipe("htdemucs", ["seed=1"])) != recipe_hash(recipe)


def test_text_of_any_kind_survives_toml() -> None:
    summary = 'a "b" \\ \n\t é 🎵 \x7f \x01'
    recipe = TrainingRecipe(summary=summary)
    assert recipe_from_dict(tomllib.loads(recipe_to_toml(recipe))).summary == summary


def test_recipes_are_read_without_torch() -> None:
    code = (
        "import sys\n"
        "from stemsplit.training.phases import plan_phases\n"
        "from stemsplit.training.recipe_files import load_recipe\n"
        "plan_phases(load_recipe('htdemucs'))\n"
        "sys.exit('torch' in sys.modules)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
