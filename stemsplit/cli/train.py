"""`stemsplit train`: from a data set to a model that is used by name."""

import dataclasses
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stemsplit.cli import _options as cli
from stemsplit.cli._console import make_console
from stemsplit.cli._stopping import stop_on_signals
from stemsplit.cli._training import make_training_reporter
from stemsplit.errors import Cancelled, ConfigError
from stemsplit.training.recipe import SourceSection, TrainingRecipe
from stemsplit.training.recipe_files import (
    load_recipe,
    recipe_of_network,
    recipe_to_toml,
    shipped_recipes,
)

if TYPE_CHECKING:
    from stemsplit.training.events import Finished

_DEFAULT = "htdemucs"  # recipe, where neither it nor the network says which
_WHAT, _HOW = "What to train", "How to train"

Data = Annotated[
    list[str] | None,
    typer.Option(
        metavar="DIR|NAME",
        help="Songs with their stems, musdb or moisesdb, or synth for songs made while they are"
        " read; may be repeated, with a weight as in musdb@2. Validation songs are kept apart.",
        rich_help_panel=_WHAT,
    ),
]
Network = Annotated[
    str | None,
    typer.Option(
        metavar="NAME|FILE",
        help="A network of `models list --networks`, or a TOML file that describes one.",
        show_default="the recipe's",
        rich_help_panel=_WHAT,
    ),
]
Stems = Annotated[
    str | None,
    typer.Option(metavar="A,B", help="Stems to learn.", rich_help_panel=_WHAT),
]
From = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="MODEL",
        help="Begin with the weights of a model, as `separate --model` takes it, but not auto.",
        rich_help_panel=_WHAT,
    ),
]
TeacherName = Annotated[
    str | None,
    typer.Option(
        "--teacher",
        metavar="MODEL",
        help="Learn also from what a model makes of music without stems (--unlabelled).",
        rich_help_panel=_WHAT,
    ),
]
Unlabelled = Annotated[
    list[str] | None,
    typer.Option(
        metavar="DIR",
        help="Music for the teacher, whose stems are kept in the cache of songs, or to fill holes"
        " in (task=reconstruct); may be repeated.",
        rich_help_panel=_WHAT,
    ),
]
MinScore = Annotated[
    float | None,
    typer.Option(
        metavar="0-100",
        help="Leave out songs whose worst stem scores less; see `separate --report`.",
        show_default="the recipe's",
        rich_help_panel=_WHAT,
    ),
]
Recipe = Annotated[
    str | None,
    typer.Option(
        metavar="NAME|FILE",
        help=f"Numbers of the training: {', '.join(shipped_recipes())}, or a TOML file.",
        show_default="that of the network, if there is one",
        rich_help_panel=_HOW,
    ),
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Change a number of the recipe, as in optim.lr=3e-4; may be repeated.",
        rich_help_panel=_HOW,
    ),
]
Out = Annotated[
    Path | None,
    typer.Option(
        parser=cli.folder,
        metavar="DIR",
        help="Folder of the run; one that has states of the same run goes on from them.",
        rich_help_panel=_WHAT,
    ),
]
Resume = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR", help="Go on with a run, by the recipe in its folder.", rich_help_panel=_WHAT
    ),
]
DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        help="Take one step, tell what the run would take, and stop.",
        rich_help_panel=_HOW,
    ),
]
Wandb = Annotated[
    str | None,
    typer.Option(
        metavar="PROJECT",
        help="Send the course of the run to Weights & Biases (pip install wandb).",
        rich_help_panel=_HOW,
    ),
]
ShowRecipe = Annotated[
    bool,
    typer.Option("--show-recipe", help="Print the whole recipe and stop.", rich_help_panel=_HOW),
]


