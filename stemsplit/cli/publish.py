"""`stemsplit models bag` and `models publish`: from trained weights to models for others."""

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stemsplit.cli import _options as cli
from stemsplit.cli._console import Console, Mode, make_console
from stemsplit.cli._progress import make_reporter
from stemsplit.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

Offline = Annotated[bool, typer.Option("--offline", help="Never open a network connection.")]


def bag(
    folder: Annotated[Path, typer.Argument(metavar="OUT", help="Folder to write it into.")],
    stems: Annotated[
        list[str] | None,
        typer.Option(
            "--stem",
            metavar="STEM=MODEL",
            help="Which model gives a stem: a run, or as --model takes it. May be repeated; several"
            " for one stem are averaged.",
        ),
    ] = None,
    others: Annotated[
        str | None,
        typer.Option(metavar="MODEL", help="What gives the stems that no --stem names."),
    ] = None,
    offline: Offline = False,
    json: cli.Json = False,
) -> None:
    """Join models that are each best at some stems into one.

    They must give the same stems at the same rate. --model OUT uses what is written, and models add
    gives it a name.
    """
    specialists = [_pair(text) for text in stems or ()]
    if not specialists:
        raise ConfigError("Which model gives which stem? Say it as in --stem vocals=runs/vocals.")
    from stemsplit.checkpoints.specialists import join_specialists

    console = make_console(is_json=json)
    reporter = None if json else make_reporter(console, {})
    with reporter or nullcontext():
        written = join_specialists(
            folder,
            specialists,
            others=others,
            offline=offline,
            progress=reporter.download if reporter else None,
        )
    _show(console, written, written.files, f"Use it with --model {folder}")


def publish(
    name: Annotated[
        str, typer.Argument(metavar="NAME|RUN", help="Folder of a run, or as --model takes it.")
    ],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="New folder to write.")],
    repository: Annotated[
        str, typer.Option("--repo-id", metavar="OWNER/NAME", help="Where it is to be on the hub.")
    ],
    licence: Annotated[
        str | None,
        typer.Option(
            metavar="ID|TEXT",
            help="Terms of the weights, if they do not state any: a licence as the hub calls it,"
            " such as mit or cc-by-nc-4.0, or a text.",
        ),
    ] = None,
    offline: Offline = False,
    json: cli.Json = False,
) -> None:
    """Write a folder that is ready for a repository of the Hugging Face hub.

    Weights, their configuration, and a card that says what they are, what they learnt from, how
    good they were and under which terms they may be used. Nothing is uploaded.
    """
    from stemsplit.training.publish import publish_model

    console = make_console(is_json=json)
    reporter = None if json else make_reporter(console, {})
    with reporter or nullcontext():
        written = publish_model(
            name,
            folder,
            repository=repository,
            licence=licence,
            offline=offline,
            progress=reporter.download if reporter else None,
        )
    _show(
        console,
        written,
        written.files,
        f"Upload it with: {written.upload}\nThen anybody can use it with --model hf:{repository}",
    )


def _pair(text: str) -> tuple[str, str]:
    stem, _, model = text.partition("=")
    if not stem or not model:
        raise ConfigError(f"--stem {text} names no stem and model: write vocals=runs/vocals.")
    return stem, model


def _show(console: Console, facts: Any, files: "Sequence[Path]", hint: str) -> None:
    if console.mode is Mode.JSON:
        console.document(facts)
        return
    for file in files:
        console.result(str(file))
    console.say(hint)
