"""Sets of generated songs on disk: complete, exact, resumable, however many workers."""

import json
import shutil
import wave
from collections import namedtuple
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stemsplit.errors import ConfigError, DatasetError, EncodeError
from stemsplit.evaluation.data.find import open_dataset
from stemsplit.training.synth.dataset import SynthOptions, make_set

_Usage = namedtuple("_Usage", "total used free")


def _read(path: Path) -> np.ndarray:
    with wave.open(str(path), "rb") as file:
        assert (file.getnchannels(), file.getframerate(), file.getsampwidth()) == (2, 44_100, 2)
        return np.frombuffer(file.readframes(file.getnframes()), dtype="<i2").astype(np.int32)


def _bytes(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_a_set_is_read_back_as_musdb_and_its_mixtures_are_exact_sums(tmp_path: Path) -> None:
    made = list(make_set(SynthOptions(tmp_path / "set", 2, seconds=1)))
    assert [song.was_there for song in made] == [False, False]
    found = open_dataset(tmp_path / "set", "train")
    assert [track.name for track in found.tracks] == [song.name for song in made]
    assert set(found.stems) == {"drums", "bass", "other", "vocals"}
    for song in made:
        signals = {path.stem: _read(path) for path in song.folder.glob("*.wav")}
        mixture = signals.pop("mixture")
        assert len(mixture) == 2 * 44_100
        np.testing.assert_array_equal(sum(signals.values()), mixture)


def test_a_run_goes_on_where_it_was_and_ends_with_the_same_bytes(tmp_path: Path) -> None:
    whole = SynthOptions(tmp_path / "whole", 3, seconds=1)
    list(make_set(whole))
    parts = replace(whole, out=tmp_path / "parts")
    list(make_set(replace(parts, num_songs=1)))
    assert [song.was_there for song in make_set(parts)] == [True, False, False]
    assert _bytes(parts.out) == _bytes(whole.out)


@pytest.mark.slow
def test_workers_change_nothing(tmp_path: Path) -> None:
    alone = SynthOptions(tmp_path / "alone", 2, seconds=0.5)
    together = replace(alone, out=tmp_path / "together", workers=2)
    for options in (alone, together):
        assert len(list(make_set(options))) == 2
    assert _bytes(alone.out) == _bytes(together.out)


def test_other_songs_under_the_same_names_are_not_mixed_in(tmp_path: Path) -> None:
    options = SynthOptions(tmp_path, 1, seconds=1)
    list(make_set(options))
    before = _bytes(tmp_path)
    with pytest.raises(DatasetError, match="holds another song than was asked for"):
        list(make_set(replace(options, seconds=2)))
    assert _bytes(tmp_path) == before


def test_a_disk_that_is_too_small_is_noticed_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: _Usage(9, 9, 1000))
    with pytest.raises(DatasetError, match=r"2 songs of 30 s take 0\.1 GB, .* Ask for fewer"):
        list(make_set(SynthOptions(tmp_path / "set", 2)))
    assert not (tmp_path / "set").exists()


def test_a_song_that_cannot_be_written_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(wave, "open", full)
    with pytest.raises(EncodeError, match=r"No space left on device\. Make room"):
        list(make_set(SynthOptions(tmp_path / "set", 1, seconds=1)))
    assert not (tmp_path / "set").exists()


def test_spoilt_facts_are_said(tmp_path: Path) -> None:
    options = SynthOptions(tmp_path, 1, seconds=1)
    (made,) = make_set(options)
    (made.folder / "song.json").write_text("[]")
    with pytest.raises(DatasetError, match="Remove its folder"):
        list(make_set(options))


def test_facts_are_kept_beside_the_song(tmp_path: Path) -> None:
    (made,) = make_set(SynthOptions(tmp_path, 1, seed=4, split="valid", seconds=1))
    facts = json.loads((made.folder / "song.json").read_text())
    assert made.folder.parent == tmp_path / "valid"
    assert facts["request"]["seed"] == 4
    assert facts["split"] == "valid"
    assert facts["sources"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_songs": 0}, "--songs 0 is too small"),
        ({"seed": -1}, "--seed -1"),
        ({"workers": 0}, "--workers 0"),
        ({"seconds": 1e9}, "--seconds 1e"),
        ({"split": "dev"}, "'dev' is no split"),
    ],
)
def test_impossible_options_are_refused(options: dict[str, object], message: str) -> None:
    wanted: dict[str, object] = {"out": Path("x"), "num_songs": 1, **options}
    with pytest.raises(ConfigError, match=message):
        SynthOptions(**wanted)  # type: ignore[arg-type]
