"""What a network costs: parameters, operations, memory, time.

Operations are counted on the `meta` device, which knows shapes and computes nothing. So they are
those of the network as it is written down, whatever a device does to go faster, and need no memory.
Counted are multiplications with addition in convolutions, matrix products, recurrent layers and
attention; Fourier transforms and what works element by element are not.
"""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from stemsplit.errors import ConfigError
from stemsplit.models.base import ModelConfig
from stemsplit.models.custom import NamedNetwork
from stemsplit.models.live_tensors import LiveTensors
from stemsplit.models.meta import META, build_on_meta, reason, running
from stemsplit.models.registry import build_network

MAX_SECONDS = 600.0  # of audio; a song is cut into segments far shorter
BUDGET_SECONDS = 10.0  # of timed passes, unless a single one takes longer
MAX_PASSES = 5

_MEMORY_FILE = Path("/proc/meminfo")  # Linux only; elsewhere nothing is refused
_SEED = 0


@dataclass(frozen=True, kw_only=True)
class NetworkProfile:
    """The cost of one forward pass over one item, in eval mode and float32."""

    name: str
    architecture: str
    stems: tuple[str, ...]
    audio_seconds: float
    """Length of the mix. A network of fixed length was built for just this length."""
    parameters: int
    """Numbers that training changes."""
    weight_bytes: int
    """Size of the weights in float32: parameters, and what else belongs to a checkpoint."""
    half_weight_bytes: int
    """The same in float16."""
    operations: int
    """Multiplications with addition in one pass; the same on every device."""
    device: str
    """Where the pass ran; `meta` if it did not, and only shapes were followed."""
    threads: int | None
    """Threads that computed, on a CPU."""
    activation_bytes: int
    """The most memory for tensors beside weights and mix. On a CUDA device as its allocator counts
    it, elsewhere without what kernels take for themselves while they run. On `meta` all bins of a
    spectrogram are taken at once, as on a GPU; a CPU takes some at a time."""
    seconds: float | None
    """Of a pass on this machine, the median of some after a first one; None if not measured."""
    real_time_factor: float | None
    """Seconds of audio per second of work: above 1 is faster than real time."""
    problem: str | None = None
    """Why the pass did not run on the device, if it should have."""


def profile_network(
    network: NamedNetwork,
    *,
    seconds: float = 10.0,
    device: str | None = "cpu",
    budget_seconds: float = BUDGET_SECONDS,
) -> NetworkProfile:
    """What a network costs.

    Args:
        network: what to build.
        seconds: length of the mix, above 0 and up to `MAX_SECONDS`.
        device: where to run it; None leaves the running out, and with it the time.
        budget_seconds: stop to repeat the pass when all together took so long.

    Returns:
        The costs. A pass for which the memory is not enough is a `problem` of the profile; the
        rest of it is still there.

    Raises:
        ConfigError: the length is impossible, or the configuration is of a network that cannot be
            built or run.
    """
    config = with_length(network.config, seconds)
    num_samples = round(seconds * config.sample_rate)
    model = build_on_meta(network, config)
    operations, activation_bytes = _follow(network, model, config, num_samples)
    profile = NetworkProfile(
        name=network.name,
        architecture=network.architecture,
        stems=config.stems,
        audio_seconds=seconds,
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        weight_bytes=_weight_bytes(model, torch.float32),
        half_weight_bytes=_weight_bytes(model, torch.float16),
        operations=operations,
        device=META,
        threads=None,
        activation_bytes=activation_bytes,
        seconds=None,
        real_time_factor=None,
    )
    if device is None:
        return profile
    lacking = _lacking_memory(profile, torch.device(device))
    if lacking is not None:
        return replace(profile, problem=lacking)
    return _measure(profile, model, config, device, budget_seconds)


