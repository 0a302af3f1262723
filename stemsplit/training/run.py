"""A training from its recipe to its weights: the front door of this floor."""

import threading
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn

from stemsplit.checkpoints.weights import CheckpointInfo
from stemsplit.errors import TrainingError
from stemsplit.models.registry import config_to_dict
from stemsplit.separation.device import choose_device
from stemsplit.training.card import write_card
from stemsplit.training.charts import RunCharts, WandbBoard, find_wandb
from stemsplit.training.corpus import Corpus
from stemsplit.training.distributed import Processes, find_processes, join_processes
from stemsplit.training.events import Event, EventSink, Finished, Notice
from stemsplit.training.features import find_features
from stemsplit.training.losses import Features
from stemsplit.training.opening import open_songs
from stemsplit.training.optimizers import loaded_in
from stemsplit.training.preflight import preflight, whole_run
from stemsplit.training.recipe import TrainingRecipe
from stemsplit.training.recipe_files import (
    recipe_hash,
    recipe_to_dict,
    recipe_to_toml,
)
from stemsplit.training.run_folder import RunFolder
from stemsplit.training.setup import TrainingPlan, build_initial, check_shares, plan_training
from stemsplit.training.start import ancestor_of, loaded_names, start_from
from stemsplit.training.state import Ancestor, TrainingState, load_newest
from stemsplit.training.trainer import Trainer


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """What a run needs besides its recipe, and what does not change what comes out."""

    out: Path
    """Folder of the run. One with states of the same run goes on from the newest."""

    device: str = "auto"
    """As for a separation; with several processes each takes the GPU of its number."""

    dry_run: bool = False
    """Stop after the preflight."""

    offline: bool = False
    """Never open a network connection."""

    wandb: str | None = None
    """Project of Weights & Biases that the course of the run is sent to."""


def train(
    recipe: TrainingRecipe,
    options: RunOptions,
    *,
    on_event: EventSink = lambda _: None,
    stop: threading.Event | None = None,
    features: Features | None = None,
) -> Finished | None:
    """Train a network, or go on with a training.

    Args:
        recipe: what to train.
        options: where, and on which device.
        on_event: told what happens; only in the first of several processes.
        stop: set it from another thread or a signal handler to stop after the step under way. The
            state is then saved, and the same call goes on from it.
        features: what a perceptual loss compares, unless the recipe names a model for it.

    Returns:
        How it ended; None for a dry run.

    Raises:
        StemsplitError: anything about recipe, data, folder or device that the user can mend.
    """
    plan = plan_training(recipe)
    if options.wandb is not None:
        find_wandb()
    stop = stop or threading.Event()
    folder = RunFolder(options.out)
    processes = find_processes()
    check_shares(plan, processes)
    choice = choose_device(_device_name(options.device, processes))
    if choice.warning:
        on_event(Notice(message=choice.warning, is_warning=True))
    with join_processes(choice.device) as processes:
        tell: EventSink = on_event if processes.is_first else _ignore
        state = load_newest(folder.states, plan.run_hash)
        features = find_features(plan, features, choice.device, offline=options.offline, stop=stop)
        corpus = open_songs(
            plan,
            choice.device,
            processes,
            tell,
            offline=options.offline,
            is_dry_run=options.dry_run,
            stop=stop,
        )
        network = build_initial(plan)
        ancestor, loaded = _start(plan, network, state, options, tell, stop)
        charts = RunCharts(folder, on_event, first_step=1 if state is None else state.step + 1)
        trainer = Trainer(
            plan=plan,
            corpus=corpus,
            folder=folder,
            device=choice.device,
            processes=processes,
            on_event=charts,
            stop=stop,
            info=_info(plan, corpus, ancestor),
            ancestor=ancestor,
            loaded=loaded,
            features=features,
        )
        if not _check_first(trainer, network, state, options, tell):
            return None
        if processes.is_first:
            folder.begin(recipe_to_toml(recipe))
            if options.wandb is not None:
                plain = recipe_to_dict(recipe)
                charts.boards.append(
                    WandbBoard(options.wandb, folder, plain, offline=options.offline)
                )
        processes.wait()
        if state is not None:
            tell(Notice(message=f"Going on after step {state.step}."))
        finished = trainer.run(network, state)
        if processes.is_first:
            write_card(folder, plan, corpus, trainer.progress, ancestor)
        return finished


def resume(
    out: Path,
    options: RunOptions | None = None,
    *,
    on_event: EventSink = lambda _: None,
    stop: threading.Event | None = None,
    features: Features | None = None,
) -> Finished | None:
    """Go on with the run of a folder by the recipe that lies in it; see `train`.

    Raises:
        TrainingError: the folder is not that of a run.
    """
    recipe = RunFolder(out).read_recipe()
    options = RunOptions(out=out) if options is None else replace(options, out=out)
    return train(recipe, options, on_event=on_event, stop=stop, features=features)


def _start(
    plan: TrainingPlan,
    network: nn.Module,
    state: TrainingState | None,
    options: RunOptions,
    tell: EventSink,
    stop: threading.Event,
) -> tuple[Ancestor | None, Collection[str]]:
    """Give the network the weights that the recipe names, unless there is a state to go on from.

    Returns:
        What the weights were at first, and the names of the parameters that it gave.
    """
    if state is not None:
        return state.ancestor, loaded_in(state.optimizer)
    model = plan.recipe.start.model
    if model is None:
        return None, ()
    report = start_from(
        network, plan.config, plan.architecture, model, offline=options.offline, stop=stop
    )
    tell(Notice(message=str(report)))
    return ancestor_of(model, offline=options.offline), loaded_names(report, network)


def _check_first(
    trainer: Trainer,
    network: nn.Module,
    state: TrainingState | None,
    options: RunOptions,
    tell: EventSink,
) -> bool:
    """Take the steps of the preflight; False if that was all."""
    phases = trainer.try_step(
        network,
        state,
        lambda learner, excerpts, steps_left: preflight(
            trainer.plan,
            trainer.corpus,
            learner,
            excerpts,
            steps_left=steps_left,
            folder=options.out,
        ),
    )
    if phases:
        found = whole_run(phases)
        tell(found)
        if found.disk_bytes > found.free_bytes:
            raise TrainingError(
                f"The run needs {found.disk_bytes / 1e9:.1f} GB in {options.out}, which has "
                f"{found.free_bytes / 1e9:.1f} GB free. Choose another folder with --out."
            )
    return not options.dry_run


def _info(plan: TrainingPlan, corpus: Corpus, ancestor: Ancestor | None) -> CheckpointInfo:
    config = plan.config
    trained_on, trained_sets = ", ".join(corpus.names), corpus.public_sets
    if ancestor is not None:
        before = ancestor.trained_on or "data that it does not state"
        trained_on += f"; before that, as {ancestor.name}, on: {before}"
        trained_sets = tuple(dict.fromkeys((*trained_sets, *ancestor.trained_sets)))
    return CheckpointInfo(
        architecture=plan.architecture,
        config=config_to_dict(config),
        stems=config.stems,
        sample_rate=config.sample_rate,
        channels=config.channels,
        origin=f"stemsplit train, recipe {recipe_hash(plan.recipe)[:12]}",
        trained_on=trained_on,
        trained_sets=trained_sets,
    )


def _device_name(wanted: str, processes: Processes) -> str:
    if processes.world > 1 and wanted in ("auto", "cuda") and torch.cuda.is_available():
        return f"cuda:{processes.local_rank}"
    return wanted


def _ignore(_: Event) -> None:
    """What other processes than the first do with events."""
