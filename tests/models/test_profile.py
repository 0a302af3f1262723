"""What networks cost, against sums made by hand and against the computation itself."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from stemsplit.errors import ConfigError
from stemsplit.layers.levels import Level
from stemsplit.models import profile as profiling
from stemsplit.models.base import ModelConfig
from stemsplit.models.custom import NamedNetwork, load_network
from stemsplit.models.demucs.config import DemucsConfig
from stemsplit.models.htdemucs.config import HTDemucsConfig
from stemsplit.models.live_tensors import LiveTensors
from stemsplit.models.profile import NetworkProfile, profile_network, with_length
from stemsplit.models.registry import ARCHITECTURES, build_network, variants
from tests.models.tiny import shrink

RATE = 8000


def named(architecture: str, config: ModelConfig, name: str = "mine") -> NamedNetwork:
    return NamedNetwork(
        name=name, architecture=architecture, config=config, summary="", source="here"
    )


@pytest.fixture
def network() -> NamedNetwork:
    """Two convolutions down and two up, with numbers that can be summed by hand."""
    levels = tuple(Level(channels=c, kernel=8, stride=4, padding=0, rewrite=False) for c in (4, 8))
    return named(
        "demucs", DemucsConfig(levels=levels, stems=("a", "b"), sample_rate=RATE, resample=False)
    )


def test_a_small_network_by_hand(network: NamedNetwork) -> None:
    seconds = network.config.valid_length(2000) / RATE  # nothing to pad
    profile = profile_network(network, seconds=seconds, device=None)
    samples = round(seconds * RATE)
    outer = (samples - 8) // 4 + 1
    inner = (outer - 8) // 4 + 1
    # A kernel of 8 between 2, 4 and 8 features, and from 8 over 4 to 2 stems of 2 channels.
    weights = [2 * 4 * 8, 4 * 8 * 8, 8 * 4 * 8, 4 * 4 * 8]
    biases = [4, 8, 4, 4]
    assert profile.parameters == sum(weights) + sum(biases)
    assert profile.weight_bytes == 4 * profile.parameters
    assert profile.half_weight_bytes == 2 * profile.parameters
    # A convolution works once for every output, a transposed one for every input.
    steps = (outer, inner, inner, outer)
    assert profile.operations == sum(w * n for w, n in zip(weights, steps, strict=True))
    assert profile.stems == ("a", "b")


def test_recurrent_layers_are_counted() -> None:
    steps, features, hidden = 7, 3, 5
    with torch.device("meta"):
        layer = nn.LSTM(features, hidden, bidirectional=True)
        with FlopCounterMode(display=False) as counter:
            layer(torch.empty(steps, 2, features))
    # Two directions, four gates, a batch of two.
    assert counter.get_total_flops() // 2 == 2 * 4 * steps * 2 * hidden * (features + hidden)


def test_attention_is_counted() -> None:
    heads, tokens, features = 2, 30, 8
    with torch.device("meta"):
        query = torch.empty(1, heads, tokens, features)
        with FlopCounterMode(display=False) as counter:
            F.scaled_dot_product_attention(query, query, query)
    # The scores, and the sum of the values.
    assert counter.get_total_flops() // 2 == 2 * heads * tokens * tokens * features


def test_operations_do_not_depend_on_the_pieces_a_cpu_works_in() -> None:
    config = shrink(variants("htdemucs")["htdemucs"])
    assert isinstance(config, HTDemucsConfig)
    # Without attention: the kernel for CPUs is one that the counter does not know.
    network = named("htdemucs", replace(config, transformer=None, bottom_channels=0))
    counted = profile_network(network, seconds=4, device=None).operations
    model = build_network("htdemucs", with_length(network.config, 4)).eval()
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        model(torch.zeros(1, 2, 4 * config.sample_rate))
    # Neighbouring pieces share a bin or two, which a CPU computes twice.
    assert counted < counter.get_total_flops() // 2 < 1.2 * counted


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_architecture_can_be_followed(architecture: str) -> None:
    name, config = next(iter(variants(architecture).items()))
    profile = profile_network(named(architecture, shrink(config), name), seconds=1, device=None)
    assert profile.operations > 0
    assert profile.activation_bytes > 0
    assert (profile.device, profile.seconds, profile.real_time_factor) == ("meta", None, None)


def test_a_pass_is_timed(network: NamedNetwork) -> None:
    profile = profile_network(network, seconds=0.5)
    assert profile.problem is None
    assert profile.seconds is not None
    assert profile.real_time_factor == 0.5 / profile.seconds
    assert 0 < profile.seconds < 10
    assert (profile.device, profile.threads) == ("cpu", torch.get_num_threads())


def test_no_more_passes_than_the_budget_allows(
    network: NamedNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks = iter(range(100))
    monkeypatch.setattr("time.perf_counter", lambda: float(next(ticks)))
    profile_network(network, seconds=0.1, budget_seconds=2)
    assert next(ticks) == 4  # two passes of one second, each with a beginning and an end
    profile_network(network, seconds=0.1, budget_seconds=0)
    assert next(ticks) == 7  # one


def test_a_network_of_fixed_length_takes_the_length_asked_for() -> None:
    config = variants("htdemucs")["htdemucs"]
    assert with_length(config, 10).segment_samples == 441_000
    longer, shorter = (
        profile_network(named("htdemucs", shrink(config)), seconds=seconds, device=None)
        for seconds in (2, 1)
    )
    assert 1.5 < longer.operations / shorter.operations < 3  # attention grows with the square


def test_a_network_of_any_length_keeps_its_segment(network: NamedNetwork) -> None:
    assert with_length(network.config, 3) == network.config


def test_weights_with_statistics_are_larger_than_their_parameters() -> None:
    network = load_network("tfswa_resunet")
    profile = profile_network(network, seconds=0.1, device=None)
    with torch.device("meta"):
        state = build_network(network.architecture, network.config).state_dict()
    counters = [tensor for tensor in state.values() if not tensor.is_floating_point()]
    assert counters
    assert profile.weight_bytes > 4 * profile.parameters
    assert profile.weight_bytes - 2 * profile.half_weight_bytes == -8 * len(counters)


@pytest.mark.parametrize("seconds", [0, -1, math.nan, math.inf, 601])
def test_an_impossible_length_is_refused(network: NamedNetwork, seconds: float) -> None:
    with pytest.raises(ConfigError, match="above 0 and at most 600 s"):
        profile_network(network, seconds=seconds)


def test_less_than_a_sample_is_refused(network: NamedNetwork) -> None:
    with pytest.raises(ConfigError, match="less than a sample"):
        profile_network(network, seconds=1e-6)


def test_a_network_that_cannot_be_built_is_refused_by_name() -> None:
    level = Level(channels=6, norm_groups=4, padding=0)
    with pytest.raises(ConfigError, match=r"^mine cannot be built: .*divisible"):
        profile_network(named("demucs", DemucsConfig(levels=(level,))))


def test_a_pass_that_would_use_up_the_memory_is_not_run(
    network: NamedNetwork, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    free = tmp_path / "meminfo"
    free.write_text("MemTotal:  900000 kB\nMemAvailable:       2 kB\n")
    monkeypatch.setattr(profiling, "_MEMORY_FILE", free)
    profile = profile_network(network, seconds=1)
    assert profile.problem is not None
    assert "0.0 GB are free" in profile.problem
    assert (profile.device, profile.seconds) == ("meta", None)
    monkeypatch.setattr(profiling, "_MEMORY_FILE", tmp_path / "nowhere")
    assert profile_network(network, seconds=1).seconds is not None


def test_a_device_without_memory_is_a_problem_of_the_profile(
    network: NamedNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> NetworkProfile:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried a lot.\nAnd more.")

    monkeypatch.setattr(profiling, "_seconds", fail)
    profile = profile_network(network, seconds=1)
    assert profile.problem == "not run on cpu: CUDA out of memory. Tried a lot."
    assert profile.operations > 0


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_live_tensors_are_followed_to_their_end(device: str) -> None:
    weight = torch.zeros(1000, device=device)  # 4000 bytes, from before
    with LiveTensors() as live:
        first = weight + 1  # 4000
        seen = first.view(10, 100)  # the same memory
        first.mul_(2)
        second = seen.repeat(2, 1)  # 8000 more
        del first, seen  # 4000 less
        third = weight.exp()  # 4000 more
        del second, third
    assert live.peak_bytes == 12_000


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_pass_on_a_gpu_is_measured() -> None:
    config = shrink(variants("htdemucs")["htdemucs"])
    profile = profile_network(named("htdemucs", config), seconds=10, device="cuda")
    assert profile.problem is None
    assert profile.device.startswith("cuda")
    assert profile.threads is None
    followed = profile_network(named("htdemucs", config), seconds=10, device=None)
    assert 0.5 < profile.activation_bytes / followed.activation_bytes < 4


def test_a_cpu_needs_about_what_was_followed() -> None:
    config = shrink(variants("htdemucs")["htdemucs"])
    measured, followed = (
        profile_network(named("htdemucs", config), seconds=2, device=device)
        for device in ("cpu", None)
    )
    # Fewer bins at a time, but copies where the pieces are joined.
    assert 0.3 < measured.activation_bytes / followed.activation_bytes < 1.2


def test_stems_decide_what_the_last_layers_cost(network: NamedNetwork) -> None:
    one = replace(network, config=replace(network.config, stems=("a",)))
    saved = (
        profile_network(network, device=None).parameters
        - profile_network(one, device=None).parameters
    )
    assert saved == 4 * 2 * 8 + 2  # a kernel of 8 from 4 features to 2 channels, and their biases
