"""Networks without weights, and models made of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from stemsplit.checkpoints.load import LoadedMember, LoadedModel
from stemsplit.models.base import STEMS_4, ModelConfig


@dataclass(frozen=True, kw_only=True)
class FakeConfig(ModelConfig):
    """A configuration whose length rule can be chosen."""

    extra_samples: int = 0
    """Samples that the network wants beyond those it is asked for."""

    is_fixed: bool = False

    @property
    def fixed_length(self) -> bool:
        return self.is_fixed

    def valid_length(self, num_samples: int) -> int:
        return self.segment_samples if self.is_fixed else num_samples + self.extra_samples


class Scaled(nn.Module):
    """Returns the mix once per stem, each with a gain of its own."""

    def __init__(self, gains: tuple[float, ...]) -> None:
        super().__init__()
        self.gains = gains
        self.num_windows: list[int] = []

    def forward(self, mix: Tensor) -> Tensor:
        self.num_windows.append(mix.shape[0])
        return torch.stack([mix * gain for gain in self.gains], dim=1)


class Blurred(nn.Module):
    """Stems that depend on where in the window a sample lies, so that joins are heard."""

    def __init__(self, num_stems: int = 4, channels: int = 2, seed: int = 0) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.weight = nn.Parameter(
            torch.randn(num_stems * channels, channels, 31, generator=generator) / 8
        )
        self.num_stems = num_stems

    def forward(self, mix: Tensor) -> Tensor:
        ramp = torch.linspace(0.5, 1.5, mix.shape[-1])
        out: Tensor = nn.functional.conv1d(mix * ramp, self.weight, padding=15)
        return out.view(mix.shape[0], self.num_stems, mix.shape[1], -1)


def make_model(
    networks: Sequence[nn.Module],
    *,
    weights: tuple[tuple[float, ...], ...] | None = None,
    digests: Sequence[str] | None = None,
    **config: object,
) -> LoadedModel:
    """A model of some networks, equally weighted and with segments of 1000 samples by default."""
    settings: dict[str, object] = {"stems": STEMS_4, "segment_samples": 1000, **config}
    built = FakeConfig(**settings)  # type: ignore[arg-type]
    names = digests or [f"{index:064d}" for index in range(len(networks))]
    members = tuple(
        LoadedMember(
            network=network.eval(),
            config=built,
            architecture="fake",
            segment_samples=built.segment_samples,
            digest=digest,
        )
        for network, digest in zip(networks, names, strict=True)
    )
    return LoadedModel(
        name="fake",
        stems=built.stems,
        sample_rate=built.sample_rate,
        channels=built.channels,
        members=members,
        stem_weights=weights or ((1.0,) * len(built.stems),) * len(networks),
        fingerprint="fake",
    )
