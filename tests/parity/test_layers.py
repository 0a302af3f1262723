"""Every kind of layer equals its counterpart in the reference, with weights taken over from it."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from stemsplit.layers.embedding import sine_1d, sine_2d
from tests.models.published import STEMS
from tests.parity.pairs import assert_equal, make_pair, noise, submodules

pytestmark = pytest.mark.parity

transformer = pytest.importorskip("demucs.transformer", reason="the reference is not installed")

HYBRID: dict[str, Any] = {"sources": STEMS, "channels": 16, "dconv_mode": 3}
TRANSFORMER: dict[str, Any] = {
    "sources": STEMS,
    "channels": 8,
    "bottom_channels": 32,
    "dconv_mode": 3,
    "segment": 0.5,
}
BANDED = HYBRID | {"norm_starts": 999, "multi_freqs": [0.25, 0.6], "multi_freqs_depth": 2}
FREQUENCIES = (2048, 512, 128, 32, 8, 1)  # bins before every level
DEPTH = len(FREQUENCIES)


@pytest.fixture(scope="module")
def hybrid() -> tuple[nn.Module, nn.Module]:
    return make_pair("demucs.hdemucs.HDemucs", HYBRID)[:2]


@pytest.fixture(scope="module")
def banded() -> tuple[nn.Module, nn.Module]:
    return make_pair("demucs.hdemucs.HDemucs", BANDED)[:2]


@pytest.fixture(scope="module")
def transformers() -> tuple[nn.Module, nn.Module]:
    return make_pair("demucs.htdemucs.HTDemucs", TRANSFORMER)[:2]


def run(module: nn.Module, *inputs: Tensor | int | None) -> Any:
    with torch.inference_mode():
        return module(*inputs)


def spectrum_input(index: int, frames: int, width: int = 16) -> Tensor:
    channels = 4 if index == 0 else width * 2 ** (index - 1)
    bins = FREQUENCIES[index]
    return noise(2, channels, bins, frames) if bins > 1 else noise(2, channels, frames)


@pytest.mark.parametrize("frames", [1, 13])
@pytest.mark.parametrize("index", range(DEPTH))
def test_spectrogram_encoder_level(
    hybrid: tuple[nn.Module, nn.Module], index: int, frames: int
) -> None:
    theirs, ours = hybrid
    x = spectrum_input(index, frames)
    inject = noise(2, 256, frames, seed=1) if index == 4 else None
    expected = run(theirs.get_submodule(f"encoder.{index}"), x, inject)
    assert_equal(run(ours.get_submodule(f"unet.spectra.0.encoder.{index}"), x, inject), expected)


@pytest.mark.parametrize("samples", [1, 4, 250])
@pytest.mark.parametrize("index", range(5))
def test_waveform_encoder_level(
    hybrid: tuple[nn.Module, nn.Module], index: int, samples: int
) -> None:
    theirs, ours = hybrid
    x = noise(2, 2 if index == 0 else 16 * 2 ** (index - 1), samples)
    expected = run(theirs.get_submodule(f"tencoder.{index}"), x)
    assert_equal(run(ours.get_submodule(f"unet.wave.encoder.{index}"), x), expected)


@pytest.mark.parametrize("frames", [1, 13])
@pytest.mark.parametrize("index", range(DEPTH))
def test_spectrogram_decoder_level(
    hybrid: tuple[nn.Module, nn.Module], index: int, frames: int
) -> None:
    theirs, ours = hybrid
    skip = run(ours.get_submodule(f"unet.spectra.0.encoder.{index}"), spectrum_input(index, frames))
    x = noise(*skip.shape, seed=1)
    expected = run(theirs.get_submodule(f"decoder.{DEPTH - 1 - index}"), x, skip, frames)
    actual = run(ours.get_submodule(f"unet.spectra.0.decoder.{index}"), x, skip, frames)
    assert_equal(actual[0], expected[0])
    assert_equal(actual[1], expected[1])


@pytest.mark.parametrize("samples", [1, 4, 250])
@pytest.mark.parametrize("index", range(5))
def test_waveform_decoder_level(
    hybrid: tuple[nn.Module, nn.Module], index: int, samples: int
) -> None:
    theirs, ours = hybrid
    x = noise(2, 16 * 2**index, -(-samples // 4))
    skip = None if index == 4 else noise(*x.shape, seed=1)
    expected, _ = run(theirs.get_submodule(f"tdecoder.{4 - index}"), x, skip, samples)
    actual, _ = run(ours.get_submodule(f"unet.wave.decoder.{index}"), x, skip, samples)
    assert_equal(actual, expected)


@pytest.mark.parametrize("index", range(2))
def test_levels_with_bands(banded: tuple[nn.Module, nn.Module], index: int) -> None:
    theirs, ours = banded
    x = spectrum_input(index, 7)
    skip = run(theirs.get_submodule(f"encoder.{index}"), x)
    assert_equal(run(ours.get_submodule(f"unet.spectra.0.encoder.{index}"), x), skip)
    x = noise(*skip.shape, seed=1)
    expected, _ = run(theirs.get_submodule(f"decoder.{DEPTH - 1 - index}"), x, skip, 7)
    actual, _ = run(ours.get_submodule(f"unet.spectra.0.decoder.{index}"), x, skip, 7)
    assert_equal(actual, expected)


@pytest.mark.parametrize("frames", [1, 2, 200, 201, 401])
@pytest.mark.parametrize("part", ["lstm", "attention"])
def test_parts_of_a_residual_branch(
    hybrid: tuple[nn.Module, nn.Module], part: str, frames: int
) -> None:
    theirs, ours = hybrid
    number = {"lstm": 3, "attention": 4}[part]
    x = noise(2, 64, frames)
    expected = run(theirs.get_submodule(f"encoder.4.dconv.layers.1.{number}"), x)
    actual = run(ours.get_submodule(f"unet.spectra.0.encoder.4.dconv.layers.1.{part}"), x)
    assert_equal(actual, expected)


@pytest.mark.parametrize("frames", [1, 230])
@pytest.mark.parametrize("level", [0, 5])
def test_residual_stack(hybrid: tuple[nn.Module, nn.Module], level: int, frames: int) -> None:
    theirs, ours = hybrid
    x = noise(3, 16 * 2**level, frames)
    expected = run(theirs.get_submodule(f"encoder.{level}.dconv"), x)
    assert_equal(run(ours.get_submodule(f"unet.spectra.0.encoder.{level}.dconv"), x), expected)


def test_embedding_of_bins(hybrid: tuple[nn.Module, nn.Module]) -> None:
    theirs, ours = hybrid
    with torch.inference_mode():
        expected = theirs.get_submodule("freq_emb")(torch.arange(512))
        actual = ours.get_submodule("unet.spectra.0.embedding")(512)
    assert_equal(actual, expected)


@pytest.mark.parametrize(("tokens", "others"), [(1, 1), (7, 30), (30, 7)])
@pytest.mark.parametrize("branch", ["layers", "time_layers"])
@pytest.mark.parametrize("index", range(5))
def test_transformer_layer(
    transformers: tuple[nn.Module, nn.Module], branch: str, index: int, tokens: int, others: int
) -> None:
    theirs, ours = transformers
    foreign = {"layers": "layers", "time_layers": "layers_t"}[branch]
    layer = theirs.get_submodule(f"crosstransformer.{foreign}.{index}")
    x, other = noise(2, tokens, 32), noise(2, others, 32, seed=1)
    expected = run(layer, x, other) if index % 2 else run(layer, x)
    actual = run(ours.get_submodule(f"transformer.{branch}.{index}"), x, other)
    assert_equal(actual, expected)


@pytest.mark.parametrize(("bins", "frames", "samples"), [(1, 1, 1), (8, 5, 11), (4, 30, 6)])
def test_whole_transformer(
    transformers: tuple[nn.Module, nn.Module], bins: int, frames: int, samples: int
) -> None:
    theirs, ours = transformers
    x, wave = noise(2, 32, bins, frames), noise(2, 32, samples, seed=1)
    expected = run(theirs.get_submodule("crosstransformer"), x, wave)
    actual = run(ours.get_submodule("transformer"), x, wave)
    assert_equal(actual[0], expected[0])
    assert_equal(actual[1], expected[1])


@pytest.mark.parametrize("features", [4, 32, 512])
def test_position_encodings(features: int) -> None:
    device = torch.device("cpu")
    expected = transformer.create_sin_embedding(300, features)[:, 0]
    assert_equal(sine_1d(300, features, max_period=10_000, device=device), expected)
    expected = transformer.create_2d_sin_embedding(features, 8, 40)[0].permute(2, 1, 0)
    assert_equal(sine_2d(8, 40, features, max_period=10_000, device=device), expected)


def test_no_layer_with_weights_is_left_out(
    hybrid: tuple[nn.Module, nn.Module], transformers: tuple[nn.Module, nn.Module]
) -> None:
    kinds = {
        type(module).__name__ for pair in (hybrid, transformers) for module in pair[1].modules()
    }
    ours = {kind for kind in kinds if not hasattr(nn, kind)}
    assert ours == {
        "HDemucs",
        "HTDemucs",
        "HybridUNet",
        "Branch",
        "EncoderLevel",
        "DecoderLevel",
        "ResidualStack",
        "ResidualBranch",
        "LocalAttention",
        "FramedLSTM",
        "LayerScale",
        "ScaledEmbedding",
        "CrossTransformer",
        "TransformerLayer",
        "MultiHeadAttention",
        "TokenGroupNorm",
    }
    assert submodules(hybrid[1], r"unet\.spectra\.0\.encoder\.\d") != []
