"""Writing the stems of a song: exact, level, tagged, and all or nothing."""

import errno
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from torch import Tensor

from stemsplit.audio.encoder import Encoder, vorbis_quality
from stemsplit.audio.ffmpeg import ENVIRONMENT_VARIABLE
from stemsplit.audio.formats import AUDIO_FORMATS, MIX_TRACK, OutputFormat, resolve_format
from stemsplit.audio.levels import to_db
from stemsplit.audio.probe import probe
from stemsplit.audio.reader import AudioReader
from stemsplit.audio.resample import resample
from stemsplit.audio.spool import BlockSpool
from stemsplit.audio.staging import write_error
from stemsplit.audio.tags import stem_tags, write_tag_file
from stemsplit.audio.writer import ClipPolicy, StemSetReport, StemSetWriter
from stemsplit.errors import ConfigError, EncodeError, FFmpegNotFoundError
from tests.audio.material import (
    RATE,
    TAGS,
    ffmpeg,
    music,
    picture,
    read_samples,
    tagged_song,
)

STEMS = ("drums", "bass", "other", "vocals")
LENGTH = 60_001
WAV16, FLOAT_WAV = resolve_format("wav", 16), resolve_format("wav", 32)


def stems_of(num_samples: int = LENGTH, channels: int = 2, rate: int = RATE) -> dict[str, Tensor]:
    return {stem: music(num_samples, channels, rate, seed=n) for n, stem in enumerate(STEMS)}


def destinations(
    folder: Path, output: OutputFormat, stems: Mapping[str, Tensor]
) -> dict[str, Path]:
    single = folder / f"song.{output.extension}"
    is_single = output.format.is_single_file
    return {
        stem: single if is_single else folder / f"{stem}.{output.extension}"
        for stem in stems
        if stem != MIX_TRACK
    }


def write(
    folder: Path,
    output: OutputFormat,
    signals: Mapping[str, Tensor],
    *,
    rate: int = RATE,
    clip: ClipPolicy = "shared",
    block_samples: int = 25_000,
) -> StemSetReport:
    if output.format.is_single_file:
        signals = {**signals, MIX_TRACK: torch.stack(list(signals.values())).sum(dim=0) / 4}
    first = next(iter(signals.values()))
    with StemSetWriter(
        destinations(folder, output, signals),
        sample_rate=rate,
        channels=first.shape[0],
        audio_format=output,
        clip=clip,
    ) as writer:
        for start in range(0, first.shape[-1], block_samples):
            stop = start + block_samples
            writer.write({name: signal[:, start:stop] for name, signal in signals.items()})
        return writer.commit()


def decoded(path: Path) -> Tensor:
    return torch.cat(list(AudioReader(path)), dim=-1)


