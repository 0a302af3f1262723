"""What single networks promise beyond the common contract."""

from dataclasses import replace

import pytest
import torch

from stemsplit.models.demucs.variants import VARIANTS as DEMUCS
from stemsplit.models.htdemucs.config import HTDemucsConfig
from stemsplit.models.htdemucs.variants import VARIANTS as HTDEMUCS
from stemsplit.models.registry import build_network
from tests.models.tiny import SEGMENT_SAMPLES, shrink


@pytest.fixture
def htdemucs() -> HTDemucsConfig:
    config = shrink(HTDEMUCS["htdemucs"].config)
    assert isinstance(config, HTDemucsConfig)
    return config


def test_htdemucs_refuses_more_than_its_segment(htdemucs: HTDemucsConfig) -> None:
    network = build_network("htdemucs", htdemucs).eval()
    with pytest.raises(ValueError, match="8001 samples, the network takes at most 8000"):
        network(torch.zeros(1, 2, SEGMENT_SAMPLES + 1))


def test_htdemucs_pads_with_silence_outside_of_training(htdemucs: HTDemucsConfig) -> None:
    network = build_network("htdemucs", htdemucs).eval()
    mix = torch.randn(1, 2, 5000)
    with torch.inference_mode():
        padded = network(torch.nn.functional.pad(mix, (0, SEGMENT_SAMPLES - 5000)))
        torch.testing.assert_close(network(mix), padded[..., :5000], rtol=0, atol=0)


def test_htdemucs_takes_any_length_in_training(htdemucs: HTDemucsConfig) -> None:
    network = build_network("htdemucs", htdemucs)
    assert network(torch.randn(1, 2, SEGMENT_SAMPLES + 1)).shape[-1] == SEGMENT_SAMPLES + 1


def test_htdemucs_without_padding_takes_any_length(htdemucs: HTDemucsConfig) -> None:
    config = replace(htdemucs, pad_to_segment=False)
    network = build_network("htdemucs", config).eval()
    with torch.inference_mode():
        assert network(torch.randn(1, 2, SEGMENT_SAMPLES + 1)).shape[-1] == SEGMENT_SAMPLES + 1
    assert not config.fixed_length


def test_htdemucs_without_a_transformer_connects_its_branches_directly(
    htdemucs: HTDemucsConfig,
) -> None:
    config = replace(htdemucs, transformer=None, bottom_channels=0)
    network = build_network("htdemucs", config).eval()
    assert not [name for name, _ in network.named_parameters() if "transformer" in name]
    with torch.inference_mode():
        assert network(torch.randn(1, 2, 5000)).isfinite().all()


def test_mono_is_fine() -> None:
    for architecture, name in (("demucs", "mdx_time"), ("htdemucs", "htdemucs")):
        config = replace(shrink({**DEMUCS, **HTDEMUCS}[name].config), channels=1)
        with torch.inference_mode():
            stems = build_network(architecture, config).eval()(torch.randn(1, 1, 1))
        assert stems.shape == (1, 4, 1, 1)
        assert stems.isfinite().all()


def test_demucs_leaves_the_level_of_the_mix_to_the_network_unless_it_normalizes() -> None:
    config = replace(shrink(DEMUCS["mdx_time"].config), normalize=True)  # type: ignore[call-arg]
    network = build_network("demucs", config).eval()
    mix = torch.randn(1, 2, 3000)
    with torch.inference_mode():
        torch.testing.assert_close(network(4 * mix), 4 * network(mix), rtol=1e-3, atol=1e-4)
