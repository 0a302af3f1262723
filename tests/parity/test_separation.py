"""The streaming ensemble equals the reference's `apply_model` on the reference's own networks."""

import threading
from fractions import Fraction

import pytest
import torch
from torch import Tensor, nn

from stemsplit.separation.ensemble import Ensemble
from stemsplit.separation.options import SeparationOptions
from stemsplit.separation.plan import draw_leads
from tests.separation.fakes import make_model

pytestmark = pytest.mark.parity

apply = pytest.importorskip("demucs.apply", reason="the reference is not installed")
htdemucs = pytest.importorskip("demucs.htdemucs")
hdemucs = pytest.importorskip("demucs.hdemucs")
demucs = pytest.importorskip("demucs.demucs")

STEMS = ["drums", "bass", "other", "vocals"]
RATE = 8000
SEGMENT = 8192  # samples
STRIDE = int(0.75 * SEGMENT)
BOUNDARIES = [1, 2, 100, STRIDE - 1, STRIDE, STRIDE + 1, SEGMENT - 1, SEGMENT, SEGMENT + 1]
LENGTHS = [*BOUNDARIES, STRIDE + SEGMENT, 3 * STRIDE + 5, 3 * SEGMENT + 1234]


def build(kind: str, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    segment = Fraction(SEGMENT, RATE)
    network: nn.Module
    if kind == "htdemucs":
        network = htdemucs.HTDemucs(
            STEMS,
            channels=8,
            nfft=512,
            depth=2,
            t_layers=1,
            t_heads=2,
            samplerate=RATE,
            segment=segment,
        )
    elif kind == "hdemucs":
        network = hdemucs.HDemucs(STEMS, channels=8, nfft=1024, depth=5, samplerate=RATE)
    else:
        network = demucs.Demucs(STEMS, channels=8, depth=3, samplerate=RATE)
    network.segment = segment  # type: ignore[assignment]
    return network.eval()


def ours(networks: list[nn.Module], mix: Tensor, kind: str, **options: object) -> Tensor:
    model = make_model(
        networks, segment_samples=SEGMENT, sample_rate=RATE, is_fixed=kind == "htdemucs"
    )
    rule = getattr(networks[0], "valid_length", None)
    if kind == "demucs" and rule is not None:
        for member in model.members:
            object.__setattr__(member.config, "valid_length", rule)
    settings = SeparationOptions(**options)  # type: ignore[arg-type]
    ensemble = Ensemble(model, model.stems, settings, torch.device("cpu"), threading.Event())
    blocks = iter(torch.split(mix, 1000, dim=-1))
    return torch.cat(list(ensemble.predict(blocks, mix.shape[-1])), dim=-1)


def relative_error(result: Tensor, expected: Tensor) -> float:
    return float((result - expected).abs().max() / expected.abs().max())


@pytest.mark.parametrize("num_samples", LENGTHS)
def test_every_boundary_length(num_samples: int) -> None:
    network = build("htdemucs")
    mix = torch.randn(2, num_samples)
    expected = apply.apply_model(network, mix[None], shifts=0)[0]
    assert relative_error(ours([network], mix, "htdemucs"), expected) < 1e-5


@pytest.mark.parametrize("kind", ["hdemucs", "demucs"])
@pytest.mark.parametrize("num_samples", [STRIDE + 1, 3 * SEGMENT + 1234])
def test_networks_without_a_fixed_length(kind: str, num_samples: int) -> None:
    network = build(kind)
    mix = torch.randn(2, num_samples)
    expected = apply.apply_model(network, mix[None], shifts=0)[0]
    assert relative_error(ours([network], mix, kind), expected) < 1e-5


@pytest.mark.parametrize("overlap", [0.0, 0.1, 0.5])
def test_other_overlaps(overlap: float) -> None:
    network = build("htdemucs")
    mix = torch.randn(2, 3 * SEGMENT + 7)
    expected = apply.apply_model(network, mix[None], shifts=0, overlap=overlap)[0]
    assert relative_error(ours([network], mix, "htdemucs", overlap=overlap), expected) < 1e-5


@pytest.mark.parametrize("num_samples", [1, SEGMENT, 2 * SEGMENT + 99])
def test_the_same_shifts_give_the_same_stems(
    num_samples: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    networks = [build("htdemucs", seed) for seed in (0, 1)]
    longest = RATE // 2
    leads = [
        lead for index in range(2) for lead in draw_leads(3, RATE, seed=4, salt=f"{index:064d}")
    ]
    offsets = iter([longest - lead for lead in leads])
    monkeypatch.setattr(apply.random, "randint", lambda low, high: next(offsets))
    mix = torch.randn(2, num_samples)
    bag = apply.BagOfModels(networks)
    expected = apply.apply_model(bag, mix[None], shifts=3)[0]
    assert relative_error(ours(networks, mix, "htdemucs", shifts=3, seed=4), expected) < 1e-5