def train(
    data: Data = None,
    network: Network = None,
    out: Out = None,
    stems: Stems = None,
    start: From = None,
    teacher: TeacherName = None,
    unlabelled: Unlabelled = None,
    min_score: MinScore = None,
    resume: Resume = None,
    recipe: Recipe = None,
    settings: Settings = None,
    device: cli.Device = "auto",
    dry_run: DryRun = False,
    wandb: Wandb = None,
    show_recipe: ShowRecipe = False,
    offline: cli.Offline = False,
    json: cli.Json = False,
) -> None:
    """Train a network, or go on with a training.

    Ctrl-C stops after the step under way and keeps its state; the same command
    goes on from there. Several processes: torchrun -m stemsplit train ...

    Exit status: 0 done, 1 something failed, 2 wrong usage, 130 stopped.
    """
    console = make_console(is_json=json)
    music = (teacher, unlabelled, min_score)
    if resume is not None and any(
        (data, network, out, stems, start, recipe, settings, *(one is not None for one in music))
    ):
        raise ConfigError(
            "--resume goes on by the recipe in its folder: it takes none of the rest."
        )
    chosen = None
    if resume is None:
        chosen = chosen_recipe(recipe, network, data, stems, start, settings or [])
        chosen = with_music(chosen, *music, is_alone=not data)
    if show_recipe:
        from stemsplit.training.run_folder import RunFolder

        shown = chosen or RunFolder(resume or Path()).read_recipe()
        console.result(recipe_to_toml(shown).rstrip())
        return
    if resume is None and out is None:
        raise ConfigError("Where shall the run be kept? Name a folder with --out, as runs/nn.")

    from stemsplit.training import run

    with make_training_reporter(console) as reporter, stop_on_signals() as stop:
        stop.is_gentle = True
        options = run.RunOptions(
            out=resume or out or Path(),
            device=device,
            dry_run=dry_run,
            offline=offline,
            wandb=wandb,
        )
        finished: Finished | None
        try:
            if chosen is None:
                finished = run.resume(options.out, options, on_event=reporter, stop=stop.cancel)
            else:
                finished = run.train(chosen, options, on_event=reporter, stop=stop.cancel)
        except Cancelled as error:
            reporter.line(f"{error} Labels that are done stay; the same command goes on.")
            raise typer.Exit(130) from error
    if finished is not None and not finished.is_complete:
        raise typer.Exit(130)


def chosen_recipe(
    name: str | None,
    network: str | None,
    data: list[str] | None,
    stems: str | None,
    start: str | None,
    settings: list[str],
) -> TrainingRecipe:
    """The recipe, with what the options change of it."""
    texts = []
    if network is not None:
        texts.append(f"network.name={network}")
    if stems is not None:
        texts.append(f"network.stems={','.join(cli.names(stems))}")
    if start is not None:
        texts.append(f"start.model={start}")
    if name is None and network is not None:
        name = recipe_of_network(network)
    texts += settings
    recipe = load_recipe(name or _DEFAULT, texts)
    if data:
        sources = tuple(_source(text) for text in data)
        section = dataclasses.replace(recipe.data, sources=sources)
        recipe = dataclasses.replace(recipe, data=section)
    return recipe


def with_music(
    recipe: TrainingRecipe,
    teacher: str | None,
    unlabelled: list[str] | None,
    min_score: float | None,
    *,
    is_alone: bool,
) -> TrainingRecipe:
    """The recipe, with music without stems: for its teacher or another one, or to fill holes in.

    Args:
        recipe: to change.
        teacher: a model.
        unlabelled: folders of music.
        min_score: of what the teacher makes of it.
        is_alone: whether holes are filled in this music only, and not in the recipe's data sets.
    """
    if recipe.task == "reconstruct" and unlabelled and (teacher, min_score) == (None, None):
        section = dataclasses.replace(recipe.pretrain, sources=tuple(unlabelled))
        sets = dataclasses.replace(recipe.data, sources=()) if is_alone else recipe.data
        return dataclasses.replace(recipe, pretrain=section, data=sets)
    given = {"model": teacher, "sources": tuple(unlabelled or ()) or None, "min_score": min_score}
    changes: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    taught = dataclasses.replace(recipe.teacher, **changes)
    if changes and taught.model is None:
        raise ConfigError("--unlabelled and --min-score are for a teacher: name it with --teacher.")
    return dataclasses.replace(recipe, teacher=taught)


def _source(text: str) -> SourceSection:
    """A data set from ``musdb`` or ``musdb@2``."""
    path, at, weight = text.rpartition("@")
    try:
        number = float(weight) if at else math.nan
    except ValueError:
        number = math.nan
    if math.isnan(number):
        return SourceSection(path=text)
    return SourceSection(path=path, weight=number)
