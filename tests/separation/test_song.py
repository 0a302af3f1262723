"""One song from file to files: what lands on disk, and what does not."""

import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile

from stemsplit.errors import AudioError, Cancelled, DecodeError, EncodeError
from stemsplit.separation.events import (
    Event,
    Notice,
    SongFinished,
    SongProgress,
    SongStarted,
)
from stemsplit.separation.options import OutputOptions, SeparationOptions
from stemsplit.separation.separator import Separator
from stemsplit.separation.song import separate_song
from tests.audio.material import encode, music
from tests.separation.fakes import Blurred, Scaled, make_model

GAINS = (0.4, 0.3, 0.2, 0.1)
RATE = 44_100


@pytest.fixture
def song(tmp_path: Path) -> Path:
    path = tmp_path / "my song.wav"
    noise = np.random.default_rng(0).uniform(-0.9, 0.9, (30_000, 2))
    soundfile.write(path, np.concatenate([noise, -noise]), RATE, "PCM_24")  # its mean is 0
    return path


def run(
    song: Path,
    folder: Path,
    *,
    gains: tuple[float, ...] = GAINS,
    cancel: threading.Event | None = None,
    events: list[Event] | None = None,
    options: dict[str, object] | None = None,
    **output: object,
) -> SongFinished:
    settings = OutputOptions(**output)  # type: ignore[arg-type]
    separator = Separator(
        make_model([Scaled(gains)], segment_samples=10_000),
        SeparationOptions(**(options or {})),  # type: ignore[arg-type]
        cancel=cancel,
    )
    if settings.format == "stems":
        files = dict.fromkeys(separator.stems, folder / "song.stem.m4a")
    else:
        files = {stem: folder / f"{stem}.{settings.format}" for stem in separator.stems}
    sink = (events if events is not None else []).append
    return separate_song(separator, separator.prepare(song), files, settings, on_event=sink)


def test_every_stem_is_written_with_the_songs_rate_and_length(song: Path, tmp_path: Path) -> None:
    finished = run(song, tmp_path / "out")
    mix, _ = soundfile.read(song)
    for gain, stem in zip(GAINS, ("drums", "bass", "other", "vocals"), strict=True):
        written, rate = soundfile.read(finished.files[stem])
        assert (rate, len(written)) == (RATE, 60_000)
        np.testing.assert_allclose(written, gain * mix, atol=3 / 32768)
        assert finished.peaks[stem] == pytest.approx(gain * np.abs(mix).max(), rel=1e-4)


def test_stems_that_would_clip_share_one_gain(song: Path, tmp_path: Path) -> None:
    finished = run(song, tmp_path, gains=(2.0, 0.5, 0.5, 0.5), bit_depth=24)
    assert finished.gain_db == pytest.approx(-20 * np.log10(2 * 0.9), abs=0.05)
    drums, _ = soundfile.read(finished.files["drums"])
    bass, _ = soundfile.read(finished.files["bass"])
    np.testing.assert_allclose(drums, 4 * bass, atol=1e-5)
    assert np.abs(drums).max() == pytest.approx(1, abs=1e-3)


def test_the_written_null_level_is_measured(song: Path, tmp_path: Path) -> None:
    floating = run(song, tmp_path / "a", options={"exact_sum": "other"}, bit_depth=32)
    integer = run(song, tmp_path / "b", options={"two_stems": "vocals"}, bit_depth=16)
    lossy = run(song, tmp_path / "c", options={"two_stems": "vocals"}, format="mp3")
    assert floating.null_db is not None
    assert integer.null_db is not None
    assert lossy.null_db is not None
    assert floating.null_db < -120 < integer.null_db < -75 < lossy.null_db < 0
    assert run(song, tmp_path / "d").null_db is None


def test_the_null_level_allows_for_the_shared_gain(song: Path, tmp_path: Path) -> None:
    finished = run(
        song,
        tmp_path,
        gains=(3.0, 0.5, 0.5, 0.5),
        options={"exact_sum": "other"},
        bit_depth=24,
    )
    assert finished.gain_db < -5
    assert finished.null_db is not None
    assert finished.null_db < -110