def left_over(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize(
    ("name", "bit_depth", "tolerance"),
    [
        ("wav", 16, 1.5 / 2**15),
        ("wav", 24, 0.51 / 2**23),
        ("wav", 32, 0.0),
        ("flac", 16, 1.5 / 2**15),
        ("flac", 24, 0.51 / 2**23),
    ],
)
def test_another_program_reads_the_exact_samples(
    tmp_path: Path, name: str, bit_depth: int, tolerance: float, channels: int
) -> None:
    signals = stems_of(channels=channels)
    report = write(tmp_path / "new" / "folder", resolve_format(name, bit_depth), signals)
    assert report.gain_db == 0.0
    assert list(report.files) == list(STEMS)
    for stem, path in report.files.items():
        written = read_samples(path)
        assert written.shape == (channels, LENGTH)
        torch.testing.assert_close(written, signals[stem], rtol=0, atol=tolerance)
        assert report.peaks[stem] == float(signals[stem].abs().max())


@pytest.mark.parametrize("rate", [22_050, 44_056, 48_000, 96_000, 192_000])
@pytest.mark.parametrize("name", ["wav", "flac", "alac"])
def test_lossless_files_have_the_rate_and_length_of_the_song(
    tmp_path: Path, name: str, rate: int
) -> None:
    signals = {"vocals": music(30_007, 2, rate)}
    report = write(tmp_path, resolve_format(name, 24), signals, rate=rate)
    info = probe(report.files["vocals"])
    assert (info.sample_rate, report.sample_rate, report.num_samples) == (rate, rate, 30_007)
    written = decoded(report.files["vocals"])
    torch.testing.assert_close(written, signals["vocals"], rtol=0, atol=0.51 / 2**23)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize(
    ("name", "rate"),
    [
        ("mp3", 44_100),
        ("mp3", 22_050),
        ("m4a", 44_100),
        ("m4a", 96_000),
        ("m4a", 22_050),
        ("ogg", 44_100),
        ("ogg", 96_000),
        ("opus", 48_000),
    ],
)
def test_lossy_files_keep_length_and_place(
    tmp_path: Path, name: str, rate: int, channels: int
) -> None:
    num_samples = rate * 5 // 2 + 7  # more than one page of Ogg
    signals = {"vocals": music(num_samples, channels, rate)}
    report = write(tmp_path, resolve_format(name), signals, rate=rate)
    written = decoded(report.files["vocals"])
    assert written.shape == (channels, num_samples)
    assert probe(report.files["vocals"]).sample_rate == report.sample_rate == rate
    errors = {
        shift: float((written.roll(shift, dims=-1) - signals["vocals"])[:, 9:-9].norm())
        for shift in range(-4, 5)
    }
    assert min(errors, key=errors.__getitem__) == 0
    assert to_db(errors[0] / float(signals["vocals"].norm())) < -15


@pytest.mark.parametrize(
    ("name", "rate", "file_rate"),
    [("mp3", 96_000, 48_000), ("opus", 44_100, 48_000), ("stems", 96_000, 48_000)],
)
def test_a_rate_the_format_cannot_hold_is_resampled_in_place(
    tmp_path: Path, name: str, rate: int, file_rate: int
) -> None:
    signals = stems_of(rate, 2, rate)
    output = resolve_format(name)
    report = write(tmp_path, output, signals, rate=rate)
    assert report.sample_rate == file_rate
    assert report.num_samples == file_rate
    expected = resample(
        sum(signals.values(), torch.zeros(())) / 4 if name == "stems" else signals["vocals"],
        rate,
        file_rate,
    )
    written = decoded(report.files["vocals"])
    assert written.shape == expected.shape
    assert to_db(float((written - expected).norm() / expected.norm())) < -20


@pytest.mark.parametrize("bitrate", [32, 128, 320])
def test_mp3_bitrates_can_be_written(tmp_path: Path, bitrate: int) -> None:
    report = write(tmp_path, resolve_format("mp3", None, bitrate), {"vocals": music(5000)})
    assert decoded(report.files["vocals"]).shape == (2, 5000)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("name", ["m4a", "ogg", "opus"])
def test_the_extreme_bitrates_can_be_written(tmp_path: Path, name: str, channels: int) -> None:
    sizes = []
    for bitrate in (AUDIO_FORMATS[name].bitrates[0], AUDIO_FORMATS[name].bitrates[-1]):
        signals = {"vocals": music(48_000, channels, 48_000) + torch.rand(channels, 48_000) * 0.1}
        folder = tmp_path / str(bitrate)
        report = write(folder, resolve_format(name, None, bitrate), signals, rate=48_000)
        assert report.num_samples == 48_000
        sizes.append(report.files["vocals"].stat().st_size)
    assert sizes[0] * 2 < sizes[1]


def test_vorbis_bitrates_become_qualities() -> None:
    assert [vorbis_quality(rate) for rate in (32, 64, 256, 288, 500)] == [-2.0, 0.0, 8.0, 8.5, 10.0]


def test_the_samples_do_not_depend_on_the_blocks(tmp_path: Path) -> None:
    signals = stems_of(20_000)
    one = write(tmp_path / "one", WAV16, signals, block_samples=20_000)
    two = write(tmp_path / "two", WAV16, signals, block_samples=777)
    for stem in STEMS:
        assert one.files[stem].read_bytes() == two.files[stem].read_bytes()


@pytest.mark.parametrize("loud_at", [100, LENGTH - 100])
@pytest.mark.parametrize(("name", "bit_depth"), [("wav", 16), ("flac", 24)])
def test_stems_share_one_gain_and_keep_their_balance(
    tmp_path: Path, name: str, bit_depth: int, loud_at: int
) -> None:
    signals = stems_of()
    signals["bass"][0, loud_at] = -2.0
    report = write(tmp_path, resolve_format(name, bit_depth), signals, clip="shared")
    assert report.gain_db == pytest.approx(-6.02, abs=0.01)
    assert report.clipped_samples == 0
    assert report.peaks["bass"] == 2.0
    gain = 10 ** (report.gain_db / 20)
    for stem, path in report.files.items():
        torch.testing.assert_close(
            read_samples(path), signals[stem] * gain, rtol=0, atol=1.6 / 2 ** (bit_depth - 1)
        )


def test_clamping_counts_what_it_cuts(tmp_path: Path) -> None:
    signals = stems_of()
    signals["bass"][:, 1000:1010] = 1.7
    for output, clip in ((WAV16, "clamp"), (WAV16, "none"), (resolve_format("mp3"), "clamp")):
        report = write(tmp_path, output, signals, clip=clip)  # type: ignore[arg-type]
        assert (report.clipped_samples, report.gain_db) == (20, 0.0)
    wav = read_samples(tmp_path / "bass.wav")
    assert float(wav.max()) == pytest.approx(1.0, abs=2**-14)
    torch.testing.assert_close(wav[:, 2000:], signals["bass"][:, 2000:], rtol=0, atol=2**-14)


def test_a_lossy_encoder_may_be_given_what_exceeds_full_scale(tmp_path: Path) -> None:
    signals = {"vocals": music(RATE) * 4}
    assert signals["vocals"].abs().max() > 1.1
    report = write(tmp_path, resolve_format("mp3"), signals, clip="none")
    assert report.clipped_samples == 0
    assert decoded(report.files["vocals"]).abs().max() > 1.1


@pytest.mark.parametrize("clip", ["shared", "clamp", "none"])
def test_float_is_never_touched(tmp_path: Path, clip: ClipPolicy) -> None:
    signals = {"vocals": music(5000) * 30}
    report = write(tmp_path, FLOAT_WAV, signals, clip=clip)
    assert (report.gain_db, report.clipped_samples) == (0.0, 0)
    written = read_samples(report.files["vocals"])
    torch.testing.assert_close(written, signals["vocals"], rtol=0, atol=0)


@pytest.mark.parametrize("name", list(AUDIO_FORMATS))
def test_tags_and_cover_are_carried_over(tmp_path: Path, name: str) -> None:
    cover = picture(tmp_path / "cover.jpg")
    song = tagged_song(tmp_path / "song.mp3", cover=cover)
    info, output = probe(song), resolve_format(name)
    tracks = (*STEMS, MIX_TRACK) if output.format.is_single_file else STEMS
    signals = {track: music(20_000) for track in tracks}
    with StemSetWriter(
        destinations(tmp_path / "out", output, signals),
        sample_rate=RATE,
        channels=2,
        audio_format=output,
        tags={track: stem_tags(info, stem=track, model="htdemucs") for track in tracks},
        cover_from=song,
    ) as writer:
        writer.write(signals)
        report = writer.commit()
    written = probe(report.files["bass"])
    what = "" if output.format.is_single_file else " [bass]"
    assert written.tags["title"] == TAGS["title"] + what
    assert "separated with htdemucs by stemsplit" in written.tags["comment"]
    assert written.tags["comment"].startswith(TAGS["comment"])
    for key in ("artist", "album", "date", "genre"):
        assert written.tags[key] == TAGS[key]
    assert written.has_cover == output.format.holds_cover
    if written.cover_index is not None:
        saved = tmp_path / "saved.jpg"
        selected = ["-map", f"0:{written.cover_index}", "-c", "copy", "-f", "image2pipe"]
        ffmpeg("-i", report.files["bass"], *selected, saved)
        assert saved.read_bytes() == cover.read_bytes()


@pytest.mark.parametrize("bit_depth", [None, 16, 24])
@pytest.mark.parametrize("channels", [1, 2])
def test_a_stems_file_holds_mix_and_stems_side_by_side(
    tmp_path: Path, bit_depth: int | None, channels: int
) -> None:
    signals = dict(reversed(stems_of(channels=channels).items()))
    report = write(tmp_path, resolve_format("stems", bit_depth), signals)
    path = tmp_path / "song.stem.m4a"
    assert report.files == dict.fromkeys(STEMS, path)
    assert left_over(tmp_path) == ["song.stem.m4a"]
    assert (probe(path).stream_index, probe(path).channels) == (0, 2)
    mix = torch.stack(list(signals.values())).sum(dim=0) / 4
    for track, expected in enumerate([mix, *(signals[stem] for stem in STEMS)]):
        raw = tmp_path / "track.wav"
        ffmpeg("-i", path, "-map", f"0:a:{track}", "-c:a", "pcm_f32le", raw)
        written = read_samples(raw)
        assert written.shape == (2, LENGTH)
        error = (written - expected).norm() / expected.norm() / (2 / channels) ** 0.5
        assert to_db(float(error)) < (-20 if bit_depth is None else -50)
    data = path.read_bytes()
    flags = [
        data[place + 7] for place in range(len(data) - 8) if data[place : place + 4] == b"tkhd"
    ]
    assert flags == [3, 2, 2, 2, 2], "the mix is enabled, the stems are not"
    assert data.rindex(b'"mastering_dsp"') > data.index(b"udta")


def test_a_stems_file_needs_four_stems_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="exactly 4 stems"):
        write(tmp_path / "new", resolve_format("stems"), {"vocals": music(100)})
    assert left_over(tmp_path) == []


