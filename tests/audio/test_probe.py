"""What a file says about itself, and what is said about files that are not audio."""

import errno
import os
import struct
import sys
from pathlib import Path

import pytest
import torch

from stemsplit.audio.ffmpeg import FFmpegProcess
from stemsplit.audio.probe import _parse_description, probe
from stemsplit.errors import AudioError, DecodeError, UnsupportedAudioError
from tests.audio.material import (
    RATE,
    TAGS,
    cut,
    encode,
    ffmpeg,
    music,
    picture,
    tagged_song,
    write_wav,
)


@pytest.mark.parametrize(
    ("extension", "codec"),
    [
        ("wav", "pcm_s16le"),
        ("flac", "flac"),
        ("mp3", "mp3"),
        ("m4a", "aac"),
        ("ogg", "vorbis"),
        ("aiff", "pcm_s16be"),
        ("mka", "vorbis"),
    ],
)
def test_rate_channels_codec_and_length_are_read(
    tmp_path: Path, extension: str, codec: str
) -> None:
    options = ["-c:a", "libvorbis"] if codec == "vorbis" else []
    path = encode(tmp_path / f"song.{extension}", music(RATE // 2, 1), RATE, *options)
    info = probe(path)
    assert (info.sample_rate, info.channels, info.codec) == (RATE, 1, codec)
    assert info.duration_seconds == pytest.approx(0.5, abs=0.02)
    assert info.is_duration_exact
    assert not info.has_cover


def test_the_rate_is_that_of_the_decoder(tmp_path: Path) -> None:
    # Opus always decodes to 48 kHz, whatever the header says about the input.
    path = encode(tmp_path / "song.opus", music(24_000, 1, 24_000), 24_000)
    assert probe(path).sample_rate == 48_000


@pytest.mark.parametrize("channels", [3, 6, 8, 16])
def test_channels_are_counted(tmp_path: Path, channels: int) -> None:
    assert probe(write_wav(tmp_path / "many.wav", music(1000, channels))).channels == channels


@pytest.mark.parametrize("extension", ["mp3", "flac", "m4a", "ogg", "opus", "wav", "mka"])
def test_tags_are_read_wherever_the_container_keeps_them(tmp_path: Path, extension: str) -> None:
    tags = probe(tagged_song(tmp_path / f"song.{extension}")).tags
    assert {key: tags[key] for key in TAGS} == TAGS


@pytest.mark.parametrize(("extension", "image"), [("mp3", "png"), ("flac", "jpg"), ("m4a", "jpg")])
def test_a_cover_is_seen(tmp_path: Path, extension: str, image: str) -> None:
    cover = picture(tmp_path / f"cover.{image}")
    info = probe(tagged_song(tmp_path / f"song.{extension}", cover=cover))
    assert info.has_cover
    assert info.is_duration_exact, "a picture is no film"


def test_a_film_is_read_for_its_sound_and_its_length_is_not_trusted(tmp_path: Path) -> None:
    sound = write_wav(tmp_path / "sound.wav", music(RATE // 2))
    film = tmp_path / "film.mp4"
    ffmpeg("-f", "lavfi", "-i", "testsrc=d=2:s=32x24:r=5", "-i", sound, film)
    info = probe(film)
    assert (info.codec, info.stream_index, info.channels) == ("aac", 1, 2)
    assert info.duration_seconds == pytest.approx(2.0, abs=0.05)
    assert not info.is_duration_exact


def test_matroska_states_the_length_of_the_sound_itself(tmp_path: Path) -> None:
    sound = write_wav(tmp_path / "sound.wav", music(RATE // 2))
    film = tmp_path / "film.mkv"
    ffmpeg("-f", "lavfi", "-i", "testsrc=d=2:s=32x24:r=5", "-i", sound, film)
    info = probe(film)
    assert info.duration_seconds == pytest.approx(0.5, abs=0.05)
    assert info.is_duration_exact


def test_a_length_that_was_copied_from_elsewhere_is_not_believed(tmp_path: Path) -> None:
    sound = write_wav(tmp_path / "sound.wav", music(RATE // 2))
    clip = tmp_path / "clip.ogg"
    ffmpeg("-i", sound, "-metadata:s:a:0", "DURATION=00:03:20.000000000", clip)
    assert probe(clip).duration_seconds == pytest.approx(0.5, abs=0.05)


def test_a_file_that_cannot_be_read_on_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Path) -> int:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("stemsplit.audio.probe.missing_bytes", fail)
    song = write_wav(tmp_path / "song.wav", music(RATE))
    with pytest.raises(DecodeError, match=r"song\.wav: Input/output error"):
        probe(song)


def test_the_default_audio_stream_is_chosen_before_the_first(tmp_path: Path) -> None:
    one = write_wav(tmp_path / "one.wav", music(RATE // 4, 1))
    two = write_wav(tmp_path / "two.wav", music(RATE // 4, 2))
    both = tmp_path / "both.mka"
    ffmpeg(
        *("-i", one, "-i", two, "-map", "0", "-map", "1"),
        *("-disposition:a:0", "0", "-disposition:a:1", "default", both),
    )
    assert (probe(both).stream_index, probe(both).channels) == (1, 2)


def test_a_guessed_length_is_called_a_guess(tmp_path: Path) -> None:
    # Without its header a variable bit rate has to be guessed from the first seconds.
    quiet_then_loud = torch.cat([music(RATE * 2) * 0.001, torch.rand(2, RATE * 2) - 0.5], dim=-1)
    options = ["-q:a", "4", "-write_xing", "0"]
    info = probe(encode(tmp_path / "vbr.mp3", quiet_then_loud, RATE, *options))
    assert not info.is_duration_exact


def test_a_changed_file_is_probed_again(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "song.wav", music(1000, 1))
    assert probe(path).channels == 1
    write_wav(path, music(2000, 2))
    assert probe(path).channels == 2


def test_the_description_of_older_ffmpegs_is_understood(tmp_path: Path) -> None:
    lines = """Input #0, mov,mp4,m4a,3gp,3g2,mj2, from 'song.m4a':
  Metadata:
    title           : A
                    : B : C
    track           : 1/9
  Duration: 01:02:03.50, start: 0.000000, bitrate: 131 kb/s
  Chapters:
    Chapter #0:0: start 0.000000, end 5.000000
      Metadata:
        title           : Not the title
    Stream #0:0(und): Video: mjpeg, yuvj444p, 64x48, 90k tbr (attached pic)
    Stream #0:1(de-DE): Audio: aac (LC) (mp4a / 0x6134706D), 44100 Hz, stereo (default)
    Metadata:
      handler_name    : SoundHandler
    Side data:
      replaygain: track gain - -6.9
At least one output file must be specified""".splitlines()
    found = _parse_description(tmp_path, lines)
    assert found.tags == {"title": "A\nB : C", "track": "1/9"}
    assert found.announced_seconds == 3723.5
    stream = found.stream(None)
    assert (stream.index, stream.codec, found.cover_index) == (1, "aac", 0)
    assert stream.tags == {"handler_name": "SoundHandler"}


def bad_inputs(folder: Path) -> dict[str, Path]:
    song = write_wav(folder / "song.wav", music(RATE))
    made = {
        "missing": folder / "missing.mp3",
        "folder": folder,
        "empty": folder / "empty.mp3",
        "text": folder / "text.mp3",
        "noise": folder / "noise.mp3",
        "picture": picture(folder / "picture.jpg"),
        "silent film": folder / "silent.mp4",
        "no samples": write_wav(folder / "none.wav", torch.zeros(2, 0)),
        "unknown codec": folder / "codec.wav",
        "zero byte": Path(f"{folder}/a\0b.wav"),
        "cut m4a": cut(encode(folder / "song.m4a", music(RATE)), 0.9),
        "cut wav": cut(song, 0.9),
        "cut ogg": cut(encode(folder / "song.ogg", music(RATE), RATE, "-c:a", "libvorbis"), 0.9),
    }
    made["empty"].touch()
    made["text"].write_text("hello\n" * 100)
    made["noise"].write_bytes(bytes((7 * i * i + i // 3) % 256 for i in range(20_000)))
    ffmpeg("-f", "lavfi", "-i", "testsrc=d=0.4:s=32x24:r=5", made["silent film"])
    header = struct.pack("<IHHIIHH", 16, 0x9999, 1, RATE, RATE, 1, 4)
    chunks = b"WAVEfmt " + header + b"data" + struct.pack("<I", 1000) + bytes(1000)
    made["unknown codec"].write_bytes(b"RIFF" + struct.pack("<I", len(chunks)) + chunks)
    return made


def test_every_bad_input_gets_one_line_that_names_file_cause_and_cure(tmp_path: Path) -> None:
    expected: dict[str, tuple[type[AudioError], str]] = {
        "missing": (DecodeError, "No such file"),
        "folder": (UnsupportedAudioError, "it is a folder"),
        "empty": (UnsupportedAudioError, "the file is empty"),
        "text": (UnsupportedAudioError, "MPEG audio frames|Invalid data"),
        "noise": (UnsupportedAudioError, "as audio|cannot be decoded"),
        "picture": (UnsupportedAudioError, "it has no audio track"),
        "silent film": (UnsupportedAudioError, "it has no audio track"),
        "no samples": (UnsupportedAudioError, "holds no samples"),
        "unknown codec": (UnsupportedAudioError, "no decoder found"),
        "zero byte": (DecodeError, "null byte"),
        "cut m4a": (UnsupportedAudioError, "moov atom not found"),
        "cut wav": (DecodeError, r"ends early, 35,\d\d\d bytes that it announces are missing"),
        "cut ogg": (DecodeError, "ends early"),
    }
    for name, path in bad_inputs(tmp_path).items():
        kind, cause = expected[name]
        with pytest.raises(kind, match=cause) as caught:
            probe(path)
        text = str(caught.value)
        assert type(caught.value) is kind
        assert str(path) in text
        assert "\n" not in text
        assert "0x" not in text, "no addresses"
        assert text.endswith(".")
        assert text.count(". ") >= 1, "what to do stands in a sentence of its own"


@pytest.mark.skipif(sys.platform != "linux", reason="names are made of letters there")
def test_a_name_that_is_not_utf_8_is_read(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"caf\xe9 \\udce9.wav")
    write_wav(tmp_path / "song.wav", music(1000)).rename(path)
    assert probe(path).channels == 2


def test_very_many_chapters_do_not_block_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chapters = "".join(f"[CHAPTER]\nSTART={i}\nEND={i + 1}\ntitle={i:060}\n" for i in range(2000))
    (tmp_path / "list.txt").write_text(f";FFMETADATA1\n{chapters}")
    source = write_wav(tmp_path / "song.wav", music(1000))
    ffmpeg("-i", source, "-i", tmp_path / "list.txt", "-map_metadata", "1", tmp_path / "book.mka")
    read = FFmpegProcess.read

    def read_all(process: FFmpegProcess, num_bytes: int) -> bytearray:
        data = read(process, num_bytes)
        assert len(data) < num_bytes, "more to come, for which nobody would wait"
        return data

    monkeypatch.setattr(FFmpegProcess, "read", read_all)
    assert probe(tmp_path / "book.mka").channels == 2


@pytest.mark.skipif(sys.platform == "win32", reason="no such pipes")
def test_a_pipe_is_refused_instead_of_being_read_away(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UnsupportedAudioError, match="can be read only once"):
        probe(tmp_path / "pipe")


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may read everything"
)
def test_a_file_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "song.wav", music(1000))
    path.chmod(0)
    with pytest.raises(DecodeError, match="Permission denied"):
        probe(path)


@pytest.mark.parametrize("size", [0, 0x7FFF_F000, 0xFFFF_FFFF])
def test_a_wav_written_to_a_pipe_is_not_called_incomplete(tmp_path: Path, size: int) -> None:
    path = write_wav(tmp_path / "song.wav", music(RATE // 4), subtype="PCM_16")
    data = bytearray(path.read_bytes())
    place = data.index(b"data") + 4
    data[place : place + 4] = struct.pack("<I", size)
    path.write_bytes(data)
    assert probe(path).channels == 2
