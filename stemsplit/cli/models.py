"""`stemsplit models`: what there is, what is here, under which terms, and how to get it."""

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stemsplit.cli import _options as cli
from stemsplit.cli import networks, publish
from stemsplit.cli._console import Console, Mode, make_console, size
from stemsplit.cli._progress import make_reporter
from stemsplit.errors import ConfigError
from stemsplit.models.custom import NamedNetwork

if TYPE_CHECKING:
    from stemsplit.checkpoints.describe import ModelDescription

Name = Annotated[str, typer.Argument(metavar="NAME", help="As --model takes it.")]
Offline = Annotated[bool, typer.Option("--offline", help="Never open a network connection.")]

app = typer.Typer(
    no_args_is_help=True,
    help="List, describe, fetch, check, remove, register, join, export and publish models.",
)


@app.command("list")
def list_models(
    json: cli.JsonTable = False,
    is_of_networks: Annotated[
        bool,
        typer.Option(
            "--networks", help="The networks that can be built, with or without published weights."
        ),
    ] = False,
) -> None:
    """List the published models and your own, with what is here already."""
    if is_of_networks:
        networks.list_networks(json=json)
        return
    from stemsplit.checkpoints import describe

    console = make_console(is_json=json)
    models = describe.list_models()
    if json:
        console.document([_facts(model) for model in models])
        return
    head = ("name", "stems", "here", "trained on", "terms", "what it is")
    console.table(head, [_row(model) for model in models])
    console.say("Terms and training data in full: stemsplit models info NAME")


@app.command()
def info(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="As --model takes it, or a network.")
    ] = None,
    network: networks.NetworkFile = None,
    flow: Annotated[
        bool | None,
        typer.Option(
            "--flow/--no-flow",
            help="Draw the flow of data with its shapes.",
            show_default="for a network that no model is called like",
        ),
    ] = None,
    offline: Offline = False,
    json: cli.JsonTable = False,
) -> None:
    """Describe a model or a network.

    Of a model: terms, training data, networks and files. Of a network: what it does, where it was
    described, and the flow of data through it.
    """
    from stemsplit.checkpoints.configurations import describe_any, find_networks

    if bool(name) == (network is not None):
        raise ConfigError("Give the name of a model or a network, or --network FILE.")
    wanted = name or network or ""
    found = describe_any(wanted, offline=offline)
    console = make_console(is_json=json)
    if isinstance(found, NamedNetwork):
        networks.show_network(console, found, is_drawn=flow is not False)
        return
    inside = find_networks(wanted, offline=offline) if flow else ()
    if json:
        drawn = [networks.network_facts(one, is_drawn=True) for one in inside]
        console.document({**_facts(found), "networks": drawn} if flow else _facts(found))
        return
    for title, text in _description(found):
        console.result(f"{title + ':':<13} {text}")
    for one in inside:
        console.result("")
        networks.show_network(console, one, is_drawn=True)
    if not flow:
        console.say(f"What it does, and the flow of data: stemsplit models info {name} --flow")


app.command()(networks.profile)


@app.command()
def download(
    name: Name,
    stems: Annotated[
        str | None, typer.Option(metavar="A,B", help="Only what these stems need.")
    ] = None,
    offline: Offline = False,
    json: cli.JsonTable = False,
) -> None:
    """Fetch a model now, so that it can be used without a network later.

    What is here already is checked, and fetched again if it is broken.
    """
    from stemsplit.checkpoints.manage import download_model

    console = make_console(is_json=json)
    reporter = None if json else make_reporter(console, {})
    with reporter or nullcontext():
        model = download_model(
            name,
            stems=None if stems is None else cli.names(stems),
            offline=offline,
            progress=reporter.download if reporter else None,
        )
    _show(console, _facts(model), f"{model.name}: {size(model.stored_bytes)} here.")


@app.command()
def verify(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="All of them, if left out.")
    ] = None,
    json: cli.JsonTable = False,
) -> None:
    """Check that weights are still what was downloaded. Exit status 1 if any is not."""
    from stemsplit.checkpoints.manage import verify_models

    console = make_console(is_json=json)
    checked = verify_models(name)
    if json:
        console.document(checked)
    for weights in () if json else checked:
        users = ", ".join(weights.models) or "no model"
        console.result(f"{weights.id} ({users}): {weights.problem or 'as it was stored'}")
    if not checked and not json:
        console.result("Nothing of it is here.")
    if any(weights.problem for weights in checked):
        raise typer.Exit(1)