def test_a_wav_keeps_room_for_the_header_of_a_long_file(tmp_path: Path) -> None:
    # 28 bytes that make place for 64-bit sizes when the file passes 4 GB.
    report = write(tmp_path, WAV16, {"vocals": music(1000)})
    assert b"JUNK\x1c\0\0\0" in report.files["vocals"].read_bytes()[:80]


@pytest.mark.parametrize("name", ["100%d", "-dash", "歌🎵", "a:b", "it's", "[x]*?", "back\\slash"])
@pytest.mark.parametrize("extension", ["wav", "stem.m4a"])
def test_any_file_name_can_be_written(tmp_path: Path, name: str, extension: str) -> None:
    if sys.platform == "win32" and set(name) & set(":*?\\"):
        pytest.skip("not a name on Windows")
    output = resolve_format("stems" if extension == "stem.m4a" else "wav")
    path = tmp_path / name / f"{name}.{extension}"
    signals = stems_of(2000) | {MIX_TRACK: music(2000)}
    if not output.format.is_single_file:
        signals = {"vocals": music(2000)}
    paths = {stem: path for stem in signals if stem != MIX_TRACK}
    with StemSetWriter(paths, sample_rate=RATE, channels=2, audio_format=output) as writer:
        writer.write(signals)
        writer.commit()
    assert decoded(path).shape == (2, 2000)


