"""Every layout is recognised, and gives the signals that were written."""

import os
from pathlib import Path

import pytest
import torch
from torch import Tensor

from stemsplit.errors import DatasetError
from stemsplit.evaluation.data.dataset import Dataset
from stemsplit.evaluation.data.layouts import read_layout
from tests.audio.material import encode, write_wav
from tests.evaluation.data_sets import (
    CODED_RATE,
    RATE,
    STEMS,
    mix_of,
    song,
    write_coded_song,
    write_described_song,
    write_song,
)

VALIDATION, TEST = "ANiMAL - Rockshow", "Zeno - Signs"  # two real names


@pytest.mark.parametrize("name", ["instrumental", "Accompaniment", "no_drums"])
def test_a_sum_beside_its_parts_is_not_in_the_mix_twice(tmp_path: Path, name: str) -> None:
    stems = song()
    write_song(tmp_path / "a", {**stems, name: mix_of(stems) - stems["vocals"]})
    (track,) = read_layout(tmp_path)
    assert tuple(track.stems) == STEMS
    mix = torch.cat(list(track.mix.blocks()), dim=-1)
    torch.testing.assert_close(mix, mix_of(stems), rtol=0, atol=1e-6)  # files are of floats


def test_a_sum_in_place_of_its_parts_is_a_stem(tmp_path: Path) -> None:
    stems = song()
    two = {"vocals": stems["vocals"], "instrumental": mix_of(stems) - stems["vocals"]}
    write_song(tmp_path / "a", two)
    (track,) = read_layout(tmp_path)
    assert set(track.stems) == set(two)


def test_the_sum_of_all_stems_is_a_mix(tmp_path: Path) -> None:
    write_song(tmp_path / "a", {**song(), "linear_mixture": mix_of(song())})
    write_song(tmp_path / "b", {**song(), "linear_mixture": mix_of(song())}, 0.5 * mix_of(song()))
    first, second = read_layout(tmp_path)
    assert tuple(first.stems) == tuple(second.stems) == STEMS
    assert first.stored_mix is not None
    mix = torch.cat(list(second.mix.blocks()), dim=-1)
    torch.testing.assert_close(mix, 0.5 * mix_of(song()), rtol=0, atol=1e-6)


def names(dataset: Dataset) -> list[str]:
    return [track.name for track in dataset]


def assert_same(found: Tensor, expected: Tensor, atol: float = 0.0) -> None:
    torch.testing.assert_close(found, expected, atol=atol, rtol=0)


def test_musdb18(tmp_path: Path) -> None:
    stems = song(rate=CODED_RATE)
    for split, name in (("train", "A - B"), ("train", VALIDATION), ("test", "C - D")):
        write_coded_song(tmp_path / split / f"{name}.stem.mp4", stems)
    dataset = read_layout(tmp_path)
    assert (dataset.name, dataset.split, dataset.layout) == ("musdb18", "test", "stem.mp4 files")
    assert dataset.splits == ("train", "valid", "test")
    assert names(dataset) == ["C - D"]
    assert names(read_layout(tmp_path, "valid")) == [VALIDATION]
    assert names(read_layout(tmp_path, "train")) == ["A - B"]
    track = dataset[0]
    assert (track.sample_rate, track.num_samples) == (CODED_RATE, CODED_RATE)
    # Coding at 256 kbit/s moves tones by less than 0.01, and no two stems are nearer than 0.08.
    for stem, signal in stems.items():
        assert_same(track.stems[stem].read()[:, 4096:-4096], signal[:, 4096:-4096], atol=0.01)
    assert_same(track.mix.read()[:, 4096:-4096], mix_of(stems)[:, 4096:-4096], atol=0.02)


