"""What every network costs, as the table of the README.

Run with ``python -m tests.benchmarks.networks`` (a quarter of an hour on a CPU; `--no-timing` takes
a minute). The published columns are figures that thop printed for the research variants, see
`tests.models.research`. The htdemucs of that publication is narrower than the one of which weights
were published, so that its row has none.
"""

import argparse
from collections.abc import Sequence

from stemsplit.errors import ConfigError
from stemsplit.models.custom import load_network, network_names
from stemsplit.models.profile import NetworkProfile, profile_network
from stemsplit.separation.device import choose_device
from tests.models.research import RESEARCH

_HEAD = (
    "network",
    "parameters",
    "operations",
    "weights",
    "activations",
    "seconds",
    "times real time",
    "thop: parameters",
    "thop: operations",
)


def main(
    names: Sequence[str] | None = None, seconds: float = 10.0, device: str | None = "auto"
) -> list[NetworkProfile]:
    """Print a table in Markdown, row by row.

    Args:
        names: of networks; None for all.
        seconds: length of the audio.
        device: where to measure; None to leave that out.

    Returns:
        A profile per network that could be measured.
    """
    place = None if device is None else str(choose_device(device).device)
    print(_row(_HEAD))
    print(_row(["---"] + ["---:"] * (len(_HEAD) - 1)))
    profiles = []
    for name in network_names() if names is None else names:
        try:
            profile = profile_network(load_network(name), seconds=seconds, device=place)
        except ConfigError as error:
            print(_row([name, str(error), *[""] * (len(_HEAD) - 2)]))
            continue
        print(_row(_cells(profile)), flush=True)
        profiles.append(profile)
    for profile in profiles[:1]:
        threads = f", {profile.threads} threads" if profile.threads else ""
        print(f"\n{seconds:g} s of audio on {profile.device}{threads}")
    return profiles


def _cells(profile: NetworkProfile) -> list[str]:
    research = RESEARCH.get(profile.name)
    published = (
        (research.published_parameters, research.published_operations) if research else (None, None)
    )
    time = (
        [profile.problem or "", ""]
        if profile.seconds is None
        else [f"{profile.seconds:.2f}", f"{profile.real_time_factor:.2f}"]
    )
    return [
        profile.name,
        f"{profile.parameters / 1e6:.2f} M",
        f"{profile.operations / 1e9:.2f} G",
        f"{profile.weight_bytes / 1e6:.0f} MB",
        f"{profile.activation_bytes / 1e6:.0f} MB",
        *time,
        *(
            "" if one is None else f"{one / unit:.2f} {name}"
            for one, (unit, name) in zip(published, ((1e6, "M"), (1e9, "G")), strict=True)
        ),
    ]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--no-timing", action="store_true")
    arguments = parser.parse_args()
    main(
        arguments.names or None,
        arguments.seconds,
        None if arguments.no_timing else arguments.device,
    )
