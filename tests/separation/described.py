"""A model as it is known before it is loaded."""

from dataclasses import replace
from pathlib import Path

from stemsplit.checkpoints.cache import Cache
from stemsplit.checkpoints.describe import ModelDescription, describe_model


def described(name: str = "htdemucs", fingerprint: str = "f") -> ModelDescription:
    """A model of four stems, with nothing of it in the cache."""
    model = describe_model("htdemucs", cache=Cache(Path("no cache")))
    return replace(model, name=name, fingerprint=fingerprint)
