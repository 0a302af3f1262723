"""Tags and covers: what stays, what goes, what is added."""

import base64
import logging
from pathlib import Path

import pytest

from stemsplit.audio.formats import MIX_TRACK
from stemsplit.audio.probe import AudioInfo, probe
from stemsplit.audio.tags import extract_cover, song_tags, stem_tags, write_tag_file
from tests.audio.material import TAGS, ffmpeg, music, picture, tagged_song, write_wav


def described(**tags: str) -> AudioInfo:
    return AudioInfo(
        path=Path("A song.mp3"),
        sample_rate=44_100,
        channels=2,
        codec="mp3",
        container="mp3",
        stream_index=0,
        duration_seconds=1.0,
        is_duration_exact=True,
        tags=tags,
    )


def test_stem_and_model_are_added() -> None:
    tags = stem_tags(described(title="Song", comment="Mine"), stem="no_vocals", model="htdemucs")
    assert tags == {
        "title": "Song [no vocals]",
        "comment": "Mine\nNo vocals separated with htdemucs by stemsplit",
        "stem": "no_vocals",
        "separated_by": "htdemucs",
    }


def test_a_song_without_title_goes_by_its_file_name() -> None:
    assert stem_tags(described(), stem="bass", model="m")["title"] == "A song [bass]"


def test_a_file_of_all_stems_keeps_the_title() -> None:
    tags = stem_tags(described(title="Song"), stem=MIX_TRACK, model="m")
    assert tags["title"] == "Song"
    assert "stem" not in tags


def test_what_describes_the_old_file_is_left_out() -> None:
    info = described(
        artist="A",
        encoder="LAME",
        itunsmpb=" 00000000 00000840",
        replaygain_track_gain="-6 dB",
        major_brand="M4A ",
        duration="00:01:00.00",
        empty="",
        mood="happy",
    )
    assert song_tags(info) == {"artist": "A", "mood": "happy"}


def test_names_that_differ_between_formats_are_translated(tmp_path: Path) -> None:
    info = described(tbpm="120", tkey="Am", year="1999")
    assert song_tags(info) == {"bpm": "120", "initialkey": "Am", "date": "1999"}
    path = tmp_path / "tags.txt"
    write_tag_file(path, song_tags(info), format_name="mp3")
    assert path.read_text().splitlines()[1:] == ["TBPM=120", "TKEY=Am", "date=1999"]
    write_tag_file(path, song_tags(info), format_name="flac")
    assert "bpm=120" in path.read_text()


@pytest.mark.parametrize(
    "value",
    [
        "plain",
        "a=b;c#d",
        "two\nlines",
        "\n",
        "back\\slash",
        "back\\\nslash",
        "歌 🎵",
        " spaced ",
        "''",
    ],
)
def test_ffmpeg_reads_every_value_as_it_was_written(tmp_path: Path, value: str) -> None:
    tags = tmp_path / "tags.txt"
    write_tag_file(tags, {"title": value, "artist": "A"}, format_name="flac")
    song = write_wav(tmp_path / "song.wav", music(2000))
    ffmpeg("-i", song, "-i", tags, "-map_metadata", "1", tmp_path / "song.flac")
    written = probe(tmp_path / "song.flac").tags
    assert written["title"] == value
    assert written["artist"] == "A"


def test_a_backslash_at_the_end_does_not_swallow_the_next_tag(tmp_path: Path) -> None:
    tags = tmp_path / "tags.txt"
    write_tag_file(tags, {"title": "a\\", "artist": "A"}, format_name="flac")
    song = write_wav(tmp_path / "song.wav", music(2000))
    ffmpeg("-i", song, "-i", tags, "-map_metadata", "1", tmp_path / "song.flac")
    written = probe(tmp_path / "song.flac").tags
    assert (written["title"].strip(), written["artist"]) == ("a\\", "A")


def test_lyrics_of_any_length_fit(tmp_path: Path) -> None:
    lyrics = "\n".join(f"line {number} = la; la # la" for number in range(20_000))
    tags = tmp_path / "tags.txt"
    write_tag_file(tags, {"lyrics": lyrics}, format_name="flac")
    song = write_wav(tmp_path / "song.wav", music(2000))
    ffmpeg("-i", song, "-i", tags, "-map_metadata", "1", tmp_path / "song.flac")
    assert probe(tmp_path / "song.flac").tags["lyrics"] == lyrics


@pytest.mark.parametrize("image", ["jpg", "png"])
def test_a_cover_is_saved_as_it_is(tmp_path: Path, image: str) -> None:
    cover = picture(tmp_path / f"cover.{image}")
    song = tagged_song(tmp_path / "song.mp3", cover=cover)
    (tmp_path / "100%d").mkdir()
    saved = extract_cover(probe(song), tmp_path / "100%d")
    assert saved is not None
    assert saved.read_bytes() == cover.read_bytes()


def test_other_pictures_become_png(tmp_path: Path) -> None:
    cover = picture(tmp_path / "cover.bmp")
    saved = extract_cover(probe(tagged_song(tmp_path / "song.mp3", cover=cover)), tmp_path)
    assert saved is not None
    assert saved.read_bytes().startswith(b"\x89PNG")


def test_no_cover_is_no_cover(tmp_path: Path) -> None:
    assert extract_cover(probe(tagged_song(tmp_path / "song.mp3")), tmp_path) is None


def test_a_broken_cover_does_not_cost_the_song(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cover = picture(tmp_path / "cover.png")
    song = tagged_song(tmp_path / "song.mp3", cover=cover)
    data = song.read_bytes()
    start = data.index(b"IDAT")
    song.write_bytes(data[: start + 8] + bytes(60) + data[start + 68 :])
    with caplog.at_level(logging.WARNING):
        assert extract_cover(probe(song), tmp_path) is None
    assert "cover picture cannot be read" in caplog.text


def test_a_picture_among_the_tags_is_a_flac_picture_block(tmp_path: Path) -> None:
    cover = picture(tmp_path / "cover.jpg")
    write_tag_file(tmp_path / "tags.txt", TAGS, format_name="ogg", cover=cover)
    line = (tmp_path / "tags.txt").read_text().splitlines()[-1]
    block = base64.b64decode(line.split("=", 1)[1].replace("\\", ""))
    assert block[:8] == b"\x00\x00\x00\x03\x00\x00\x00\x0a"
    assert block[8:18] == b"image/jpeg"
    assert block.endswith(cover.read_bytes())
