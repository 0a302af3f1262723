"""Networks on the command line: listed, described and profiled."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from stemsplit.errors import ConfigError
from stemsplit.models.custom import NamedNetwork, network_names, registered_networks
from tests.cli.conftest import Command

COLUMNS = ["name", "parameters", "operations", "weights", "activations", "seconds", "speed"]


def document(stemsplit: Command, *words: str | Path) -> Any:
    result = stemsplit("models", *words, "--json")
    assert result.status == 0
    assert result.err == ""
    return json.loads(result.out)


@pytest.fixture
def own(folder: Path) -> Path:
    """A small network of one's own, as a file."""
    path = folder / "own.toml"
    path.write_text(
        'extends = "wave_transformer_small"\nsummary = "Mine"\nstems = ["a", "b"]\n'
        "widths = [8, 16]\nlayers = 1\nhidden = 8\nheads = 2\n"
    )
    return path


def test_the_list_of_networks_has_every_name(stemsplit: Command) -> None:
    lines = stemsplit("models", "list", "--networks").out.splitlines()
    assert lines[0].split() == ["name", "architecture", "stems", "segment", "what", "it", "is"]
    assert [line.split()[0] for line in lines[1:]] == list(network_names())


def test_the_list_of_networks_as_json(stemsplit: Command) -> None:
    listed = {network["name"]: network for network in document(stemsplit, "list", "--networks")}
    assert list(listed) == list(network_names())
    assert listed["htdemucs"]["segment_seconds"] == 7.8
    assert listed["htdemucs"]["has_fixed_length"] is True
    for network in registered_networks():
        assert listed[network.name]["summary"] == network.summary
        assert listed[network.name]["source"] == network.source
        assert listed[network.name]["stems"] == list(network.config.stems)


@pytest.mark.parametrize("words", ["list --networks", "info htdemucs_n --no-flow"])
def test_torch_is_not_needed_to_list_and_describe(words: str, folder: Path) -> None:
    code = (
        "import sys; from stemsplit.cli.app import app; "
        "app(sys.argv[1:], standalone_mode=False); sys.exit('torch' in sys.modules)"
    )
    program = [sys.executable, "-c", code, "models", *words.split()]
    assert subprocess.run(program, check=False, capture_output=True).returncode == 0


def test_a_network_is_described_and_drawn(stemsplit: Command, own: Path) -> None:
    result = stemsplit("models", "info", own)
    lines = result.out.splitlines()
    assert lines[0] == "network:      own (wave_transformer)"
    assert lines[1] == "what it is:   Mine"
    assert "own.toml, which extends wave_transformer_small" in lines[2]
    assert "2 levels of 8, 16 features" in result.out
    assert lines[-1].split() == ["●", "stems", "2", "x", "2", "x", "221184", "a,", "b"]
    assert "●" not in stemsplit("models", "info", own, "--no-flow").out
    assert stemsplit("models", "info", "--network", own).out == result.out


def test_a_network_without_published_weights_names_its_source(stemsplit: Command) -> None:
    out = stemsplit("models", "info", "htdemucs_n").out
    assert "github.com/piusssss/demucs_learn" in out
    for n_fft in (2048, 4096, 8192):
        assert f"{n_fft} encoder 0" in out
    assert "linear attention" in out


def test_a_network_is_described_as_json(stemsplit: Command, own: Path) -> None:
    facts = document(stemsplit, "info", own)
    assert (facts["name"], facts["kind"], facts["stems"]) == ("own", "network", ["a", "b"])
    assert facts["config"]["widths"] == [8, 16]
    assert facts["description"][0].startswith("Takes two channels")
    first, last = facts["flow"][0], facts["flow"][-1]
    assert (first["name"], first["shapes"]) == ("mix", [[2, 221184]])
    assert (last["name"], last["shapes"]) == ("stems", [[2, 2, 221184]])
    assert all(0 <= number < len(facts["flow"]) for number, _ in last["inputs"])
    assert "flow" not in document(stemsplit, "info", own, "--no-flow")


def test_a_model_keeps_its_terms_and_shows_its_flow_when_asked(stemsplit: Command) -> None:
    plain = stemsplit("models", "info", "htdemucs")
    assert "terms:" in plain.out
    assert "●" not in plain.out
    assert "info htdemucs --flow" in plain.err
    drawn = stemsplit("models", "info", "htdemucs", "--flow").out
    assert drawn.startswith(plain.out)
    assert "spectrogram encoder 3" in drawn
    facts = document(stemsplit, "info", "htdemucs", "--flow")
    assert "licence" in facts
    assert [network["name"] for network in facts["networks"]] == ["htdemucs"]


def test_the_flow_of_ones_own_model_is_read_from_its_file(
    stemsplit: Command, tiny_model: Path
) -> None:
    out = stemsplit("models", "info", tiny_model, "--flow").out
    assert "2 levels of 4, 8 features" in out


def test_networks_are_profiled_side_by_side(
    stemsplit: Command, own: Path, tiny_model: Path
) -> None:
    result = stemsplit("models", "profile", own, tiny_model, "--seconds", "0.5", "--device", "cpu")
    assert result.status == 0
    head, *rows = result.out.splitlines()
    assert head.split() == COLUMNS
    assert [row.split()[0] for row in rows] == ["own", "tiny"]
    assert all(row.rstrip().endswith("x") for row in rows)
    told = result.err.splitlines()
    assert told[:2] == ["own (1 of 2)", "tiny (2 of 2)"]
    assert told[2].startswith("0.5 s of audio; cpu, ")


