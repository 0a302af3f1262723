import sys
from pathlib import Path, PurePath

import pytest

from stemsplit.errors import ConfigError, OutputConflictError
from stemsplit.separation.collect import Song
from stemsplit.separation.naming import Naming, SongJob, Tags, Template, plan_jobs
from stemsplit.separation.options import OutputOptions

DEFAULT = OutputOptions().template
OUT = Path("out")


def naming(
    template: str = DEFAULT,
    *,
    stems: tuple[str, ...] = ("drums", "vocals"),
    extension: str = "wav",
    is_single_file: bool = False,
    model: str = "htdemucs",
) -> Naming:
    return Naming(
        template=Template(template),
        folder=OUT,
        model=model,
        stems=stems,
        extension=extension,
        is_single_file=is_single_file,
    )


def plan(how: Naming, *songs: Song, tags: Tags | None = None) -> tuple[SongJob, ...]:
    return plan_jobs(songs, how, read_tags=lambda _: tags or {})


def path(how: Naming, song: Song | str = "song.mp3", tags: Tags | None = None) -> str:
    song = Song(Path(song)) if isinstance(song, str) else song
    (job,) = plan(how, song, tags=tags)
    return job.files["vocals"].relative_to(OUT).as_posix()


def test_the_default_template() -> None:
    assert path(naming()) == "htdemucs/song/vocals.wav"


def test_the_tree_of_a_folder_is_kept_before_the_track() -> None:
    song = Song(Path("in/a/b/song.mp3"), PurePath("a/b"))
    assert path(naming(), song) == "htdemucs/a/b/song/vocals.wav"
    assert path(naming("{stem}/{track}.{ext}"), song) == "vocals/a/b/song.wav"
    assert path(naming("{title}_{stem}.{ext}"), song) == "a/b/song_vocals.wav"


def test_all_stems_in_one_file_are_named_after_the_song() -> None:
    how = naming(extension="stem.m4a", is_single_file=True)
    assert path(how) == "htdemucs/song/song.stem.m4a"


def test_tags_fill_their_fields() -> None:
    tags = {"ARTIST": "A-ha", "track": "3/12", "date": "1985-06-01", "title": "Take On Me"}
    how = naming("{artist}/{year}/{tracknumber} {title} {stem}.{ext}")
    assert path(how, tags=tags) == "A-ha/1985/03 Take On Me vocals.wav"


def test_missing_tags_have_a_stand_in() -> None:
    how = naming("{artist}/{album}/{tracknumber} {title} {stem}.{ext}")
    assert path(how) == "unknown artist/unknown album/00 song vocals.wav"


def test_tags_are_read_only_when_the_template_uses_them() -> None:
    def read(_: Song) -> Tags:
        raise AssertionError

    plan_jobs([Song(Path("a.mp3"))], naming(), read_tags=read)
    with pytest.raises(AssertionError):
        plan_jobs([Song(Path("a.mp3"))], naming("{artist}/{stem}.{ext}"), read_tags=read)


@pytest.mark.parametrize(
    ("artist", "folder"),
    [
        ("AC/DC", "AC_DC"),
        ("..", "_"),
        ("../../etc", ".._.._etc"),
        ("C:\\Windows", "C__Windows"),
        ("What?*<>|\x00\n!", "What_______!"),
        ("con", "con_"),
        ("Aux.live", "Aux_.live"),
        ("Console", "Console"),
        ("Best Of... ", "Best Of"),
        ("...Baby", "...Baby"),
        ("坂本龍一", "坂本龍一"),
        ("🎵", "🎵"),
        ("bad\udcff", "bad_"),
    ],
)
def test_what_a_tag_holds_stays_one_safe_name(artist: str, folder: str) -> None:
    found = path(naming("{artist}/{stem}.{ext}"), tags={"artist": artist})
    assert found == f"{folder}/vocals.wav"


