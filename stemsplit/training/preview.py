"""What a network would hear, as files for a person to listen to."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from stemsplit.audio.formats import resolve_format
from stemsplit.audio.writer import StemSetWriter
from stemsplit.errors import ConfigError
from stemsplit.separation.device import choose_device
from stemsplit.training.batches import read_batches
from stemsplit.training.corpus import Corpus
from stemsplit.training.distributed import Processes
from stemsplit.training.events import EventSink
from stemsplit.training.opening import open_songs
from stemsplit.training.recipe import TrainingRecipe
from stemsplit.training.setup import TrainingPlan, build_hearing, plan_training

MIX, REST = "mix", "rest"
_FULL_SCALE = 0.99  # what the loudest sample becomes where there would be more


@dataclass(frozen=True, kw_only=True)
class PreviewedExcerpt:
    """An excerpt, as a folder of files."""

    step: int
    """Of the training, from 0."""

    place: int
    """In the batch of the step, from 0."""

    files: tuple[Path, ...]
    """The mix, every stem, and the rest of the song if there is any."""

    gain_db: float
    """What all files were changed by, so that none exceeds full scale; 0 mostly."""


def preview(
    recipe: TrainingRecipe,
    out: Path,
    *,
    num_excerpts: int = 8,
    device: str = "auto",
    offline: bool = False,
    on_event: EventSink = lambda _: None,
) -> Iterator[PreviewedExcerpt]:
    """Write what the network would hear at the first steps of a training.

    Excerpts, augmentation and their order are those of a training with this recipe in one process.
    A teacher first labels all its songs, which the training then finds in the cache. The stems and
    the rest add up to the mix, unless the recipe masks what the network hears.

    Args:
        recipe: of the training.
        out: folder to write into; new or empty.
        num_excerpts: how many.
        device: where the teacher computes.
        offline: never open a network connection.
        on_event: told about the songs.

    Yields:
        What was written, one by one.

    Raises:
        ConfigError: the recipe cannot be, or the folder holds something.
        DatasetError: there are no songs.
        AudioError: a song cannot be read, or a file cannot be written.
    """
    plan = plan_training(recipe)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError(f"{out} is there already and not empty: choose another with --out.")
    is_taught = recipe.teacher.model is not None
    computer = choose_device(device if is_taught else "cpu").device
    corpus = open_songs(plan, computer, Processes(), on_event, offline=offline)
    heard = _heard(plan, corpus, num_excerpts)
    for number, (step, place, signals) in enumerate(heard, start=1):
        peak = max(signal.abs().max().item() for signal in signals.values())
        gain = min(1.0, _FULL_SCALE / peak) if peak else 1.0
        folder = out / f"{number:03d}"
        files = {name: folder / f"{name}.wav" for name in signals}
        _write(files, {name: gain * signal for name, signal in signals.items()}, plan)
        yield PreviewedExcerpt(
            step=step, place=place, files=tuple(files.values()), gain_db=20 * math.log10(gain)
        )


def _heard(
    plan: TrainingPlan, corpus: Corpus, num_excerpts: int
) -> Iterator[tuple[int, int, dict[str, Tensor]]]:
    """Step, place in the batch, and the mix, stems and rest (C, N) of every excerpt."""
    phase, alone = plan.phases[0], Processes()
    hearing = build_hearing(plan, torch.device("cpu"), alone)
    steps = plan.steps(phase)[: math.ceil(num_excerpts / phase.batch_size)]
    batches = read_batches(plan, corpus, phase, steps, processes=alone, workers=0)
    left = num_excerpts
    for step, excerpts in zip(steps, batches, strict=True):
        batch = hearing.batch(excerpts, step)
        for place in range(min(left, phase.batch_size)):
            signals = {
                MIX: batch.mix[place],
                **dict(zip(plan.config.stems, batch.stems[place], strict=True)),
                REST: batch.rest[place],
            }
            if not signals[REST].any():
                del signals[REST]
            yield step, place, signals
        left -= phase.batch_size


def _write(files: Mapping[str, Path], signals: Mapping[str, Tensor], plan: TrainingPlan) -> None:
    with StemSetWriter(
        files,
        sample_rate=plan.config.sample_rate,
        channels=plan.config.channels,
        audio_format=resolve_format("wav", 32),
    ) as writer:
        writer.write(signals)
        writer.commit()
