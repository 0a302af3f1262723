"""Multi-head attention."""

import pytest
import torch
from torch.nn import functional

from stemsplit.layers.attention import LinearAttention, MultiHeadAttention, record_attention


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


def linear(heads: int = 2, features: int = 8) -> LinearAttention:
    torch.manual_seed(0)
    return LinearAttention(features, heads).eval()


@pytest.mark.parametrize("is_cross", [False, True])
def test_linear_attention_weighs_by_products_of_features(is_cross: bool) -> None:
    attention = linear()
    tokens, memory = torch.randn(2, 5, 8), torch.randn(2, 9, 8)
    given = memory if is_cross else tokens
    query, key, value = (
        torch.unflatten(part, -1, (2, 4)).transpose(1, 2)
        for part in (
            attention.in_proj(tokens)[..., :8],
            attention.in_proj(given)[..., 8:16],
            attention.in_proj(given)[..., 16:],
        )
    )
    products = (functional.elu(query) + 1) @ (functional.elu(key) + 1).transpose(-2, -1)
    weights = products / products.sum(dim=-1, keepdim=True)
    expected = attention.out_proj((weights @ value).transpose(1, 2).flatten(2))
    actual = attention(tokens, memory if is_cross else None)
    torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-5)


def test_linear_attention_sums_in_float32_under_autocast() -> None:
    attention = linear()
    tokens = torch.randn(1, 20_000, 8) + 2.0
    with torch.inference_mode():
        exact = attention(tokens)
        with torch.autocast("cpu", dtype=torch.float16):
            rough = attention(tokens)  # a sum of 20,000 keys of 3 is close to what fp16 can hold
    assert rough.dtype == torch.float16
    torch.testing.assert_close(rough.float(), exact, rtol=1e-2, atol=1e-2)


def test_linear_attention_can_be_recorded() -> None:
    attention = linear()
    tokens = torch.randn(1, 7, 8)
    expected = attention(tokens)
    with record_attention(attention) as maps:
        torch.testing.assert_close(attention(tokens), expected)
    (weights,) = maps[""]
    assert weights.shape == (1, 2, 7, 7)
    torch.testing.assert_close(weights.sum(dim=-1), torch.ones(1, 2, 7), rtol=1e-4, atol=1e-5)


def test_linear_attention_takes_no_memory_for_pairs_of_tokens() -> None:
    attention = linear(heads=1)
    with torch.inference_mode():  # all pairs of tokens would take 160 GB
        assert attention(torch.randn(1, 200_000, 8)).shape == (1, 200_000, 8)
