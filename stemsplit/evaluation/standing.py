"""Whether a model has seen the songs that it is scored on. Imports no torch."""

import re
from collections.abc import Sequence

from stemsplit.checkpoints.describe import ModelDescription
from stemsplit.evaluation.data import musdb
from stemsplit.evaluation.results import Standing

_SETS = {"musdb18": "musdb", "musdb18hq": "musdb"}  # two releases of the same songs
_PUBLIC = ("musdb", "moisesdb")  # sets of which models state whether they learnt from them
_PUBLIC_TEXT = re.compile(  # what the catalogue and trainings say of such sets, and of made songs
    r"(musdb(18)?(-?hq)?|moisesdb)(:\w*|, training set)?|\d+ generated songs \(seed \d+, \w+\)",
    re.IGNORECASE,
)
_TRAINING_PARTS = {"valid": "train", "validation": "train"}  # cut from the training set


Song = tuple[str, str]
"""Name of a track and its split."""


def song_set(data: str, song: Song) -> str:
    """The set and part that a song belongs to, as the catalogue names them.

    Songs of MUSDB are known by their names, in whatever folder they lie.
    """
    track, split = song
    if track in musdb.TEST_TRACKS:
        return "musdb:test"
    if track in musdb.VALIDATION_TRACKS:
        return "musdb:train"
    name = data.lower()
    return f"{_SETS.get(name, name)}:{_TRAINING_PARTS.get(split, split)}"


def standing_of_model(model: ModelDescription, data: str, songs: Sequence[Song]) -> Standing:
    """Compare what a model states to be trained on with the songs of an evaluation.

    Songs of no public set may be among those that a model learnt from and does not name.

    Args:
        model: as the catalogue or its file describes it.
        data: name of the data set.
        songs: all that are scored.
    """
    seen = sum(song_set(data, song) in model.trained_sets for song in songs)
    if seen:
        which = "all" if seen == len(songs) else f"{seen} of the {len(songs)}"
        return Standing(
            verdict="seen",
            num_seen=seen,
            explanation=f"was trained on {which} songs: its scores here mean nothing",
        )
    are_public = all(song_set(data, song).partition(":")[0] in _PUBLIC for song in songs)
    is_known = bool(model.trained_sets) and (are_public or _is_public(model.trained_on))
    if not is_known:
        stated = model.trained_on or "nothing"
        return Standing(
            verdict="unknown",
            num_seen=0,
            explanation=f"may have been trained on these songs; it states: {stated}",
        )
    return Standing(
        verdict="clean", num_seen=0, explanation=f"states to be trained on: {model.trained_on}"
    )


def _is_public(trained_on: str | None) -> bool:
    """Whether nothing but public sets and generated songs is stated; any others may be anywhere."""
    return not _PUBLIC_TEXT.sub("", trained_on or "nothing").strip(" ,")


def standing_of_files() -> Standing:
    """Of stems whose origin nobody states."""
    return Standing(
        verdict="unknown",
        num_seen=0,
        explanation="holds finished stems: what made them, and what that has heard, is not known",
    )
