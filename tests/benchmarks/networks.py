"""What every network costs, as the table of the README.

Run with ``python -m tests.benchmarks.networks`` (a quarter of an hour on a CPU; `--no-timing` takes
a minute). The published columns are figures that thop printed for the research variants; it leaves
out some parameters, and counts transposed convolutions by their outputs.
"""

import argparse
from collections.abc import Sequence

from stemsplit.errors import ConfigError
from stemsplit.models.custom import load_network, network_names
from stemsplit.models.profile import NetworkProfile, profile_network
from stemsplit.separation.device import choose_device

THOP = {
    "htdemucs_p": (53.57, 89.14),
    "htdemucs_i": (77.92, 99.01),
    "htdemucs_c": (46.95, 217.38),
    "htdemucs_s": (29.59, 314.81),
    "htdemucs_d": (29.19, 104.32),
    "htdemucs_d2": (59.14, 231.08),
    "htdemucs_d3": (11.57, 284.49),
    "htdemucs_d4": (25.46, 280.50),
    "htdemucs_n": (9.61, 86.27),
    "htdemucs_nc": (33.06, 233.23),
    "htdemucs_nf": (27.39, 400.00),
}
"""Millions of parameters and G operations as published, the latter at 8 s for p, at 4 s for i and
d, and at 10 s for the others. The htdemucs of that table, 20.93 and 137.52, is narrower than the
one of which weights were published."""

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
    parameters, operations = THOP.get(profile.name, (None, None))
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
        "" if parameters is None else f"{parameters:.2f} M",
        "" if operations is None else f"{operations:.2f} G",
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