def test_musdb18_hq(tmp_path: Path) -> None:
    stems = song()
    for split, name in (("train", "A - B"), ("train", VALIDATION), ("test", TEST)):
        write_song(tmp_path / split / name, stems, mix_of(stems))
    dataset = read_layout(tmp_path)
    assert (dataset.name, dataset.split) == ("musdb18hq", "test")
    assert names(dataset) == [TEST]
    assert names(read_layout(tmp_path, "train+valid")) == ["A - B", VALIDATION]
    assert names(read_layout(tmp_path, "all")) == ["A - B", VALIDATION, TEST]
    track = dataset[TEST]
    assert tuple(track.stems) == STEMS
    assert track.duration_seconds == 1.0
    assert_same(track.mix.read(), mix_of(stems))
    assert_same(track.stems["bass"].read(), stems["bass"])


def test_songs_of_musdb_are_known_wherever_they_lie(tmp_path: Path) -> None:
    for name in (TEST, VALIDATION):
        write_song(tmp_path / name, song())
    dataset = read_layout(tmp_path)
    assert (dataset.name, dataset.splits) == ("musdb18hq", ("valid", "test"))
    assert names(dataset) == [TEST]


def test_a_folder_of_songs_with_any_stems_in_any_format(tmp_path: Path) -> None:
    for name in ("b", "a"):
        folder = write_song(tmp_path / "mine" / name, {"kick": song()["bass"]})
        encode(folder / "Lead Guitar.flac", song()["other"], RATE)
        write_wav(folder / "mix.wav", song()["drums"], RATE)
        (folder / "._kick.wav").write_bytes(b"left by another system")
        (folder / "notes.txt").write_text("nothing to hear")
    (tmp_path / "mine" / ".trash").mkdir()
    (tmp_path / "mine" / "pictures").mkdir()
    dataset = read_layout(tmp_path / "mine")
    assert (dataset.name, dataset.split, dataset.splits) == ("mine", "", ())
    assert names(dataset) == ["a", "b"]
    assert dataset.stems == ("Lead Guitar", "kick")
    assert_same(dataset[0].mix.read(), song()["drums"])


def test_without_a_stored_mix_it_is_the_sum(tmp_path: Path) -> None:
    write_song(tmp_path / "a", song())
    track = read_layout(tmp_path)[0]
    assert track.stored_mix is None
    assert (track.sample_rate, track.num_samples) == (RATE, RATE)
    assert_same(track.mix.read(), mix_of(song()), atol=1e-6)  # sums in another order


def test_splits_have_several_spellings(tmp_path: Path) -> None:
    for folder in ("Train", "validation", "test"):
        write_song(tmp_path / folder / "a", song())
    dataset = read_layout(tmp_path, "all")
    assert [track.split for track in dataset] == ["train", "valid", "test"]


def test_songs_of_one_name_in_several_splits_are_told_apart(tmp_path: Path) -> None:
    for name in ("train/a", "train/b", "valid/a"):
        write_song(tmp_path / name, song())
    assert names(read_layout(tmp_path, "all")) == ["a (train)", "b", "a (valid)"]
    assert names(read_layout(tmp_path, "train")) == ["a", "b"]


def test_moisesdb(tmp_path: Path) -> None:
    first, second = song()["vocals"], song(0.5)["bass"]
    for place, title in enumerate(("One", "Two", "Two")):
        write_described_song(
            tmp_path / "moisesdb_v0.1" / f"id{place}-0000-4000",
            {"vocals": [first, second], "other_keys": [second]},
            artist="Band",
            title=title,
        )
    for path in (tmp_path, tmp_path / "moisesdb_v0.1"):
        dataset = read_layout(path)
        assert (dataset.name, dataset.layout, dataset.split) == ("moisesdb", "MoisesDB", "")
        assert names(dataset) == ["Band - One", "Band - Two (id1-0000)", "Band - Two (id2-0000)"]
    track = dataset[0]
    assert tuple(track.stems) == ("vocals", "other_keys")
    expected = first.clone()
    expected[:, : RATE // 2] += second
    assert_same(track.stems["vocals"].read(), expected)
    assert track.stems["vocals"].num_samples == RATE
    assert_same(track.stems["vocals"].segment(3000, 2000), expected[:, 3000:5000])
    assert track.num_samples == RATE


@pytest.mark.parametrize("text", ["{", "[]", '{"song": "x"}', '{"stems": [{"tracks": []}]}'])
def test_a_description_that_cannot_be_understood(tmp_path: Path, text: str) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "data.json").write_text(text)
    with pytest.raises(DatasetError, match=r"Cannot read .*data\.json"):
        read_layout(tmp_path)


