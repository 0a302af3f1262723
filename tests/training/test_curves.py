"""The picture of a run."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stemsplit.training.canvas import BLACK, Canvas
from stemsplit.training.curves import Curves
from tests.evaluation.test_pictures import read_png


def step(number: int, loss: float, **terms: float) -> dict[str, Any]:
    return {
        "kind": "StepDone",
        "step": number,
        "loss": loss,
        "terms": terms,
        "learning_rate": 1e-3,
        "gradient_norm": 1.0,
    }


def validation(number: int, sdr_db: float | None, **stems: float) -> dict[str, Any]:
    return {"kind": "Validated", "step": number, "sdr_db": sdr_db, "stems_db": stems}


def write(path: Path, *entries: dict[str, Any]) -> Path:
    with path.open("a") as file:
        file.writelines(json.dumps(entry) + "\n" for entry in entries)
    return path


def curves_of(path: Path) -> Curves:
    curves = Curves(path)
    curves.update()
    return curves


def test_steps_that_a_run_takes_again_are_told_once(tmp_path: Path) -> None:
    log = write(tmp_path / "log", *(step(n, 1.0 / n, vocals=n) for n in (10, 20, 30)))
    curves = curves_of(log)
    write(log, step(15, 0.5, vocals=4.0), validation(20, 3.0, vocals=3.0))
    curves.update()
    assert curves.loss == {
        "": [(10, 0.1), (15, 0.5)],
        "vocals": [(10, 10), (15, 4.0)],
    }
    assert curves.sdr_db == {"": [(20, 3.0)], "vocals": [(20, 3.0)]}
    assert curves == curves_of(log)


def test_a_line_that_was_cut_short_and_values_that_are_none_are_left_out(tmp_path: Path) -> None:
    log = write(tmp_path / "log", step(1, 1.0), validation(2, None), {"kind": "Finished"})
    with log.open("a") as file:
        file.write('{"kind": "StepDone", "st\n[1]\n{"kind": "StepDone"}\n')
        file.write(json.dumps(step(3, 3.0)))  # not whole yet
    curves = curves_of(log)
    assert curves.loss == {"": [(1, 1.0)]}
    assert curves.sdr_db == {"": []}
    with log.open("a") as file:
        file.write("\n")
    curves.update()
    assert curves.loss == {"": [(1, 1.0), (3, 3.0)]}


@pytest.mark.parametrize(
    "entries",
    [
        [],
        [step(1, 0.0)],
        [validation(1, -3.0, vocals=-3.0)],
        [step(n, 10.0**-n) for n in range(1, 9)],
        [step(n, 1.0) for n in range(1, 2000)],
        [step(5_000_000, -1.0, l1=2.0), validation(5_000_000, 7.0, ドラム=7.0)],
    ],
)
def test_any_log_can_be_drawn(tmp_path: Path, entries: list[dict[str, Any]]) -> None:
    log = write(tmp_path / "log", *entries)
    pixels = read_png(curves_of(log).draw())
    assert pixels.shape == (860, 1200, 3)
    assert pixels.min() < 60  # words at least
    assert (pixels == 255).mean() > 0.8


def test_a_falling_loss_falls_in_the_picture(tmp_path: Path) -> None:
    log = write(tmp_path / "log", *(step(n, 2.0 - n / 100) for n in range(1, 101)))
    dark = read_png(curves_of(log).draw())[50:380, 100:560].sum(-1) < 150
    heights = [np.flatnonzero(column).mean() for column in dark.T if column.any()]
    assert len(heights) > 440
    assert np.all(np.diff(heights) > -0.6)  # rows count from the top; a line is two of them wide


def test_a_line_covers_its_width_and_may_leave_the_picture() -> None:
    canvas = Canvas(40, 20)
    canvas.line([(-30.0, 10.0), (80.0, 10.0)], BLACK, width=2.0)
    ink = 1 - canvas.pixels[:, :, 0] / 255
    # A dot is as dark at its edge as the pixel is covered there: 2 pixels, black at 0.9.
    np.testing.assert_allclose(ink.sum(0), 2 * 0.9, atol=0.15)
    assert ink[:8].max() == 0
    outside = Canvas(40, 20)
    outside.line([(100.0, 100.0), (120.0, 130.0)], BLACK)
    assert outside.pixels.min() == 255


def test_words_stand_where_they_are_asked_for() -> None:
    left, right = Canvas(100, 30), Canvas(100, 30)
    left.text(10, 5, "0.5", BLACK)
    right.text(46, 5, "0.5", BLACK, anchor="right")  # three letters of 12 pixels
    np.testing.assert_array_equal(left.pixels, right.pixels)
    letters = {letter: _ink(letter) for letter in "0123456789.-abcdefghijklmnopqrstuvwxyzSDR"}
    assert len(set(letters.values())) == len(letters)


def _ink(letter: str) -> bytes:
    canvas = Canvas(12, 16)
    canvas.text(0, 0, letter)
    return canvas.pixels.tobytes()
