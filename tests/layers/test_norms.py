"""Normalisation, scaling and position encodings."""

import pytest
import torch

from stemsplit.layers.embedding import ScaledEmbedding, sine_1d, sine_2d
from stemsplit.layers.norms import GroupNorm, LayerScale, TokenGroupNorm, standardize

CPU = torch.device("cpu")


@pytest.mark.parametrize("shape", [(2, 3, 50), (2, 3, 4, 50)])
def test_standardized_items_have_mean_0_and_deviation_1(shape: tuple[int, ...]) -> None:
    values = 5 + 3 * torch.randn(shape)
    scaled, mean, deviation = standardize(values)
    for item in scaled:
        assert abs(item.mean().item()) < 1e-5
        assert item.std().item() == pytest.approx(1, abs=1e-4)
    assert mean.shape == (shape[0],) + (1,) * (len(shape) - 1)
    torch.testing.assert_close(scaled * deviation + mean, values, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("value", [0.0, 3.0])
def test_a_single_value_is_no_reason_for_nan(value: float) -> None:
    scaled, mean, deviation = standardize(torch.full((2, 1, 1), value))
    assert scaled.abs().max() == 0
    assert deviation.abs().max() == 0
    assert mean.flatten().tolist() == [value, value]


def test_group_norm_takes_single_values() -> None:
    assert GroupNorm(1, 1)(torch.ones(1, 1, 1)).item() == 0
    values = torch.randn(2, 4, 9)
    torch.testing.assert_close(GroupNorm(2, 4)(values), torch.nn.GroupNorm(2, 4)(values))


def test_token_group_norm_is_over_tokens_and_features() -> None:
    tokens = 2 + torch.randn(3, 7, 4)
    normed = TokenGroupNorm(4)(tokens)
    assert normed.shape == tokens.shape
    torch.testing.assert_close(normed.mean(dim=(1, 2)), torch.zeros(3), rtol=0, atol=1e-5)


def test_layer_scale_is_per_feature() -> None:
    scale = LayerScale(3, 0.5)
    torch.testing.assert_close(scale(torch.ones(2, 3, 4)), torch.full((2, 3, 4), 0.5))
    last = LayerScale(3, 0.5, channels_last=True)
    torch.testing.assert_close(last(torch.ones(2, 4, 3)), torch.full((2, 4, 3), 0.5))


def test_an_embedding_is_read_larger_than_it_is_stored() -> None:
    embedding = ScaledEmbedding(10, 4, scale=10.0, smooth=False)
    torch.testing.assert_close(embedding(6), 10 * embedding.embedding.weight[:6])


def test_a_smooth_embedding_changes_little_from_row_to_row() -> None:
    torch.manual_seed(0)
    rows = ScaledEmbedding(500, 16, scale=10.0, smooth=True)(500)
    assert rows.shape == (500, 16)
    assert (rows[101:] - rows[100:-1]).std() < 0.2 * rows[100:].std()


def test_encodings_tell_positions_apart() -> None:
    line = sine_1d(300, 16, max_period=10_000, device=CPU)
    plane = sine_2d(8, 40, 16, max_period=10_000, device=CPU)
    assert line.shape == (300, 16)
    assert plane.shape == (40, 8, 16)
    for encoding in (line, plane.flatten(0, 1)):
        distance = torch.cdist(encoding, encoding).fill_diagonal_(1.0)
        assert distance.min() > 1e-3


def test_half_of_a_plane_is_the_frame_and_half_the_bin() -> None:
    plane = sine_2d(8, 40, 16, max_period=10_000, device=CPU)
    torch.testing.assert_close(plane[:, 0, :8], plane[:, 5, :8])
    torch.testing.assert_close(plane[0, :, 8:], plane[17, :, 8:])
