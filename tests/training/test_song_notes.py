"""What was measured of songs once is not measured again."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from torch import Tensor

from stemsplit.errors import AudioError, DatasetError
from stemsplit.evaluation.data.sources import FileSource
from stemsplit.models.base import ModelConfig
from stemsplit.training.corpus import Corpus, open_corpus
from stemsplit.training.recipe import DataSection, SourceSection, ValidationSection
from stemsplit.training.song_notes import SongNotes
from stemsplit.training.songs import FileSong
from tests.training.runs import run, tiny_recipe, write_music
from tests.training.sets import RATE, STEMS, tones, write_song


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """How files are read: whole or a stretch."""
    found: list[str] = []
    blocks, segment = FileSource.blocks, FileSource.segment

    def counted_blocks(source: FileSource, sample_rate: int | None = None) -> Iterator[Tensor]:
        found.append("whole")
        return blocks(source, sample_rate)

    def counted_segment(source: FileSource, start: int, num_samples: int) -> Tensor:
        found.append("stretch")
        return segment(source, start, num_samples)

    monkeypatch.setattr(FileSource, "blocks", counted_blocks)
    monkeypatch.setattr(FileSource, "segment", counted_segment)
    return found


def open_set(folder: Path, notes: SongNotes, *, rate: int = RATE) -> Corpus:
    data = DataSection(sources=(SourceSection(path=str(folder)),))
    return open_corpus(data, ValidationSection(), ModelConfig(sample_rate=rate), notes=notes)


def facts(corpus: Corpus) -> list[tuple[str, int, float]]:
    songs = [*corpus.training[0].songs, *corpus.validation]
    return [(song.name, song.num_samples, song.level) for song in songs]


def song_of(folder: Path, notes: SongNotes | None, *, stems: tuple[str, ...] = STEMS) -> FileSong:
    return FileSong(write_song(folder, tones()), stems, 2, RATE, notes)


def again(song: FileSong) -> FileSong:
    """The same song, by a program that has just begun."""
    files = {
        name: FileSource(source.path)
        for name, source in song.track.stems.items()
        if isinstance(source, FileSource)
    }
    track = type(song.track)(name=song.track.name, split=song.track.split, stems=files)
    return FileSong(track, song.stems, song.channels, song.sample_rate, song.notes)


def test_a_second_start_reads_nothing(tmp_path: Path, reads: list[str]) -> None:
    music, notes = write_music(tmp_path / "music"), SongNotes(tmp_path / "notes")
    first = facts(open_set(music, notes))
    assert (reads.count("stretch"), reads.count("whole")) == (4 * 4, 4 * 4)  # stems and songs
    reads.clear()
    assert facts(open_set(music, notes)) == first
    assert reads == []
    assert len(list((tmp_path / "notes").iterdir())) == 4


def test_a_song_is_measured_when_it_is_first_divided_by_its_level(
    tmp_path: Path, reads: list[str]
) -> None:
    music, notes = write_music(tmp_path / "music"), SongNotes(tmp_path / "notes")
    song = open_set(music, notes).training[0].songs[0]
    looked = len(reads)
    assert song.level == again_level(music, notes)
    assert len(reads) == looked + 4


def again_level(music: Path, notes: SongNotes) -> float:
    return open_set(music, notes).training[0].songs[0].level


def test_a_run_that_goes_on_measures_nothing(tmp_path: Path, reads: list[str]) -> None:
    settings = ("data.cache=false", "validation.max_seconds=1")
    run(tiny_recipe(tmp_path, *settings, "epochs=8"), tmp_path / "out")
    assert reads.count("whole") == 3 * 4  # the song to validate with needs no level
    assert len(list((tmp_path / "cache" / "notes").iterdir())) == 4
    reads.clear()
    finished, _ = run(tiny_recipe(tmp_path, *settings, "epochs=9"), tmp_path / "out")
    assert finished.step == 27
    stretches = 1 * 2 + 3 * 2 + 1  # of the preflight, of the steps, of the validation
    assert reads == ["stretch"] * 4 * stretches


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", '{"level": 1.0}', '{"num_samples": -1}', '{"num_samples": "x"}'),
        *('{"num_samples": 5, "level": NaN}', '{"num_samples": 5, "other": 1}'),
    ],
)
def test_a_damaged_note_is_written_anew(tmp_path: Path, text: str) -> None:
    song = song_of(tmp_path / "a", SongNotes(tmp_path / "notes"))
    expected = song.num_samples, song.level
    (note,) = (tmp_path / "notes").iterdir()
    written = note.read_bytes()
    note.write_text(text)
    fresh = again(song)
    assert (fresh.num_samples, fresh.level) == expected
    assert note.read_bytes() == written


def test_notes_that_cannot_be_written_are_done_without(tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("a file")
    song = song_of(tmp_path / "a", SongNotes(tmp_path / "notes"))
    song.check()
    assert song.level == again(FileSong(song.track, STEMS, 2, RATE)).level


def test_a_song_that_changed_is_measured_again(tmp_path: Path) -> None:
    notes = SongNotes(tmp_path / "notes")
    song = song_of(tmp_path / "a", notes)
    level = song.level
    for stem, signal in tones().items():
        write_song(tmp_path / f"louder {stem}", {stem: 2 * signal})
        file = tmp_path / "a" / f"{stem}.wav"
        (tmp_path / f"louder {stem}" / f"{stem}.wav").replace(file)
        os.utime(file, ns=(1, 1))  # the size is the same
    assert again(song).level == pytest.approx(2 * level, rel=1e-5)


def test_a_note_is_of_a_rate_and_of_channels(tmp_path: Path) -> None:
    notes = SongNotes(tmp_path / "notes")
    song = song_of(tmp_path / "a", notes)
    song.check()
    assert again(FileSong(song.track, STEMS, 2, 2 * RATE, notes)).num_samples == 4 * RATE
    assert notes.find(song.track, RATE, 2) is not None
    assert notes.find(song.track, RATE, 1) is None


def test_a_note_hides_no_fault(tmp_path: Path) -> None:
    notes = SongNotes(tmp_path / "notes")
    song = song_of(tmp_path / "a", notes)
    song.check()
    with pytest.raises(DatasetError, match="there are no stems piano"):
        FileSong(song.track, ("piano",), 2, RATE, notes).check()
    bass = tmp_path / "a" / "bass.wav"
    bass.write_bytes(bass.read_bytes()[:5_000])
    with pytest.raises(AudioError, match=r"bass\.wav"):
        again(song).check()
    bass.unlink()
    with pytest.raises(AudioError, match=r"bass\.wav"):
        again(song).check()
