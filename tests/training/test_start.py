"""Beginning with the weights of another model: what is taken over, and what is said about it."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from stemsplit.checkpoints.download import DownloadProgress
from stemsplit.checkpoints.obtain import ProgressSink
from stemsplit.checkpoints.weights import CheckpointInfo, write_checkpoint
from stemsplit.errors import Cancelled, ConfigError, UnknownModelError
from stemsplit.models import registry
from stemsplit.models.base import STEMS_4, STEMS_6, ModelConfig
from stemsplit.models.htdemucs.config import HTDemucsConfig
from stemsplit.models.wave_transformer.config import WaveTransformerConfig
from stemsplit.training.start import StartReport, loaded_names, start_from
from tests.models.tiny import shrink

REVERSED = ("vocals", "other", "bass", "drums")
SEPARATE_STEMS = (
    *("mdx_time", "hdemucs_mmi", "mdx_hybrid_bands", "htdemucs", "htdemucs_nn"),
    *("tfswa_unet", "wave_transformer_small"),
)
MIXED_STEMS = ("htdemucs_dnf",)  # its last layers hear all stems for each


def orders() -> Iterator[Any]:
    """Networks with stems that they can be rebuilt for without a change of what comes out."""
    for name in SEPARATE_STEMS:
        for stems in (("vocals",), REVERSED):
            yield pytest.param(name, stems, id=f"{name}, {len(stems)} stems")
    for name in MIXED_STEMS:
        yield pytest.param(name, REVERSED, id=name)


def built(architecture: str, config: ModelConfig, seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return registry.build_network(architecture, config).eval()


def tiny(name: str) -> tuple[str, ModelConfig]:
    architecture, config = registry.find_variant(name)
    return architecture, replace(shrink(config), stems=STEMS_4)


def write(path: Path, architecture: str, config: ModelConfig, seed: int = 1) -> nn.Module:
    """Random weights in a file, and the network that has them."""
    network = built(architecture, config, seed)
    info = CheckpointInfo(
        architecture=architecture,
        config=registry.config_to_dict(config),
        stems=config.stems,
        sample_rate=config.sample_rate,
        channels=config.channels,
    )
    write_checkpoint(path, network.state_dict(), info)
    return network


def mixed(config: ModelConfig) -> Tensor:
    return torch.randn(1, config.channels, 3000, generator=torch.Generator().manual_seed(3))


def started(model: Path, architecture: str, config: ModelConfig) -> tuple[nn.Module, StartReport]:
    network = built(architecture, config, seed=2)
    report = start_from(network, config, architecture, str(model), offline=True)
    return network, report


@pytest.mark.parametrize("name", [*SEPARATE_STEMS, *MIXED_STEMS])
def test_the_same_network_takes_over_everything(name: str, tmp_path: Path) -> None:
    architecture, config = tiny(name)
    given = write(tmp_path / "a.safetensors", architecture, config)
    network, report = started(tmp_path / "a.safetensors", architecture, config)
    assert set(report.loaded) == set(network.state_dict())
    assert (report.partly, report.new, report.unused) == ((), (), ())
    with torch.no_grad():
        actual, expected = network(mixed(config)), given(mixed(config))
        torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-6)  # float32 rounding


@pytest.mark.parametrize(("name", "stems"), [*orders()])
def test_stems_come_out_as_before_whatever_their_number_and_order(
    name: str, stems: tuple[str, ...], tmp_path: Path
) -> None:
    architecture, config = tiny(name)
    given = write(tmp_path / "a.safetensors", architecture, config)
    fewer = replace(config, stems=stems)
    network, report = started(tmp_path / "a.safetensors", architecture, fewer)
    assert (report.partly, report.new, report.unused) == ((), (), ())
    places = [config.stems.index(stem) for stem in stems]
    with torch.no_grad():
        # Matrices of another size are multiplied in another order.
        torch.testing.assert_close(
            network(mixed(config)), given(mixed(config))[:, places], rtol=1e-4, atol=1e-5
        )


def test_new_stems_begin_at_random_beside_those_in_common(tmp_path: Path) -> None:
    architecture, config = tiny("htdemucs")
    given = write(tmp_path / "a.safetensors", architecture, config)
    config = replace(config, stems=("guitar", "vocals"))
    random = built(architecture, config, seed=2)
    network, report = started(tmp_path / "a.safetensors", architecture, config)
    assert report.partly, report
    assert not report.new
    own, theirs, before = network.state_dict(), given.state_dict(), random.state_dict()
    for name in report.partly:
        assert own[name].shape != theirs[name].shape
        sizes = zip(own[name].shape, theirs[name].shape, strict=True)
        axis = next(axis for axis, (ours, other) in enumerate(sizes) if ours != other)
        guitar, vocals = own[name].chunk(2, axis)
        assert torch.equal(vocals, theirs[name].chunk(4, axis)[3])
        assert torch.equal(guitar, before[name].chunk(2, axis)[0])
    for name in report.loaded:
        assert torch.equal(own[name], theirs[name])


def test_a_network_may_have_many_stems(tmp_path: Path) -> None:
    architecture, config = tiny("htdemucs")
    config = replace(config, stems=(*STEMS_6, "more 0"))
    write(tmp_path / "a.safetensors", architecture, config)
    network, report = started(tmp_path / "a.safetensors", architecture, config)
    assert set(report.loaded) == set(network.state_dict())


def test_what_is_of_another_size_is_said_and_stays_as_it_was(tmp_path: Path) -> None:
    architecture, config = tiny("htdemucs")
    write(tmp_path / "a.safetensors", architecture, config)
    assert isinstance(config, HTDemucsConfig)
    config = replace(config, bottom_channels=0, transformer=None)
    network, report = started(tmp_path / "a.safetensors", architecture, config)
    assert not report.new
    assert all("transformer" in name or "sampler" in name for name in report.unused)
    assert f"{len(report.unused)} have no place here (" in str(report)
    assert str(report).startswith(
        f"From {tmp_path / 'a.safetensors'}: {len(network.state_dict())} of its tensors taken over;"
    )


def test_weights_of_other_sizes_are_new(tmp_path: Path) -> None:
    architecture, config = tiny("htdemucs")
    write(tmp_path / "a.safetensors", architecture, config)
    assert isinstance(config, HTDemucsConfig)
    levels = tuple(replace(level, decoder_context=0) for level in config.levels)
    other = replace(config, levels=levels)  # kernels of 1 instead of 3
    before = built(architecture, other, seed=2).state_dict()
    network, report = started(tmp_path / "a.safetensors", architecture, other)
    after = network.state_dict()
    assert len(report.new) == len(config.levels)
    assert all(".decoder." in name for name in report.new)
    assert all(torch.equal(after[name], before[name]) for name in report.new)
    assert f"{len(report.new)} begin at random (" in str(report)


def test_the_specialist_of_a_bag_is_taken_for_its_stem(tmp_path: Path) -> None:
    architecture, config = tiny("htdemucs")
    write(tmp_path / "drummer.safetensors", architecture, config, seed=4)
    singer = write(tmp_path / "singer.safetensors", architecture, config, seed=5)
    bag = tmp_path / "bag.yaml"
    bag.write_text("models: [drummer, singer]\nweights: [[1, 1, 1, 0], [0, 0, 0, 1]]\n")
    network, _ = started(bag, architecture, replace(config, stems=("vocals",)))
    name = "unet.spectra.0.encoder.0.conv.weight"
    assert torch.equal(network.state_dict()[name], singer.state_dict()[name])


def test_a_bag_of_which_several_fit_is_refused(tmp_path: Path) -> None:
    architecture, config = tiny("htdemucs")
    for seed, name in enumerate(("a", "b")):
        write(tmp_path / f"{name}.safetensors", architecture, config, seed)
    (tmp_path / "bag.yaml").write_text("models: [a, b]\n")
    with pytest.raises(ConfigError, match=r"2 networks of architecture htdemucs: name one of them"):
        started(tmp_path / "bag.yaml", architecture, config)
    started(tmp_path / "b.safetensors", architecture, config)


def test_another_architecture_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "a.safetensors", *tiny("mdx_time"))
    with pytest.raises(ConfigError, match="is of architecture demucs, and the network is htdemucs"):
        started(tmp_path / "a.safetensors", *tiny("htdemucs"))


def test_a_network_that_nothing_fits_is_refused(tmp_path: Path) -> None:
    architecture, config = tiny("wave_transformer_small")
    write(tmp_path / "a.safetensors", architecture, config)
    assert isinstance(config, WaveTransformerConfig)
    other = replace(config, stems=("speech",), channels=1, widths=(24, 24, 24, 24, 24), hidden=48)
    with pytest.raises(ConfigError, match=r"Nothing of .* fits this network"):
        started(tmp_path / "a.safetensors", architecture, other)


def test_a_model_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnknownModelError, match="no model 'htdemucz'"):
        started(Path("htdemucz"), *tiny("htdemucs"))


def test_parameters_with_new_parts_count_as_new(tmp_path: Path) -> None:
    architecture, config = tiny("htdemucs")
    write(tmp_path / "a.safetensors", architecture, config)
    network, report = started(
        tmp_path / "a.safetensors", architecture, replace(config, stems=("vocals", "guitar"))
    )
    names = loaded_names(report, network)
    assert set(names) | set(report.partly) == {name for name, _ in network.named_parameters()}
    assert not set(names) & set(report.partly)


def test_a_download_ends_when_the_training_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(*_: Any, progress: ProgressSink, **__: Any) -> None:
        part = DownloadProgress(file="htdemucs", received_bytes=1, total_bytes=2, source="hub")
        progress(part)

    monkeypatch.setattr("stemsplit.training.start.load_model", load)
    architecture, config = tiny("htdemucs")
    stop = threading.Event()
    stop.set()
    with pytest.raises(Cancelled):
        start_from(nn.Identity(), config, architecture, "htdemucs", offline=True, stop=stop)
