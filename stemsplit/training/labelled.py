"""The songs that a teacher labels, among the songs of a training."""

import time
from dataclasses import replace

from stemsplit.training.corpus import Corpus
from stemsplit.training.distributed import Processes
from stemsplit.training.events import EventSink, Notice, SongLabelled
from stemsplit.training.teacher import Teacher

_SHOWN = 10  # songs that are named in a line


def add_labelled(
    corpus: Corpus, teacher: Teacher, processes: Processes, *, is_dry_run: bool, tell: EventSink
) -> Corpus:
    """Label what has no labels yet, and learn from it too.

    Args:
        corpus: what else is learnt from; songs to validate with stay as they are.
        teacher: labels its music.
        processes: that share the work.
        is_dry_run: label one song only.
        tell: is told of every song.

    Raises:
        StemsplitError: see `Teacher.label` and `Teacher.labelled`.
    """
    began = time.monotonic()

    def on_labelled(done: int, total: int, name: str, score: float) -> None:
        remaining = (time.monotonic() - began) / done * (total - done)
        tell(
            SongLabelled(
                done=done, total=total, name=name, score=score, remaining_seconds=remaining
            )
        )

    share = slice(processes.rank, None, processes.world)
    teacher.label(share, most=1 if is_dry_run else None, on_labelled=on_labelled)
    processes.wait()
    found = teacher.labelled()
    num_kept, least = len(found.songs.songs), teacher.section.min_score
    if found.left_out:
        more = f" and {len(found.left_out) - _SHOWN} more" if len(found.left_out) > _SHOWN else ""
        tell(
            Notice(
                message=f"{len(found.left_out)} of {num_kept + len(found.left_out)} labelled songs "
                f"are left out, whose scores are below teacher.min_score={least:g}: "
                f"{', '.join(found.left_out[:_SHOWN])}{more}."
            )
        )
    if found.num_missing:
        tell(
            Notice(
                message=f"{found.num_missing} songs have no labels yet: a dry run makes those of "
                "one."
            )
        )
    name = teacher.model.name
    return replace(
        corpus,
        training=(*corpus.training, found.songs),
        names=(*corpus.names, f"{num_kept} songs labelled by {name}"),
        public_sets=tuple(dict.fromkeys((*corpus.public_sets, *teacher.model.trained_sets))),
        broken=(*corpus.broken, *teacher.broken),
        about=(*corpus.about, _about(teacher, num_kept, len(found.left_out))),
    )


def _about(teacher: Teacher, num_kept: int, num_left_out: int) -> str:
    """What a model card says about the labels."""
    model, least = teacher.model, teacher.section.min_score
    scores = f", with scores of {least:g} of 100 at least" if least else ""
    left_out = f"; {num_left_out} songs were left out" if num_left_out else ""
    return (
        f"The stems of {num_kept} songs are those that {model.name} separated{scores}{left_out}. "
        f"{model.name} was trained on: {model.trained_on or 'data that it does not state'}; its "
        f"terms are: {model.licence or 'not stated'}."
    )
