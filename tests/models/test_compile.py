"""Networks under `torch.compile`: compiled once, for every length."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
import torch
import torch._dynamo
from torch import Tensor
from torch._dynamo.utils import counters

from stemsplit.layers.levels import Level, Residual
from stemsplit.models.hdemucs.config import HDemucsConfig
from stemsplit.models.hdemucs.network import HDemucs
from stemsplit.models.hybrid import Resolution

# Traces and guards as every backend does. Inductor takes minutes, and a compiler of C++.
BACKEND = "eager"
FIRST = (7_000, 5_001)  # lengths to compile for: short and long convolutions differ to torch
MORE = (6_502, 3_003, 8_000)  # lengths that nothing more is compiled for
_SHALLOW = Residual(compress=4.0)
_DEEP = replace(_SHALLOW, attention=True)
_INNER = Level(channels=32, kernel=4, stride=2, padding=1, norm_groups=4, encoder_residual=_DEEP)
TWIN = HDemucsConfig(
    sample_rate=8_000,
    segment_samples=8_000,
    resolutions=(Resolution(n_fft=128, hop_length=32),),
    levels=(
        Level(channels=8, encoder_residual=_SHALLOW),
        Level(channels=16, kernel=16, stride=8, padding=0, encoder_residual=_SHALLOW),
        _INNER,
    ),
    time_levels=(
        Level(channels=8, encoder_residual=_SHALLOW),
        Level(channels=16, kernel=16, stride=8, padding=4, bare=True),
    ),
)
"""All that a Hybrid Demucs has, in three levels: both branches, where they meet, and what is below
that, but for the LSTM."""

LSTM_TWIN = replace(
    TWIN, levels=(*TWIN.levels[:-1], replace(_INNER, encoder_residual=replace(_DEEP, lstm=True)))
)


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    torch._dynamo.reset()
    counters.clear()
    yield
    torch._dynamo.reset()
    counters.clear()


def noise(num_samples: int) -> Tensor:
    return torch.randn(1, 2, num_samples, generator=torch.Generator().manual_seed(0))


def build(config: HDemucsConfig) -> HDemucs:
    torch.manual_seed(0)
    return HDemucs(config).eval()


def check(compiled: Callable[[Tensor], Tensor], network: HDemucs, num_samples: int) -> None:
    mix = noise(num_samples)
    with torch.no_grad():
        # The same operations; where the network works in pieces, compiled it takes all at once.
        torch.testing.assert_close(compiled(mix), network(mix), rtol=1e-5, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("config", [TWIN, LSTM_TWIN], ids=["without LSTM", "with LSTM"])
def test_hybrid_demucs_is_not_compiled_for_every_length(config: HDemucsConfig) -> None:
    network = build(config)
    compiled = torch.compile(network, dynamic=True, fullgraph=config is TWIN, backend=BACKEND)
    for num_samples in FIRST:
        check(compiled, network, num_samples)
    num_graphs = counters["stats"]["unique_graphs"]
    for num_samples in MORE:
        check(compiled, network, num_samples)
    assert counters["stats"]["unique_graphs"] == num_graphs
    if config is TWIN:
        assert num_graphs <= len(FIRST)
    else:
        (reason,) = counters["graph_break"]
        assert "RNN, GRU, or LSTM" in reason  # which torch leaves out of its graphs