def open_writer(folder: Path, output: OutputFormat = WAV16, **options: object) -> StemSetWriter:
    paths = {stem: folder / f"{stem}.{output.extension}" for stem in ("drums", "bass")}
    return StemSetWriter(
        paths,
        sample_rate=RATE,
        channels=2,
        audio_format=output,
        **options,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("scale", [1.0, 5.0])
def test_an_interruption_leaves_nothing_behind(
    tmp_path: Path, error: type[BaseException], scale: float
) -> None:
    block = music(50_000) * scale

    def interrupted() -> None:
        with open_writer(tmp_path / "a" / "b") as writer:
            writer.write({"drums": block, "bass": block})
            assert len(left_over(tmp_path / "a" / "b")) >= 2
            raise error

    with pytest.raises(error):
        interrupted()
    assert left_over(tmp_path) == []


def test_an_interruption_keeps_what_was_there_before(tmp_path: Path) -> None:
    (tmp_path / "drums.wav").write_bytes(b"old")
    with open_writer(tmp_path) as writer:
        writer.write({"drums": music(5000), "bass": music(5000)})
        assert (tmp_path / "drums.wav").read_bytes() == b"old"
    assert left_over(tmp_path) == ["drums.wav"]
    assert (tmp_path / "drums.wav").read_bytes() == b"old"


def test_files_in_the_way_are_replaced_in_the_end(tmp_path: Path) -> None:
    (tmp_path / "drums.wav").write_bytes(b"old")
    with open_writer(tmp_path) as writer:
        writer.write({"drums": music(5000), "bass": music(5000)})
        writer.commit()
        writer.abort()
    assert left_over(tmp_path) == ["bass.wav", "drums.wav"]
    assert decoded(tmp_path / "drums.wav").shape == (2, 5000)


def test_a_renaming_that_fails_takes_the_others_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = Path.replace

    def only_drums(self: Path, target: Path) -> Path:
        if target.name == "bass.wav":
            raise PermissionError(errno.EACCES, "Permission denied")
        return plain(self, target)

    monkeypatch.setattr(Path, "replace", only_drums)
    with open_writer(tmp_path / "new") as writer:
        writer.write({"drums": music(5000), "bass": music(5000)})
        with pytest.raises(EncodeError, match=r"bass.wav: Permission denied. Choose a folder that"):
            writer.commit()
    assert left_over(tmp_path) == []


def test_a_renaming_that_fails_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for stem in ("drums", "bass"):
        (tmp_path / f"{stem}.wav").write_text(f"earlier {stem}")
    plain = Path.replace

    def only_drums(self: Path, target: Path) -> Path:
        if target.name == "bass.wav" and self.stat().st_size > 100:
            raise PermissionError(errno.EACCES, "Permission denied")
        return plain(self, target)

    monkeypatch.setattr(Path, "replace", only_drums)
    with open_writer(tmp_path) as writer:
        writer.write({"drums": music(5000), "bass": music(5000)})
        with pytest.raises(EncodeError, match=r"bass.wav: Permission denied"):
            writer.commit()
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "drums.wav": "earlier drums",
        "bass.wav": "earlier bass",
    }