def with_length(config: ModelConfig, seconds: float) -> ModelConfig:
    """The configuration that takes a mix of this length as it is.

    Raises:
        ConfigError: the length is impossible.
    """
    if not 0 < seconds <= MAX_SECONDS:
        raise ConfigError(
            f"{seconds:g} s cannot be profiled: a length must be above 0 and at most "
            f"{MAX_SECONDS:g} s."
        )
    num_samples = round(seconds * config.sample_rate)
    if num_samples < 1:
        raise ConfigError(f"{seconds:g} s are less than a sample at {config.sample_rate} Hz.")
    return replace(config, segment_samples=num_samples) if config.fixed_length else config


def _follow(
    network: NamedNetwork, model: nn.Module, config: ModelConfig, num_samples: int
) -> tuple[int, int]:
    """Operations and activation bytes of a pass that only follows shapes."""
    mix = torch.empty(1, config.channels, num_samples, device=META)
    with (
        running(network, mix),
        torch.inference_mode(),
        FlopCounterMode(display=False) as counter,
        LiveTensors() as live,
    ):
        model(mix)
    return counter.get_total_flops() // 2, live.peak_bytes


def _weight_bytes(model: nn.Module, dtype: torch.dtype) -> int:
    return sum(
        tensor.numel() * (dtype.itemsize if tensor.is_floating_point() else tensor.itemsize)
        for tensor in model.state_dict().values()
    )


def _lacking_memory(profile: NetworkProfile, device: torch.device) -> str | None:
    """A sentence if the pass would certainly use up the memory of this machine."""
    if device.type != "cpu" or not _MEMORY_FILE.exists():
        return None
    lines = dict(line.split(":", 1) for line in _MEMORY_FILE.read_text().splitlines())
    free = int(lines["MemAvailable"].split()[0]) * 1024
    # Pieces take less than was followed, joining them and the kernels some more.
    needed = profile.weight_bytes + profile.activation_bytes
    if needed <= free:
        return None
    return (
        f"not run: it takes about {needed / 1e9:.1f} GB of memory, {free / 1e9:.1f} GB are free; "
        "a smaller --seconds takes less."
    )


def _measure(
    profile: NetworkProfile,
    model: nn.Module,
    config: ModelConfig,
    device: str,
    budget_seconds: float,
) -> NetworkProfile:
    num_samples = round(profile.audio_seconds * config.sample_rate)
    try:
        torch.manual_seed(_SEED)
        model = build_network(profile.architecture, config).eval().to(device)
        mix = torch.randn(1, config.channels, num_samples, device=device) / 10
        with torch.inference_mode():
            activation_bytes = _activation_bytes(model, mix)
            seconds = _seconds(model, mix, budget_seconds)
    except (RuntimeError, MemoryError) as error:
        return replace(profile, problem=f"not run on {device}: {reason(error)}")
    return replace(
        profile,
        device=str(mix.device),
        threads=torch.get_num_threads() if mix.device.type == "cpu" else None,
        activation_bytes=activation_bytes,
        seconds=seconds,
        real_time_factor=profile.audio_seconds / seconds,
    )


def _activation_bytes(model: nn.Module, mix: Tensor) -> int:
    """Peak of a first pass, which also lets everything get ready that is made ready once."""
    peak: int
    if mix.device.type != "cuda":
        with LiveTensors() as live:
            model(mix)
        peak = live.peak_bytes
        return peak
    model(mix)
    torch.cuda.synchronize(mix.device)
    torch.cuda.reset_peak_memory_stats(mix.device)
    before: int = torch.cuda.memory_allocated(mix.device)
    model(mix)
    torch.cuda.synchronize(mix.device)
    peak = torch.cuda.max_memory_allocated(mix.device)
    return peak - before


def _seconds(model: nn.Module, mix: Tensor, budget_seconds: float) -> float:
    """Median time of as many passes as the budget allows, one at least."""
    finish = _synchronizer(mix.device)
    times: list[float] = []
    while not times or (len(times) < MAX_PASSES and sum(times) < budget_seconds):
        began = time.perf_counter()
        model(mix)
        finish()
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def _synchronizer(device: torch.device) -> Callable[[], None]:
    """Waits until a device has computed what it was told to."""
    if device.type == "cpu":
        return lambda: None
    module = torch.get_device_module(device)
    return lambda: module.synchronize()
