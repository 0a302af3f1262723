"""The steps of a network, how they are drawn, and what is said about them."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from stemsplit.layers.conv import DecoderLevel, EncoderLevel
from stemsplit.layers.levels import Level
from stemsplit.models.custom import NamedNetwork, load_network, network_names
from stemsplit.models.demucs.config import DemucsConfig
from stemsplit.models.explain import explain
from stemsplit.models.flow import draw_flow
from stemsplit.models.hdemucs.config import HDemucsConfig
from stemsplit.models.registry import build_network
from stemsplit.models.tfswa.config import Stage, TfswaConfig
from stemsplit.models.trace import Step, trace_network
from tests.models.tiny import shrink


def small(name: str) -> NamedNetwork:
    """A network with its structure and a fraction of its features."""
    network = load_network(name)
    return replace(network, config=shrink(network.config))


def inputs(steps: tuple[Step, ...], name: str) -> list[str]:
    """Names of the steps that a step takes from."""
    (step,) = (step for step in steps if step.name == name)
    return [steps[number].name for number, _ in step.inputs]


@pytest.fixture
def waveform() -> NamedNetwork:
    levels = tuple(Level(channels=c, kernel=8, stride=4, padding=0) for c in (4, 8))
    config = DemucsConfig(
        levels=levels, stems=("a", "b"), sample_rate=8000, segment_samples=1000, resample=False
    )
    return NamedNetwork(name="mine", architecture="demucs", config=config, summary="", source="")


@pytest.mark.parametrize("name", network_names())
def test_the_steps_of_every_network_go_from_the_mix_to_the_stems(name: str) -> None:
    network = small(name)
    steps = trace_network(network)
    num_samples = network.config.segment_samples
    assert (steps[0].name, steps[0].inputs) == ("mix", ())
    assert steps[0].shapes == ((network.config.channels, num_samples),)
    assert steps[-1].name == "stems"
    assert steps[-1].shapes == ((len(network.config.stems), network.config.channels, num_samples),)
    for number, step in enumerate(steps[1:], start=1):
        assert step.inputs
        assert all(before < number for before, _ in step.inputs)
    # Whatever is done is done for the stems.
    used = {number for step in steps for number, _ in step.inputs}
    assert used == set(range(len(steps) - 1))


@pytest.mark.parametrize("name", ["htdemucs_nn", "hdemucs_mmi", "htdemucs_p", "tfswa_lite"])
def test_the_steps_hold_all_weights_once(name: str) -> None:
    network = small(name)
    model = build_network(network.architecture, network.config)
    embeddings = [part for path, part in model.named_parameters() if "embedding" in path]
    counted = sum(step.parameters for step in trace_network(network))
    everything = sum(one.numel() for one in model.parameters())
    # An embedding of bins does not depend on the mix, and is no step.
    assert counted == everything - sum(one.numel() for one in embeddings)


@pytest.mark.parametrize("name", ["htdemucs", "htdemucs_d3", "hdemucs_high", "repro_mdx_a_time"])
def test_shapes_are_those_of_a_real_pass(name: str) -> None:
    network = small(name)
    seen: list[tuple[int, ...]] = []

    def see(module: nn.Module, args: object, output: Tensor | tuple[Tensor, ...]) -> None:
        first = output if isinstance(output, Tensor) else output[0]
        seen.append(tuple(first.shape[1:]))

    model = build_network(network.architecture, network.config).eval()
    for module in model.modules():
        if isinstance(module, EncoderLevel | DecoderLevel):
            module.register_forward_hook(see)
    with torch.inference_mode():
        model(torch.zeros(1, 2, network.config.segment_samples))
    levels = [
        step.shapes[0]
        for step in trace_network(network)
        if "code" in step.name  # en-, decoder
    ]
    assert levels == seen


def test_a_hybrid_network_is_connected_as_it_is_described() -> None:
    steps = trace_network(small("htdemucs"))
    assert inputs(steps, "Fourier transform") == ["mix"]
    assert inputs(steps, "waveform encoder 0") == ["mix"]
    assert inputs(steps, "spectrogram encoder 0") == ["Fourier transform"]
    assert inputs(steps, "spectrogram encoder 1") == ["spectrogram encoder 0"]
    assert inputs(steps, "transformer") == ["upsampler", "waveform upsampler"]
    assert inputs(steps, "spectrogram decoder 3") == ["spectrogram encoder 3", "downsampler"]
    assert inputs(steps, "inverse transform") == ["spectrogram decoder 0"]
    assert inputs(steps, "stems") == ["waveform decoder 0", "inverse transform"]


def test_branches_that_merge_are_seen_to_merge() -> None:
    steps = trace_network(small("hdemucs_mmi"))
    assert inputs(steps, "spectrogram encoder 4") == [
        "spectrogram encoder 3",
        "waveform encoder 4",
    ]
    (split,) = (step for step in steps if step.name == "waveform decoder 4")
    number, output = split.inputs[0]
    assert (steps[number].name, output) == ("spectrogram decoder 4", 1)


def test_resolutions_are_joined_split_and_fused() -> None:
    steps = trace_network(small("htdemucs_nn"))
    encoders = [f"{n_fft} encoder 3" for n_fft in (2048, 4096, 8192)]
    assert inputs(steps, "mixer join") == encoders
    assert inputs(steps, "mixer split") == [*encoders, "transformer"]
    assert inputs(steps, "fusion") == ["inverse transform"] * 3
    assert [step.times for step in steps if step.name == "inverse transform"] == [4, 4, 4]


def test_a_step_that_gives_back_what_it_got_is_not_where_it_comes_from() -> None:
    steps = trace_network(small("htdemucs_p"))
    (deep, _) = (step for step in steps if step.name == "attention shared 4")
    assert len(deep.shapes) == 1  # it hands the waveform on as it is


def test_weights_that_are_shared_count_where_they_are_used_first() -> None:
    first, second = (
        step for step in trace_network(small("htdemucs_p")) if step.name == "attention shared 2"
    )
    assert first.parameters > 0
    assert second.parameters == 0


def test_a_mask_is_laid_over_the_spectrogram_of_the_mix() -> None:
    steps = trace_network(small("tfswa_lite"))
    assert "Fourier transform" in inputs(steps, "inverse transform")


def test_a_longer_mix_has_longer_features(waveform: NamedNetwork) -> None:
    assert trace_network(waveform)[0].shapes == ((2, 1000),)
    steps = trace_network(waveform, 1300)
    assert steps[-1].shapes == ((2, 2, 1300),)


def test_a_wiener_filter_is_followed() -> None:
    network = small("mdx_extra_magnitude")
    assert isinstance(network.config, HDemucsConfig)
    filtered = replace(network, config=replace(network.config, wiener_iterations=1))
    assert inputs(trace_network(filtered), "inverse transform") == [
        "Fourier transform",
        "spectrogram decoder 0",
    ]


def test_the_drawing_of_a_small_network(waveform: NamedNetwork) -> None:
    assert draw_flow(trace_network(waveform)) == [
        "   step       shape         weights",
        "●  mix        2 x 1000",
        "●  encoder 0  4 x 252       108      kernel 8, stride 4 over time",
        "●  encoder 1  8 x 62        408      kernel 8, stride 4 over time",
        "●  decoder 1  4 x 252       660      kernel 8, stride 4 over time",
        "●  decoder 0  4 x 1012      236      kernel 8, stride 4 over time  and encoder 0",
        "●  stems      2 x 2 x 1000           a, b",
    ]


def step(name: str, *inputs: tuple[int, int], outputs: int = 1) -> Step:
    return Step(name=name, what="", inputs=inputs, shapes=((1, 2),) * outputs, parameters=0)


def lanes(steps: list[Step]) -> list[str]:
    """The left of a drawing, up to the names."""
    lines = draw_flow(steps)
    return [line[: lines[0].index("step")].rstrip() for line in lines[1:]]


def test_lanes_open_cross_and_end() -> None:
    steps = [
        step("mix"),
        step("a", (0, 0)),
        step("b", (0, 0)),
        step("c", (0, 0)),
        step("a and c", (1, 0), (3, 0)),
        step("in two", (4, 0), outputs=2),
        step("all", (2, 0), (5, 0), (5, 1)),
    ]
    assert lanes(steps) == [
        "●",
        "●",
        "│ ●",
        "│ │ ●",
        "●─┼─╯",
        "●─┼─╮",
        "│ │ │",
        "●─╯─╯",
    ]


def test_what_no_lane_carries_is_named() -> None:
    steps = [step("mix"), step("a", (0, 0)), step("b", (0, 0)), step("c", (1, 0), (2, 0), (0, 0))]
    lines = draw_flow(steps)
    assert lines[3].endswith("from mix")
    assert lines[4].endswith("and mix")


def test_an_output_that_nobody_uses_takes_no_lane() -> None:
    assert lanes([step("mix", outputs=2), step("stems", (0, 1))]) == ["●", "●"]


@pytest.mark.parametrize("name", network_names())
def test_every_network_is_explained(name: str) -> None:
    config = load_network(name).config
    sentences = explain(config)
    assert len(sentences) > 2
    assert all(sentence.endswith(".") and "  " not in sentence for sentence in sentences)
    assert ", ".join(config.stems) in sentences[0]


def test_what_is_said_follows_the_configuration() -> None:
    text = " ".join(explain(load_network("htdemucs_nn").config))
    assert "3 spectrograms, with frames of 2048 samples every 512, 4096 samples" in text
    assert "8 heads of linear attention" in text
    assert "weights per stem" in text
    assert "three" not in " ".join(explain(load_network("htdemucs").config))
    alone = " ".join(explain(load_network("htdemucs_nc").config))
    assert "the waveform alone" in alone
    assert "spectrogram" not in alone
    silent = " ".join(explain(load_network("htdemucs_dn").config))
    assert "has no decoder" in silent
    mono = replace(load_network("hdemucs_low").config, stems=("vocals",), channels=1)
    assert explain(mono)[0].startswith("Takes one channel at 8000 Hz")
    assert explain(mono)[0].endswith("gives one stem: vocals.")
    paper = load_network("tfswa_resunet").config
    assert isinstance(paper, TfswaConfig)
    plain = replace(paper, stages=(*paper.stages[:-1], Stage(channels=384)))
    assert "Without attention." in explain(plain)
