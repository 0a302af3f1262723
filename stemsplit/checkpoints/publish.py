"""Writes a model into a folder that is ready for a repository of the Hugging Face hub.

NAME.yaml, *.safetensors   the model, as `--model hf:OWNER/NAME` reads it
config.json                configurations of its networks, for other programs
README.md                  the card, with the metadata that the hub reads
LICENSE                    the terms, where the hub has no name for them
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from stemsplit.checkpoints.export import member_names, plain_name, write_model, write_text
from stemsplit.checkpoints.obtain import ProgressSink
from stemsplit.checkpoints.resolve import resolve
from stemsplit.checkpoints.resolved import ResolvedModel
from stemsplit.checkpoints.weights import read_info
from stemsplit.errors import CheckpointError, ConfigError

HUB_LICENCES = frozenset(  # names of licences in the metadata of a card; anything else is "other"
    {"mit", "apache-2.0", "bsd-2-clause", "bsd-3-clause", "mpl-2.0", "unlicense", "isc", "zlib"}
    | {"gpl-2.0", "gpl-3.0", "lgpl-2.1", "lgpl-3.0", "agpl-3.0", "openrail", "odbl", "ofl-1.1"}
    | {"cc0-1.0", "cc-by-3.0", "cc-by-4.0", "cc-by-sa-3.0", "cc-by-sa-4.0", "cc-by-nc-3.0"}
    | {"cc-by-nc-4.0", "cc-by-nd-4.0", "cc-by-nc-nd-4.0", "cc-by-nc-sa-3.0", "cc-by-nc-sa-4.0"}
)
_TASK = "audio-to-audio"  # as the hub calls separation


@dataclass(frozen=True, kw_only=True)
class Scores:
    """How good a model was found to be."""

    data: str
    """What it was scored with."""

    sdr_db: float
    """Mean over stems and songs."""

    stems_db: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class PublishedFolder:
    """What was written, and what is to be done with it."""

    repository: str
    folder: Path
    files: tuple[Path, ...]
    upload: str
    """The command that uploads it."""


@dataclass(frozen=True, kw_only=True)
class Card:
    """What a card says about a model; its text is that below the metadata."""

    text: str
    scores: Scores | None = None


def publish(
    name: str,
    folder: Path,
    *,
    repository: str,
    licence: str | None = None,
    card: Callable[[str], Card] | None = None,
    offline: bool = False,
    progress: ProgressSink | None = None,
) -> PublishedFolder:
    """Write a model, its configuration and its card.

    Args:
        name: as `resolve` takes it.
        folder: where to write; new or empty.
        repository: `owner/name` on the hub.
        licence: terms of the weights, if they do not state any.
        card: what the card says, given the terms; None describes the model.
        offline: whether fetching is forbidden.
        progress: told about every piece of a download that arrives.

    Raises:
        UnknownModelError: nothing has this name.
        ConfigError: no terms are stated, or the repository cannot be called so.
        CheckpointError: the folder is not empty or cannot be written, or weights cannot be had.
    """
    model = resolve(name, offline=offline)
    terms = _check(model, folder, repository, licence)
    said = card(terms) if card else Card(text=_description(model, repository, terms))
    called = repository.partition("/")[2]
    names = member_names(model)
    written = write_model(
        replace(model, name=called),
        names if len(names) > 1 else [called],
        folder,
        licence=licence,
        offline=offline,
        progress=progress,
    )
    weights = written.files[1:]
    texts = {
        "config.json": _configuration(model, weights),
        "README.md": _front_matter(model, called, terms, said.scores) + said.text,
    }
    if terms.lower() not in HUB_LICENCES:
        texts["LICENSE"] = f"{terms}\n"
    try:
        for file, text in texts.items():
            write_text(folder / file, text)
    except OSError as error:
        raise CheckpointError(f"{folder} cannot be written: {error.strerror}.") from error
    return PublishedFolder(
        repository=repository,
        folder=folder,
        files=(*written.files, *(folder / file for file in texts)),
        upload=f"hf upload {repository} {folder} .",
    )


def _check(model: ResolvedModel, folder: Path, repository: str, licence: str | None) -> str:
    """Check all that can be checked before anything is written.

    Returns:
        The terms of the weights.

    Raises:
        ConfigError: no terms are stated, or two different ones; or the repository cannot be called
            so.
        CheckpointError: the folder holds something.
    """
    if not re.fullmatch(r"\w[\w.-]*/\w[\w.-]*", repository):
        raise ConfigError(f"--repo-id {repository} is no name on the hub: write OWNER/NAME.")
    if model.licence is None and not licence:
        raise ConfigError(
            "The weights state no terms of use: name them with --licence, such as cc-by-nc-4.0. "
            "They depend on those of the music that the weights learnt from."
        )
    if licence and model.licence and licence.lower() != model.licence.lower():
        raise ConfigError(
            f"The weights state their terms, which --licence cannot change: {model.licence}"
        )
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise CheckpointError(f"{folder} is there already and not empty: choose another folder.")
    return model.licence or licence or ""


def use_lines(repository: str) -> list[str]:
    """How a model of the hub is used, as lines of a card."""
    return ["## Use", "", "```sh", f"stemsplit song.mp3 --model hf:{repository}", "```"]


def _configuration(model: ResolvedModel, weights: Sequence[Path]) -> str:
    infos = [read_info(path) for path in weights]
    facts = {
        "library_name": "stemsplit",
        "stems": model.stems,
        "stem_weights": model.stem_weights,
        "sample_rate": model.sample_rate,
        "channels": model.channels,
        "segment_seconds": model.segment_seconds,
        "networks": [
            {"file": path.name, "architecture": info.architecture, "config": info.config}
            for path, info in zip(weights, infos, strict=True)
        ],
    }
    return json.dumps(facts, indent=2) + "\n"


def _front_matter(model: ResolvedModel, name: str, terms: str, scores: Scores | None) -> str:
    architectures = dict.fromkeys(member.architecture for member in model.members)
    facts: dict[str, Any] = {"license": terms.lower()}
    if terms.lower() not in HUB_LICENCES:
        facts = {"license": "other", "license_name": "see-license", "license_link": "LICENSE"}
    facts |= {
        "library_name": "stemsplit",
        "pipeline_tag": _TASK,
        "tags": ["stemsplit", "music-source-separation", "audio", *architectures],
    }
    data_sets = list(dict.fromkeys(one.partition(":")[0] for one in model.trained_sets))
    if data_sets:
        facts["datasets"] = data_sets
    if scores is not None:
        facts["metrics"] = ["sdr"]
        facts["model-index"] = [{"name": name, "results": [_result(scores)]}]
    text = yaml.safe_dump(facts, sort_keys=False, allow_unicode=True)
    return f"---\n{text}---\n\n"


def _result(scores: Scores) -> dict[str, Any]:
    values = {"mean": scores.sdr_db, **scores.stems_db}
    return {
        "task": {"type": _TASK, "name": "music source separation"},
        "dataset": {"type": plain_name(scores.data), "name": scores.data},
        "metrics": [
            {"type": "sdr", "name": f"SDR in dB, {name}", "value": round(value, 3)}
            for name, value in values.items()
        ],
    }


def _description(model: ResolvedModel, repository: str, terms: str) -> str:
    networks = ", ".join(dict.fromkeys(member.architecture for member in model.members))
    lines = [
        f"# {repository.partition('/')[2]}",
        "",
        f"Separates music into {', '.join(model.stems)}; {model.channels} channels at "
        f"{model.sample_rate} Hz. Networks: {len(model.members)} ({networks}).",
        "",
        "## Trained on",
        "",
        f"{model.trained_on or 'Not stated'}.",
        "",
        "## Terms",
        "",
        terms,
        "",
        *use_lines(repository),
    ]
    return "\n".join(lines) + "\n"
