"""Whether a model has seen the songs that it is scored on. Imports no torch."""

from collections.abc import Sequence

from stemsplit.checkpoints.describe import ModelDescription
from stemsplit.evaluation.results import Standing

_SETS = {"musdb18": "musdb", "musdb18hq": "musdb"}  # two releases of the same songs
_TRAINING_PARTS = {"valid": "train", "validation": "train"}  # cut from the training set


def song_set(data: str, split: str) -> str:
    """The set and part that a song belongs to, as the catalogue names them."""
    name = data.lower()
    return f"{_SETS.get(name, name)}:{_TRAINING_PARTS.get(split, split)}"


def standing_of_model(model: ModelDescription, data: str, splits: Sequence[str]) -> Standing:
    """Compare what a model states to be trained on with the songs of an evaluation.

    Args:
        model: as the catalogue or its file describes it.
        data: name of the data set.
        splits: the split of every song.
    """
    seen = sum(song_set(data, split) in model.trained_sets for split in splits)
    if seen:
        which = "all" if seen == len(splits) else f"{seen} of the {len(splits)}"
        return Standing(
            verdict="seen",
            num_seen=seen,
            explanation=f"was trained on {which} songs: its scores here mean nothing",
        )
    if not model.trained_sets:
        stated = model.trained_on or "nothing"
        return Standing(
            verdict="unknown",
            num_seen=0,
            explanation=f"may have been trained on these songs; it states: {stated}",
        )
    return Standing(
        verdict="clean", num_seen=0, explanation=f"states to be trained on: {model.trained_on}"
    )


def standing_of_files() -> Standing:
    """Of stems whose origin nobody states."""
    return Standing(
        verdict="unknown",
        num_seen=0,
        explanation="finished stems: what made them, and on what that was trained, is not known",
    )
