"""Networks that a TOML file describes: what it may say, and how it is told what it may not."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from stemsplit.errors import ConfigError, StemsplitError, UnknownModelError
from stemsplit.models.custom import (
    is_network_file,
    load_network,
    network_names,
    registered_networks,
)
from stemsplit.models.htdemucs.config import HTDemucsConfig
from stemsplit.models.registry import config_to_dict, find_variant
from stemsplit.models.wave_transformer.config import WaveTransformerConfig

Write = Callable[..., Path]

BASE = 'extends = "htdemucs"\n'


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(text: str | bytes, name: str = "my.toml") -> Path:
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def published() -> HTDemucsConfig:
    config = find_variant("htdemucs")[1]
    assert isinstance(config, HTDemucsConfig)
    return config


@pytest.mark.parametrize("name", network_names())
def test_a_registered_network_is_found_by_its_name(name: str) -> None:
    network = load_network(name)
    assert (network.architecture, network.config) == find_variant(name)
    assert network.name == name
    assert network.summary
    assert network.source


def test_all_registered_networks_are_listed_once() -> None:
    names = [network.name for network in registered_networks()]
    assert names == list(network_names())
    assert len(set(names)) == len(names)


def test_a_file_that_changes_nothing_is_what_it_extends(write: Write) -> None:
    path = write(BASE)
    network = load_network(path)
    assert (network.name, network.architecture) == ("my", "htdemucs")
    assert network.config == published()
    assert network.summary == load_network("htdemucs").summary
    assert network.source == f"{path}, which extends htdemucs"
    assert load_network(str(path)) == network


def test_name_and_summary_may_be_given(write: Write) -> None:
    network = load_network(write(f'{BASE}name = "thin-1.2"\nsummary = "Mine"\n'))
    assert (network.name, network.summary) == ("thin-1.2", "Mine")


def test_a_table_changes_only_the_fields_it_names(write: Write) -> None:
    text = f'{BASE}stems = ["vocals", "rest"]\n[transformer]\nlayers = 3\n'
    before, after = config_to_dict(published()), config_to_dict(load_network(write(text)).config)
    assert after["stems"] == ["vocals", "rest"]
    assert after["transformer"] == before["transformer"] | {"layers": 3}
    changed = {key for key in before if before[key] != after[key]}
    assert changed == {"stems", "transformer"}


def test_an_array_of_tables_takes_the_place_of_the_whole_array(write: Write) -> None:
    levels = "".join(
        f"[[{tower}]]\nchannels = {channels}\n[{tower}.encoder_residual]\ndepth = 1\n"
        for tower in ("levels", "time_levels")
        for channels in (16, 32)
    )
    config = load_network(write(f"{BASE}{levels}")).config
    assert isinstance(config, HTDemucsConfig)
    assert [level.channels for level in config.levels] == [16, 32]
    assert config.levels[0].decoder_residual is None
    residual = config.time_levels[1].encoder_residual
    assert residual is not None
    assert residual.depth == 1


def test_none_empties_a_field_that_may_be_empty(write: Write) -> None:
    config = load_network(write(f'{BASE}bottom_channels = 0\ntransformer = "none"\n')).config
    assert isinstance(config, HTDemucsConfig)
    assert config.transformer is None


def test_a_file_extends_another_beside_it(write: Write) -> None:
    (write(BASE).parent / "sub").mkdir()
    write('extends = "wave_transformer_small"\nlayers = 2\nheads = 4\n', "base.toml")
    path = write('extends = "../base.toml"\nlayers = 3\n', "sub/mine.toml")
    network = load_network(path)
    assert isinstance(network.config, WaveTransformerConfig)
    assert (network.config.layers, network.config.heads) == (3, 4)
    assert network.architecture == "wave_transformer"
    assert network.source == f"{path}, which extends base"


def test_a_byte_order_mark_and_foreign_line_ends_do_no_harm(write: Write) -> None:
    network = load_network(write(b'\xef\xbb\xbfextends = "htdemucs"\r\nrescale = 0\r\n'))
    assert isinstance(network.config, HTDemucsConfig)
    assert network.config.rescale == 0.0


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownModelError, match=r"no network 'htdemuks'\. Did you mean htdemucs"):
        load_network("htdemuks")
    with pytest.raises(UnknownModelError, match="models list --networks"):
        load_network("?")


def test_a_file_that_is_not_there_is_answered_with_the_nearest(write: Write) -> None:
    path = write(BASE)
    with pytest.raises(UnknownModelError, match=r"no file .*mu\.toml\. Did you mean my\.toml\?"):
        load_network(path.with_name("mu.toml"))
    with pytest.raises(UnknownModelError, match="There is no file"):
        load_network(path.parent / "no" / "where.toml")
    with pytest.raises(UnknownModelError, match="There is no file ~nobody-of-this-name"):
        load_network("~nobody-of-this-name/x.toml")


def test_only_what_ends_as_toml_is_taken_for_a_file() -> None:
    assert is_network_file("htdemucs.toml")
    assert is_network_file(Path("htdemucs"))
    assert not is_network_file("htdemucs")


BAD = {
    "nothing in it": ("", "extends must name a network"),
    "extends is a number": ("extends = 3", "extends must name a network"),
    "extends is empty": ('extends = ""', "extends must name a network"),
    "extends an unknown network": ('extends = "htdemuks"', "Did you mean htdemucs"),
    "extends a file that is not there": ('extends = "mu.toml"', r"mu\.toml, .*mean my\.toml"),
    "extends itself": ('extends = "my.toml"', r"circle: my\.toml extends my\.toml"),
    "no TOML": ("extends = htdemucs", "is no TOML file: Invalid value .*line 1"),
    "a key twice": (f"{BASE}{BASE}", "is no TOML file: Cannot overwrite"),
    "no text": (b"\xff\xfe\x00", "is no TOML file: 'utf-8'"),
    "tables without end": (BASE + "x = " + "[" * 5000, "too deep in each other"),
    "a number without end": (f"{BASE}rescale = 1{'0' * 5000}", "is no TOML file: .*digits"),
    "a misspelt key": (f"{BASE}bottom_chanels = 8", "bottom_chanels .*mean bottom_channels"),
    "a key like no other": (f"{BASE}zzz = 8", "zzz does not exist in htdemucs. There are stems"),
    "a misspelt key in a table": (
        f"{BASE}[transformer]\nlayer = 3",
        r"transformer\.layer does not exist\. Did you mean layers",
    ),
    "a misspelt key in an array": (
        f"{BASE}[[levels]]\nchannels = 8\n[[levels]]\nchannels = 8\nstrid = 2",
        r"levels\[1\]\.strid does not exist\. Did you mean stride",
    ),
    "a row without its number": (f"{BASE}[[levels]]\nkernel = 8", r"levels\[0\]\.channels is miss"),
    "text for a number": (f'{BASE}bottom_channels = "8"', "bottom_channels .*a whole number"),
    "a fraction for a number": (f"{BASE}bottom_channels = 8.0", "takes a whole number"),
    "a truth for a number": (f"{BASE}bottom_channels = true", "True: it takes a whole number"),
    "a number for a truth": (f"{BASE}pad_to_segment = 1", "it takes true or false"),
    "no number": (f"{BASE}rescale = nan", "nan: it takes a number"),
    "endless": (f"{BASE}rescale = inf", "inf: it takes a number"),
    "a date": (f"{BASE}rescale = 2026-01-01", "rescale cannot be datetime.*takes a number"),
    "one stem, not in a list": (f'{BASE}stems = "vocals"', "stems cannot .*takes a list"),
    "stems of another kind": (f"{BASE}stems = [1]", r"stems\[0\] cannot be 1: it takes text"),
    "a stem twice": (f'{BASE}stems = ["a", "a"]', "stems must be distinct"),
    "no stems": (f"{BASE}stems = []", "at least one"),
    "a table for a number": (f"{BASE}[bottom_channels]\nx = 1", "takes a whole number"),
    "a number for a table": (f"{BASE}transformer = 3", "transformer .*takes a table"),
    "none for a number": (f'{BASE}bottom_channels = "none"', "takes a whole number"),
    "a word that is no choice": (
        f'{BASE}[[levels]]\nchannels = 8\nactivation = "tanh"',
        r"levels\[0\]\.activation cannot be 'tanh': it takes gelu or relu",
    ),
    "a rule of the configuration": (f"{BASE}bottom_channels = 6", "width 6 must be a multiple"),
    "a rule of a row": (f"{BASE}[[levels]]\nchannels = 0", "channels of a level must be"),
    "no channels": (f"{BASE}channels = 0", "channels must be at least 1"),
    "a name of another kind": (f"{BASE}name = 3", "name cannot be 3: it takes text"),
    "a name that is a path": (f'{BASE}name = "../x"', r"name cannot be '\.\./x'"),
    "a summary of another kind": (f"{BASE}summary = [1]", "summary cannot be"),
}


@pytest.mark.parametrize(("text", "said"), BAD.values(), ids=list(BAD))
def test_a_bad_file_is_refused_in_one_line_that_names_it(
    write: Write, text: str | bytes, said: str
) -> None:
    path = write(text)
    with pytest.raises(ConfigError, match=said) as caught:
        load_network(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "\n" not in message


def test_files_that_extend_each_other_in_a_circle_are_refused(write: Write) -> None:
    write('extends = "b.toml"', "a.toml")
    write('extends = "c.toml"', "b.toml")
    path = write('extends = "a.toml"', "c.toml")
    with pytest.raises(ConfigError, match=r"c\.toml extends a\.toml extends b\.toml extends c\."):
        load_network(path)


def test_an_error_in_an_extended_file_names_that_file(write: Write) -> None:
    write(f"{BASE}rescal = 1", "base.toml")
    with pytest.raises(ConfigError, match=r"base\.toml: rescal does not exist"):
        load_network(write('extends = "base.toml"'))


def test_what_is_too_long_for_a_configuration_is_not_read(write: Write) -> None:
    with pytest.raises(ConfigError, match="no configuration"):
        load_network(write(BASE + "#" * 1_000_000))


def test_a_folder_cannot_be_read(tmp_path: Path) -> None:
    folder = tmp_path / "folder.toml"
    folder.mkdir()
    with pytest.raises(StemsplitError, match=r"folder\.toml cannot be read: "):
        load_network(folder)


def test_files_are_read_without_importing_torch(write: Write) -> None:
    code = (
        "import sys; from stemsplit.models.custom import *; load_network(sys.argv[1]); "
        "registered_networks(); sys.exit('torch' in sys.modules)"
    )
    words = [sys.executable, "-c", code, str(write(BASE))]
    assert subprocess.run(words, check=False).returncode == 0
