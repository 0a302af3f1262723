"""One second of music that a small network can learn by heart, and the learning.

Shapes: S stems, C audio channels, N samples.
"""

import math

import torch
from torch import Tensor, nn

SAMPLE_RATE = 4_000
STEMS = ("drums", "bass", "other", "vocals")
GOAL_DB = 10.0
MAX_STEPS = 120
_RATE = 1e-2
_BETAS = (0.8, 0.95)
_WARM_UP = 10  # steps
_LOOK = 10  # steps from one look at the result to the next


def synthetic_stems(channels: int = 2) -> Tensor:
    """Four stems (S, C, N) of one second: struck noise, a low tone, a chord, a gliding voice."""
    time = torch.arange(SAMPLE_RATE) / SAMPLE_RATE
    angle = 2 * math.pi * time
    noise = torch.randn(SAMPLE_RATE, generator=torch.Generator().manual_seed(0))
    noise = torch.diff(noise, n=2, append=noise[:2])  # mostly above the other stems
    drums = 0.75 * noise * torch.exp(-20 * (4 * time).frac())
    bass = 0.5 * torch.sin(110 * angle)
    chord = 0.3 * (torch.sin(440 * angle) + torch.sin(554 * angle)) * (torch.sin(1.5 * angle) > 0)
    voice = torch.sin(900 * angle + 8 * torch.sin(3 * angle)) * (0.5 + 0.5 * torch.sin(2 * angle))
    stems = torch.stack([drums, bass, chord, voice])
    balance = torch.tensor([0.9, 1.0, 0.6, 0.8])[:, None, None].expand(-1, channels - 1, 1)
    return torch.cat([stems[:, None], balance * stems[:, None]], dim=1)


def sdr_db(reference: Tensor, estimate: Tensor) -> Tensor:
    """Signal-to-distortion ratio of every stem (S,), over channels and samples at once, in dB."""
    energy, error = reference.square().sum((-2, -1)), (reference - estimate).square().sum((-2, -1))
    return 10 * torch.log10(energy / error)


def overfit(network: nn.Module, *, goal_db: float = GOAL_DB) -> tuple[Tensor, int]:
    """Train on the synthetic stems until the network knows them, or `MAX_STEPS` are over.

    The settings are the same for every network: Adam with a short memory, since within a few dozen
    steps the gradients change by orders of magnitude.

    Args:
        network: at `SAMPLE_RATE`, with `STEMS` and two channels; trained in place and left in
            evaluation mode.
        goal_db: the ratio at which every stem counts as known.

    Returns:
        The ratios (S,) that the network then reaches in evaluation mode, in dB, and the steps.
    """
    stems = synthetic_stems()
    mix = stems.sum(dim=0)[None]
    energy = stems.square().sum((-2, -1))
    optimizer = torch.optim.Adam(network.parameters(), lr=_RATE, betas=_BETAS)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1 / _WARM_UP, total_iters=_WARM_UP)
    for step in range(1, MAX_STEPS + 1):
        network.train()
        # Relative errors, so that the optimiser does not stop at the loudest stem.
        loss = ((network(mix)[0] - stems).square().sum((-2, -1)) / energy).mean()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        network.eval()
        if step % _LOOK == 0:
            with torch.inference_mode():
                ratios = sdr_db(stems, network(mix)[0])
            if ratios.min() > goal_db:
                break
    return ratios, step
