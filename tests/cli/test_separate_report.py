"""`stemsplit separate --report`: verdicts on stems without the true ones."""

import csv
from pathlib import Path

from stemsplit.models.base import STEMS_4
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
    assert [row[0] for row in found] == ["b, c.wav"] * 4 + ["a.wav"] * 4
    assert all(0 <= int(row[2]) <= 100 for row in found)


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