def test_a_folder_for_each_stem(tmp_path: Path) -> None:
    for stem in ("vocals", "Drums", "mixture"):
        (tmp_path / stem).mkdir()
        write_wav(tmp_path / stem / "song 1.wav", song()["bass"], RATE)
    write_wav(tmp_path / "vocals" / "take.wav", song()["other"], RATE)
    dataset = read_layout(tmp_path)
    assert dataset.layout == "a folder for each stem"
    assert [(track.name, sorted(track.stems)) for track in dataset] == [
        ("song 1", ["drums", "vocals"]),
        ("take", ["vocals"]),
    ]
    assert dataset[0].stored_mix is not None
    assert_same(dataset["take"].stems["vocals"].read(), song()["other"])


def test_one_song_alone(tmp_path: Path) -> None:
    dataset = read_layout(write_song(tmp_path / "My Song", song(), mix_of(song())))
    assert names(dataset) == ["My Song"]
    assert dataset.stems == STEMS


def test_a_table_of_files(tmp_path: Path) -> None:
    write_wav(tmp_path / "v.wav", song()["vocals"], RATE)
    write_wav(tmp_path / "d.wav", song()["drums"], RATE)
    table = tmp_path / "list.csv"
    table.write_text(f"instrum,path\nvocals,v.wav\ndrums,{tmp_path / 'd.wav'}\n")
    dataset = read_layout(table)
    assert (dataset.name, dataset.layout) == ("list", "a CSV table")
    assert [tuple(track.stems) for track in dataset] == [("drums",), ("vocals",)]
    table.write_text("song,stem,path\nA,vocals,v.wav\nA,mixture,d.wav\n")
    (track,) = read_layout(table)
    assert (track.name, tuple(track.stems)) == ("A", ("vocals",))
    assert_same(track.mix.read(), song()["drums"])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a,b\n1,2\n", "must name the columns"),
        ("", "must name the columns"),
        ("instrum,path\nvocals,\n", "line 2 lacks"),
        ("stem,path,song\nvocals,a.wav,x\nvocals,b.wav,x\n", "line 3 names the stem vocals"),
        ("instrum,path\nvocals,\udcff.wav\n", "Cannot read"),
    ],
)
def test_a_table_with_a_fault(tmp_path: Path, text: str, says: str) -> None:
    table = tmp_path / "list.csv"
    table.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(DatasetError, match=says):
        read_layout(table)


def test_an_empty_folder_is_no_data_set(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(DatasetError, match="no songs in it"):
        read_layout(tmp_path)


def test_a_split_that_is_not_there(tmp_path: Path) -> None:
    write_song(tmp_path / "test" / "a", song())
    with pytest.raises(DatasetError, match="no split train: it has test"):
        read_layout(tmp_path, "train")


def test_two_files_of_one_stem(tmp_path: Path) -> None:
    folder = write_song(tmp_path / "a", song())
    encode(folder / "bass.flac", song()["bass"], RATE)
    with pytest.raises(DatasetError, match="two files of bass"):
        read_layout(tmp_path)


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may read everything"
)
def test_a_folder_that_may_not_be_read(tmp_path: Path) -> None:
    folder = write_song(tmp_path / "a", song())
    folder.chmod(0)
    with pytest.raises(DatasetError, match="permissions"):
        read_layout(tmp_path)
    folder.chmod(0o700)


def test_tracks_are_found_by_name(tmp_path: Path) -> None:
    write_song(tmp_path / "Wonder", song())
    dataset = read_layout(tmp_path)
    assert len(dataset) == 1
    assert dataset["Wonder"] is dataset[0]
    with pytest.raises(DatasetError, match="Did you mean Wonder"):
        _ = dataset["Wander"]
