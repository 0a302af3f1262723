"""`stemsplit models profile`, and the networks in `models list` and `models info`."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stemsplit.cli import _options as cli
from stemsplit.cli._console import Console, Mode, make_console, size
from stemsplit.errors import ConfigError

if TYPE_CHECKING:
    from stemsplit.models.custom import NamedNetwork
    from stemsplit.models.profile import NetworkProfile

NetworkFile = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="A network of your own: a TOML file with extends = NAME."),
]

_HEAD = ("name", "parameters", "operations", "weights", "activations", "seconds", "speed")


def profile(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME]...",
            help="Networks, models that are here, or TOML files; all networks, if left out.",
        ),
    ] = None,
    network: NetworkFile = None,
    seconds: Annotated[
        float, typer.Option(parser=cli.number, metavar="SECONDS", help="Length of the audio.")
    ] = 10.0,
    device: cli.Device = "auto",
    stems: Annotated[
        str | None, typer.Option(metavar="A,B", help="As if built for these stems.")
    ] = None,
    no_timing: Annotated[
        bool,
        typer.Option("--no-timing", help="Only count: nothing is computed, and it is over soon."),
    ] = False,
    json: cli.JsonTable = False,
) -> None:
    """Measure what networks cost: parameters, operations, memory and time.

    Operations are multiplications with addition; Fourier transforms are not counted. The speed is
    that of one forward pass on this machine, in times real time. Activations are the memory of all
    tensors beside the weights. With --no-timing it is that of a device which computes all bins of a
    spectrogram at once, as GPUs do; a CPU takes some at a time.
    """
    found = _networks([*(names or []), *([network] if network else [])], stems)
    if no_timing and device != "auto":
        raise ConfigError("--device and --no-timing do not go together: nothing is computed then.")
    from stemsplit.models.profile import with_length

    for one in found:
        with_length(one.config, seconds)
    console = make_console(is_json=json)
    place = None if no_timing else _device(console, device)
    measured: list[NetworkProfile] = []
    problems: list[dict[str, str]] = []
    try:
        for index, one in enumerate(found):
            console.busy(f"{one.name} ({index + 1} of {len(found)})")
            _profile_one(one, seconds, place, measured, problems)
    finally:  # minutes of work are not lost with the rest
        console.idle()
        _show_profiles(console, measured, problems)
    if problems:
        raise typer.Exit(1)


def list_networks(*, json: bool) -> None:
    """Print every registered network."""
    from stemsplit.models.custom import registered_networks

    console = make_console(is_json=json)
    networks = registered_networks()
    if json:
        console.document([_facts(network) for network in networks])
        return
    head = ("name", "architecture", "stems", "segment", "what it is")
    console.table(head, [_list_row(network) for network in networks])
    console.say("In full: stemsplit models info NAME. Sizes: stemsplit models profile --no-timing")


def network_facts(network: "NamedNetwork", *, is_drawn: bool) -> dict[str, Any]:
    """What `models info --json` says of a network."""
    from stemsplit.models.explain import explain
    from stemsplit.models.registry import config_to_dict

    facts = {
        **_facts(network),
        "description": explain(network.config),
        "config": config_to_dict(network.config),
    }
    if is_drawn:
        from stemsplit.models.trace import trace_network

        facts["flow"] = trace_network(network)
    return facts


def show_network(console: Console, network: "NamedNetwork", *, is_drawn: bool) -> None:
    """Print what `models info` says of a network."""
    if console.mode is Mode.JSON:
        console.document(network_facts(network, is_drawn=is_drawn))
        return
    from stemsplit.models.explain import explain

    console.result(f"{'network:':<14}{network.name} ({network.architecture})")
    console.result(f"{'what it is:':<14}{network.summary}")
    console.result(f"{'source:':<14}{network.source}")
    for line in ("", *explain(network.config)):
        console.result(line)
    if is_drawn:
        from stemsplit.models.flow import draw_flow
        from stemsplit.models.trace import trace_network

        flow = draw_flow(trace_network(network))
        shapes = "Shapes are channels or features, then bins and frames, or samples."
        for line in ("", shapes, "", *flow):
            console.result(line)


def _networks(names: Sequence[str | Path], stems: str | None) -> list["NamedNetwork"]:
    from stemsplit.models.custom import registered_networks

    if names:
        from stemsplit.checkpoints.configurations import find_networks

        found = [network for name in names for network in find_networks(name)]
    else:
        found = list(registered_networks())
    if stems is None:
        return found
    wanted = cli.names(stems)
    return [replace(one, config=replace(one.config, stems=wanted)) for one in found]


def _device(console: Console, device: str) -> str:
    from stemsplit.separation.device import choose_device

    choice = choose_device(device)
    if choice.warning is not None:
        console.say(f"Warning: {choice.warning}")
    return str(choice.device)


def _profile_one(
    network: "NamedNetwork",
    seconds: float,
    device: str | None,
    measured: list["NetworkProfile"],
    problems: list[dict[str, str]],
) -> None:
    """Measure a network; one that cannot be measured does not stop the others."""
    from stemsplit.models.profile import profile_network

    try:
        profile = profile_network(network, seconds=seconds, device=device)
    except ConfigError as error:
        problems.append({"name": network.name, "problem": str(error)})
        return
    measured.append(profile)
    if profile.problem is not None:
        problems.append({"name": network.name, "problem": f"{network.name} {profile.problem}"})


def _show_profiles(
    console: Console, measured: Sequence["NetworkProfile"], problems: Sequence[Mapping[str, str]]
) -> None:
    if console.mode is Mode.JSON:
        names = {profile.name for profile in measured}
        console.document([*measured, *(one for one in problems if one["name"] not in names)])
        return
    if measured:
        console.table(_HEAD, [_row(profile) for profile in measured])
    for problem in problems:
        console.complain(problem["problem"])
    for profile in measured[:1]:
        threads = "" if profile.threads is None else f", {_plural(profile.threads, 'thread')}"
        where = "nothing was computed" if profile.seconds is None else profile.device + threads
        console.say(f"{profile.audio_seconds:g} s of audio; {where}.")


def _plural(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def _facts(network: "NamedNetwork") -> dict[str, Any]:
    config = network.config
    return {
        "name": network.name,
        "kind": "network",
        "architecture": network.architecture,
        "summary": network.summary,
        "source": network.source,
        "stems": config.stems,
        "channels": config.channels,
        "sample_rate": config.sample_rate,
        "segment_seconds": config.segment_seconds,
        "has_fixed_length": config.fixed_length,
    }


def _list_row(network: "NamedNetwork") -> tuple[str, ...]:
    config = network.config
    segment = f"{config.segment_seconds:.1f} s"
    return (network.name, network.architecture, ", ".join(config.stems), segment, network.summary)


def _row(profile: "NetworkProfile") -> tuple[str, ...]:
    timed = profile.seconds is not None and profile.real_time_factor is not None
    return (
        profile.name,
        f"{profile.parameters / 1e6:.2f} M",
        f"{profile.operations / 1e9:.2f} G",
        size(profile.weight_bytes),
        size(profile.activation_bytes),
        f"{profile.seconds:.2f}" if timed else "",
        f"{profile.real_time_factor:.2f}x" if timed else "",
    )