@pytest.mark.parametrize("has_second_names", [True, False])
def test_what_was_there_is_replaced_without_leftovers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_second_names: bool
) -> None:
    (tmp_path / "drums.wav").write_text("earlier")
    if not has_second_names:

        def refuse(*_: object) -> None:
            raise OSError(errno.EPERM, "Operation not permitted")

        monkeypatch.setattr(os, "link", refuse)
    with open_writer(tmp_path) as writer:
        writer.write({"drums": music(5000), "bass": music(5000)})
        writer.commit()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bass.wav", "drums.wav"]
    assert (tmp_path / "drums.wav").stat().st_size > 5000


def test_an_encoder_that_dies_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    if sys.platform == "win32":
        pytest.skip("no such signal")
    with open_writer(tmp_path / "new") as writer:
        writer.write({"drums": music(5000), "bass": music(5000)})
        encoder = writer._files[1].encoder
        assert encoder is not None
        encoder._process._process.send_signal(signal.SIGKILL)
        with pytest.raises(EncodeError, match=r"bass.wav: ffmpeg was ended by Killed"):
            writer.commit()
    assert left_over(tmp_path) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no disk that is always full")
@pytest.mark.parametrize("name", [name for name in AUDIO_FORMATS if name != "stems"])
def test_a_full_disk_is_an_error_in_every_format(tmp_path: Path, name: str) -> None:
    tags = tmp_path / "tags.txt"
    write_tag_file(tags, {}, format_name=name)
    encoder = Encoder(
        Path("/dev/full"),
        tmp_path / "song",
        resolve_format(name),
        tracks=["vocals"],
        sample_rate=48_000,
        channels=2,
        tags=tags,
        cover=None,
        seed=0,
    )

    def fill() -> None:
        with encoder:
            for _ in range(10):
                encoder.write([torch.rand(2, 48_000) - 0.5])
            encoder.finish()

    with pytest.raises(EncodeError, match=r"song: No space left on device. Make room"):
        fill()


