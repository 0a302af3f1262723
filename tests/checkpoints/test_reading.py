"""Files of every format become the same network; faulty ones are refused in words."""

import json
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from stemsplit.checkpoints.networks import build
from stemsplit.checkpoints.reading import describe_file, read_checkpoint
from stemsplit.checkpoints.weights import (
    CheckpointInfo,
    read_info,
    read_metadata,
    write_checkpoint,
)
from stemsplit.errors import (
    CheckpointError,
    ConfigError,
    KeyMismatchError,
    StemsplitError,
    UnsafeCheckpointError,
)
from stemsplit.models import base, registry
from tests.checkpoints import tiny

WRITERS = {
    "own.safetensors": tiny.write_own,
    "reference.safetensors": tiny.write_reference,
    "legacy.th": tiny.write_legacy,
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_format_gives_the_same_network(tmp_path: Path, name: str) -> None:
    kwargs = tiny.options(["drums", "voice"])
    path = WRITERS[name](tmp_path / name, kwargs=kwargs, seed=7)
    checkpoint = read_checkpoint(path)
    assert checkpoint.info.architecture == "demucs"
    assert checkpoint.config.stems == ("drums", "voice")
    assert checkpoint.config.segment_samples == 44_100
    network = build("demucs", checkpoint.config, checkpoint.state, name=name)
    assert not network.training
    expected = tiny.ours(kwargs, tiny.state(kwargs, 7))
    found = network.state_dict()
    assert set(found) == set(expected)
    for key, tensor in expected.items():
        assert found[key].dtype == torch.float32
        assert torch.equal(found[key], tensor)


@pytest.mark.parametrize("name", WRITERS)
def test_what_a_file_is_does_not_depend_on_its_name(tmp_path: Path, name: str) -> None:
    path = WRITERS[name](tmp_path / name).rename(tmp_path / "download.part")
    assert read_checkpoint(path).info.architecture == "demucs"


@pytest.mark.parametrize("name", WRITERS)
def test_a_file_is_described_without_reading_weights_or_torch(tmp_path: Path, name: str) -> None:
    kwargs = tiny.options(["a", "b", "c"], samplerate=22_050, audio_channels=1)
    path = WRITERS[name](tmp_path / name, kwargs=kwargs)
    code = (
        "import sys; from pathlib import Path;"
        "from stemsplit.checkpoints.reading import describe_file;"
        f"info = describe_file(Path({str(path)!r}));"
        "print(info.architecture, info.stems, info.sample_rate, info.channels);"
        "assert 'torch' not in sys.modules"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout == "demucs ('a', 'b', 'c') 22050 1\n"


def test_the_segment_of_a_file_may_be_a_fraction(tmp_path: Path) -> None:
    kwargs = tiny.options(segment=Fraction(39, 5))
    for name, write in WRITERS.items():
        checkpoint = read_checkpoint(write(tmp_path / name, kwargs=kwargs))
        assert checkpoint.config.segment_samples == 343_980


def test_our_file_keeps_what_is_known_about_the_weights(tmp_path: Path) -> None:
    checkpoint = read_checkpoint(tiny.write_legacy(tmp_path / "x.th"))
    info = CheckpointInfo(
        **{
            **vars(checkpoint.info),
            "origin": "https://example.org/x.th",
            "origin_sha256": "ab" * 32,
        },
    )
    info = CheckpointInfo(
        **{
            **vars(info),
            "licence": "ask me",
            "trained_on": "my songs",
            "trained_sets": ("musdb:test",),
        }
    )
    path = tmp_path / "x.safetensors"
    write_checkpoint(path, checkpoint.state, info)
    assert read_info(path) == info


def test_a_file_of_the_first_version_still_says_that_it_has_seen_the_test_songs(
    tmp_path: Path,
) -> None:
    path = tiny.write_own(tmp_path / "x.safetensors")
    metadata = {**read_metadata(path), "has_musdb_test": "true"}
    assert read_info(path, metadata).trained_sets == ("musdb:train", "musdb:test")
    assert read_info(path).trained_sets == ()


def test_our_file_takes_half_the_bytes_where_that_loses_nothing(tmp_path: Path) -> None:
    kwargs = tiny.options()
    halves = tiny.ours(kwargs, tiny.state(kwargs))
    first, *others = halves
    weights = {**halves, first: halves[first] + 1e-5}  # no longer a 16-bit number
    info = read_checkpoint(tiny.write_own(tmp_path / "x.safetensors")).info
    write_checkpoint(tmp_path / "y.safetensors", weights, info)
    stored = load_file(tmp_path / "y.safetensors")
    assert stored[first].dtype == torch.float32
    assert {stored[name].dtype for name in others} == {torch.float16}
    for name, tensor in weights.items():
        assert torch.equal(stored[name].float(), tensor)


@pytest.mark.skipif(sys.platform == "win32", reason="permissions are other there")
def test_a_checkpoint_can_be_read_by_whoever_may_read_other_files(tmp_path: Path) -> None:
    usual = tmp_path / "usual"
    usual.touch()
    path = tiny.write_own(tmp_path / "x.safetensors")
    assert path.stat().st_mode == usual.stat().st_mode


def test_a_file_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    checkpoint = read_checkpoint(tiny.write_own(tmp_path / "x.safetensors"))
    target = tmp_path / "folder.safetensors"
    target.mkdir()
    with pytest.raises(CheckpointError, match=r"folder\.safetensors cannot be written"):
        write_checkpoint(target, checkpoint.state, checkpoint.info)
    assert {path.name for path in tmp_path.iterdir()} == {"x.safetensors", "folder.safetensors"}


def test_the_bare_state_of_torchaudio_is_known_by_its_names(tmp_path: Path) -> None:
    path = tmp_path / "hdemucs_high_trained.pt"
    # Whether a whole state fits is tested where the networks are; here a piece of one is enough.
    torch.save({"freq_encoder.0.conv.weight": torch.zeros(48, 4, 8, 1)}, path)
    assert describe_file(path).stems == tuple(tiny.STEMS)
    checkpoint = read_checkpoint(path)
    assert checkpoint.info.architecture == "hdemucs"
    assert [tensor.shape for tensor in checkpoint.state.values()] == [(48, 4, 8, 1)]
    assert set(checkpoint.state) < set(
        registry.build_network("hdemucs", checkpoint.config).state_dict()
    )


def test_bare_weights_of_unknown_origin_are_refused(tmp_path: Path) -> None:
    torch.save({"weight": torch.zeros(3)}, tmp_path / "x.pt")
    for read in (read_checkpoint, describe_file):
        with pytest.raises(CheckpointError, match="without saying of which network"):
            read(tmp_path / "x.pt")


def edit(path: Path, **metadata: str | None) -> Path:
    """The same safetensors file with changed metadata."""
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        values = {**file.metadata(), **metadata}
    kept = {key: value for key, value in values.items() if value is not None}
    save_file(load_file(path), path, metadata=kept)
    return path


@pytest.mark.parametrize(
    ("metadata", "error", "message"),
    [
        ({"klass": "os.system"}, ConfigError, r"os\.system are not supported"),
        ({"klass": "demucs.demucs.Demuks"}, ConfigError, r"Did you mean demucs\.demucs\.Demucs"),
        ({"klass": None}, CheckpointError, "without saying of which network"),
        ({"kwargs": "{"}, CheckpointError, "description makes no sense"),
        ({"kwargs": "[]"}, CheckpointError, "description makes no sense"),
        ({"args": "5"}, CheckpointError, "description makes no sense"),
        ({"kwargs": "[" * 100_000}, CheckpointError, "description makes no sense"),
        (
            {"kwargs": '{"segment": {"_type": "fraction", "numerator": 1, "denominator": 0}}'},
            CheckpointError,
            "description makes no sense",
        ),
        ({"structure": '{"_class": "os.system", "_list": []}'}, CheckpointError, "makes no sense"),
        ({"structure": '{"_new": []}'}, CheckpointError, "makes no sense"),
        ({"structure": '{"_class": "os.system"}'}, CheckpointError, "makes no sense"),
    ],
)
def test_a_faulty_reference_file_is_refused(
    tmp_path: Path, metadata: dict[str, str | None], error: type[StemsplitError], message: str
) -> None:
    path = edit(tiny.write_reference(tmp_path / "x.safetensors"), **metadata)
    with pytest.raises(error, match=message) as caught:
        read_checkpoint(path)
    assert "x.safetensors" in str(caught.value)


@pytest.mark.parametrize(
    ("metadata", "error", "message"),
    [
        ({"format_version": "3"}, CheckpointError, "written by a later stemsplit"),
        (
            {"format_version": "1"},
            CheckpointError,
            "written by stemsplit .*other names.*models remove",
        ),
        ({"architecture": "os"}, CheckpointError, "for the architecture 'os'"),
        ({"config": "{"}, CheckpointError, "description is incomplete"),
        ({"config": '{"stemz": ["a"]}'}, ConfigError, "stemz"),
        ({"stems": None}, CheckpointError, "description is incomplete"),
        ({"sample_rate": "fast"}, CheckpointError, "description is incomplete"),
        ({"format": "other"}, CheckpointError, "without saying of which network"),
    ],
)
def test_a_faulty_file_of_ours_is_refused(
    tmp_path: Path, metadata: dict[str, str | None], error: type[StemsplitError], message: str
) -> None:
    path = edit(tiny.write_own(tmp_path / "x.safetensors"), **metadata)
    with pytest.raises(error, match=message):
        read_checkpoint(path)


@pytest.mark.parametrize("length", [9, 20, 200, 1000, -1])
def test_a_cut_safetensors_file_is_refused(tmp_path: Path, length: int) -> None:
    path = tiny.write_own(tmp_path / "x.safetensors")
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(CheckpointError, match=r"x\.safetensors"):
        read_checkpoint(path)


def test_a_head_of_terabytes_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes((2**40).to_bytes(8, "little") + b"{}")
    with pytest.raises(CheckpointError, match="no safetensors file, or cut short"):
        read_checkpoint(path)


def test_an_option_that_is_not_supported_is_named(tmp_path: Path) -> None:
    options = {"sources": ["a"], "hybrid": False}
    metadata = {"klass": "demucs.hdemucs.HDemucs", "args": "[]", "kwargs": json.dumps(options)}
    save_file({"x": torch.zeros(1)}, tmp_path / "x.safetensors", metadata=metadata)
    with pytest.raises(ConfigError, match=r"x\.safetensors: .*hybrid"):
        read_checkpoint(tmp_path / "x.safetensors")


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("stem", ["../../up", "a/b", "a\\b", "", ".", "\x1b[31m", "x" * 41, "a\n"])
def test_a_stem_has_a_name_that_can_be_a_file(tmp_path: Path, name: str, stem: str) -> None:
    with pytest.MonkeyPatch.context() as patch:  # stemsplit itself makes no such file
        patch.setattr(base, "check_stem_names", lambda stems: None)
        path = WRITERS[name](tmp_path / name, kwargs=tiny.options(["drums", stem]))
    for read in (read_checkpoint, describe_file):
        with pytest.raises(ConfigError, match=rf"{name}: The stem .* is no plain name"):
            read(path)


def load(path: Path) -> None:
    checkpoint = read_checkpoint(path)
    build("demucs", checkpoint.config, checkpoint.state, name=path.name)


@pytest.mark.parametrize(
    "options",
    [
        {"channels": "many"},
        {"depth": None},
        {"segment": "x"},
        {"sources": 5},
        {"norm_groups": 0, "norm_starts": 0},
        {"growth": float("nan")},
        {"channels": 0},
    ],
)
def test_strange_arguments_are_an_error_in_words(tmp_path: Path, options: dict[str, Any]) -> None:
    metadata = {
        "klass": tiny.CLASS,
        "args": "[]",
        "kwargs": json.dumps({"sources": tiny.STEMS, "channels": 4, "depth": 2, **options}),
    }
    path = tmp_path / "x.safetensors"
    save_file({"x": torch.zeros(1)}, path, metadata=metadata)
    with pytest.raises(StemsplitError) as caught:
        load(path)
    assert "x.safetensors" in str(caught.value)


def test_a_network_larger_than_any_memory_is_an_error_in_words(tmp_path: Path) -> None:
    kwargs = {"sources": ["a"], "channels": 2**24, "depth": 2}
    architecture, config, _ = registry.import_reference(tiny.CLASS, [], kwargs, {})
    with pytest.raises(CheckpointError, match="huge: its network cannot be built"):
        build(architecture, config, {}, name="huge")


def test_missing_and_unexpected_weights_are_listed_up_to_ten() -> None:
    kwargs = tiny.options()
    architecture, config, state = registry.import_reference(
        tiny.CLASS, [], kwargs, tiny.state(kwargs)
    )
    names = list(state)
    renamed = {f"new.{name}" if name in names[:12] else name: t for name, t in state.items()}
    renamed[names[-1]] = torch.zeros(3)
    with pytest.raises(KeyMismatchError) as caught:
        build(architecture, config, renamed, name="song.th")
    message = str(caught.value)
    assert message.startswith("song.th does not hold the weights of the network it names")
    assert f"missing: {', '.join(names[:10])} and 2 more" in message
    assert "unexpected: new." in message
    assert f"of another shape: {names[-1]} (3,) instead of" in message


def test_a_hostile_package_never_reaches_the_network(tmp_path: Path) -> None:
    path = tiny.write_legacy(tmp_path / "x.th", extra=tmp_path)
    for read in (read_checkpoint, describe_file):
        with pytest.raises(UnsafeCheckpointError, match="pathlib"):
            read(path)
