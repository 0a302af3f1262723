import os
import sys
from pathlib import Path, PurePath

import pytest

from stemsplit.errors import AudioError
from stemsplit.separation.collect import STANDARD_INPUT, Song, collect, is_pipe
from stemsplit.separation.ledger import Ledger


@pytest.fixture
def music(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("b.mp3", "A.WAV", "cover.jpg", "disc 1/01.flac", "disc 2/01.flac", "notes.txt"):
        path = tmp_path / "music" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return Path("music")


def sources(*inputs: str, out: str = "separated") -> list[str]:
    return [
        str(song.source).replace(os.sep, "/")
        for song in collect(inputs, output_folder=Path(out)).songs
    ]


def test_a_folder_gives_its_audio_in_order_and_keeps_the_tree(music: Path) -> None:
    songs = collect(["music"], output_folder=Path("separated")).songs
    assert [(song.source.name, song.folder) for song in songs] == [
        ("A.WAV", PurePath()),
        ("b.mp3", PurePath()),
        ("01.flac", PurePath("disc 1")),
        ("01.flac", PurePath("disc 2")),
    ]


@pytest.mark.parametrize("name", ["歌 一.MP3", "🎵.mkv", "-dash.opus", "a [live].Flac", "...x.mp3"])
def test_any_name_with_a_media_suffix_is_found_in_a_folder(music: Path, name: str) -> None:
    (music / name).touch()
    assert f"music/{name}" in sources("music")


@pytest.mark.parametrize("name", ["._b.mp3", ".hidden.wav", ".Trash/x.mp3", "song", "code.ts"])
def test_hidden_and_other_files_in_a_folder_are_passed_over(music: Path, name: str) -> None:
    before = sources("music")
    (music / name).parent.mkdir(exist_ok=True)
    (music / name).touch()
    assert sources("music") == before


def test_a_file_named_itself_is_always_taken(music: Path) -> None:
    assert sources("music/notes.txt", "music/cover.jpg") == ["music/notes.txt", "music/cover.jpg"]


def test_every_song_is_taken_once(music: Path) -> None:
    (music / "link.mp3").symlink_to("b.mp3")
    assert sources("music/b.mp3", "music", "./music/b.mp3").count("music/b.mp3") == 1
    assert "music/link.mp3" not in sources("music/b.mp3", "music")


def test_a_loop_of_links_ends(music: Path) -> None:
    (music / "disc 1" / "up").symlink_to("..", target_is_directory=True)
    assert len(sources("music")) == 4


def test_a_linked_folder_is_followed(music: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "far.mp3").touch()
    (music / "near").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    assert "music/near/far.mp3" in sources("music")


def test_patterns_that_the_shell_did_not_expand(music: Path) -> None:
    assert sources("music/*.mp3") == ["music/b.mp3"]
    assert sources("music/**/*.flac") == ["music/disc 1/01.flac", "music/disc 2/01.flac"]


def test_a_name_that_looks_like_a_pattern_is_a_name_first(music: Path) -> None:
    (music / "x [b].mp3").touch()
    (music / "x b.mp3").touch()
    assert sources("music/x [b].mp3") == ["music/x [b].mp3"]


def test_the_output_folder_inside_a_folder_is_not_searched(music: Path) -> None:
    made = music / "separated" / "htdemucs" / "b" / "vocals.wav"
    made.parent.mkdir(parents=True)
    made.touch()
    assert "music/separated/htdemucs/b/vocals.wav" not in sources("music", out="music/separated")
    assert "music/separated/htdemucs/b/vocals.wav" in sources("music", out="other")


def test_results_written_among_the_songs_are_not_songs(music: Path) -> None:
    made = music / "htdemucs" / "b" / "vocals.wav"
    made.parent.mkdir(parents=True)
    made.touch()
    Ledger(music.resolve()).record([made.resolve()], source=Path("b"), mark=None, settings="")
    assert len(sources("music", out="music")) == 4


def test_standard_input_and_pipes_are_named_stdin(music: Path) -> None:
    (song,) = collect(["-"], output_folder=Path("separated")).songs
    assert (song.source, song.track, is_pipe(song.source)) == (STANDARD_INPUT, "stdin", True)
    assert not is_pipe(music / "b.mp3")


@pytest.mark.skipif(sys.platform == "win32", reason="has no named pipes in folders")
def test_a_named_pipe_is_taken_and_known_as_one(music: Path) -> None:
    os.mkfifo(music / "stream.fifo")
    assert sources("music/stream.fifo") == ["music/stream.fifo"]
    assert is_pipe(music / "stream.fifo")
    assert Song(Path("/dev/fd/63")).track == "stdin"
    assert Song(Path("/dev/shm/song.wav")).track == "song"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("music/c.mp3", "music/c.mp3: no such file or folder. Did you mean b.mp3?"),
        ("", "'': no such file or folder."),
        ("music/*.aiff", "music/*.aiff: no file matches this pattern."),
        ("https://example.org/a.mp3", "https://example.org/a.mp3: is a web address"),
        ("~nobody/a.mp3", "~nobody/a.mp3: no such file or folder."),
        ("x" * 5000, "no such file or folder."),
        ("empty", "empty: no audio files in this folder or below it."),
    ],
)
def test_what_cannot_be_found_is_said(music: Path, text: str, message: str) -> None:
    Path("empty").mkdir()
    with pytest.raises(AudioError) as error:
        collect([text], output_folder=Path("separated"))
    assert message in str(error.value)


def test_all_missing_inputs_are_counted(music: Path) -> None:
    with pytest.raises(AudioError, match=r"^no1: no such file or folder \(and 1 more\)\.$"):
        collect(["no1", "music", "no2"], output_folder=Path("separated"))


def test_an_unreadable_folder_is_left_out_and_said(
    music: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scandir = os.scandir

    def refuse(path: str) -> object:
        if path.endswith("disc 1"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    found = collect(["music"], output_folder=Path("separated"))
    assert len(found.songs) == 3
    assert found.notices == (f"{Path('music/disc 1')}: left out, Permission denied.",)
