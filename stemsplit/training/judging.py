"""The scores of what is trained, by songs that are kept apart.

A network that separates is scored by its stems, as `stemsplit.training.validation` says; in the
mean they count as in the loss, so that a specialist is chosen by the stem that it learns. One that
fills holes is scored by how well it fills those of the same songs: by the power of the logarithms
that were taken away over that of the errors, in dB; a network that knows nothing has 0.

Shapes: B batch, C audio channels, N samples, F bins, T frames.
"""

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn

from stemsplit.models.registry import build_network
from stemsplit.training.distributed import Processes, inner
from stemsplit.training.events import HOLES
from stemsplit.training.pretrain import Reconstruction
from stemsplit.training.setup import TrainingPlan, as_trained
from stemsplit.training.songs import Song
from stemsplit.training.validation import Validation, read_stretches, validate


@dataclass(frozen=True)
class Judge:
    """Scores a network in its final form, whatever the phase makes of it."""

    plan: TrainingPlan
    songs: Sequence[Song]
    device: torch.device
    processes: Processes

    def score(self, network: nn.Module) -> Validation:
        """The scores of all songs, which the processes share.

        Args:
            network: as it is trained, wrapped or not.

        Raises:
            AudioError: a song cannot be read, and the recipe skips none.
        """
        # Networks are built and devices tried with random numbers: dropout goes on without a gap.
        with torch.random.fork_rng(devices=[self.device] if self.device.type == "cuda" else []):
            mine = self._score_of_process(network)
        parts = self.processes.gather(mine.sdr_db)
        weights = self.plan.recipe.loss.stem_weights
        return Validation(
            {name: scores for part in parts for name, scores in part.items()},
            dict(zip(self.plan.config.stems, weights, strict=False)),  # empty for all the same
        )

    def _score_of_process(self, network: nn.Module) -> Validation:
        plan, section = self.plan, self.plan.recipe.validation
        final = as_trained(plan, build_network(plan.architecture, plan.config))
        final.load_state_dict(inner(network).state_dict())
        songs = self.songs[self.processes.rank :: self.processes.world]
        if isinstance(final, Reconstruction):
            return self._filled(final.to(self.device).eval(), songs)
        return validate(
            final,
            plan.architecture,
            plan.config,
            songs,
            device=self.device,
            max_seconds=section.max_seconds,
            skip_broken=plan.recipe.data.skip_broken,
        )

    @torch.no_grad()
    def _filled(self, network: Reconstruction, songs: Sequence[Song]) -> Validation:
        plan, data = self.plan, self.plan.recipe.data
        max_seconds = plan.recipe.validation.max_seconds
        scores = {}
        for song, stems in read_stretches(
            songs, plan.config, max_seconds, skip_broken=data.skip_broken
        ):
            mix = stems.sum(0) / song.level
            # The same holes at every validation, in whatever process.
            generator = Generator().manual_seed(zlib.crc32(song.name.encode()))
            found = self._song_score(network, mix, generator)
            scores[song.name] = {HOLES: found} if math.isfinite(found) else {}
        return Validation(scores)

    def _song_score(self, network: Reconstruction, mix: Tensor, generator: Generator) -> float:
        """The score of a mix (C, N), excerpt by excerpt; what is left at its end is not heard."""
        length = self.plan.phases[-1].segment_samples
        if mix.shape[-1] < length:
            mix = torch.nn.functional.pad(mix, (0, length - mix.shape[-1]))
        power = error = 0.0
        for excerpt in mix.unfold(-1, length, length).transpose(0, 1):  # (C, length)
            heard = excerpt[None].to(self.device)
            holes = network.draw_holes(1, length, generator)
            target = network.target(heard)
            predicted = network.predict(network.network(network.hear(heard, holes)).float())
            inside = holes[:, None].to(self.device).expand_as(target)
            power += target[inside].square().sum().item()
            error += (predicted - target)[inside].square().sum().item()
        return 10 * math.log10(power / error) if power > 0 < error else math.nan
