"""`stemsplit separate --report`: verdicts on stems without the true ones."""

import csv
import os
from pathlib import Path

import pytest

from stemsplit.evaluation.quality_table import QualityTable
from stemsplit.models.base import STEMS_4
from stemsplit.separation.events import StemQuality
from tests.cli.conftest import Command
from tests.cli.tiny import write_song


def rows(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def test_every_stem_gets_a_score_and_reasons(separate: Command, folder: Path) -> None:
    write_song(folder / "song.wav", 4.0)
    result = separate("song.wav", "--report", "--json")
    assert result.status == 0
    quality = result.objects[-1]["songs"][0]["quality"]
    assert list(quality) == list(STEMS_4)
    for verdict in quality.values():
        assert 0 <= verdict["score"] <= 100
        assert "agreement_db" in verdict["measures"]
    # Random weights explain nothing of the song.
    assert min(verdict["score"] for verdict in quality.values()) < 60


def test_a_batch_says_which_songs_to_listen_to_first(separate: Command, folder: Path) -> None:
    for name in ("a", "b", "c"):
        write_song(folder / f"music/{name}.wav", 2.0)
    result = separate("music", "--report")
    assert result.status == 0
    assert "Trust in the stems, from 0 to 100: drums " in result.err
    assert "Listen first to (3 of 3):" in result.out
    assert result.out.splitlines()[1].split("done (")[1].split()[0] in STEMS_4


def test_the_table_keeps_songs_of_earlier_runs(separate: Command, folder: Path) -> None:
    table = folder / "separated/quality.csv"
    write_song(folder / "a.wav", 0.5)
    write_song(folder / "b, c.wav", 0.5)
    assert separate("a.wav", "--report").status == 0
    assert separate("b, c.wav", "--report").status == 0
    assert separate("a.wav", "--report").status == 0
    head, *found = rows(table)
    assert head == ["song", "stem", "score", "reasons"]
    songs = [str(folder / "b, c.wav")] * 4 + [str(folder / "a.wav")] * 4
    assert [row[0] for row in found] == songs
    assert all(0 <= int(row[2]) <= 100 for row in found)


def test_songs_of_one_name_in_two_folders_have_rows_of_their_own(
    separate: Command, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "two"):
        write_song(folder / name / "song.wav", 0.5)
        monkeypatch.chdir(folder / name)
        template = f"{name}/{{stem}}.{{ext}}"
        words = ("song.wav", "--report", "--out", folder / "out", "--template", template)
        assert separate(*words).status == 0
    _, *found = rows(folder / "out/quality.csv")
    assert {row[0] for row in found} == {str(folder / f"{n}/song.wav") for n in ("one", "two")}


def test_tables_kept_beside_each_other_lose_nothing(tmp_path: Path) -> None:
    first, second = QualityTable(tmp_path), QualityTable(tmp_path)
    verdict = {"vocals": StemQuality(score=50, reasons=(), measures={})}
    strange = Path(os.fsdecode(b"caf\xe9.wav"))
    first.record(Path("a.wav"), verdict)
    second.record(strange, verdict)
    assert second.has(Path("a.wav"))
    assert QualityTable(tmp_path).has(strange)
    assert len(QualityTable(tmp_path)._rows) == 2


def test_rows_that_an_earlier_version_wrote_are_replaced(tmp_path: Path) -> None:
    (tmp_path / "quality.csv").write_text("song,stem,score,reasons\na.wav,vocals,1,\n")
    verdict = {"vocals": StemQuality(score=50, reasons=(), measures={})}
    QualityTable(tmp_path).record(Path("a.wav"), verdict)
    assert [row[2] for row in rows(tmp_path / "quality.csv")] == ["score", "50"]


def test_songs_that_are_done_but_not_judged_are_counted(separate: Command, folder: Path) -> None:
    for name in ("a", "b"):
        write_song(folder / f"music/{name}.wav", 0.5)
    assert separate("music/a.wav", "--report").status == 0
    assert separate("music/b.wav").status == 0
    result = separate("music", "--report", "--skip-existing")
    assert result.status == 0
    assert "Warning: 1 song is done but not judged" in result.err
    assert "not judged" not in separate("music/a.wav", "--report", "--skip-existing").err


def test_without_report_nothing_is_judged(separate: Command, folder: Path) -> None:
    write_song(folder / "a.wav", 0.5)
    result = separate("a.wav", "--json")
    assert result.objects[-1]["songs"][0]["quality"] == {}
    assert not (folder / "separated/quality.csv").exists()


def test_a_table_of_somebody_else_is_kept(separate: Command, folder: Path) -> None:
    write_song(folder / "a.wav", 0.5)
    table = folder / "separated/quality.csv"
    table.parent.mkdir()
    table.write_text("my,own\n1,2\n")
    result = separate("a.wav", "--report")
    assert result.status == 1
    assert "is in the way" in result.err
    assert table.read_text() == "my,own\n1,2\n"


def test_single_file_formats_are_judged_as_well(separate: Command, folder: Path) -> None:
    write_song(folder / "a.wav", 1.0)
    result = separate("a.wav", "--report", "--format", "stems", "--json")
    assert result.status == 0
    assert list(result.objects[-1]["songs"][0]["quality"]) == list(STEMS_4)
