"""Decoding: the right samples, all of them, or an error."""

import subprocess
import sys
from pathlib import Path

import pytest
import soundfile
import torch
from torch import Tensor

from stemsplit.audio.probe import probe
from stemsplit.audio.reader import AudioReader
from stemsplit.audio.resample import resample
from stemsplit.errors import DecodeError, UnsupportedAudioError
from tests.audio.material import RATE, cut, encode, ffmpeg, music, write_wav


def read(path: Path, **options: float) -> Tensor:
    with AudioReader(path, **options) as reader:  # type: ignore[arg-type]
        return torch.cat(list(reader), dim=-1)


@pytest.mark.parametrize("channels", [1, 2])
def test_float_wav_comes_back_exactly(tmp_path: Path, channels: int) -> None:
    signal = music(100_000, channels) * 4  # what exceeds full scale is kept
    path = write_wav(tmp_path / "song.wav", signal)
    blocks = list(AudioReader(path, block_samples=30_000))
    assert [block.shape for block in blocks] == [(channels, 30_000)] * 3 + [(channels, 10_000)]
    assert all(block.dtype == torch.float32 and block.is_contiguous() for block in blocks)
    torch.testing.assert_close(torch.cat(blocks, dim=-1), signal, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("subtype", "step"),
    [("PCM_U8", 2**-7), ("PCM_16", 2**-15), ("PCM_24", 2**-23), ("PCM_32", 2**-24), ("DOUBLE", 0)],
)
def test_every_sample_format_is_read(tmp_path: Path, subtype: str, step: float) -> None:
    signal = music(5000)
    path = write_wav(tmp_path / "song.wav", signal, subtype=subtype)
    torch.testing.assert_close(read(path), signal, rtol=0, atol=step)


@pytest.mark.parametrize("rate", [1000, 11_025, 44_056, 192_000, 2_822_400])
def test_unusual_rates_are_read(tmp_path: Path, rate: int) -> None:
    signal = music(3000, 1, rate)
    with AudioReader(write_wav(tmp_path / "song.wav", signal, rate)) as reader:
        assert reader.sample_rate == rate
        torch.testing.assert_close(torch.cat(list(reader), dim=-1), signal, rtol=0, atol=0)


@pytest.mark.parametrize("extension", ["flac", "mp3", "m4a", "ogg", "opus", "mka", "aiff", "mp4"])
def test_every_format_is_read_to_its_exact_end(tmp_path: Path, extension: str) -> None:
    rate = 48_000 if extension == "opus" else RATE
    signal = music(70_001, 2, rate)
    options = ["-c:a", "libvorbis"] if extension == "mka" else []
    decoded = read(encode(tmp_path / f"song.{extension}", signal, rate, *options))
    padding = 64 if extension in ("ogg", "mka") else 0  # ffmpeg pads the last packet of Vorbis
    assert 0 <= decoded.shape[-1] - signal.shape[-1] <= padding
    error = (decoded[:, :70_001] - signal).square().mean().sqrt()
    assert error < 0.05 * signal.square().mean().sqrt() + 0.01


@pytest.mark.parametrize("extension", ["wav", "mp3", "flac", "m4a", "ogg", "opus"])
def test_a_range_is_exact_to_the_sample_of_a_full_decode(tmp_path: Path, extension: str) -> None:
    rate = 48_000 if extension == "opus" else RATE
    path = encode(tmp_path / f"song.{extension}", music(rate * 2, 2, rate), rate)
    full = read(path)
    start, stop = round(0.7003 * rate), round(1.2501 * rate)
    torch.testing.assert_close(
        read(path, start_seconds=0.7003, stop_seconds=1.2501), full[:, start:stop], rtol=0, atol=0
    )
    torch.testing.assert_close(read(path, start_seconds=0.7003), full[:, start:], rtol=0, atol=0)
    torch.testing.assert_close(read(path, stop_seconds=99.0), full, rtol=0, atol=0)


def test_a_range_that_begins_after_the_end_is_an_error(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "song.wav", music(RATE))
    with pytest.raises(UnsupportedAudioError, match=r"begin .*song.wav at 5.00 s: it is only 1.00"):
        AudioReader(path, start_seconds=5.0)
    unstated = encode(tmp_path / "song.aac", music(RATE))
    with (
        AudioReader(unstated, start_seconds=5.0) as reader,
        pytest.raises(UnsupportedAudioError, match=r"it is (shorter than that|only)"),
    ):
        list(reader)


