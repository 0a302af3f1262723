"""`stemsplit demo`: the song of the package becomes four files with their scores."""

import json
import tomllib
from pathlib import Path

import pytest
import torch

import stemsplit as package
from stemsplit.checkpoints import bundled
from stemsplit.evaluation.data.find import open_dataset
from stemsplit.evaluation.data.sources import FileSource
from stemsplit.evaluation.metrics import usdr
from stemsplit.models.base import STEMS_4
from tests.cli.conftest import Command

SONG = Path(package.__file__).parent / "bundled" / "song"
ROOT = Path(__file__).parents[2]


def test_the_song_is_the_sum_of_its_stems_and_of_the_test_split() -> None:
    (track,) = open_dataset(SONG)
    assert set(track.stems) == set(STEMS_4)
    assert track.duration_seconds == 12.0
    total = torch.stack([source.read() for source in track.stems.values()]).sum(dim=0)
    torch.testing.assert_close(track.mix.read(), total, atol=1e-6, rtol=0)
    assert all(source.read().square().mean() > 1e-5 for source in track.stems.values())
    facts = json.loads((SONG / "song.json").read_text())
    assert facts["split"] == facts["request"]["split"] == "test"
    assert facts["sources"] == ["synthesis"]  # nothing of other people's is passed on


def test_four_files_and_their_scores_are_shown(
    stemsplit: Command, tiny_model: Path, folder: Path
) -> None:
    result = stemsplit("demo", "--model", tiny_model)
    assert result.status == 0
    head, *rows = (line.split() for line in result.out.splitlines())
    assert head[:2] == ["stem", "SDR"]
    assert [row[0] for row in rows] == [*STEMS_4, "mean"]
    for row in rows[:-1]:
        assert Path(row[-1]).as_posix() == f"demo/tiny/{row[0]}.wav"
        assert Path(row[-1]).is_file()
        assert float(row[3]) > -0.01  # a mix at the best level is never worse than silence
    mean = sum(float(row[1]) for row in rows[:-1]) / 4
    assert mean == pytest.approx(float(rows[-1][1]), abs=0.01)


def test_scores_are_those_of_the_files_also_in_a_second_run_over_the_first(
    stemsplit: Command, tiny_model: Path
) -> None:
    (track,) = open_dataset(SONG)
    for words in ((), ("--offline",)):
        result = stemsplit("demo", "--model", tiny_model, "--json", "--out", "x", *words)
        assert result.status == 0
        scores = result.objects[-1]
        assert scores["event"] == "scores"
        assert [one["stem"] for one in scores["stems"]] == list(STEMS_4)
        (finished,) = (one for one in result.objects if one["event"] == "song_finished")
        assert finished["gain_db"] < -1  # this network is too loud for a wav
        for one in scores["stems"]:
            made = FileSource(Path(one["file"])).read() * 10 ** (-finished["gain_db"] / 20)
            true = track.stems[one["stem"]].read()
            assert float(usdr(true, made)) == pytest.approx(one["sdr_db"], abs=1e-3)


def test_a_file_in_the_way_is_replaced_where_that_is_wanted(
    stemsplit: Command, tiny_model: Path, folder: Path
) -> None:
    other = folder / "demo/tiny/bass.wav"
    other.parent.mkdir(parents=True)
    other.write_bytes(b"mine")
    result = stemsplit("demo", "--model", tiny_model)
    assert result.status == 1
    assert "Add --overwrite" in result.err
    assert stemsplit("demo", "--model", tiny_model, "--overwrite").status == 0
    assert other.read_bytes()[:4] == b"RIFF"


def test_a_model_with_other_stems_is_not_scored(
    stemsplit: Command, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stemsplit.cli.demo._score", lambda *_: iter(()))
    result = stemsplit("demo", "--model", tiny_model)
    assert result.status == 0
    assert "Nothing to score: the song has none of the stems of tiny." in result.err


def test_without_the_bundled_weights_one_line_says_so(
    stemsplit: Command, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "song").symlink_to(SONG, target_is_directory=True)
    monkeypatch.setattr(bundled, "FOLDER", folder)
    result = stemsplit("demo", "--offline")
    assert result.status == 1
    assert "this installation lacks" in result.err.splitlines()[-1]
    assert not (folder / "demo").exists()


def test_the_wheel_carries_weights_card_and_song(tmp_path: Path) -> None:
    builder = pytest.importorskip("hatchling.builders.wheel", reason="needs the dev extra")
    folder = tmp_path / "stemsplit/bundled"
    (folder / "song").mkdir(parents=True)
    files = ["htdemucs_nn.safetensors", "htdemucs_nn.md", "song/mixture.flac", "song/song.json"]
    for name in files:
        (folder / name).touch()
    (tmp_path / "stemsplit/__init__.py").write_text('__version__ = "1"\n')
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    (tmp_path / ".gitignore").write_text("*.safetensors\n*.flac\n")  # even then
    found = builder.WheelBuilder(str(tmp_path)).recurse_included_files()
    assert {f"stemsplit/bundled/{name}" for name in files} <= {
        Path(one.distribution_path).as_posix() for one in found
    }


def test_the_build_is_told_of_the_bundled_files() -> None:
    targets = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    assert targets["targets"]["wheel"]["artifacts"] == ["stemsplit/bundled/**"]
