"""A check of a data set finds what was broken on purpose, and nothing else."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from stemsplit.evaluation.data.check import check_dataset
from stemsplit.evaluation.data.findings import Finding, TrackReport
from stemsplit.evaluation.data.layouts import read_layout
from tests.audio.material import cut, write_wav
from tests.evaluation.data_sets import (
    CODED_RATE,
    RATE,
    mix_of,
    song,
    write_coded_song,
    write_described_song,
    write_song,
)


def check(path: Path) -> TrackReport:
    """The report about the only song, or the one called broken."""
    reports = list(check_dataset(read_layout(path, "all")))
    return next((one for one in reports if one.track == "broken"), reports[0])


def check_stems(folder: Path, stems: dict[str, Tensor], mix: Tensor | None = None) -> TrackReport:
    write_song(folder / "broken", stems, mix)
    return check(folder)


def only(report: TrackReport) -> Finding:
    (finding,) = report.findings
    return finding


def test_a_good_song_has_no_findings(tmp_path: Path) -> None:
    report = check_stems(tmp_path, song(), mix_of(song()))
    assert report.findings == ()
    assert report.is_usable
    assert (report.sample_rate, report.num_samples) == (RATE, RATE)
    assert report.sum_error_db is not None
    assert report.sum_error_db < -120  # float32 sums in another order


def test_songs_come_in_order_however_many_are_read_at_once(tmp_path: Path) -> None:
    for name in "abcdef":
        write_song(tmp_path / name, {"vocals": song()["vocals"]})
    reports = list(check_dataset(read_layout(tmp_path), jobs=3))
    assert [report.track for report in reports] == list("abcdef")
    assert all(not report.findings and report.sum_error_db is None for report in reports)


def test_a_coded_set_is_read_through_its_streams(tmp_path: Path) -> None:
    write_coded_song(tmp_path / "test" / "a.stem.mp4", song(rate=CODED_RATE))
    report = check(tmp_path)
    assert report.sample_rate == CODED_RATE
    assert report.sum_error_db is not None
    assert -80 < report.sum_error_db < -20  # every stream was coded for itself


def test_a_missing_stem(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_song(tmp_path / name, song(), mix_of(song()))
    stems = song()
    del stems["drums"]
    finding = only(check_stems(tmp_path, stems, mix_of(stems)))
    assert (finding.kind, finding.stem, finding.is_error) == ("missing", "drums", True)


def test_a_missing_mix_is_worth_knowing(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_song(tmp_path / name, song(), mix_of(song()))
    finding = only(check_stems(tmp_path, song()))
    assert (finding.kind, finding.stem, finding.is_error) == ("missing", "mixture", False)


def test_stems_that_some_songs_lack_by_nature(tmp_path: Path) -> None:
    stems = {name: [signal] for name, signal in song().items()}
    for place in range(3):
        facts = {"artist": "A", "title": str(place)}
        write_described_song(
            tmp_path / str(place), stems if place else {"bass": stems["bass"]}, **facts
        )
    assert not any(report.findings for report in check_dataset(read_layout(tmp_path)))


def test_a_recording_that_a_description_names_in_vain(tmp_path: Path) -> None:
    folder = write_described_song(
        tmp_path / "a",
        {"bass": [song()["bass"]] * 2, "drums": [song()["drums"]]},
        artist="A",
        title="B",
    )
    (folder / "bass" / "bass-1.wav").unlink()
    finding = only(check(tmp_path))
    assert (finding.kind, finding.stem, finding.is_error) == ("unreadable", "bass", True)
    assert "bass-1.wav" in finding.message


def test_a_file_that_is_cut_short(tmp_path: Path) -> None:
    folder = write_song(tmp_path / "a", song(), mix_of(song()))
    cut(folder / "drums.wav", 0.5).replace(folder / "drums.wav")
    report = check(tmp_path)
    finding = only(report)
    assert report.sum_error_db is None  # what is left of the stems says nothing about the mix
    assert (finding.kind, finding.stem, finding.is_error) == ("unreadable", "drums", True)


def test_samples_that_are_no_numbers(tmp_path: Path) -> None:
    stems = song()
    stems["bass"][0, 100] = torch.nan
    finding = only(check_stems(tmp_path, stems))
    assert (finding.kind, finding.is_error) == ("unreadable", True)
    assert "bass.wav" in finding.message


@pytest.mark.parametrize(("missing", "is_error"), [(100, False), (2000, True)])
def test_stems_of_different_lengths(tmp_path: Path, missing: int, is_error: bool) -> None:
    stems = song()
    stems["other"] = stems["other"][:, :-missing]
    finding = only(check_stems(tmp_path, stems))
    assert (finding.kind, finding.stem, finding.is_error) == ("length", "other", is_error)
    assert f"{missing / RATE:.3f} s shorter" in finding.message


def test_stems_of_different_rates(tmp_path: Path) -> None:
    folder = write_song(tmp_path / "a", song())
    write_wav(folder / "bass.wav", song(rate=16_000)["bass"], 16_000)
    finding = only(check(tmp_path))
    assert (finding.kind, finding.is_error) == ("rate", True)
    assert "bass 16000 Hz" in finding.message


def test_a_mono_stem_among_stereo_ones(tmp_path: Path) -> None:
    stems = song()
    stems["bass"] = stems["bass"][:1]
    finding = only(check_stems(tmp_path, stems))
    assert (finding.kind, finding.is_error) == ("channels", False)
    assert finding.message == "bass mono, the rest stereo"


def test_a_silent_stem(tmp_path: Path) -> None:
    stems = song()
    stems["vocals"] = torch.zeros_like(stems["vocals"])
    stems["vocals"][0, 5] = 2.0**-15  # a single step of dither
    finding = only(check_stems(tmp_path, stems, mix_of(stems)))
    assert (finding.kind, finding.stem, finding.is_error) == ("silence", "vocals", False)


def test_clipping_is_counted_in_places(tmp_path: Path) -> None:
    stems = song()
    stems["bass"][0, 100:110] = 1.0
    stems["bass"][1, 500:503] = -1.0
    stems["bass"][1, 700:702] = 1.0  # two samples may touch the ceiling by chance
    finding = only(check_stems(tmp_path, stems))
    assert (finding.kind, finding.stem, finding.is_error) == ("clipping", "bass", False)
    assert finding.message == "bass is clipped in 2 places"


@pytest.mark.parametrize(("peak", "says"), [(2.0, "by 6.0 dB"), (1.2, None)])
def test_samples_far_beyond_full_scale(tmp_path: Path, peak: float, says: str | None) -> None:
    stems = song()
    stems["bass"][0, 100] = peak
    report = check_stems(tmp_path, stems)
    if says is None:  # coding alone does that
        assert report.findings == ()
    else:
        assert only(report).message == f"bass exceeds full scale {says}"


def test_a_mix_that_is_not_the_sum(tmp_path: Path) -> None:
    """Without the bass, of energy 1 among 1 + 4 + 9 + 16, -14.77 dB of the mix would remain."""
    stems = song()
    mix = mix_of(stems)
    stems["bass"] = 0 * stems["bass"] + 1e-3
    report = check_stems(tmp_path, stems, mix)
    assert report.sum_error_db == pytest.approx(-14.77, abs=0.01)
    assert only(report).kind == "sum"
    assert "-14.8 dB of it remain" in only(report).message


def test_a_mix_at_another_level(tmp_path: Path) -> None:
    finding = only(check_stems(tmp_path, song(), 0.5 * mix_of(song())))
    assert finding.kind == "sum"
    assert finding.message.endswith("dB if the stems are changed by -6.0 dB")


def test_stems_that_are_sums_of_others_are_not_added(tmp_path: Path) -> None:
    stems = song()
    mix = mix_of(stems)
    assert not check_stems(
        tmp_path / "five", {**stems, "instrumental": mix - stems["vocals"]}, mix
    ).findings
    two = {"vocals": stems["vocals"], "instrumental": mix - stems["vocals"]}
    assert not check_stems(tmp_path / "two", two, mix).findings