def test_a_reader_can_be_read_again_and_twice_at_once(tmp_path: Path) -> None:
    signal = music(50_000)
    with AudioReader(write_wav(tmp_path / "song.wav", signal), block_samples=20_000) as reader:
        first = iter(reader)
        next(first)
        torch.testing.assert_close(torch.cat(list(reader), dim=-1), signal, rtol=0, atol=0)
        assert len(list(first)) == 2


def test_leaving_early_ends_ffmpeg(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "song.wav", music(RATE * 5))
    with AudioReader(path) as reader:
        blocks = iter(reader)
        next(blocks)
        (process,) = reader._running
    assert process._process.poll() is not None


def test_resampling_on_the_way_equals_resampling_afterwards(tmp_path: Path) -> None:
    signal = music(100_000, 2, 48_000)
    path = write_wav(tmp_path / "song.wav", signal, 48_000)
    with AudioReader(path, sample_rate=RATE, start_seconds=0.5, block_samples=10_000) as reader:
        assert reader.sample_rate == RATE
        resampled = torch.cat(list(reader), dim=-1)
    expected = resample(signal[:, 24_000:], 48_000, RATE)
    torch.testing.assert_close(resampled, expected, rtol=0, atol=2e-6)


def test_more_than_two_channels_are_mixed_down_as_the_layout_says(tmp_path: Path) -> None:
    signal = torch.zeros(6, 10_000)  # FL FR FC LFE BL BR
    signal[2] = 0.5
    signal[3] = 0.9
    with AudioReader(write_wav(tmp_path / "film.wav", signal)) as reader:
        assert (reader.channels, reader.downmixed_from) == (2, 6)
        mixed = torch.cat(list(reader), dim=-1)
    # The centre goes to both sides at -3 dB, the low-frequency effects are left out.
    torch.testing.assert_close(mixed, torch.full((2, 10_000), 0.5 * 2**-0.5))


