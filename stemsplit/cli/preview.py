"""`stemsplit data preview`: what a network would hear, to be listened to."""

from pathlib import Path
from typing import Annotated

import typer

from stemsplit.cli import _options as cli
from stemsplit.cli import train
from stemsplit.cli._console import make_console
from stemsplit.cli._training import make_training_reporter


def preview(
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Folder to write into, a folder per excerpt.")
    ],
    data: train.Data = None,
    network: train.Network = None,
    stems: train.Stems = None,
    teacher: train.TeacherName = None,
    unlabelled: train.Unlabelled = None,
    min_score: train.MinScore = None,
    recipe: train.Recipe = None,
    settings: train.Settings = None,
    count: Annotated[int, typer.Option(min=1, help="Excerpts.")] = 8,
    device: cli.Device = "auto",
    offline: cli.Offline = False,
    json: cli.Json = False,
) -> None:
    """Write what a network would hear in a training: the mix and each stem, augmented.

    They are the first excerpts of a training with the same recipe. What the network does not learn
    is in rest.wav. Files are as loud as in the training, unless one would exceed full scale. A
    teacher labels its songs first; the training then finds them done.
    """
    chosen = train.chosen_recipe(recipe, network, data, stems, None, settings or [])
    chosen = train.with_music(chosen, teacher, unlabelled, min_score, is_alone=not data)
    from stemsplit.training.preview import preview as write_preview

    console = make_console(is_json=json)
    with make_training_reporter(console) as reporter:
        excerpts = write_preview(
            chosen,
            out,
            num_excerpts=count,
            device=device,
            offline=offline,
            on_event=reporter,
        )
        for excerpt in excerpts:
            if json:
                console.record("excerpt", excerpt)
                continue
            for file in excerpt.files:
                console.result(str(file))
            level = f", {excerpt.gain_db:.1f} dB" if excerpt.gain_db else ""
            console.say(f"step {excerpt.step}, excerpt {excerpt.place + 1} of the batch{level}")
