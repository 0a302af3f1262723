"""The TFSWA networks: the spectrogram and back, and training."""

import io
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from stemsplit.dsp.stft import centered_stft
from stemsplit.errors import ConfigError
from stemsplit.layers.attention import record_attention
from stemsplit.models.registry import build_network, config_from_dict, config_to_dict
from stemsplit.models.tfswa.config import Stage, TfswaConfig
from stemsplit.models.tfswa.network import Tfswa
from stemsplit.models.tfswa.towers import TOWERS
from stemsplit.models.tfswa.variants import VARIANTS
from tests.models.overfit import SAMPLE_RATE, STEMS, overfit

HOP = 64
every_variant = pytest.mark.parametrize("name", VARIANTS)


def twin(name: str, **changes: object) -> TfswaConfig:
    """A variant with an eighth of the features, but 8 at least, few layers and a short STFT."""
    config = VARIANTS[name].config
    unit = 2 * len(config.scales)
    stages = [
        Stage(
            channels=max(8, stage.channels // 8) // unit * unit or unit,
            convs=min(stage.convs, 1),
            blocks=min(stage.blocks, 1),
        )
        for stage in config.stages
    ]
    stages[-1] = replace(stages[-1], blocks=2)
    small = replace(
        config,
        stages=tuple(stages),
        heads=2,
        window=(4, 4),
        stems=STEMS,
        sample_rate=SAMPLE_RATE,
        segment_samples=SAMPLE_RATE,
        n_fft=256 if config.bands > 1 else 128,
        hop_length=HOP,
    )
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
    spectrum = torch.randn(1, 2, 129, 32, dtype=torch.complex64)
    predicted = torch.zeros(1, config.out_channels, 32, 32)
    predicted[0, 2 * 8 + 1 * 4 + 3, 5, 7] = 1.0  # stem c, right channel, fourth band
    stems = network.apply_prediction(predicted, spectrum)
    assert stems.nonzero().tolist() == [[0, 2, 1, 3 * 32 + 7, 5]]
    assert stems[0, 2, 1, 103, 5] == spectrum[0, 1, 103, 5]


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
@pytest.mark.parametrize("num_samples", [1, 65, 3001])
@pytest.mark.parametrize("channels", [1, 2])
def test_stems_have_the_shape_of_the_mix(name: str, num_samples: int, channels: int) -> None:
    network = build(twin(name, channels=channels, stems=("hum",))).eval()
    mix = noise(2, channels, num_samples)
    before = mix.clone()
    with torch.inference_mode():
        stems, alone = network(mix), network(mix[1:])
    assert stems.shape == (2, 1, channels, num_samples)
    assert stems.isfinite().all()
    torch.testing.assert_close(mix, before, rtol=0, atol=0)
    torch.testing.assert_close(stems[1:], alone, rtol=1e-4, atol=1e-5)  # float32 rounding


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


@every_variant
def test_saved_weights_and_configuration_give_the_same_stems(name: str) -> None:
    network = build(twin(name))
    mix = noise(2, 2, 3000)
    network(mix)  # moves the statistics of the batch norms, which must be saved too
    file = io.BytesIO()
    torch.save(network.state_dict(), file)
    file.seek(0)
    config = config_from_dict("tfswa", config_to_dict(network.config))
    restored = build_network("tfswa", config).eval()
    restored.load_state_dict(torch.load(file, weights_only=True))
    with torch.inference_mode():
        torch.testing.assert_close(restored(mix), network.eval()(mix), rtol=0, atol=0)


@every_variant
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.bfloat16, 0.05), (torch.float16, 0.01)])
def test_half_precision_gives_about_the_same_stems(
    name: str, dtype: torch.dtype, tolerance: float
) -> None:
    network = build(twin(name)).eval()
    mix = noise(1, 2, SAMPLE_RATE)
    with torch.inference_mode():
        exact = network(mix)
        with torch.autocast("cpu", dtype=dtype):
            rough = network(mix)
    assert rough.dtype == torch.float32
    assert (rough - exact).norm() < tolerance * exact.norm()  # a few steps of the mantissa


@pytest.mark.parametrize("name", ["tfswa_unet", "tfswa_resunet"])
def test_attention_maps_can_be_looked_at_without_changing_the_stems(name: str) -> None:
    network = build(twin(name)).eval()
    mix = noise(1, 2, SAMPLE_RATE)
    with torch.inference_mode():
        fused = network(mix)
        with record_attention(network) as maps:
            explicit = network(mix)
    torch.testing.assert_close(explicit, fused, rtol=0, atol=1e-5)
    for calls in maps.values():
        assert calls
    along_time = maps["tower.bottleneck.blocks.0.time.attention.attend"]
    frames = 64 // network.config.frame_multiple
    assert along_time[0].shape[1:] == (2, frames, frames)


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


@pytest.mark.parametrize(
    ("name", "steps", "peak_rate"),
    [
        ("tfswa_unet", 80, 2e-2),
        pytest.param("tfswa_multiscale", 60, 4e-2, marks=pytest.mark.slow),
        ("tfswa_lite", 60, 4e-2),
        ("tfswa_resunet", 120, 1e-2),
        ("tfswa_resunet_15m", 120, 1e-2),
    ],
)
def test_a_twin_learns_one_second_by_heart(name: str, steps: int, peak_rate: float) -> None:
    network = build(twin(name))
    ratios, mix, _ = overfit(network, steps=steps, peak_rate=peak_rate)
    assert ratios.min() > 10
    if network.config.output == "sigmoid":
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
        ({"tower": "pooled"}, "needs convs"),
        ({"tower": "pooled", "stages": (Stage(channels=8, convs=1, blocks=1),) * 2}, "last stage"),
    ],
)
def test_an_impossible_configuration_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        replace(VARIANTS["tfswa_unet"].config, **changes)  # type: ignore[arg-type]
