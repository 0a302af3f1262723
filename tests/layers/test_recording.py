"""Attention that can be looked at, and more sequences than a kernel takes at once."""

import pytest
import torch
from torch import nn

from stemsplit.layers import attention as attention_module
from stemsplit.layers.attention import MultiHeadAttention, record_attention


@pytest.fixture
def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(MultiHeadAttention(8, 2), nn.Linear(8, 8), MultiHeadAttention(8, 4)).eval()


def test_recording_yields_the_weights_of_every_call(network: nn.Sequential) -> None:
    x = torch.randn(3, 5, 8)
    with torch.inference_mode():
        fused = network(x)
        with record_attention(network) as maps:
            explicit = network(x)
            network(x[:, :4])
    torch.testing.assert_close(explicit, fused, rtol=0, atol=1e-6)
    shapes = {name: [tuple(found.shape) for found in calls] for name, calls in maps.items()}
    assert shapes == {"0": [(3, 2, 5, 5), (3, 2, 4, 4)], "2": [(3, 4, 5, 5), (3, 4, 4, 4)]}
    for calls in maps.values():
        for weights in calls:
            torch.testing.assert_close(weights.sum(dim=-1), torch.ones(weights.shape[:-1]))


def test_the_weights_are_the_shares_of_the_values(network: nn.Sequential) -> None:
    layer, x = network[0], torch.randn(1, 5, 8)
    assert isinstance(layer, MultiHeadAttention)
    with torch.no_grad(), record_attention(network) as maps:
        y = layer(x)
    value = layer.in_proj(x).chunk(3, dim=-1)[2].unflatten(-1, (2, 4)).transpose(1, 2)
    expected = layer.out_proj((maps["0"][0] @ value).transpose(1, 2).flatten(2))
    torch.testing.assert_close(y, expected)


def test_recording_can_be_limited_and_ends_with_its_context(network: nn.Sequential) -> None:
    x = torch.randn(1, 5, 8)
    with record_attention(network, ["2"]) as maps:
        network(x)
    network(x)
    assert list(maps) == ["2"]
    assert len(maps["2"]) == 1


def test_recording_ends_when_the_work_fails(network: nn.Sequential) -> None:
    with pytest.raises(RuntimeError), record_attention(network):
        network(torch.randn(1, 5, 9))
    layers = [layer for layer in network if isinstance(layer, MultiHeadAttention)]
    assert [layer.recorded for layer in layers] == [None, None]


def test_an_unknown_layer_is_refused(network: nn.Sequential) -> None:
    with (
        pytest.raises(ValueError, match="'1' is no attention module; there are 0, 2"),
        record_attention(network, ["1"]),
    ):
        pass


def test_many_sequences_are_attended_in_parts(
    network: nn.Sequential, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = torch.randn(7, 5, 8)
    whole = network(x)
    monkeypatch.setattr(attention_module, "_MAX_SEQUENCES", 3)
    torch.testing.assert_close(network(x), whole)
