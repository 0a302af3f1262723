"""What people at a terminal see of trainings, evaluations and tables."""

import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from stemsplit.cli._console import Console
from stemsplit.cli._scores import _BarReporter, make_evaluation_reporter
from stemsplit.cli._training import _LiveReporter, make_training_reporter
from stemsplit.evaluation.events import (
    EvaluationStarted,
    TrackAdvanced,
    TrackFailed,
    TrackScored,
)
from stemsplit.training.events import Finished, Notice, StepDone, Validated
from tests.cli.test_progress import Terminal

STEP = StepDone(
    step=20,
    total_steps=800,
    epoch=1,
    epochs=4,
    loss=0.25,
    terms={"vocals": 0.5},
    learning_rate=3e-4,
    gradient_norm=1.5,
    audio_per_second=33.25,
    remaining_seconds=3723.0,
)
VALIDATED = Validated(
    step=200, epoch=1, sdr_db=4.5, stems_db={"vocals": 6.25}, weights="ema", is_best=True, seconds=2
)
FINISHED = Finished(step=800, is_complete=True, best=Path("runs/nn/best"), best_sdr_db=4.5)


def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """In place of both streams, from within a test: pytest puts its own there after fixtures."""
    made = Terminal()
    monkeypatch.setattr(sys, "stdout", made)
    monkeypatch.setattr(sys, "stderr", made)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.delenv("NO_COLOR", raising=False)
    return made


def shown(screen: Terminal) -> str:
    """What has appeared since the last time."""
    text = screen.getvalue()
    screen.seek(0)
    screen.truncate()
    return text


def test_a_training_is_a_table_below_what_happened(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = terminal(monkeypatch)
    with make_training_reporter(Console()) as reporter:
        assert isinstance(reporter, _LiveReporter)
        reporter(Notice(message="[a] 歌: left out.", is_warning=True))
        assert "Warning: [a] 歌: left out." in shown(screen)
        reporter(STEP)
        text = shown(screen)
        for part in ("1 of 4", "20 of 800", "0.25000", "  vocals", "0.50000", "3.00e-04"):
            assert part in text
        assert "33.2 s" in text
        assert "1:02:03" in text
        assert "SDR" not in text
        reporter(VALIDATED)
        text = shown(screen)
        assert "epoch 1: SDR 4.50 dB (vocals 6.25) by the ema weights, the best so far" in text
        assert "20 of 800" in text  # the table is still there
        reporter(replace(STEP, step=40))
        text = shown(screen)
        assert "40 of 800" in text
        assert "4.50 dB (vocals 6.25)" in text
        reporter(FINISHED)
        text = shown(screen)
        assert "Done after step 800. The best weights, 4.50 dB: runs/nn/best" in text
    assert "│" not in shown(screen)
    assert not reporter._live.is_started


def test_the_table_of_a_training_that_breaks_off_is_taken_down(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    screen = terminal(monkeypatch)
    reporter = make_training_reporter(Console())
    assert isinstance(reporter, _LiveReporter)
    with suppress(KeyError), reporter:
        reporter(STEP)
        raise KeyError
    assert not reporter._live.is_started
    assert "\x1b[?25h" in screen.getvalue().rpartition("┘")[2]  # the cursor is back


def test_an_evaluation_is_a_bar_below_the_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = terminal(monkeypatch)
    with make_evaluation_reporter(Console()) as reporter:
        assert isinstance(reporter, _BarReporter)
        reporter(
            EvaluationStarted(data="musdb, 3 songs", candidates=("a",), num_tracks=3, num_waiting=2)
        )
        text = shown(screen)
        assert "musdb, 3 songs." in text
        assert "1 tracks have their scores from an earlier run." in text
        advanced = TrackAdvanced(
            candidate="a", track="[b] 歌", fraction=0.25, remaining_seconds=None
        )
        reporter(advanced)
        reporter._progress.refresh()
        text = shown(screen)
        assert "Evaluating" in text
        assert "25 %" in text
        assert "[b] 歌" in text
        reporter(replace(advanced, fraction=0.5, remaining_seconds=65.0))
        reporter._progress.refresh()
        assert "1:05 left, [b] 歌" in shown(screen)
        reporter(
            TrackScored(
                candidate="a",
                track="[b] 歌",
                values={"vocals": 6.25},
                num_done=1,
                num_waiting=1,
                remaining_seconds=None,
            )
        )
        text = shown(screen)
        assert "[b] 歌" in text
        assert "6.25" in text
        reporter(TrackFailed(candidate="a", track="c", reason="it ends early."))
        assert "Failed: a, c: it ends early." in shown(screen)
    assert reporter._progress.live.is_started is False


def test_a_table_is_ruled_and_its_cells_are_plain_text(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = terminal(monkeypatch)
    Console().table(("name", "size"), [("[b]x[/b]", "12 MB"), ("歌", "[")])
    lines = screen.getvalue().splitlines()
    assert any(set(line.strip()) <= set("╶─╴━ ") and line.strip() for line in lines)
    assert any("[b]x[/b]" in line and "12 MB" in line for line in lines)
    assert any("歌" in line and line.rstrip().endswith("[") for line in lines)
