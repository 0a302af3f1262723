"""The batches of a training, by the numbers of their steps.

Shapes: B batch, S stems, C audio channels, N samples.
"""

import signal
from collections.abc import Iterable, Iterator

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, default_collate

from stemsplit.errors import StemsplitError
from stemsplit.training.corpus import Corpus
from stemsplit.training.distributed import Processes
from stemsplit.training.excerpts import BatchNumbers, Excerpts
from stemsplit.training.phases import Phase
from stemsplit.training.repitch import Repitch
from stemsplit.training.setup import TrainingPlan


def read_batches(
    plan: TrainingPlan,
    corpus: Corpus,
    phase: Phase,
    steps: range,
    *,
    processes: Processes,
    workers: int,
    is_pinned: bool = False,
) -> Iterable[Tensor]:
    """This process's stems and rest (B, S + 1, C, N) of every step, before they are augmented.

    Args:
        plan: of the training.
        corpus: what is learnt from.
        phase: of the steps.
        steps: their numbers in the whole training.
        processes: that share the batches.
        workers: processes that read; 0 reads in this one.
        is_pinned: whether the batches go to a GPU.

    Raises:
        DatasetError: there are no songs to learn from.
        AudioError: a song cannot be read.
    """
    recipe = plan.recipe
    repitch = Repitch(recipe.augment, phase.segment_samples, plan.config.sample_rate)
    excerpts = Excerpts(
        corpus.training,
        seed=recipe.seed,
        num_samples=repitch.samples_to_read,
        skip_broken=recipe.data.skip_broken,
        change=repitch,
    )
    # Numbers go on from phase to phase, so that no excerpt is heard twice.
    first = plan.steps(phase).start
    numbers = BatchNumbers(
        steps.start - first,
        steps.stop - first,
        batch_size=phase.batch_size,
        rank=processes.rank,
        world=processes.world,
        offset=plan.first_excerpt(phase),
    )
    return _batches(
        DataLoader(
            _Told(excerpts),
            batch_sampler=numbers,
            num_workers=workers,
            collate_fn=_collate,
            pin_memory=is_pinned,
            worker_init_fn=_leave_signals_to_the_parent,
            # The loader draws from it; from torch's own, a run that goes on would drop otherwise.
            generator=torch.Generator(),
        )
    )


class _Told(Dataset["Tensor | StemsplitError"]):
    """Excerpts, or why there is none: what a worker raises comes with its traceback as the text."""

    def __init__(self, excerpts: Excerpts) -> None:
        self._excerpts = excerpts

    def __getitem__(self, number: int) -> "Tensor | StemsplitError":
        try:
            return self._excerpts[number]
        except StemsplitError as error:
            return error


def _collate(excerpts: "list[Tensor | StemsplitError]") -> "Tensor | StemsplitError":
    for excerpt in excerpts:
        if isinstance(excerpt, StemsplitError):
            return excerpt
    batch: Tensor = default_collate(excerpts)
    return batch


def _batches(loader: "Iterable[Tensor | StemsplitError]") -> Iterator[Tensor]:
    for batch in loader:
        if isinstance(batch, StemsplitError):
            raise batch
        yield batch


def _leave_signals_to_the_parent(_: int) -> None:
    """In a worker: Ctrl-C goes to all processes, and the parent decides what to do."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
