"""Residual branches, the framed LSTM and local attention."""

import pytest
import torch

from stemsplit.layers.dconv import FramedLSTM, LocalAttention, ResidualStack
from stemsplit.layers.levels import Residual


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize("length", [1, 5, 250])
def test_a_residual_stack_keeps_the_shape(length: int) -> None:
    stack = ResidualStack(16, Residual(compress=2.0, lstm=True, attention=True))
    assert stack(torch.randn(2, 16, length)).shape == (2, 16, length)


def test_a_branch_starts_as_small_as_it_says() -> None:
    x = torch.randn(2, 16, 50)
    for init in (0.0, 1e-3):
        change = ResidualStack(16, Residual(init=init))(x) - x
        assert change.abs().max() <= 20 * init


def test_evaluation_does_not_touch_its_input() -> None:
    x = torch.randn(2, 16, 50)
    before = x.clone()
    with torch.inference_mode():
        ResidualStack(16, Residual())(x)
    torch.testing.assert_close(x, before, rtol=0, atol=0)


@pytest.mark.parametrize("length", [1, 199, 200, 201, 300, 999])
def test_the_lstm_keeps_the_length(length: int) -> None:
    x = torch.randn(2, 4, length)
    assert FramedLSTM(4)(x).shape == x.shape


def test_the_lstm_sees_no_further_than_its_window() -> None:
    lstm = FramedLSTM(4).eval()
    x = torch.randn(1, 4, 1000)
    changed = x.clone()
    changed[..., 800:] += 1
    with torch.inference_mode():
        before, after = lstm(x), lstm(changed)
    torch.testing.assert_close(before[..., :600], after[..., :600], rtol=0, atol=0)
    assert not torch.equal(before[..., 700:800], after[..., 700:800])


def test_attention_prefers_what_is_near() -> None:
    attention = LocalAttention(8).eval()
    with torch.inference_mode():
        attention.query_decay.bias.fill_(10.0)  # type: ignore[union-attr]
        x = torch.randn(1, 8, 400)
        changed = x.clone()
        changed[..., 300:] += 1
        before, after = attention(x), attention(changed)
    torch.testing.assert_close(before[..., :200], after[..., :200])
    assert not torch.allclose(before[..., 295:300], after[..., 295:300])


def test_attention_counts_far_positions_in_half_precision_too() -> None:
    attention = LocalAttention(8).eval()
    x = torch.randn(1, 8, 1000)
    with torch.inference_mode():
        exact = attention(x)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            rough = attention(x)
    assert (rough - exact).norm() < 0.02 * exact.norm()  # bfloat16 has 8 bits
