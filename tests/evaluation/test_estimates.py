"""Finished stems are found in whatever tree they lie."""

from pathlib import Path

import pytest

from stemsplit.errors import DatasetError
from stemsplit.evaluation.estimates import find_estimates

TRACKS = ("Ada - One", "Ben - Two: <live>")
STEMS = ("drums", "vocals", "no_vocals")


def touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


@pytest.mark.parametrize(
    "name",
    [
        "Ada - One/vocals.wav",
        "ADA - ONE/vocals.flac",
        "Ada - One/mixture/vocals.wav",
        "Ada - One_vocals.wav",
        "Ada - One - vocals.wav",
        "Ada - One.vocals.wav",
        "Ada - One-vocals.wav",
        "Ada - One (vocals).wav",
        "Ada - One.stem/vocals.wav",
        "vocals/Ada - One.wav",
    ],
)
def test_a_stem_is_found_in_every_tree(tmp_path: Path, name: str) -> None:
    touch(tmp_path / "stems", name, "Ada - One.txt", "cover.jpg", ".hidden/Ada - One/drums.txt")
    found = find_estimates(tmp_path / "stems", tracks=TRACKS, stems=STEMS)
    assert found == {"stems": {"Ada - One": {"vocals": tmp_path / "stems" / name}}}


def test_names_that_were_made_fit_for_a_file_system_are_known(tmp_path: Path) -> None:
    touch(tmp_path, "Ben - Two_ _live_/vocals.wav")
    found = find_estimates(tmp_path, tracks=TRACKS, stems=STEMS)
    assert list(found[tmp_path.name]) == ["Ben - Two: <live>"]


def test_the_rest_is_not_taken_for_the_stem(tmp_path: Path) -> None:
    touch(tmp_path, "Ada - One_no_vocals.wav", "Ada - One_vocals.wav")
    files = find_estimates(tmp_path, tracks=TRACKS, stems=STEMS)[tmp_path.name]["Ada - One"]
    assert {stem: path.name for stem, path in files.items()} == {
        "no_vocals": "Ada - One_no_vocals.wav",
        "vocals": "Ada - One_vocals.wav",
    }


def test_the_folders_of_several_models_are_told_apart(tmp_path: Path) -> None:
    touch(tmp_path / "out", "a/Ada - One/vocals.wav", "b/x/Ada - One/vocals.wav")
    found = find_estimates(tmp_path / "out", tracks=TRACKS, stems=STEMS)
    assert set(found) == {"out/a", "out/b/x"}


def test_two_files_for_one_stem_are_refused(tmp_path: Path) -> None:
    touch(tmp_path, "Ada - One/vocals.wav", "Ada - One/vocals.flac")
    with pytest.raises(DatasetError, match="are both vocals of Ada - One"):
        find_estimates(tmp_path, tracks=TRACKS, stems=STEMS)


def test_a_folder_without_any_is_refused(tmp_path: Path) -> None:
    touch(tmp_path, "Zoe/vocals.wav")
    with pytest.raises(DatasetError, match="holds no stems of these tracks"):
        find_estimates(tmp_path, tracks=TRACKS, stems=STEMS)
    with pytest.raises(DatasetError, match="no such folder"):
        find_estimates(tmp_path / "x", tracks=TRACKS, stems=STEMS)
