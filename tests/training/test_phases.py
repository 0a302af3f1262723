"""Phases: where they begin and end, and what differs between them."""

import pytest
import torch

from stemsplit.errors import ConfigError, UnknownModelError
from stemsplit.models.htdemucs.config import HTDemucsConfig
from stemsplit.models.registry import build_network
from stemsplit.models.tfswa.config import TfswaConfig
from stemsplit.training.phases import plan_phases, recipe_network
from stemsplit.training.recipe import NetworkSection, PhaseSection, TrainingRecipe
from stemsplit.training.recipe_files import load_recipe


def test_phases_meet_at_exact_epochs() -> None:
    phases = plan_phases(load_recipe("tfswa_progressive"))
    assert [(phase.first_epoch, phase.end_epoch) for phase in phases] == [
        (0, 90),
        (90, 180),
        (180, 300),
    ]
    assert [phase.batch_size for phase in phases] == [16, 12, 8]
    assert [phase.rewarm_steps for phase in phases] == [0, 1000, 1000]
    assert [phase.segment_samples for phase in phases] == [132_300, 176_400, 264_600]


def test_phases_change_the_spectrogram_and_not_the_weights() -> None:
    phases = plan_phases(load_recipe("tfswa_progressive"))
    grids, shapes = [], []
    for phase in phases:
        config = phase.network.config
        assert isinstance(config, TfswaConfig)
        grids.append((config.n_fft, config.hop_length))
        with torch.device("meta"):
            network = build_network(phase.network.architecture, config)
        shapes.append({name: value.shape for name, value in network.state_dict().items()})
    assert grids == [(1024, 256), (2048, 512), (4096, 1024)]
    assert shapes[0] == shapes[1] == shapes[2]


def test_a_recipe_without_phases_is_one_phase() -> None:
    (phase,) = plan_phases(TrainingRecipe(epochs=5))
    assert (phase.first_epoch, phase.end_epoch, phase.rewarm_steps) == (0, 5, 0)


def test_a_phase_without_an_epoch_is_refused() -> None:
    phases = (PhaseSection(share=0.01), PhaseSection(share=0.99))
    with pytest.raises(ConfigError, match=r"share of 0\.01 of 10 epochs has no epoch"):
        plan_phases(TrainingRecipe(epochs=10, phases=phases))


def test_a_network_takes_stems_channels_segment_and_any_other_field() -> None:
    section = NetworkSection(
        name="htdemucs",
        stems=("vocals",),
        channels=1,
        segment_seconds=2.0,
        overrides=("transformer.layers=3",),
    )
    config = recipe_network(section, ["transformer.heads=4"]).config
    assert (config.stems, config.channels, config.segment_samples) == (("vocals",), 1, 88_200)
    assert isinstance(config, HTDemucsConfig)
    assert config.transformer is not None
    assert (config.transformer.layers, config.transformer.heads) == (3, 4)


def test_what_the_network_cannot_take_is_refused_before_anything_runs() -> None:
    with pytest.raises(UnknownModelError, match="no network 'htdemux'"):
        recipe_network(NetworkSection(name="htdemux"))
    with pytest.raises(ConfigError, match=r"network htdemucs: n_fft does not exist\."):
        recipe_network(NetworkSection(overrides=("n_fft=3",)))
    with pytest.raises(ConfigError, match=r"takes 7\.8 s at most, and its excerpts are 9 s"):
        plan_phases(load_recipe("htdemucs", ["data.segment_seconds=9"]))
    with pytest.raises(ConfigError, match="stem_weights has 3 numbers for the 4 stems"):
        plan_phases(load_recipe("htdemucs", ["loss.stem_weights=1,1,1"]))