def test_all_stems_and_the_mix_can_share_a_file(song: Path, tmp_path: Path) -> None:
    finished = run(song, tmp_path, format="stems")
    assert set(finished.files.values()) == {tmp_path / "song.stem.m4a"}
    assert set(finished.peaks) == {"mix", "drums", "bass", "other", "vocals"}


def test_events_tell_the_story_in_order(song: Path, tmp_path: Path) -> None:
    events: list[Event] = []
    finished = run(song, tmp_path, events=events)
    assert isinstance(events[0], SongStarted)
    assert events[0].duration_seconds == pytest.approx(60_000 / RATE)
    fractions = [event.fraction for event in events if isinstance(event, SongProgress)]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1
    assert events[-1] is finished


def test_a_downmix_is_said(tmp_path: Path) -> None:
    path = tmp_path / "surround.wav"
    soundfile.write(path, np.random.default_rng(0).uniform(-0.1, 0.1, (9000, 6)), RATE)
    events: list[Event] = []
    run(path, tmp_path / "out", events=events)
    notices = [event.message for event in events if isinstance(event, Notice)]
    assert notices == [f"{path}: 6 channels are mixed down to stereo."]


def test_faults_of_the_file_are_said_once(song: Path, tmp_path: Path) -> None:
    mp3 = encode(tmp_path / "song.mp3", music(RATE * 4))
    data = bytearray(mp3.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 1500] = bytes(1500)
    mp3.write_bytes(data)
    events: list[Event] = []
    run(mp3, tmp_path / "out", events=events)
    (notice,) = (event for event in events if isinstance(event, Notice))
    assert notice.is_warning
    assert notice.message.startswith(f"{mp3}: has a fault")


def test_a_sum_that_cannot_be_checked_does_not_cost_the_song(
    song: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise DecodeError("vocals.wav: gone.")

    monkeypatch.setattr("stemsplit.separation.song._null_db", fail)
    events: list[Event] = []
    finished = run(song, tmp_path, options={"two_stems": "vocals"}, events=events)
    assert finished.null_db is None
    assert events[-1] is finished
    assert [event.message for event in events if isinstance(event, Notice)] == [
        f"{song}: done, but the sum of its stems could not be checked: vocals.wav: gone."
    ]


def test_cancelling_leaves_nothing_behind(song: Path, tmp_path: Path) -> None:
    cancel = threading.Event()
    separator = Separator(make_model([Scaled(GAINS)], segment_samples=2000), cancel=cancel)
    prepared = separator.prepare(song)
    out = tmp_path / "out"

    def stop_half_way(event: Event) -> None:
        if isinstance(event, SongProgress) and event.fraction > 0.5:
            cancel.set()

    with pytest.raises(Cancelled):
        separate_song(
            separator,
            prepared,
            {stem: out / f"{stem}.wav" for stem in separator.stems},
            OutputOptions(),
            on_event=stop_half_way,
        )
    assert not out.exists()


def test_a_network_that_gives_nan_leaves_nothing_behind(song: Path, tmp_path: Path) -> None:
    with pytest.raises(EncodeError, match="not numbers"):
        run(song, tmp_path / "out", gains=(float("nan"), 1.0, 1.0, 1.0))
    assert not (tmp_path / "out").exists()


def test_a_song_that_shrinks_between_the_readings_is_an_error(song: Path, tmp_path: Path) -> None:
    separator = Separator(make_model([Blurred()], segment_samples=10_000))
    prepared = separator.prepare(song)
    soundfile.write(song, np.zeros((30_000, 2)), RATE, "PCM_24")
    files = {stem: tmp_path / "out" / f"{stem}.wav" for stem in separator.stems}
    with pytest.raises(AudioError):
        separate_song(separator, prepared, files, OutputOptions(), on_event=lambda event: None)
    assert not (tmp_path / "out").exists()