@app.command()
def remove(name: Name, json: cli.JsonTable = False) -> None:
    """Delete a model's weights from this machine."""
    from stemsplit.checkpoints.manage import remove_model

    removed = remove_model(name)
    _show(make_console(is_json=json), removed, f"{name}: {size(removed.freed_bytes)} freed.")


@app.command()
def add(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="File, bag or folder of weights.")],
    name: Annotated[str, typer.Option(metavar="NAME", help="What to call it from now on.")],
    licence: Annotated[str | None, typer.Option(metavar="TEXT", help="Terms of its use.")] = None,
    trained_on: Annotated[
        str | None, typer.Option(metavar="TEXT", help="What it was trained on.")
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="The name may be taken.")] = False,
    json: cli.JsonTable = False,
) -> None:
    """Give a model of your own a name. Its weights are copied."""
    from stemsplit.checkpoints.manage import add_model

    model = add_model(path, name, licence=licence, trained_on=trained_on, is_replacing=replace)
    text = f"{model.name}: {', '.join(model.stems)}. Use it with --model {model.name}."
    _show(make_console(is_json=json), _facts(model), text)


@app.command()
def export(
    name: Name,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where to write it.")],
    precision: Annotated[
        str,
        typer.Option(
            metavar="stored|fp16",
            help="Of the weights: as they are, or rounded to 16 bits, which halves the file.",
        ),
    ] = "stored",
    licence: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="Terms of the weights, if they do not state any."),
    ] = None,
    offline: Offline = False,
    json: cli.JsonTable = False,
) -> None:
    """Write a model into a folder that --model reads back, here or on another machine."""
    from stemsplit.checkpoints.export import export_model

    console = make_console(is_json=json)
    reporter = None if json else make_reporter(console, {})
    with reporter or nullcontext():
        exported = export_model(
            name,
            folder,
            precision=precision,
            licence=licence,
            offline=offline,
            progress=reporter.download if reporter else None,
        )
    _show(console, exported, "\n".join(str(file) for file in exported.files))


app.command()(publish.bag)
app.command()(publish.publish)


@app.command()
def path(json: cli.JsonTable = False) -> None:
    """Print the folder that models are kept in; STEMSPLIT_CACHE chooses another."""
    from stemsplit.checkpoints.cache import default_root

    _show(make_console(is_json=json), {"path": default_root()}, str(default_root()))


def _show(console: Console, facts: Any, text: str) -> None:
    if console.mode is Mode.JSON:
        console.document(facts)
    else:
        console.result(text)


def _facts(model: "ModelDescription") -> dict[str, Any]:
    return {**vars(model), "is_cached": model.is_cached, "stored_bytes": model.stored_bytes}


def _row(model: "ModelDescription") -> tuple[str, ...]:
    here = sum(member.is_cached for member in model.members)
    where = size(model.stored_bytes) if model.is_cached else f"{here} of {len(model.members)}"
    return (
        model.name,
        ", ".join(model.stems),
        where if here else "no",
        model.trained_on or "not stated",
        _first_sentence(model.licence or "not stated"),
        model.summary,
    )


def _first_sentence(text: str) -> str:
    return text.partition(". ")[0].rstrip(".")


def _description(model: "ModelDescription") -> list[tuple[str, str]]:
    lines = [
        ("name", ", ".join((model.name, *model.aliases))),
        ("what it is", model.summary),
        ("stems", ", ".join(model.stems)),
        ("sample rate", f"{model.sample_rate} Hz, {model.channels} channels"),
        ("trained on", model.trained_on or "not stated"),
        ("terms", model.licence or "not stated"),
    ]
    if model.card is not None:
        lines.append(("model card", str(model.card)))
    if model.deprecated_by is not None:
        lines.append(("deprecated", f"use {model.deprecated_by}"))
    for member in model.members:
        length = f", {size(member.bytes)}" if member.bytes else ""
        where = member.path if member.path is not None else "not here"
        says = f"{member.architecture} for {', '.join(member.stems)}{length}; {where}"
        lines.append((f"  {member.id}", says))
        lines += [("    from", address) for address in member.addresses]
    return lines
