"""Candidates times tracks, from Python."""

import threading
from pathlib import Path

import pytest

from stemsplit.errors import Cancelled
from stemsplit.evaluation import open_dataset
from stemsplit.evaluation.candidates import Candidate, EstimatesCandidate, ModelCandidate
from stemsplit.evaluation.estimates import find_estimates
from stemsplit.evaluation.events import EvaluationEvent, TrackAdvanced, TrackScored
from stemsplit.evaluation.options import MetricOptions
from stemsplit.evaluation.run_options import EvaluationOptions
from stemsplit.evaluation.runner import evaluate
from stemsplit.evaluation.summary import summary_rows
from stemsplit.separation.options import SeparationOptions
from tests.cli.tiny import write_tiny_model
from tests.evaluation.songs import NAMES, STEMS

METRICS = MetricOptions(metrics=("sdr",))


def finished(folder: Path) -> EstimatesCandidate:
    return EstimatesCandidate(
        "done", folder, find_estimates(folder, tracks=NAMES, stems=STEMS)[folder.name]
    )


def test_models_and_finished_stems_stand_in_one_table(
    song_set: Path, good_stems: Path, tmp_path: Path
) -> None:
    model = write_tiny_model(tmp_path / "tiny.safetensors")
    candidates: list[Candidate] = [
        ModelCandidate.named(str(model), SeparationOptions(device="cpu")),
        finished(good_stems),
    ]
    options = EvaluationOptions(metrics=METRICS, folder=tmp_path / "out")
    found = evaluate(open_dataset(song_set), candidates, options).result
    ranked = [row.candidate for row in summary_rows(found) if row.stem == "all"]
    assert ranked == ["done", "tiny"]
    assert found.baseline == "tiny"  # the first one that was given
    assert found.data.tracks == NAMES
    assert found.machine["torch"]


@pytest.mark.parametrize("workers", [1, 3])
def test_any_number_of_workers_gives_the_same_scores(
    song_set: Path, bad_stems: Path, tmp_path: Path, workers: int
) -> None:
    options = EvaluationOptions(metrics=METRICS, folder=tmp_path, workers=workers)
    found = evaluate(open_dataset(song_set), [finished(bad_stems)], options).result
    assert [track.track for track in found.candidates[0].tracks] == list(NAMES)
    for track in found.candidates[0].tracks:
        for stem in STEMS:
            # Written with an error 3 dB below the stem, in float32.
            assert track.scores.stems[stem].values["sdr"] == pytest.approx(3.0, abs=1e-3)


def test_progress_goes_from_nothing_to_all_with_the_time_left(
    song_set: Path, good_stems: Path, tmp_path: Path
) -> None:
    events: list[EvaluationEvent] = []
    options = EvaluationOptions(metrics=METRICS, folder=tmp_path, workers=1)
    evaluate(open_dataset(song_set), [finished(good_stems)], options, on_event=events.append)
    shares = [event.fraction for event in events if isinstance(event, TrackAdvanced)]
    assert shares[0] == 0
    assert shares == sorted(shares)
    done = [event for event in events if isinstance(event, TrackScored)]
    assert [event.num_done for event in done] == [1, 2, 3]
    assert done[-1].remaining_seconds == 0
    assert done[0].remaining_seconds is not None
    assert done[0].remaining_seconds > 0


def test_a_stop_ends_the_work_and_keeps_what_is_done(
    song_set: Path, good_stems: Path, tmp_path: Path
) -> None:
    cancel = threading.Event()

    def stop_after_one(event: EvaluationEvent) -> None:
        if isinstance(event, TrackScored):
            cancel.set()

    options = EvaluationOptions(metrics=METRICS, folder=tmp_path, workers=1)
    with pytest.raises(Cancelled):
        evaluate(
            open_dataset(song_set),
            [finished(good_stems)],
            options,
            on_event=stop_after_one,
            cancel=cancel,
        )
    assert 1 <= len(list((tmp_path / "tracks").glob("*.json"))) < len(NAMES)
