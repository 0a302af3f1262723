"""The songs of a training as its recipe has them, those of a teacher among them."""

import threading
from pathlib import Path

import torch

from stemsplit.checkpoints.cache import default_root
from stemsplit.training.corpus import Corpus, open_corpus
from stemsplit.training.distributed import Processes
from stemsplit.training.events import EventSink, Notice, SongRead
from stemsplit.training.labelled import add_labelled
from stemsplit.training.pcm_cache import PcmCache
from stemsplit.training.recipe import SYNTH, TrainingRecipe
from stemsplit.training.setup import TrainingPlan
from stemsplit.training.song_notes import SongNotes
from stemsplit.training.teacher import Teacher


def open_songs(
    plan: TrainingPlan,
    device: torch.device,
    processes: Processes,
    tell: EventSink,
    *,
    offline: bool = False,
    is_dry_run: bool = False,
    stop: threading.Event | None = None,
) -> Corpus:
    """Open the data sets of a recipe, and have its teacher label what has no labels yet.

    Args:
        plan: of the training.
        device: where the teacher computes.
        processes: that share the work.
        tell: told about every song.
        offline: never open a network connection.
        is_dry_run: have one song labelled only.
        stop: set it from another thread to stop the teacher.

    Raises:
        StemsplitError: see `open_corpus` and `add_labelled`.
    """
    recipe = plan.recipe
    teacher = None
    if recipe.teacher.model is not None:
        teacher = Teacher(
            recipe.teacher,
            plan.config,
            cache_folder(recipe),
            device,
            offline=offline,
            skip_broken=recipe.data.skip_broken,
            cancel=stop or threading.Event(),
        )
        _ = teacher.plan  # checked as far as that is possible without work
    corpus = _open_corpus(plan, teacher, processes, tell)
    if teacher is None:
        return corpus
    return add_labelled(corpus, teacher, processes, is_dry_run=is_dry_run, tell=tell)


def cache_folder(recipe: TrainingRecipe) -> Path:
    """Where decoded songs and notes of songs are kept; beside the weights by default."""
    if recipe.data.cache_dir:
        return Path(recipe.data.cache_dir)
    return default_root() / "songs"


def _open_corpus(
    plan: TrainingPlan, teacher: Teacher | None, processes: Processes, tell: EventSink
) -> Corpus:
    recipe = plan.recipe
    cache = PcmCache(cache_folder(recipe)) if recipe.data.cache else None
    if cache is not None and any(source.path == SYNTH for source in recipe.data.sources):
        tell(Notice(message="Generated songs are made while they are read: the cache has none."))

    def on_song(done: int, total: int, name: str) -> None:
        tell(SongRead(done=done, total=total, name=name))

    # The first process fills the cache; the others wait, and find it full.
    if not processes.is_first:
        processes.wait()
    corpus = open_corpus(
        recipe.data,
        recipe.validation,
        plan.config,
        cache=cache,
        on_song=on_song,
        unlabelled=() if teacher is None else teacher.music.aliases,
        pretrain=recipe.pretrain,
        notes=SongNotes(cache_folder(recipe) / "notes"),
    )
    if processes.is_first:
        processes.wait()
    return corpus