def test_the_tree_of_a_folder_is_made_safe_too() -> None:
    song = Song(Path("in/a?/nul/song.mp3"), PurePath("a?/nul"))
    assert path(naming(), song) == "htdemucs/a_/nul_/song/vocals.wav"


@pytest.mark.parametrize("letter", ["x", "歌", "🎵"])
def test_names_too_long_are_cut_and_stay_apart(letter: str) -> None:
    how = naming("{track}_{stem}.{ext}")
    first, second = (path(how, f"{letter * 250}{end}.mp3") for end in "ab")
    assert first != second
    for name in (first, second):
        assert name.endswith("_vocals.wav")
        assert 150 < len(name.encode()) <= 200


def test_a_template_of_too_many_letters_is_refused() -> None:
    with pytest.raises(ConfigError, match="too long"):
        path(naming("x" * 300 + "{stem}.{ext}"))


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{trakc}/{stem}.{ext}", r"no field \{trakc\}\. Did you mean track"),
        ("{zzz}/{stem}.{ext}", r"Known fields: model, track"),
        ("{track.__class__}/{stem}.{ext}", "no field"),
        ("{}/{stem}.{ext}", "no field"),
        ("{track:>99}/{stem}.{ext}", "without a format"),
        ("{track!r}/{stem}.{ext}", "without a format"),
        ("{track/{stem}.{ext}", "not valid"),
        ("track}/{stem}.{ext}", "not valid"),
        ("../{stem}.{ext}", "may not lead out"),
        ("a/../{stem}.{ext}", "may not lead out"),
        ("/{stem}.{ext}", "must be a path below"),
        ("C:/{stem}.{ext}", "must be a path below"),
        ("", "must be a path below"),
        ("./", "may not lead out"),
        ("{track}/{stem}", r"must end with \.\{ext\}"),
        ("{track}/{stem}{ext}", r"must end with \.\{ext\}"),
        ("{track}.{ext}", r"needs the field \{stem\}"),
    ],
)
def test_a_wrong_template_is_refused(template: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        naming(template)


def test_templates_written_otherwise() -> None:
    assert path(naming("{model}\\{{{track}}}\\{stem}.wav")) == "htdemucs/{song}/vocals.wav"
    assert path(naming("{track}.{ext}", stems=("vocals",))) == "song.wav"
    assert path(naming("{track}.{trackext}/{stem}.{ext}")) == "song.mp3/vocals.wav"


def test_songs_that_differ_in_their_suffix_only_are_told_apart() -> None:
    jobs = plan(naming(), Song(Path("a.mp3")), Song(Path("b.mp3")), Song(Path("a.wav")))
    names = [job.files["vocals"].parent.name for job in jobs]
    assert names == ["a (mp3)", "b", "a (wav)"]


def test_two_songs_for_one_file_are_refused_by_name() -> None:
    first, second = Path("x/a.mp3"), Path("y/a.mp3")
    with pytest.raises(OutputConflictError) as error:
        plan(naming(), Song(first), Song(second))
    for part in (first, second, OUT / "htdemucs" / "a (mp3)"):
        assert str(part) in str(error.value)


@pytest.mark.parametrize("platform", ["linux", "darwin"])
def test_names_that_one_file_system_takes_for_one(
    platform: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    songs = Song(Path("x/Song.mp3")), Song(Path("y/song.mp3"))
    if platform == "linux":
        assert len(plan(naming(), *songs)) == 2
    else:
        with pytest.raises(OutputConflictError):
            plan(naming(), *songs)


def test_two_stems_for_one_file_are_refused() -> None:
    with pytest.raises(OutputConflictError, match="two of its stems"):
        plan(naming(stems=("a?", "a*")), Song(Path("a.mp3")))


def test_a_result_never_replaces_a_song_of_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    how = naming("{track}.{ext}", stems=("vocals",))
    with pytest.raises(OutputConflictError, match="would replace this song itself"):
        plan(how, Song(OUT / "song.wav"))
