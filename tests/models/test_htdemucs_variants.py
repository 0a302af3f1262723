"""The research variants have the published sizes, and do what their summaries say."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from stemsplit.dsp.wiener import wiener_refine
from stemsplit.errors import ConfigError
from stemsplit.layers import pieces
from stemsplit.models.htdemucs.config import HTDemucsConfig
from stemsplit.models.htdemucs.fusion import ConvolutionFusion
from stemsplit.models.htdemucs.network import HTDemucs
from stemsplit.models.htdemucs.variants import VARIANTS
from tests.models.research import RESEARCH
from tests.models.tiny import SEGMENT_SAMPLES, shrink

TEN_SECONDS = 441_000
CASES = [(name, num) for name, figures in RESEARCH.items() for num in figures.parameters]


def on_meta(config: HTDemucsConfig) -> HTDemucs:
    with torch.device("meta"):
        return HTDemucs(config).eval()


def count_operations(network: nn.Module, *inputs: torch.Tensor) -> int:
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        network(*inputs)
    operations: int = counter.get_total_flops() // 2
    return operations


def tiny(name: str) -> HTDemucs:
    config = shrink(VARIANTS[name].config)
    assert isinstance(config, HTDemucsConfig)
    torch.manual_seed(0)
    return HTDemucs(config).eval()


@pytest.fixture
def mix() -> torch.Tensor:
    return torch.randn(1, 2, SEGMENT_SAMPLES, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("name", "num_stems"), CASES)
def test_a_variant_has_all_parameters_of_the_original_but_the_dead_ones(
    name: str, num_stems: int
) -> None:
    config = VARIANTS[name].config
    network = on_meta(replace(config, stems=config.stems[:num_stems]))
    number = sum(parameter.numel() for parameter in network.parameters())
    figures = RESEARCH[name]
    assert number == figures.parameters[num_stems] - figures.dead[num_stems]


@pytest.mark.parametrize(
    ("name", "num_stems"), [case for case in CASES if case[1] in RESEARCH[case[0]].operations]
)
def test_a_variant_does_the_operations_of_the_original(name: str, num_stems: int) -> None:
    config = VARIANTS[name].config
    config = replace(config, stems=config.stems[:num_stems], segment_samples=TEN_SECONDS)
    if name == "htdemucs_dn":  # with what the original computes and throws away
        config = replace(config, time_output=True)
    mix = torch.empty(1, config.channels, TEN_SECONDS, device="meta")
    operations = count_operations(on_meta(config), mix)
    assert operations == pytest.approx(RESEARCH[name].operations[num_stems], rel=5e-3)


@pytest.mark.parametrize("name", RESEARCH)
def test_a_variant_carries_nothing_that_only_training_would_see(
    name: str, mix: torch.Tensor, capsys: pytest.CaptureFixture[str]
) -> None:
    network = tiny(name)
    assert list(network.buffers()) == []
    network.train()(mix)
    assert capsys.readouterr() == ("", "")


def parameters_without_gradient(network: HTDemucs, mix: torch.Tensor) -> Iterator[str]:
    network.train()(mix).square().mean().backward()
    for name, parameter in network.named_parameters():
        if parameter.grad is None or not parameter.grad.any():
            yield name


@pytest.mark.parametrize("name", ["htdemucs_s", "htdemucs_d", "htdemucs_d2", "htdemucs_d4"])
def test_the_gates_of_the_transformer_start_half_open_and_learn(
    name: str, mix: torch.Tensor
) -> None:
    network = tiny(name)
    gates = {key: value for key, value in network.named_parameters() if key.endswith("gate")}
    assert set(gates) == {"transformer.gate", "transformer.time_gate"}
    assert [gate.sigmoid().item() for gate in gates.values()] == [0.5, 0.5]
    assert list(parameters_without_gradient(network, mix)) == []


def test_a_gate_that_is_closed_lets_the_transformer_change_nothing(mix: torch.Tensor) -> None:
    network = tiny("htdemucs_s")
    with torch.inference_mode():
        for gate in (network.transformer.gate, network.transformer.time_gate):
            assert gate is not None
            gate.fill_(-torch.inf)
        closed = network(mix)
        for parameter in network.transformer.layers.parameters():
            parameter.zero_()
        torch.testing.assert_close(network(mix), closed, rtol=0, atol=0)


def test_p_uses_its_attention_on_both_sides_and_i_has_one_for_each(mix: torch.Tensor) -> None:
    for name, expected in (
        ("htdemucs_p", {"shared_2": 2, "shared_4": 2}),
        ("htdemucs_i", {"encoder_2": 1, "encoder_4": 1, "decoder_2": 1, "decoder_4": 1}),
    ):
        network = tiny(name)
        calls = dict.fromkeys(expected, 0)

        def count(module: nn.Module, *_: object, calls=calls, network=network) -> None:  # type: ignore[no-untyped-def]
            calls[next(key for key, site in network.sites.items() if site is module)] += 1

        for site in network.sites.values():
            site.register_forward_hook(count)
        network(mix)
        assert calls == expected


def test_cross_attention_between_levels_sees_both_branches_on_the_same_grid() -> None:
    config = VARIANTS["htdemucs_i"].config
    network = on_meta(config)
    shapes: dict[str, list[tuple[int, ...]]] = {}

    def note(name: str) -> None:
        network.sites[name].register_forward_hook(
            lambda _, inputs, __: shapes.update({name: [tuple(x.shape[1:]) for x in inputs]})
        )

    for name in network.sites:
        note(name)
    network(torch.empty(1, 2, config.segment_samples, device="meta"))
    assert shapes["encoder_2"] == shapes["decoder_2"] == [(592, 8, 44), (592, 345)]
    assert shapes["encoder_4"][0] == shapes["decoder_4"][0] == (592, 43)


def test_frames_that_overlap_by_half_are_centred_between_hops_too() -> None:
    """An impulse in the middle of hop 2 excites frame 2 most, and its neighbours alike."""
    from stemsplit.dsp.stft import stft

    (grid,) = VARIANTS["htdemucs_i"].config.resolutions
    signal = torch.zeros(1, 1, 5 * grid.hop_length)
    signal[..., 2 * grid.hop_length + grid.hop_length // 2] = 1.0
    energy = stft(signal, grid.n_fft, grid.hop_length).abs().square().sum((0, 1, 2))
    assert energy.argmax() == 2
    torch.testing.assert_close(energy[1], energy[3], rtol=0, atol=1e-5)


def test_dn_has_no_decoder_for_the_waveform_and_full_range(mix: torch.Tensor) -> None:
    network = tiny("htdemucs_dn")
    assert network.unet.wave is not None
    assert len(network.unet.wave.encoder) == 4
    assert len(network.unet.wave.decoder) == 0
    assert len(network.transformer.layers) == 5
    assert len(network.transformer.time_layers) == 3  # the fourth layer is the last to look at them
    stems = network(mix)
    assert stems.min() < -0.2  # a GELU would stop at -0.17
    assert list(parameters_without_gradient(network, mix)) == []


def test_dnf_is_no_linear_filter_of_its_resolutions() -> None:
    torch.manual_seed(0)
    fusion = tiny("htdemucs_dnf").fusion
    first, second = torch.randn(2, 1, 5, 4, 2, 500).unbind()
    nothing = fusion(torch.zeros_like(first))
    together = fusion(first + second) - nothing
    apart = (fusion(first) - nothing) + (fusion(second) - nothing)
    assert (together - apart).norm() > 1e-2 * together.norm()


@pytest.mark.parametrize("name", ["htdemucs_n", "htdemucs_nn", "htdemucs_nf"])
def test_resolutions_are_at_first_averaged(name: str) -> None:
    network = tiny(name)
    num = len(network.config.resolutions)
    waves = torch.randn(2, num, 4, 2, 700, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(network.fusion(waves), waves.mean(dim=1), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("num_samples", [1, 17, 700, 704])
def test_filters_over_resolutions_are_one_convolution(num_samples: int) -> None:
    fusion = tiny("htdemucs_nf").fusion
    assert isinstance(fusion, ConvolutionFusion)
    torch.manual_seed(0)
    for weight in fusion.parameters():
        nn.init.normal_(weight)
    waves = torch.randn(2, 5, 4, 2, num_samples)
    with torch.inference_mode():
        whole = fusion.conv(waves.flatten(2, 3).transpose(1, 2))[:, :, 0]
        fused = fusion(waves)
    torch.testing.assert_close(fused.flatten(1, 2), whole, rtol=1e-4, atol=1e-4)


def test_a_stem_can_prefer_a_resolution() -> None:
    network = tiny("htdemucs_nn")
    logits = network.fusion.logits
    assert isinstance(logits, nn.Parameter)
    assert logits.shape == (4, 3)
    waves = torch.randn(1, 3, 4, 2, 700)
    with torch.inference_mode():
        logits[1] = torch.tensor([0.0, torch.inf, 0.0]).nan_to_num(posinf=100.0)
        fused = network.fusion(waves)
    torch.testing.assert_close(fused[:, 1], waves[:, 1, 1])
    torch.testing.assert_close(fused[:, 0], waves[:, :, 0].mean(dim=1), rtol=1e-5, atol=1e-6)


def test_features_of_all_resolutions_meet_on_the_grid_of_the_middle_one() -> None:
    mixer = tiny("htdemucs_nn").mixer
    spectra = [torch.full((1, 16, *grid), value) for grid, value in GRIDS]
    joined = mixer.join(spectra)
    torch.testing.assert_close(joined, torch.full((1, 16, 8, 10), 2.0))
    shares = mixer.split(torch.full((1, 16, 8, 10), 8.0), spectra)
    assert [share.shape for share in shares] == [x.shape for x in spectra]
    # One third of what came back, two thirds of what was there.
    for share, (_, value) in zip(shares, GRIDS, strict=True):
        torch.testing.assert_close(share, torch.full_like(share, 8 / 3 + value * 2 / 3))


GRIDS = [((4, 20), 1.0), ((8, 10), 2.0), ((16, 5), 3.0)]


@pytest.mark.parametrize("name", ["htdemucs_nc", "htdemucs_nf", "htdemucs_dnf"])
def test_networks_of_one_kind_of_branch_have_no_other(name: str) -> None:
    network = tiny(name)
    assert bool(network.unet.spectra) != (network.unet.wave is not None)


def test_a_wiener_filter_has_its_share_outside_of_training(mix: torch.Tensor) -> None:
    plain = tiny("htdemucs_nn")
    config = replace(plain.config, wiener_share=0.25)
    filtered = HTDemucs(config)
    filtered.load_state_dict(plain.state_dict())
    with torch.inference_mode():
        stems = plain(mix)
        refined = torch.stack([wiener_refine(*item) for item in zip(stems, mix, strict=True)])
        expected = 0.75 * stems + 0.25 * refined
        torch.testing.assert_close(filtered.eval()(mix), expected)
        torch.testing.assert_close(filtered.train()(mix), plain.train()(mix))
    assert (refined - stems).norm() > 0.1 * stems.norm()


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [({"wiener_share": 1.5}, "from 0 to 1"), ({"wiener_share": 0.5, "channels": 3}, "one or two")],
)
def test_impossible_wiener_filters_are_refused(changes: dict[str, object], complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        replace(VARIANTS["htdemucs_nn"].config, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", RESEARCH)
@pytest.mark.parametrize(
    "changes",
    [
        {"stems": ("instrumental",)},
        {"stems": tuple("abcdefg"), "channels": 1},
        {"sample_rate": 16_000, "pad_to_segment": False},
    ],
    ids=["one stem", "seven stems of mono", "16 kHz"],
)
def test_stems_channels_and_rates_are_free(name: str, changes: dict[str, object]) -> None:
    config = replace(shrink(VARIANTS[name].config), **changes)  # type: ignore[arg-type]
    assert isinstance(config, HTDemucsConfig)
    mix = torch.randn(1, config.channels, 7001)
    with torch.inference_mode():
        stems = HTDemucs(config).eval()(mix)
    assert stems.shape == (1, len(config.stems), config.channels, 7001)
    assert stems.isfinite().all()


@pytest.mark.parametrize("name", ["htdemucs_i", "htdemucs_nn"])
def test_checkpointing_gives_the_same_gradients(name: str, mix: torch.Tensor) -> None:
    gradients = []
    for checkpointing in (False, True):
        config = replace(shrink(VARIANTS[name].config), checkpointing=checkpointing)  # type: ignore[call-arg]
        assert isinstance(config, HTDemucsConfig)
        torch.manual_seed(0)
        network = HTDemucs(config)
        network(mix).square().mean().backward()
        gradients.append({key: value.grad for key, value in network.named_parameters()})
    torch.testing.assert_close(gradients[1], gradients[0], rtol=0, atol=0)


@pytest.mark.parametrize("name", RESEARCH)
def test_bins_in_small_pieces_give_the_same_stems(
    name: str, mix: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = tiny(name)
    with torch.inference_mode():
        whole = network(mix)
        monkeypatch.setattr(pieces, "_CACHED_VALUES", 200)
        torch.testing.assert_close(network(mix), whole, rtol=1e-4, atol=1e-5)  # float32 rounding
