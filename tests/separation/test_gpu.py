"""A GPU gives the stems of the CPU, in batches that it chooses itself."""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from stemsplit.separation.options import Precision, SeparationOptions
from stemsplit.separation.separator import Separator
from tests.models.test_separation_contract import load

pytestmark = [
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
    pytest.mark.filterwarnings("default"),  # those of a driver are none of ours
]

RATE = 44_100
NUM_SAMPLES = 160_000  # some twenty segments


@pytest.fixture(autouse=True)
def exact() -> Iterator[None]:
    """Float32 means float32: convolutions otherwise round to the 10 bits of TF32."""
    settings = torch.backends.cudnn.conv  # type: ignore[attr-defined]
    before = settings.fp32_precision
    settings.fp32_precision = "ieee"
    yield
    settings.fp32_precision = before


def stems(device: str, precision: Precision = "fp32", batch: int | None = None) -> Tensor:
    """Stems (S, C, N) of a song of noise by a tiny htdemucs."""
    model, _, _ = load("htdemucs")
    options = SeparationOptions(device=device, precision=precision, batch=batch)
    mix = torch.randn(2, NUM_SAMPLES, generator=torch.Generator().manual_seed(0)) / 5
    return torch.stack(list(Separator(model, options).separate(mix, RATE).stems.values()))


def assert_near(found: Tensor, expected: Tensor, *, least_db: float) -> None:
    assert found.device.type == "cpu"
    assert found.dtype == torch.float32
    assert found.shape == expected.shape
    error = (found - expected).square().mean() / expected.square().mean()
    assert -10 * torch.log10(error).item() > least_db


@pytest.mark.parametrize(
    ("precision", "least_db"), [("fp32", 90.0), ("auto", 90.0), ("fp16", 30.0), ("bf16", 15.0)]
)
def test_the_stems_are_those_of_the_cpu(precision: Precision, least_db: float) -> None:
    assert_near(stems("cuda", precision), stems("cpu"), least_db=least_db)


def test_several_segments_go_at_once_without_being_told() -> None:
    model, heard, _ = load("htdemucs")
    mix = torch.randn(2, NUM_SAMPLES, generator=torch.Generator().manual_seed(0)) / 5
    result = Separator(model, SeparationOptions(device="cuda")).separate(mix, RATE).stems
    sizes = [len(window) for window in heard.windows]
    assert sizes[0] == 1  # by which the memory is measured
    assert max(sizes) > 1
    assert_near(torch.stack(list(result.values())), stems("cuda", batch=1), least_db=90.0)
