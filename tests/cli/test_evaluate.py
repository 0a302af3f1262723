"""`stemsplit eval` from typed words to numbers, with scores that are known beforehand."""

import csv
import json
import shutil
import signal
import subprocess
import sys
import time
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from stemsplit.evaluation import results
from tests.cli.conftest import Command, Outcome
from tests.cli.tiny import environment, write_tiny_model
from tests.evaluation.songs import NAMES, RATE, STEMS, write_estimates, write_set

FAST = ("--metrics", "sdr,usdr")


@pytest.fixture(scope="module")
def songs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_set(tmp_path_factory.mktemp("set") / "songs")


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_estimates(tmp_path_factory.mktemp("stems") / "good", 12.0)


@pytest.fixture(scope="module")
def bad(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_estimates(tmp_path_factory.mktemp("stems") / "bad", 3.0)


@pytest.fixture
def evaluate(stemsplit: Command, songs: Path) -> Command:
    def run(*words: str | Path) -> Outcome:
        return stemsplit("eval", "--data", songs, *FAST, "--device", "cpu", *words)

    return run


def facts(folder: Path, name: str = "evaluation") -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((folder / name / "results.json").read_text("utf-8"))
    return loaded


def summary(folder: Path, candidate: str, stem: str, metric: str = "sdr") -> dict[str, Any]:
    rows: list[dict[str, Any]] = facts(folder)["summary"]
    wanted = (candidate, stem, metric)
    return next(r for r in rows if (r["candidate"], r["stem"], r["metric"]) == wanted)


def test_finished_stems_score_what_arithmetic_says(
    evaluate: Command, good: Path, folder: Path
) -> None:
    result = evaluate("--estimates", good)
    assert result.status == 0
    for stem in (*STEMS, "all"):
        row = summary(folder, "good", stem)
        # The error was written 12 dB below the stem, in float32 files.
        assert row["median"] == pytest.approx(12.0, abs=1e-3)
        assert row["mean"] == pytest.approx(12.0, abs=1e-3)
        assert row["count"] == len(NAMES)
    assert "good       vocals  3       12.00   -     12.00  -" in result.out


def test_candidates_are_ranked_and_compared_with_the_baseline(
    evaluate: Command, good: Path, bad: Path, folder: Path
) -> None:
    result = evaluate("--estimates", bad, "--estimates", good)
    assert result.status == 0
    lines = [line.split() for line in result.out.splitlines()]
    names = [line[0] for line in lines if len(line) > 2 and line[1] == "all"]
    assert names == ["good", "bad"]
    gap = summary(folder, "good", "bass")["difference_to_baseline"]
    assert gap["mean"] == pytest.approx(9.0, abs=1e-3)
    assert gap["num_better"] == gap["count"] == len(NAMES)
    assert summary(folder, "bad", "bass")["difference_to_baseline"] is None


def test_all_metrics_are_computed_where_all_are_asked_for(
    stemsplit: Command, songs: Path, good: Path, folder: Path
) -> None:
    words = ("eval", "--data", songs, "--estimates", good, "--tracks", "1", "--stems", "vocals")
    assert stemsplit(*words).status == 0
    quick = facts(folder)["candidates"][0]["tracks"][0]["stems"]["vocals"]["values"]
    assert list(quick) == ["sdr", "csdr", "usdr", "si_sdr"]
    assert stemsplit(*words, "--metrics", "all").status == 0
    values = facts(folder)["candidates"][0]["tracks"][0]["stems"]["vocals"]["values"]
    assert list(values) == ["sdr", "isr", "sir", "sar", "csdr", "usdr", "si_sdr"]
    # Their windows are the same seconds here.
    assert values["sdr"] == values["csdr"] == pytest.approx(12.0, abs=1e-3)


def test_the_baseline_can_be_chosen(evaluate: Command, good: Path, bad: Path, folder: Path) -> None:
    assert evaluate("--estimates", bad, "--estimates", good, "--baseline", "good").status == 0
    gap = summary(folder, "bad", "all")["difference_to_baseline"]
    assert gap["mean"] == pytest.approx(-9.0, abs=1e-3)
    wrong = evaluate("--estimates", bad, "--baseline", "goood")
    assert wrong.status == 2
    assert "goood" in wrong.err


def test_a_model_separates_and_is_scored(evaluate: Command, tiny_model: Path, folder: Path) -> None:
    result = evaluate("--model", tiny_model)
    assert result.status == 0
    candidate = facts(folder)["candidates"][0]
    assert (candidate["name"], candidate["kind"], candidate["device"]) == ("tiny", "model", "cpu")
    assert candidate["speed"] > 0
    assert candidate["peak_memory_bytes"] > 10**8
    assert [track["track"] for track in candidate["tracks"]] == list(NAMES)
    assert "separates at" in result.out


def test_a_model_scores_the_same_as_its_stems_on_disk(
    evaluate: Command, stemsplit: Command, songs: Path, tiny_model: Path, folder: Path
) -> None:
    assert evaluate("--model", tiny_model).status == 0
    for name in NAMES:
        shutil.copytree(songs / "test" / name, folder / "mixes" / name)
        for stem in STEMS:
            (folder / "mixes" / name / f"{stem}.wav").unlink()
    made = stemsplit("mixes", "--model", tiny_model, "--float32", "--device", "cpu")
    assert made.status == 0
    assert evaluate("--estimates", folder / "separated/tiny", "--out", "again").status == 0
    first = facts(folder)["candidates"][0]["tracks"]
    again = facts(folder, "again")["candidates"][0]["tracks"]
    for one, other in zip(first, again, strict=True):
        for stem in STEMS:
            # Both are float32; only the way through the file differs.
            assert one["stems"][stem]["values"]["sdr"] == pytest.approx(
                other["stems"][stem]["values"]["sdr"], abs=1e-4
            )


def test_a_second_run_goes_on(
    evaluate: Command, tiny_model: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert evaluate("--model", tiny_model, "--tracks", "2").status == 0
    before = facts(folder)["candidates"][0]["tracks"]
    result = evaluate("--model", tiny_model, "--json")
    assert result.status == 0
    assert result.objects[0]["num_waiting"] == 1
    scored = [one["track"] for one in result.objects if one["event"] == "track_scored"]
    assert scored == [NAMES[2]]
    assert facts(folder)["candidates"][0]["tracks"][:2] == before
    monkeypatch.setattr("stemsplit.separation.batch.load_separator", pytest.fail)
    assert evaluate("--model", tiny_model).status == 0
    assert facts(folder)["candidates"][0]["tracks"][:2] == before


def test_what_decides_a_score_is_not_taken_from_an_earlier_run(
    evaluate: Command, folder: Path
) -> None:
    model = write_tiny_model(folder / "own.safetensors")

    def waiting(*words: str) -> int:
        result = evaluate("--model", model, "--tracks", "1", "--json", *words)
        assert result.status == 0
        return int(result.objects[0]["num_waiting"])

    assert waiting() == 1
    assert waiting() == 0
    assert waiting("--overlap", "0.5") == 1
    assert waiting("--window", "0.5") == 1
    assert waiting("--stems", "vocals") == 1
    assert waiting("--batch", "1") == 0  # changes how, not what
    write_tiny_model(model, seed=1)
    assert waiting() == 1


def test_every_kind_of_bad_stem_is_a_line_and_the_rest_goes_on(
    evaluate: Command, folder: Path
) -> None:
    names = ("length", "missing", "none", "rate", "unreadable", "well")
    write_set(folder / "set", names, 1.0)
    stems = write_estimates(folder / "stems", 12.0, names, 1.0)
    samples, _ = soundfile.read(stems / "length/vocals.wav")
    soundfile.write(stems / "length/vocals.wav", samples[:-100], RATE, "FLOAT")
    (stems / "missing/vocals.wav").unlink()
    shutil.rmtree(stems / "none")
    samples, _ = soundfile.read(stems / "rate/vocals.wav")
    soundfile.write(stems / "rate/vocals.wav", samples, 2 * RATE, "FLOAT")
    (stems / "unreadable/vocals.wav").write_bytes(b"no music")
    result = evaluate("--data", "set", "--estimates", "stems")
    assert result.status == 1
    failed = {
        line.split(": ")[1].split(", ")[1]: line
        for line in result.err.splitlines()
        if "Failed" in line
    }
    assert set(failed) == set(names) - {"well"}
    assert "has 7,900 samples, the track 8,000" in failed["length"]
    assert "has no vocals" in failed["missing"]
    assert "has none of its stems" in failed["none"]
    assert "has 16000 Hz, the track 8000 Hz" in failed["rate"]
    assert "vocals.wav" in failed["unreadable"]
    assert "5 tracks could not be scored." in result.err
    assert summary(folder, "stems", "all")["count"] == 1
    assert summary(folder, "stems", "all")["median"] == pytest.approx(12.0, abs=1e-3)


def test_a_broken_song_is_a_line_and_the_rest_goes_on(
    evaluate: Command, tiny_model: Path, folder: Path
) -> None:
    write_set(folder / "set", ("a", "b"), 1.0)
    (folder / "set/test/a/mixture.wav").write_bytes(b"RIFF no music")
    result = evaluate("--data", "set", "--model", tiny_model)
    assert result.status == 1
    assert "Failed: tiny, a: " in result.err
    assert [one["track"] for one in facts(folder)["candidates"][0]["tracks"]] == ["b"]


def test_a_reference_of_another_length_is_a_line(
    evaluate: Command, tiny_model: Path, folder: Path
) -> None:
    write_set(folder / "set", ("a", "b"), 1.0)
    soundfile.write(folder / "set/test/b/bass.wav", np.zeros((2 * RATE, 2)), RATE, "FLOAT")
    result = evaluate("--data", "set", "--model", tiny_model)
    assert result.status == 1
    assert "the stem bass of b has 16,000 samples, the mix 8,000" in result.err


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        ((), 2, "There is nothing to evaluate"),
        (("--estimates", "nowhere"), 1, "no such folder"),
        (("--estimates", "."), 1, "holds no stems of these tracks"),
        (("--model", "htdemucz"), 1, "htdemucs"),
        (("--model", "MODEL", "--stems", "piano"), 2, "'piano' cannot be scored"),
        (("--model", "MODEL", "--two-stems", "piano"), 1, "piano"),
        (("--model", "MODEL", "--stems", "bass", "--two-stems", "bass"), 2, "exclude"),
        (("--model", "MODEL", "--metric", "sir"), 2, "--metric sir is not computed"),
        (("--model", "MODEL", "--metrics", "sdr,loudness"), 2, "no metric loudness"),
        (("--model", "MODEL", "--tracks", "0"), 2, "--tracks must be 1 or more"),
        (("--model", "MODEL", "--workers", "0"), 2, "--workers must be 1 or more"),
        (("--model", "MODEL", "--fail-under", "vocals"), 2, "write a stem and decibels"),
        (("--model", "MODEL", "--fail-under", "vocal=1"), 2, "'vocal' is not scored"),
        (("--model", "MODEL", "--compare", "nothing.json"), 1, "Cannot read nothing.json"),
        (("--model", "MODEL", "--data", "nowhere"), 1, "nowhere"),
        (("--model", "MODEL", "--split", "left"), 1, "left"),
    ],
)
def test_wrong_words_are_one_line_before_any_work(
    evaluate: Command,
    tiny_model: Path,
    folder: Path,
    words: tuple[str, ...],
    status: int,
    said: str,
) -> None:
    typed = [str(tiny_model) if word == "MODEL" else word for word in words]
    result = evaluate(*typed)
    assert (result.status, len(result.err.splitlines())) == (status, 1), result.err
    assert said in result.err
    assert not (folder / "evaluation").exists()


