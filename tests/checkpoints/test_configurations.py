"""Names of models, networks and files to what their networks are built from."""

from pathlib import Path

import pytest

from stemsplit.checkpoints.cache import Cache
from stemsplit.checkpoints.configurations import describe_any, find_networks
from stemsplit.checkpoints.describe import ModelDescription
from stemsplit.checkpoints.manage import add_model
from stemsplit.errors import UnknownModelError
from stemsplit.models.custom import NamedNetwork, load_network
from stemsplit.models.demucs.config import DemucsConfig
from tests.checkpoints.tiny import options, write_reference


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cache:
    monkeypatch.setenv("STEMSPLIT_CACHE", str(tmp_path / "cache"))
    return Cache()


@pytest.fixture
def bag(tmp_path: Path) -> Path:
    """Three networks, two of which are built alike."""
    for index, channels in enumerate((4, 4, 8)):
        path = tmp_path / f"net{index}.safetensors"
        write_reference(path, seed=index, kwargs=options(channels=channels))
    path = tmp_path / "bag.yaml"
    path.write_text("models: ['net0', 'net1', 'net2']\n")
    return path


@pytest.mark.parametrize("name", ["htdemucs", "htdemucs_nn", "tfswa_lite"])
def test_a_registered_network_comes_before_a_model_of_its_name(name: str, cache: Cache) -> None:
    assert find_networks(name, cache=cache) == (load_network(name),)


def test_a_toml_file_is_a_network(tmp_path: Path, cache: Cache) -> None:
    path = tmp_path / "my.toml"
    path.write_text('extends = "htdemucs"')
    (network,) = find_networks(str(path), cache=cache)
    assert network == load_network(path)
    assert describe_any(path, cache=cache) == network
    other = path.rename(tmp_path / "no-suffix")
    assert find_networks(other, cache=cache)[0].config == network.config


def test_networks_of_a_model_are_found_in_its_files_each_kind_once(bag: Path, cache: Cache) -> None:
    alike, other = find_networks(str(bag), cache=cache)
    assert (alike.name, other.name) == (
        "bag (net0.safetensors, net1.safetensors)",
        "bag (net2.safetensors)",
    )
    assert isinstance(alike.config, DemucsConfig)
    assert isinstance(other.config, DemucsConfig)
    assert (alike.config.levels[0].channels, other.config.levels[0].channels) == (4, 8)
    assert alike.architecture == "demucs"


def test_a_registered_model_has_the_networks_of_its_file(tmp_path: Path, cache: Cache) -> None:
    add_model(write_reference(tmp_path / "x.safetensors"), "own")
    (network,) = find_networks("own", cache=cache)
    assert network.name == "own"
    assert isinstance(network.config, DemucsConfig)
    assert isinstance(describe_any("own", cache=cache), ModelDescription)


def test_published_weights_that_name_their_network_need_not_be_here(cache: Cache) -> None:
    (network,) = find_networks("HDEMUCS_HIGH_MUSDB", cache=cache)
    assert network.config == load_network("hdemucs_high").config


@pytest.mark.parametrize(
    ("name", "akin"), [("htdemucs_ft", "htdemucs"), ("mdx", "repro_mdx_a_time")]
)
def test_a_model_that_is_not_here_says_how_to_get_on(name: str, akin: str, cache: Cache) -> None:
    said = rf"models download {name}, or name a network such as {akin}\."
    with pytest.raises(UnknownModelError, match=said):
        find_networks(name, cache=cache)


def test_a_model_comes_before_a_network_in_descriptions(cache: Cache) -> None:
    assert isinstance(describe_any("htdemucs", cache=cache), ModelDescription)
    assert isinstance(describe_any("htdemucs_n", cache=cache), NamedNetwork)


@pytest.mark.parametrize("function", [find_networks, describe_any])
def test_an_unknown_name_is_answered_with_models_and_networks(
    function: object, cache: Cache
) -> None:
    assert callable(function)
    with pytest.raises(UnknownModelError, match=r"no model or network 'htdemucs_mm'\. .*htdemucs"):
        function("htdemucs_mm", cache=cache)
    with pytest.raises(UnknownModelError, match="There is no file a/b"):
        function("a/b", cache=cache)
    with pytest.raises(UnknownModelError, match="models list"):
        function("?", cache=cache)
