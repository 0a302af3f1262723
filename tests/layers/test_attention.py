"""Multi-head attention."""

import pytest
import torch

from stemsplit.layers.attention import MultiHeadAttention


@pytest.fixture
def attention() -> MultiHeadAttention:
    torch.manual_seed(0)
    layer = MultiHeadAttention(16, 4)
    torch.nn.init.normal_(layer.in_proj.bias)
    return layer


def torch_twin(attention: MultiHeadAttention) -> torch.nn.MultiheadAttention:
    twin = torch.nn.MultiheadAttention(16, 4, batch_first=True)
    state = attention.state_dict()
    twin.load_state_dict(
        {
            "in_proj_weight": state["in_proj.weight"],
            "in_proj_bias": state["in_proj.bias"],
            "out_proj.weight": state["out_proj.weight"],
            "out_proj.bias": state["out_proj.bias"],
        }
    )
    return twin


@pytest.mark.parametrize("tokens", [1, 9])
def test_attention_to_itself_equals_torch(attention: MultiHeadAttention, tokens: int) -> None:
    x = torch.randn(2, tokens, 16)
    expected, _ = torch_twin(attention)(x, x, x)
    torch.testing.assert_close(attention(x), expected)


def test_attention_to_others_equals_torch(attention: MultiHeadAttention) -> None:
    x, memory = torch.randn(2, 5, 16), torch.randn(2, 9, 16)
    expected, _ = torch_twin(attention)(x, memory, memory)
    actual = attention(x, memory)
    assert actual.shape == (2, 5, 16)
    torch.testing.assert_close(actual, expected)


def test_dropout_is_for_training_only() -> None:
    torch.manual_seed(0)
    attention = MultiHeadAttention(16, 4, dropout=0.5)
    x = torch.randn(2, 9, 16)
    assert not torch.equal(attention(x), attention(x))
    attention.eval()
    torch.testing.assert_close(attention(x), attention(x), rtol=0, atol=0)
