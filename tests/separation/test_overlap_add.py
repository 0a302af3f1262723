"""Joining segments: equal to the sum over the whole signal, and in constant memory."""

import pytest
import torch
from torch import Tensor

from stemsplit.dsp.windows import triangle
from stemsplit.errors import SegmentOrderError
from stemsplit.separation.overlap_add import OverlapAdd
from stemsplit.separation.plan import SegmentPlan


def whole_signal_sum(plan: SegmentPlan, estimates: list[Tensor]) -> Tensor:
    """The textbook form: everything in memory at once."""
    total = torch.zeros(2, 1, plan.num_samples + plan.lead_samples)
    weights = torch.zeros(plan.num_samples + plan.lead_samples)
    for segment, estimate in zip(plan, estimates, strict=True):
        where = slice(segment.start + plan.lead_samples, segment.stop + plan.lead_samples)
        weight = triangle(plan.segment_samples)[: segment.num_samples]
        total[..., where] += estimate * weight
        weights[where] += weight
    return (total / weights)[..., plan.lead_samples :]


@pytest.mark.parametrize("num_samples", [1, 63, 64, 65, 127, 128, 129, 500])
@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.6])
@pytest.mark.parametrize("lead", [0, 1, 40, 200])
def test_joining_piece_by_piece_equals_the_whole_sum(
    num_samples: int, overlap: float, lead: int
) -> None:
    plan = SegmentPlan(num_samples, 64, overlap, lead)
    estimates = [torch.randn(2, 1, segment.num_samples) for segment in plan]
    joined = OverlapAdd(plan, num_stems=2, channels=1)
    pieces = []
    for estimate in estimates:
        joined.add(estimate)
        pieces.append(joined.pop(joined.complete_until))
    result = torch.cat(pieces, dim=-1)
    assert result.shape == (2, 1, num_samples)
    torch.testing.assert_close(result, whole_signal_sum(plan, estimates), rtol=1e-6, atol=1e-6)


def test_equal_segments_join_without_a_trace() -> None:
    plan = SegmentPlan(1000, 100, 0.25)
    joined = OverlapAdd(plan, num_stems=1, channels=2)
    for segment in plan:
        joined.add(torch.ones(1, 2, segment.num_samples))
    torch.testing.assert_close(joined.pop(1000), torch.ones(1, 2, 1000))


def test_a_segment_of_another_length_is_refused() -> None:
    joined = OverlapAdd(SegmentPlan(100, 50), num_stems=1, channels=1)
    with pytest.raises(SegmentOrderError, match="49"):
        joined.add(torch.zeros(1, 1, 49))


def test_a_segment_too_many_is_refused() -> None:
    joined = OverlapAdd(SegmentPlan(10, 50), num_stems=1, channels=1)
    joined.add(torch.zeros(1, 1, 10))
    with pytest.raises(SegmentOrderError, match="More segments"):
        joined.add(torch.zeros(1, 1, 10))


def test_what_is_not_final_is_not_handed_out() -> None:
    joined = OverlapAdd(SegmentPlan(100, 50, 0.25), num_stems=1, channels=1)
    joined.add(torch.zeros(1, 1, 50))
    with pytest.raises(SegmentOrderError, match="final"):
        joined.pop(38)


@pytest.mark.parametrize("num_samples", [1, 2, 5, 8])
def test_the_triangle_rises_to_one_and_never_touches_zero(num_samples: int) -> None:
    window = triangle(num_samples)
    assert window.shape == (num_samples,)
    assert window.max() == 1
    assert window.min() > 0
