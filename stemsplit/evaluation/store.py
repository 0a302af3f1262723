"""Scores of single tracks as they come, so that a run that was stopped can go on.

Every track of every candidate is one JSON file, named after a digest of all that decides the
scores: the weights, the options of separation and metrics, and the track's own files.
"""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stemsplit.audio.staging import StagedFiles, writing
from stemsplit.evaluation.options import MetricOptions
from stemsplit.evaluation.verdict import DEFINITION

_REVISION = 2  # raised when the same settings begin to give other scores


class ResultStore:
    """The finished tracks of one output folder."""

    def __init__(self, folder: Path) -> None:
        """Use a folder, which need not exist yet."""
        self._folder = folder

    def find(self, key: str) -> dict[str, Any] | None:
        """What was stored under a key; None if nothing, or nothing that can be read."""
        try:
            facts = json.loads(self._path(key).read_text("utf-8"))
        except (OSError, ValueError):
            return None
        return facts if isinstance(facts, dict) and facts.get("key") == key else None

    def keep(self, key: str, facts: Mapping[str, Any]) -> None:
        """Store a finished track, wholly or not at all.

        Raises:
            EncodeError: the file cannot be written.
        """
        path = self._path(key)
        staged = StagedFiles()
        try:
            temporary = staged.add(path)
            with writing(path):
                temporary.write_text(json.dumps({"key": key, **facts}), "utf-8")
            staged.publish()
        finally:
            staged.discard()

    def _path(self, key: str) -> Path:
        return self._folder / f"{key[:32]}.json"


def track_key(
    *,
    candidate: str,
    device: str | None,
    metrics: MetricOptions,
    stems: Mapping[str, Any],
    files: Mapping[str, Any],
    is_judged: bool,
) -> str:
    """The digest of everything that decides the scores of a track.

    Args:
        candidate: digest of the weights and options, or of the finished stems.
        device: that computes, since speed is kept with the scores.
        metrics: what is measured.
        stems: which stems are scored, and what they are made of.
        files: name, size and time of every file of the track.
        is_judged: whether the stems are judged without a reference as well.
    """
    facts = {
        "revision": _REVISION,
        "candidate": candidate,
        "device": device,
        "metrics": dataclasses.asdict(metrics),
        "stems": stems,
        "files": files,
        "judged_by": DEFINITION if is_judged else None,
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