def test_floors_decide_the_exit_status(evaluate: Command, good: Path) -> None:
    assert evaluate("--estimates", good, "--fail-under", "vocals=11.9,all=11").status == 0
    result = evaluate("--estimates", good, "--fail-under", "bass=11", "--fail-under", "all=12.5")
    assert result.status == 1
    assert result.err.splitlines()[-1] == (
        "good: all has 12.00 dB of median sdr, below the 12.5 dB of --fail-under."
    )
    wrong = evaluate("--estimates", good, "--fail-under", "vocal=1")
    assert wrong.status == 2
    assert "vocals" in wrong.err


def test_a_loss_against_an_earlier_run_is_told(evaluate: Command, folder: Path) -> None:
    write_estimates(folder / "now", 12.0)
    assert evaluate("--estimates", "now").status == 0
    shutil.copy(folder / "evaluation/results.json", folder / "old.json")
    assert evaluate("--estimates", "now", "--compare", "old.json").status == 0
    write_estimates(folder / "now", 11.5)
    result = evaluate("--estimates", "now", "--compare", "old.json")
    assert result.status == 1
    assert "now: vocals got worse, by 0.50 dB of sdr on average over 3 tracks." in result.err
    write_estimates(folder / "now", 12.5)
    assert evaluate("--estimates", "now", "--compare", "old.json").status == 0