@pytest.mark.parametrize(
    "name",
    [
        "with space.wav",
        "-leading-dash.wav",
        "歌🎵.wav",
        "100%d.wav",
        "a:b.wav",
        "it's.wav",
        "http:host.wav",
        "concat:a|b.wav",
        "[x]{y}*?.wav",
        "line\nbreak.wav",
        "back\\slash.wav",
        "no extension",
    ],
)
def test_any_file_name_is_read(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if sys.platform == "win32" and set(name) & set(':|*?\n\\"<>'):
        pytest.skip("not a name on Windows")
    signal = music(1000)
    write_wav(tmp_path / "plain.wav", signal).rename(tmp_path / name)
    torch.testing.assert_close(read(tmp_path / name), signal, rtol=0, atol=0)
    monkeypatch.chdir(tmp_path)
    torch.testing.assert_close(read(Path(name)), signal, rtol=0, atol=0)


@pytest.mark.parametrize("extension", ["flac", "mp3", "aiff", "mka", "aac", "mp4", "m4a"])
@pytest.mark.parametrize("share", [0.5, 0.9])
def test_a_stream_that_ends_early_is_an_error(tmp_path: Path, extension: str, share: float) -> None:
    options = ["-movflags", "faststart"] if extension in ("mp4", "m4a") else []
    path = cut(encode(tmp_path / f"song.{extension}", music(RATE * 4), RATE, *options), share)
    with pytest.raises(DecodeError) as caught:
        read(path)
    assert "it ends early after" in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_film_cut_short_is_noticed(tmp_path: Path) -> None:
    sound = write_wav(tmp_path / "sound.wav", music(RATE * 2))
    film = tmp_path / "film.mp4"
    ffmpeg("-f", "lavfi", "-i", "testsrc=d=2:s=32x24", "-i", sound, "-movflags", "faststart", film)
    with pytest.raises(DecodeError, match="ends early"):
        read(cut(film, 0.7))


def test_the_part_before_the_cut_may_be_asked_for(tmp_path: Path) -> None:
    signal = music(RATE * 4)
    path = cut(encode(tmp_path / "song.flac", signal), 0.5)
    assert read(path, stop_seconds=1.0).shape[-1] == RATE


def test_two_mp3_files_in_one_are_read_to_the_end(tmp_path: Path) -> None:
    # The header of the first one states too short a length; that is no reason to stop.
    one = encode(tmp_path / "one.mp3", music(RATE))
    both = tmp_path / "both.mp3"
    both.write_bytes(one.read_bytes() * 2)
    assert read(both).shape[-1] > 1.9 * RATE


def test_a_fault_in_the_middle_is_kept_and_does_not_cost_the_song(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = encode(tmp_path / "song.mp3", music(RATE * 4))
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 1500] = bytes(1500)
    path.write_bytes(data)
    with AudioReader(path) as reader:
        num_samples = sum(block.shape[-1] for block in reader)
    assert num_samples > 3.75 * RATE
    assert reader.faults
    assert caplog.records == []  # it is for who asked for the song to tell the user, once


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_samples_that_are_not_numbers_are_refused(tmp_path: Path, value: float) -> None:
    signal = music(200_000)
    signal[1, 150_000] = value
    with pytest.raises(DecodeError, match="not numbers"):
        read(write_wav(tmp_path / "song.wav", signal))


def test_an_ffmpeg_that_fails_is_an_error(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "song.wav", music(RATE))
    with AudioReader(path) as reader:
        path.unlink()
        with pytest.raises(DecodeError, match=r"Cannot decode .*song.wav: No such file"):
            list(reader)


def test_memory_does_not_grow_with_the_length(tmp_path: Path) -> None:
    if sys.platform == "win32":
        pytest.skip("no resource module")
    long = tmp_path / "long.flac"
    ffmpeg("-f", "lavfi", "-i", "anullsrc=r=48000", "-t", "150", long)
    short = tmp_path / "short.flac"
    ffmpeg("-f", "lavfi", "-i", "anullsrc=r=48000", "-t", "10", short)
    code = f"""
import resource
from stemsplit.audio.reader import AudioReader
peaks = []
for path in ({str(short)!r}, {str(long)!r}):
    length = sum(block.shape[-1] for block in AudioReader(path, sample_rate=44100))
    peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
print(length, peaks[1] - peaks[0])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    length, growth_kib = map(int, done.stdout.split())
    assert length == 150 * RATE
    assert growth_kib < 15_000  # the decoded signal would be 53,000


def test_soundfile_agrees_with_the_reader(tmp_path: Path) -> None:
    path = encode(tmp_path / "song.flac", music(20_000))
    samples, _ = soundfile.read(path, dtype="float32")
    torch.testing.assert_close(read(path).t(), torch.from_numpy(samples), rtol=0, atol=0)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("x.wav", ()),
        ("x.flac", ()),
        ("x.m4a", ("-c:a", "aac", "-b:a", "256k", "-aac_pns", "0")),
        ("y.m4a", ("-c:a", "alac")),
        ("x.mp3", ()),  # cannot be jumped in: decoded from the beginning
    ],
)
def test_jumping_gives_what_decoding_everything_gives(
    tmp_path: Path, name: str, options: tuple[str, ...]
) -> None:
    path = encode(tmp_path / name, music(5 * RATE), RATE, *options)
    whole = read(path)
    for start in (0.5, 3.25, 4.0):
        found = read(path, start_seconds=start, stop_seconds=start + 0.5, is_seeking=True)
        first = round(start * RATE)
        torch.testing.assert_close(found, whole[:, first : first + RATE // 2], atol=0, rtol=0)
    rest = read(path, start_seconds=4.75, is_seeking=True)
    torch.testing.assert_close(rest, whole[:, round(4.75 * RATE) :], atol=0, rtol=0)


def test_a_stream_of_several_can_be_asked_for(tmp_path: Path) -> None:
    songs = [music(20_000, seed=seed) for seed in range(3)]
    files = [write_wav(tmp_path / f"{seed}.wav", song) for seed, song in enumerate(songs)]
    path = tmp_path / "x.m4a"
    inputs = [word for file in files for word in ("-i", file)]
    maps = [word for seed in range(3) for word in ("-map", str(seed))]
    ffmpeg(*inputs, *maps, "-c:a", "alac", path)
    assert probe(path).num_audio_streams == 3
    for seed, song in enumerate(songs):
        found = read(path, audio_stream=seed)
        torch.testing.assert_close(found, song, atol=2**-15, rtol=0)  # a step of 16 bits
    with pytest.raises(UnsupportedAudioError, match=r"audio track 4 .* only 3"):
        AudioReader(path, audio_stream=3)