def test_a_profile_as_json(stemsplit: Command, own: Path) -> None:
    (profile,) = document(
        stemsplit, "profile", "--network", own, "--seconds", "0.5", "--device", "cpu"
    )
    assert profile["name"] == "own"
    assert profile["weight_bytes"] == 4 * profile["parameters"]
    assert profile["operations"] > 0
    assert profile["seconds"] > 0
    assert profile["activation_bytes"] > 0
    assert (profile["audio_seconds"], profile["device"]) == (0.5, "cpu")


def test_all_networks_are_profiled_when_none_is_named(
    stemsplit: Command, own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names: list[str] = []

    def refuse(network: NamedNetwork, *, seconds: float, device: str | None) -> None:
        names.append(network.name)
        assert (seconds, device) == (10.0, None)
        raise ConfigError(f"{network.name} is refused.")

    monkeypatch.setattr("stemsplit.models.profile.profile_network", refuse)
    result = stemsplit("models", "profile", "--no-timing")
    assert names == list(network_names())
    assert result.status == 1
    assert result.out == ""
    assert "htdemucs_nn is refused." in result.err.splitlines()
    result = stemsplit("models", "profile", "htdemucs_nn", "--no-timing", "--json")
    assert result.status == 1
    assert json.loads(result.out) == [{"name": "htdemucs_nn", "problem": "htdemucs_nn is refused."}]


def test_without_timing_nothing_is_computed(stemsplit: Command, own: Path) -> None:
    (profile,) = document(stemsplit, "profile", own, "--no-timing")
    assert (profile["seconds"], profile["real_time_factor"]) == (None, None)
    assert profile["device"] == "meta"
    result = stemsplit("models", "profile", own, "--no-timing")
    assert result.err.splitlines()[-1] == "10 s of audio; nothing was computed."


def test_stems_change_what_is_profiled(stemsplit: Command, own: Path) -> None:
    (three,) = document(stemsplit, "profile", own, "--no-timing", "--stems", "a,b,c")
    (two,) = document(stemsplit, "profile", own, "--no-timing")
    # The last projection sees 8 features and the mix, for two channels of a stem, and adds biases.
    assert three["parameters"] - two["parameters"] == (8 + 2) * 2 + 2
    assert three["stems"] == ["a", "b", "c"]


def test_a_network_that_cannot_be_built_does_not_stop_the_others(
    stemsplit: Command, own: Path, folder: Path
) -> None:
    bad = folder / "bad.toml"
    bad.write_text('extends = "repro_mdx_a_time"\n[[levels]]\nchannels = 6\nnorm_groups = 4\n')
    bad.write_text(bad.read_text() + "padding = 0\n")
    result = stemsplit("models", "profile", bad, own, "--no-timing")
    assert result.status == 1
    assert [row.split()[0] for row in result.out.splitlines()[1:]] == ["own"]
    assert "bad cannot be built: " in result.err
    result = stemsplit("models", "info", bad)
    assert result.status == 2
    assert "bad cannot be built: " in result.err


def test_a_pass_for_which_memory_lacks_leaves_a_row_and_a_line(
    stemsplit: Command, own: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "meminfo").write_text("MemAvailable: 1 kB\n")
    monkeypatch.setattr("stemsplit.models.profile._MEMORY_FILE", folder / "meminfo")
    result = stemsplit("models", "profile", own, "--device", "cpu")
    assert result.status == 1
    assert result.out.splitlines()[1].startswith("own")
    assert "own not run: it takes about" in result.err
    result = stemsplit("models", "profile", own, "--device", "cpu", "--json")
    (profile,) = json.loads(result.out)
    assert "0.0 GB are free" in profile["problem"]


WRONG = {
    "an unknown name": (["profile", "htdemuks"], 1, "Did you mean htdemucs"),
    "a name to describe": (["info", "htdemucs_mn"], 1, "no model or network"),
    "a model that is not here": (["profile", "htdemucs_ft"], 1, "models download htdemucs_ft"),
    "the flow of such a model": (["info", "mdx", "--flow"], 1, "models download mdx"),
    "a file that is not there": (["profile", "nowhere.toml"], 1, "There is no file nowhere.toml"),
    "a file of another kind": (["info", "--network", "song.wav"], 2, "song.wav is no TOML file"),
    "a length below zero": (["profile", "tfswa_lite", "--seconds=-1"], 2, "must be above 0"),
    "a length of zero": (["profile", "tfswa_lite", "--seconds", "0"], 2, "must be above 0"),
    "a huge length": (["profile", "tfswa_lite", "--seconds", "1e9"], 2, "at most 600 s"),
    "no length": (["profile", "tfswa_lite", "--seconds", "long"], 2, "'long' is not a number"),
    "a device that is none": (["profile", "tfswa_lite", "--device", "gpu"], 1, "Device 'gpu'"),
    "a device for nothing": (
        ["profile", "tfswa_lite", "--device", "cpu", "--no-timing"],
        2,
        "do not go together",
    ),
    "stems twice": (["profile", "tfswa_lite", "--stems", "a,a"], 2, "stems must be distinct"),
    "no stems": (["profile", "tfswa_lite", "--stems", ","], 2, "at least one name"),
    "no name": (["info"], 2, "Give the name of a model or a network"),
    "a name and a file": (["info", "mdx", "--network", "x.toml"], 2, "Give the name of a model"),
}


@pytest.mark.parametrize(("words", "status", "said"), WRONG.values(), ids=list(WRONG))
def test_wrong_words_are_answered_in_a_line_before_any_work(
    stemsplit: Command, folder: Path, words: list[str], status: int, said: str
) -> None:
    (folder / "song.wav").write_bytes(b"RIFF\xff\xff\xff\xffWAVE")
    result = stemsplit("models", *words)
    assert (result.status, result.out) == (status, "")
    assert said in result.err
    assert len(result.err.splitlines()) == 1