def test_other_measurements_are_not_compared(evaluate: Command, good: Path, folder: Path) -> None:
    assert evaluate("--estimates", good).status == 0
    result = evaluate(
        "--estimates", good, "--window", "0.5", "--out", "x", "--compare", "evaluation/results.json"
    )
    assert result.status == 1
    assert "window_seconds of 1" in result.err
    assert not (folder / "x").exists()  # told before any work


def test_the_table_of_windows_holds_every_value(
    evaluate: Command, good: Path, folder: Path
) -> None:
    assert evaluate("--estimates", good).status == 0
    with (folder / "evaluation/results.csv").open(newline="", encoding="utf-8") as file:
        head, *rows = csv.reader(file)
    assert head == ["candidate", "track", "stem", "metric", "window", "start_seconds", "db"]
    windows = [row for row in rows if row[3] == "sdr" and row[4]]
    assert len(windows) == len(NAMES) * len(STEMS) * 3  # songs of three seconds
    assert {row[5] for row in windows} == {"0", "1", "2"}
    assert all(float(row[6]) == pytest.approx(12.0, abs=1e-3) for row in windows)
    tracks = [row for row in rows if not row[4]]
    assert len(tracks) == len(NAMES) * len(STEMS) * 2  # sdr and usdr


def test_the_results_can_be_read_back(evaluate: Command, good: Path, folder: Path) -> None:
    assert evaluate("--estimates", good).status == 0
    path = folder / "evaluation/results.json"
    written = facts(folder)
    read = json.loads(json.dumps(results.read_result(path).to_json()))
    assert read == {key: value for key, value in written.items() if key in read}


