"""How well a network separates songs that it was not trained on.

Songs go through the same separation as a user's, and are scored by the same functions as those of
`stemsplit eval`.

Shapes: S stems, C audio channels, N samples.
"""

import logging
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean

import torch
from torch import Tensor, nn

from stemsplit.checkpoints.load import LoadedMember, LoadedModel
from stemsplit.errors import AudioError
from stemsplit.evaluation.metrics import usdr
from stemsplit.models.base import ModelConfig
from stemsplit.separation.options import SeparationOptions
from stemsplit.separation.separator import Separator
from stemsplit.training.songs import Song

_SILENCE = 1e-8  # mean square below which a stem is not scored

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Validation:
    """Scores of the songs of a validation."""

    sdr_db: dict[str, dict[str, float]]
    """Song to stem to SDR of the whole stretch (`stemsplit.evaluation.metrics.usdr`), or to how
    well holes were filled (`stemsplit.training.judging`). Silent stems are left out."""

    stem_weights: Mapping[str, float] = field(default_factory=dict)
    """Stem to how much it counts in `mean_db`; those without a number count 1."""

    @property
    def stems_db(self) -> dict[str, float]:
        """Mean over songs of every stem."""
        stems = dict.fromkeys(stem for scores in self.sdr_db.values() for stem in scores)
        return {
            stem: fmean(scores[stem] for scores in self.sdr_db.values() if stem in scores)
            for stem in stems
        }

    @property
    def mean_db(self) -> float:
        """Weighted mean over stems of the means over songs, by which weights are chosen.

        Minus infinity where no stem that counts could be scored.
        """
        stems = self.stems_db
        weights = [self.stem_weights.get(stem, 1.0) for stem in stems]
        return fmean(stems.values(), weights) if any(weights) else -math.inf


def validate(
    network: nn.Module,
    architecture: str,
    config: ModelConfig,
    songs: Sequence[Song],
    *,
    device: torch.device,
    max_seconds: float | None = None,
    skip_broken: bool = False,
    on_song: Callable[[int], None] | None = None,
) -> Validation:
    """Separate songs and score the stems.

    Args:
        network: is put into evaluation mode; the caller puts it back.
        architecture: its name in the registry.
        config: its configuration.
        songs: with the stems of `config`.
        device: where to compute.
        max_seconds: of every song, from its middle; None takes it whole.
        skip_broken: leave out songs that cannot be read, with a warning.
        on_song: told how many songs are done.

    Raises:
        AudioError: a song cannot be read, and none may be skipped.
    """
    separator = Separator(
        _as_model(network, architecture, config), SeparationOptions(device=str(device))
    )
    scores: dict[str, dict[str, float]] = {}
    stretches = read_stretches(songs, config, max_seconds, skip_broken=skip_broken)
    for done, (song, signals) in enumerate(stretches, start=1):
        separated = separator.separate(signals.sum(0), config.sample_rate).stems
        scores[song.name] = dict(_scores(config.stems, signals, separated))
        if on_song is not None:
            on_song(done)
    return Validation(scores)


def read_stretches(
    songs: Sequence[Song], config: ModelConfig, max_seconds: float | None, *, skip_broken: bool
) -> Iterator[tuple[Song, Tensor]]:
    """Every song with the stems and the rest (S + 1, C, N) of its middle.

    Args:
        songs: to read.
        config: whose sample rate they have.
        max_seconds: of a song; None takes it whole.
        skip_broken: leave out songs that cannot be read, with a warning.

    Raises:
        AudioError: a song cannot be read, and none may be skipped.
    """
    for song in songs:
        try:
            stretch = _stretch(song, config, max_seconds)
        except AudioError as error:
            if not skip_broken:
                raise
            _log.warning("Not validated with %s: %s", song.name, error)
        else:
            yield song, stretch


def _stretch(song: Song, config: ModelConfig, max_seconds: float | None) -> Tensor:
    length = song.num_samples
    if max_seconds is not None:
        length = min(length, round(max_seconds * config.sample_rate))
    return song.read((song.num_samples - length) // 2, length)


def _scores(
    stems: Sequence[str], references: Tensor, estimates: dict[str, Tensor]
) -> Iterator[tuple[str, float]]:
    for stem, reference in zip(stems, references, strict=False):  # the rest is not scored
        if reference.square().mean() > _SILENCE:
            yield stem, usdr(reference, estimates[stem]).item()


def _as_model(network: nn.Module, architecture: str, config: ModelConfig) -> LoadedModel:
    member = LoadedMember(
        network=network,
        config=config,
        architecture=architecture,
        segment_samples=config.segment_samples,
        digest="",
    )
    return LoadedModel(
        name="in training",
        stems=config.stems,
        sample_rate=config.sample_rate,
        channels=config.channels,
        members=(member,),
        stem_weights=((1.0,) * len(config.stems),),
        fingerprint="",
    )
