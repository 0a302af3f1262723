"""The TFSWA networks: the spectrogram and back, and training."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from stemsplit.dsp.stft import centered_stft
from stemsplit.errors import ConfigError
from stemsplit.layers.attention import record_attention
from stemsplit.models.tfswa.config import Stage, TfswaConfig
from stemsplit.models.tfswa.network import Tfswa
from stemsplit.models.tfswa.towers import TOWERS
from stemsplit.models.tfswa.variants import VARIANTS
from tests.models.overfit import SAMPLE_RATE, STEMS, overfit, synthetic_stems
from tests.models.tiny import shrink

HOP = 64
every_variant = pytest.mark.parametrize("name", VARIANTS)


def twin(name: str, **changes: object) -> TfswaConfig:
    small = shrink(VARIANTS[name].config)
    assert isinstance(small, TfswaConfig)
    changes = {"stems": STEMS, "sample_rate": SAMPLE_RATE, "segment_samples": SAMPLE_RATE} | changes
    return replace(small, **changes)  # type: ignore[arg-type]


def build(config: TfswaConfig) -> Tfswa:
    torch.manual_seed(0)
    return Tfswa(config)


def noise(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", ["tfswa_unet", "tfswa_resunet"])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("num_samples", [1, 2, 63, 64, 65, 130, 4001])
def test_full_masks_give_back_the_mix(
    name: str, channels: int, num_samples: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = twin(name, channels=channels, stems=("a", "b", "c"))
    network = build(config)

    def full(features: Tensor) -> Tensor:
        if config.output == "magnitude":
            return features.repeat(1, 3, 1, 1)  # the tower of the paper sees magnitudes
        batch, _, frames, bins = features.shape
        return torch.ones(batch, config.out_channels, frames, bins)

    monkeypatch.setattr(network.tower, "forward", full)
    mix = noise(2, channels, num_samples)
    stems = network(mix)
    torch.testing.assert_close(stems, mix[:, None].expand(-1, 3, -1, -1), rtol=0, atol=1e-5)


def test_every_mask_meets_its_stem_its_channel_and_its_band() -> None:
    config = twin("tfswa_resunet", output="sigmoid", stems=("a", "b", "c"))
    network = build(config)
    spectrum = torch.randn(1, 2, 65, 32, dtype=torch.complex64)
    predicted = torch.zeros(1, config.out_channels, 32, 16)
    predicted[0, 2 * 8 + 1 * 4 + 3, 5, 7] = 1.0  # stem c, right channel, fourth band
    stems = network.apply_prediction(predicted, spectrum)
    assert stems.nonzero().tolist() == [[0, 2, 1, 3 * 16 + 7, 5]]
    assert stems[0, 2, 1, 55, 5] == spectrum[0, 1, 55, 5]


def test_bins_come_to_unit_power_and_channels_keep_their_balance() -> None:
    config = twin("tfswa_unet")
    spectrum = centered_stft(noise(1, 1, 4032) * torch.tensor([[[1.0], [0.25]]]), 128, HOP)
    features = build(config).features(spectrum)
    assert features.shape == (1, 4, 64, 64)
    power = features.square().sum(dim=1).mean(dim=1)
    torch.testing.assert_close(power, torch.full_like(power, 2.0), rtol=1e-3, atol=0)
    left, right = features[:, :2].norm(), features[:, 2:].norm()
    torch.testing.assert_close(right / left, torch.tensor(0.25))


@every_variant
def test_silence_stays_silence(name: str) -> None:
    network = build(twin(name)).eval()
    with torch.inference_mode():
        stems = network(torch.zeros(1, 2, 3000))
    torch.testing.assert_close(stems, torch.zeros_like(stems), rtol=0, atol=0)


@every_variant
def test_checkpointing_changes_nothing_and_gradients_reach_every_parameter(name: str) -> None:
    plain = build(twin(name)).train()
    frugal = build(twin(name, checkpointing=True)).train()
    mix, target = noise(2, 2, SAMPLE_RATE), noise(2, 4, 2, SAMPLE_RATE)
    for network in (plain, frugal):
        (network(mix) - target).square().mean().backward()
    others = dict(frugal.named_parameters())
    for parameter_name, parameter in plain.named_parameters():
        assert parameter.grad is not None
        assert parameter.grad.isfinite().all(), parameter_name
        assert parameter.grad.abs().max() > 0, parameter_name
        torch.testing.assert_close(others[parameter_name].grad, parameter.grad)
    torch.testing.assert_close(dict(frugal.named_buffers()), dict(plain.named_buffers()))


@pytest.mark.parametrize("name", ["tfswa_unet", "tfswa_resunet"])
def test_attention_maps_can_be_looked_at_without_changing_the_stems(name: str) -> None:
    network = build(twin(name)).eval()
    config = network.config
    mix = noise(1, 2, 2000)  # fewer frames than bins, so that the axes cannot be mistaken
    with torch.inference_mode():
        fused = network(mix)
        with record_attention(network) as maps:
            explicit = network(mix)
    torch.testing.assert_close(explicit, fused, rtol=0, atol=1e-5)
    for calls in maps.values():
        assert calls
    frames = (config.valid_length(2000) // HOP + 1) // config.frame_multiple
    bins = config.n_fft // 2 // config.bands // config.frame_multiple
    assert frames != bins
    for part, tokens in (("time", frames), ("frequency", bins)):
        (attended,) = maps[f"tower.bottleneck.blocks.0.{part}.attention.attend"]
        assert attended.shape[1:] == (2, tokens, tokens)


def test_softmax_masks_share_out_the_mix() -> None:
    network = build(twin("tfswa_unet", output="softmax")).eval()
    mix = noise(1, 2, 3001)
    with torch.inference_mode():
        torch.testing.assert_close(network(mix).sum(dim=1), mix, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ["tfswa_unet", "tfswa_multiscale", "tfswa_lite"])
def test_masks_begin_in_the_middle(name: str) -> None:
    config = twin(name)
    tower = TOWERS[config.tower](config).eval()
    with torch.inference_mode():
        masks = tower(noise(1, config.in_channels, 64, 64))
    assert masks.min() > 0.02
    assert masks.max() < 0.98


def test_masks_learn_to_shut_and_to_open() -> None:
    network = build(twin("tfswa_lite"))
    overfit(network, goal_db=14.0)
    mix = synthetic_stems().sum(dim=0)[None]
    spectrum = centered_stft(mix, network.config.n_fft, HOP)
    with torch.inference_mode():
        masks = network.tower(network.features(spectrum[..., :64]))
    assert masks.min() < 0.05
    assert masks.max() > 0.95


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_fft": 2050}, "1025 bins cannot be cut"),
        ({"n_fft": 4096, "hop_length": 3000}, "at least twice hop_length"),
        ({"heads": 3}, "multiple of 3"),
        ({"scales": ()}, "must be positive"),
        ({"window": (1, 8)}, "windows of 2 by 2"),
        ({"parts": ("time", "frequency")}, "only serial blocks"),
        ({"block": "serial", "parts": ()}, "parts must be some of"),
        ({"block": "serial", "parts": ("frequency", "time")}, "in this order"),
        ({"tower": "pooled"}, "needs convs"),
        ({"tower": "pooled", "stages": (Stage(channels=8, convs=1, blocks=1),) * 2}, "last stage"),
    ],
)
def test_an_impossible_configuration_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        replace(VARIANTS["tfswa_unet"].config, **changes)  # type: ignore[arg-type]