class Page(HTMLParser):
    """Checks that tags close in order, and keeps what the page asks for."""

    VOID = frozenset({"meta", "img", "br", "link", "input", "source"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_report_is_one_page_that_asks_for_nothing(
    evaluate: Command, good: Path, bad: Path, folder: Path
) -> None:
    assert evaluate("--estimates", good, "--estimates", bad).status == 0
    text = (folder / "evaluation/report.html").read_text("utf-8")
    page = Page()
    page.feed(text)
    page.close()
    assert page.open == []
    asked = [
        value for _, found in page.seen for name, value in found.items() if name in {"src", "href"}
    ]
    assert asked
    assert all(value is not None and value.startswith("data:") for value in asked)
    assert "http://" not in text
    assert "url(" not in text
    assert "@import" not in text
    tags = [tag for tag, _ in page.seen]
    assert "script" not in tags
    assert "link" not in tags
    # Per candidate the three songs, each with reference, estimate and error.
    assert tags.count("img") == tags.count("audio") == 2 * len(NAMES) * 3
    assert tags.count("svg") == len(STEMS) * 2  # boxes, and bars of the one beside the baseline
    assert "Cleo & Co - <Three>" in page.text
    assert "bad minus good" in page.text


def test_stems_of_several_models_in_one_folder_are_candidates_each(
    evaluate: Command, good: Path, bad: Path, folder: Path
) -> None:
    shutil.copytree(good, folder / "stems/good")
    shutil.copytree(bad, folder / "stems/bad")
    assert evaluate("--estimates", "stems").status == 0
    assert [one["name"] for one in facts(folder)["candidates"]] == ["stems/bad", "stems/good"]


def test_two_stems_are_the_stem_and_the_rest(
    evaluate: Command, tiny_model: Path, folder: Path
) -> None:
    assert evaluate("--model", tiny_model, "--two-stems", "vocals").status == 0
    track = facts(folder)["candidates"][0]["tracks"][0]["stems"]
    assert list(track) == ["vocals", "no_vocals"]
    # Both have one error: what is too much here is missing there.
    levels = {name: one["values"]["usdr"] for name, one in track.items()}
    truth = {stem: np.square(soundfile_of(NAMES[0], stem)).sum() for stem in STEMS}
    rest = sum(soundfile_of(NAMES[0], stem) for stem in STEMS if stem != "vocals")
    expected = 10 * np.log10(np.square(rest).sum() / truth["vocals"])
    assert levels["no_vocals"] - levels["vocals"] == pytest.approx(expected, abs=1e-3)


def soundfile_of(name: str, stem: str) -> Any:
    from tests.evaluation.songs import song

    return song(NAMES.index(name))[stem]


def test_a_model_that_has_seen_the_songs_is_flagged_and_ranked_apart(
    stemsplit: Command, folder: Path, tiny_model: Path, songs: Path
) -> None:
    seen = write_tiny_model(folder / "seen.safetensors", trained_sets=("musdb:train", "musdb:test"))
    clean = write_tiny_model(folder / "clean.safetensors", seed=1, trained_sets=("musdb:train",))
    shutil.copytree(songs, folder / "musdb18hq")
    words = ("--data", "musdb18hq", "--device", "cpu", *FAST, "--tracks", "1")
    result = stemsplit("eval", "--model", seen, "--model", clean, *words)
    assert result.status == 0
    assert "Ranked apart, since trained on these songs:" in result.out
    assert "seen was trained on all songs: its scores here mean nothing." in result.out
    assert (
        result.out.index("\nclean") < result.out.index("Ranked apart") < result.out.index("\nseen")
    )
    standings = {one["name"]: one["standing"] for one in facts(folder)["candidates"]}
    assert standings["seen"]["verdict"] == "seen"
    assert standings["seen"]["num_seen"] == 1
    assert standings["clean"]["verdict"] == "clean"
    report = (folder / "evaluation/report.html").read_text("utf-8")
    assert "has seen the songs" in report


def test_calibration_prints_a_rank_correlation(
    evaluate: Command, tiny_model: Path, folder: Path
) -> None:
    result = evaluate("--model", tiny_model, "--calibrate")
    assert result.status == 0
    assert "Rank correlation (Spearman)" in result.out
    found = facts(folder)
    assert found["calibration"][-1]["correlation"]["count"] == len(NAMES) * len(STEMS)
    assert -1 <= found["calibration"][-1]["correlation"]["rho"] <= 1
    quality = found["candidates"][0]["tracks"][0]["quality"]
    assert set(quality) == set(STEMS)
    assert "rank correlation" in (folder / "evaluation/report.html").read_text("utf-8")


def test_json_has_an_object_per_event_and_all_numbers(evaluate: Command, good: Path) -> None:
    result = evaluate("--estimates", good, "--json")
    kinds = [one["event"] for one in result.objects]
    assert kinds[0] == "evaluation_started"
    assert kinds[-1] == "evaluation"
    assert kinds.count("track_scored") == len(NAMES)
    assert result.err == ""
    assert result.objects[-1]["is_good"] is True
    assert len(result.objects[-1]["summary"]) == 2 * (len(STEMS) + 1)


def test_quiet_prints_the_files_alone(evaluate: Command, good: Path) -> None:
    result = evaluate("--estimates", good, "--quiet")
    assert [Path(line).name for line in result.out.splitlines()] == [
        "results.json",
        "results.csv",
        "report.html",
    ]
    assert result.err == ""


def test_files_of_somebody_else_are_kept(evaluate: Command, good: Path, folder: Path) -> None:
    (folder / "evaluation").mkdir()
    mine = folder / "evaluation/report.html"
    mine.write_text("mine")
    result = evaluate("--estimates", good)
    assert result.status == 1
    assert "is in the way" in result.err
    assert mine.read_text() == "mine"


def test_a_run_that_is_stopped_keeps_its_tracks(folder: Path, tiny_model: Path) -> None:
    write_set(folder / "set", tuple("abcdefgh"), 60.0)
    words = ["eval", "--data", "set", "--model", str(tiny_model), "--device", "cpu", *FAST]
    program = [sys.executable, "-m", "stemsplit", *words, "--workers", "1", "--batch", "1"]
    process = subprocess.Popen(
        program, cwd=folder, env=environment(folder / "cache"), stderr=subprocess.PIPE, text=True
    )
    tracks = folder / "evaluation/tracks"
    try:
        deadline = time.monotonic() + 60
        while not (tracks.exists() and any(tracks.glob("*.json"))):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 130, err
    assert "the same command goes on" in err
    kept = len(list(tracks.glob("*.json")))
    assert 1 <= kept < 8
    assert not (folder / "evaluation/results.json").exists()
