"""Every variant gives the same stems whether a song streams in small blocks or comes whole."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from stemsplit.checkpoints.load import LoadedMember, LoadedModel
from stemsplit.models.base import ModelConfig
from stemsplit.models.registry import ARCHITECTURES, build_network, find_variant, variants
from stemsplit.separation.options import SeparationOptions
from stemsplit.separation.prepared import PreparedSong
from stemsplit.separation.separator import Separator
from stemsplit.separation.statistics import TrackStatistics
from tests.models.tiny import SEGMENT_SAMPLES, shrink

NAMES = [name for architecture in ARCHITECTURES for name in variants(architecture)]
every_variant = pytest.mark.parametrize("name", NAMES)
NUM_SAMPLES = 2 * SEGMENT_SAMPLES + 1_003  # three segments, the last one short
BLOCKS = (1, 777, 4_099, 13)  # lengths of the streamed blocks, over and over


class Heard:
    """The windows that a network is given, in order."""

    def __init__(self, network: nn.Module) -> None:
        self.windows: list[Tensor] = []
        network.register_forward_pre_hook(self)

    def __call__(self, _module: nn.Module, inputs: tuple[Tensor]) -> None:
        self.windows.append(inputs[0].clone())


def load(name: str) -> tuple[LoadedModel, Heard, ModelConfig]:
    architecture, config = find_variant(name)
    config = shrink(config)
    torch.manual_seed(0)
    network = build_network(architecture, config).eval()
    member = LoadedMember(
        network=network,
        config=config,
        architecture=architecture,
        segment_samples=config.segment_samples,
        digest="0",
    )
    model = LoadedModel(
        name=name,
        stems=config.stems,
        sample_rate=config.sample_rate,
        channels=config.channels,
        members=(member,),
        stem_weights=((1.0,) * len(config.stems),),
        fingerprint="0",
    )
    return model, Heard(network), config


def music() -> Tensor:
    mix = torch.randn(2, NUM_SAMPLES, generator=torch.Generator().manual_seed(0)) / 5
    return mix * torch.linspace(0, 1, NUM_SAMPLES)


def odd_blocks(mix: Tensor) -> Iterator[Tensor]:
    start = index = 0
    while start < mix.shape[-1]:
        stop = start + BLOCKS[index % len(BLOCKS)]
        yield mix[:, start:stop]
        start, index = stop, index + 1


def stream(separator: Separator, mix: Tensor) -> dict[str, Tensor]:
    """Separate a song that comes in blocks of odd lengths, twice, as a file does."""
    statistics = TrackStatistics()
    for block in odd_blocks(mix):
        statistics.update(block)
    song = PreparedSong(
        Path(),
        lambda: odd_blocks(mix),
        separator.sample_rate,
        mix.shape[0],
        mix.shape[-1],
        statistics,
    )
    blocks = list(separator.stream_prepared(song))
    assert len(blocks) > 1
    return {
        stem: torch.cat([block.stems[stem] for block in blocks], dim=-1) for stem in separator.stems
    }


@every_variant
def test_a_stream_of_odd_blocks_gives_what_the_whole_song_gives(name: str) -> None:
    mix = music()
    model, heard, config = load(name)
    separator = Separator(model, SeparationOptions(device="cpu"))
    whole = separator.separate(mix, config.sample_rate).stems
    windows, heard.windows = heard.windows, []
    streamed = stream(separator, mix)
    assert list(streamed) == list(whole) == list(config.stems)
    assert len(windows) > 2
    assert [window.shape for window in heard.windows] == [window.shape for window in windows]
    # Mean and deviation of the song differ in the last digit, as they are gathered block by block.
    torch.testing.assert_close(heard.windows, windows, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(streamed, whole, rtol=1e-4, atol=1e-5)


@every_variant
def test_a_window_is_as_long_as_the_configuration_says(name: str) -> None:
    model, heard, config = load(name)
    options = SeparationOptions(device="cpu", overlap=0.0)
    Separator(model, options).separate(music(), config.sample_rate)
    segments = (SEGMENT_SAMPLES, SEGMENT_SAMPLES, NUM_SAMPLES - 2 * SEGMENT_SAMPLES)
    expected = [(1, config.channels, config.valid_length(segment)) for segment in segments]
    assert [tuple(window.shape) for window in heard.windows] == expected
