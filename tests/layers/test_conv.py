"""Shapes of levels, and working through their bins in pieces."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from stemsplit.layers import pieces
from stemsplit.layers.bands import BandedDecoderLevel, BandedEncoderLevel
from stemsplit.layers.conv import DecoderLevel, EncoderLevel, rescale_convolutions
from stemsplit.layers.levels import Level, Residual

ROW = Level(
    channels=8,
    encoder_residual=Residual(compress=2.0, init=0.5),
    decoder_residual=Residual(compress=2.0, init=0.5),
)


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize("samples", [1, 4, 5, 30])
def test_a_level_along_time_divides_and_multiplies_by_its_stride(samples: int) -> None:
    encoded = EncoderLevel(3, ROW, over_bins=False)(torch.randn(2, 3, samples))
    assert encoded.shape == (2, 8, -(-samples // 4))
    decoder = DecoderLevel(ROW, 3, over_bins=False, is_last=True)
    decoded, inner = decoder(encoded, encoded, samples)
    assert decoded.shape == (2, 3, samples)
    assert inner.shape == encoded.shape


def test_a_level_over_bins_leaves_frames_alone() -> None:
    encoded = EncoderLevel(3, ROW, over_bins=True)(torch.randn(2, 3, 32, 5))
    assert encoded.shape == (2, 8, 8, 5)
    decoder = DecoderLevel(ROW, 3, over_bins=True, is_last=False)
    decoded, inner = decoder(encoded, encoded)
    assert decoded.shape == (2, 3, 32, 5)
    assert inner.shape == encoded.shape


def test_a_bare_level_only_convolves() -> None:
    row = Level(channels=8, bare=True)
    encoder = EncoderLevel(3, row, over_bins=False)
    assert [name for name, _ in encoder.named_parameters()] == ["conv.weight", "conv.bias"]
    decoder = DecoderLevel(row, 3, over_bins=False, is_last=False)
    assert decoder(torch.randn(1, 8, 2), None, 7)[0].shape == (1, 3, 7)


def test_a_decoder_needs_something_to_decode() -> None:
    decoder = DecoderLevel(ROW, 3, over_bins=False, is_last=False)
    with pytest.raises(ValueError, match="input or a skip"):
        decoder(None, None)


@pytest.mark.parametrize(
    ("context", "kernel", "stride", "padding"),
    [(0, 8, 4, 2), (1, 8, 4, 2), (2, 8, 4, 2), (1, 32, 4, 14), (1, 16, 2, 7), (1, 2, 1, 0)],
)
def test_bins_in_pieces_give_the_same_as_all_at_once(
    context: int, kernel: int, stride: int, padding: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    shape = {"kernel": kernel, "stride": stride, "padding": padding}
    contexts = {"encoder_context": context, "decoder_context": context}
    row = replace(ROW, **contexts, **shape)  # type: ignore[arg-type]
    encoder = EncoderLevel(3, row, over_bins=True)
    decoder = DecoderLevel(row, 3, over_bins=True, is_last=False)

    def both() -> tuple[Tensor, Tensor]:
        encoded = encoder(x)
        return encoded, decoder(encoded, encoded)[0]

    x = torch.randn(2, 3, 44, 5)
    expected = both()
    for bins in (1, 3, 10):
        monkeypatch.setattr(pieces, "_CACHED_VALUES", bins * 2 * 8 * 5)
        for actual, whole in zip(both(), expected, strict=True):
            torch.testing.assert_close(actual, whole, rtol=1e-5, atol=1e-5)  # float32 rounding


def test_bands_with_equal_weights_are_one_level() -> None:
    row = Level(channels=8, decoder_context=0)
    banded = replace(row, bands=(0.25, 0.6))
    encoder, decoder = (
        EncoderLevel(3, row, over_bins=True),
        DecoderLevel(row, 3, over_bins=True, is_last=False),
    )
    banded_encoder = BandedEncoderLevel(3, banded)
    banded_decoder = BandedDecoderLevel(banded, 3, is_last=False)
    for band in banded_encoder.bands:
        band.load_state_dict(encoder.state_dict())
    for band in banded_decoder.bands:
        band.load_state_dict(decoder.state_dict())
    x = torch.randn(2, 3, 160, 5)
    encoded = encoder(x)
    torch.testing.assert_close(banded_encoder(x), encoded)
    actual, nothing = banded_decoder(encoded, encoded)
    torch.testing.assert_close(actual, decoder(encoded, encoded)[0])
    assert nothing is None


def test_rescaling_goes_half_of_the_way() -> None:
    layer = torch.nn.Conv1d(4, 4, 3)
    assert layer.bias is not None
    before, bias = layer.weight.std().item(), layer.bias.detach().clone()
    rescale_convolutions(layer, 0.1)
    torch.testing.assert_close(layer.weight.std().item(), (before * 0.1) ** 0.5, rtol=1e-5, atol=0)
    torch.testing.assert_close(layer.bias, bias / (before / 0.1) ** 0.5)
