"""`stemsplit data synth`: songs with known stems, made here."""

from pathlib import Path
from typing import Annotated

import typer

from stemsplit.cli import _options as cli
from stemsplit.cli._console import make_console


def synth(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder of the set; made if needed.")],
    songs: Annotated[int, typer.Option(metavar="N", help="How many songs.")] = 200,
    seed: Annotated[int, typer.Option(metavar="N", help="Another number gives other songs.")] = 1,
    split: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="train, valid or test: each has styles, sounds and voices of its own.",
        ),
    ] = "train",
    seconds: Annotated[float, typer.Option(metavar="S", help="Length of every song.")] = 30.0,
    workers: Annotated[int, typer.Option(metavar="N", help="Songs made side by side.")] = 1,
    json: cli.JsonTable = False,
) -> None:
    """Make songs with their stems, to train and to test with.

    They are laid out as MUSDB18-HQ is. The mixture is the exact sum of the stems. The same options
    give the same files; songs that are there already are left as they are. Sampled sounds and
    spoken words are used where the packages of the extra called synth are installed.
    """
    from stemsplit.training.synth.dataset import SynthOptions, make_set
    from stemsplit.training.synth.sources import SOURCES, missing

    options = SynthOptions(out, songs, seed, split, seconds, workers)
    console = make_console(is_json=json)
    for name in missing():
        console.say(f"without {SOURCES[name].summary}: {SOURCES[name].origin}")
    made, kept = 0, 0
    for song in make_set(options):
        kept += song.was_there
        made += not song.was_there
        if json:
            console.record("song", song)
        else:
            state = "is there" if song.was_there else str(song.facts["style"])
            console.say(f"{song.name}: {state}")
    if json:
        console.record("set", {"path": out, "made": made, "kept": kept, "missing": missing()})
    else:
        console.result(f"{made} songs made, {kept} were there, in {out / split}.")
