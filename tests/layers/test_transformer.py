"""The pre-norm transformer layer, and computing twice instead of keeping."""

import pytest
import torch
from torch import Tensor, nn

from stemsplit.layers.attention import MultiHeadAttention
from stemsplit.layers.norms import ChannelNorm
from stemsplit.layers.recompute import call
from stemsplit.layers.transformer import TransformerLayer


def test_a_layer_equals_torchs_own() -> None:
    torch.manual_seed(0)
    layer = TransformerLayer(8, MultiHeadAttention(8, 2), 20)
    twin = nn.TransformerEncoderLayer(
        8, 2, 20, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
    )
    names = {
        "norm_attention": "norm1",
        "attention.in_proj": "self_attn.in_proj_",
        "attention.out_proj": "self_attn.out_proj",
        "norm_feedforward": "norm2",
        "feedforward.linear_in": "linear1",
        "feedforward.linear_out": "linear2",
    }
    state = {}
    for key, tensor in layer.state_dict().items():
        module, _, parameter = key.rpartition(".")
        state[f"{names[module]}.{parameter}".replace("_.", "_")] = tensor
    twin.load_state_dict(state)
    x = torch.randn(3, 7, 8)
    torch.testing.assert_close(layer(x), twin(x))


def test_dropout_is_for_training_only() -> None:
    torch.manual_seed(0)
    layer, x = TransformerLayer(8, nn.Identity(), 20, dropout=0.5), torch.randn(1, 7, 8)
    assert not torch.equal(layer(x), layer(x))
    layer.eval()
    torch.testing.assert_close(layer(x), layer(x), rtol=0, atol=0)


@pytest.mark.parametrize("shape", [(2, 6, 5), (2, 6, 5, 3)])
def test_a_channel_norm_works_at_every_position_by_itself(shape: tuple[int, ...]) -> None:
    x = torch.randn(shape) * 3 + 1
    y = ChannelNorm(6)(x)
    assert y.shape == x.shape
    torch.testing.assert_close(y.mean(dim=1), torch.zeros_like(x[:, 0]), rtol=0, atol=1e-5)
    torch.testing.assert_close(y.square().mean(dim=1), torch.ones_like(x[:, 0]), rtol=0, atol=1e-3)


def test_recomputing_calls_twice_and_gives_the_same_gradient() -> None:
    calls = 0

    def square(x: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        return x * x

    x = torch.tensor([3.0], requires_grad=True)
    (gradient,) = torch.autograd.grad(call(square, x, recompute=True), x)
    torch.testing.assert_close(gradient, torch.tensor([6.0]))
    assert calls == 2
    with torch.no_grad():
        call(square, x, recompute=True)
    call(square, x, recompute=False)
    assert calls == 4