def test_a_disk_without_room_for_waiting_stems_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: BlockSpool, block: Tensor) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(BlockSpool, "append", full)
    with (
        pytest.raises(EncodeError, match=r"No space left on device.* --clip clamp"),
        open_writer(tmp_path / "new") as writer,
    ):
        writer.write({"drums": music(5000), "bass": music(5000)})
    assert left_over(tmp_path) == []


def test_destinations_that_cannot_be_are_refused_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "taken" / "drums.wav").mkdir(parents=True)
    with pytest.raises(EncodeError, match=r"Not a directory|File exists|cannot find"):
        open_writer(tmp_path / "file" / "below")
    with pytest.raises(EncodeError, match="a folder of this name is in the way"):
        open_writer(tmp_path / "taken")
    with pytest.raises(EncodeError, match=r"too long|cannot find|syntax"):
        open_writer(tmp_path / ("x" * 300))
    with pytest.raises(EncodeError, match="null"):
        open_writer(tmp_path / "a\0b")

    def refused(self: Path, **_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "touch", refused)
    with pytest.raises(EncodeError, match=r"drums.wav: Permission denied. Choose a folder that"):
        open_writer(tmp_path / "new" / "folder")
    assert left_over(tmp_path) == ["file", "taken", f"taken{os.sep}drums.wav"]


def test_stems_that_are_not_numbers_are_refused(tmp_path: Path) -> None:
    block = music(5000)
    broken = block.clone()
    broken[0, 77] = torch.nan
    with (
        pytest.raises(EncodeError, match=r"stem bass holds samples that are not numbers.*fp32"),
        open_writer(tmp_path / "new") as writer,
    ):
        writer.write({"drums": block, "bass": broken})
    assert left_over(tmp_path) == []


def test_nothing_written_is_an_error(tmp_path: Path) -> None:
    with open_writer(tmp_path / "new") as writer, pytest.raises(EncodeError, match="no samples"):
        writer.commit()
    assert left_over(tmp_path) == []


def test_blocks_must_be_the_announced_ones(tmp_path: Path) -> None:
    with open_writer(tmp_path) as writer:
        with pytest.raises(ValueError, match="expected"):
            writer.write({"drums": music(10)})
        with pytest.raises(ValueError, match="equal lengths"):
            writer.write({"drums": music(10), "bass": music(11)})


def test_empty_blocks_change_nothing(tmp_path: Path) -> None:
    with open_writer(tmp_path) as writer:
        for block in (music(0), music(5000), music(0)):
            writer.write({"drums": block, "bass": block * 3})
        report = writer.commit()
    assert report.num_samples == 5000


def test_a_missing_ffmpeg_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, "/nowhere/ffmpeg")
    with pytest.raises(FFmpegNotFoundError), open_writer(tmp_path / "new") as writer:
        writer.write({"drums": music(5000), "bass": music(5000)})
    assert left_over(tmp_path) == []


@pytest.mark.parametrize(
    ("why", "hint"),
    [
        ("No space left on device", "Make room"),
        ("Read-only file system", "that you may write to"),
        ("Whatever", "another folder, name or format"),
    ],
)
def test_a_writing_error_says_what_to_do(why: str, hint: str) -> None:
    assert hint in str(write_error(Path("x.wav"), why))


def test_two_stems_cannot_share_a_file(tmp_path: Path) -> None:
    path = tmp_path / "new" / "same.wav"
    with pytest.raises(ValueError, match="two files would be called"):
        StemSetWriter(
            {"drums": path, "bass": path}, sample_rate=RATE, channels=2, audio_format=WAV16
        )
    assert left_over(tmp_path) == []


def test_a_folder_that_others_use_meanwhile_is_kept(tmp_path: Path) -> None:
    with open_writer(tmp_path / "new" / "folder"):
        (tmp_path / "new" / "mine.txt").touch()
    assert left_over(tmp_path) == ["new", f"new{os.sep}mine.txt"]
