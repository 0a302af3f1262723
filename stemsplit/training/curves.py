"""The course of a run as a picture, read from its log. Imports no torch."""

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from stemsplit.evaluation.png import write_png
from stemsplit.training.canvas import BLACK, GREY, LETTER_WIDTH, Canvas, Colour
from stemsplit.training.run_log import log_entries

_WIDTH, _HEIGHT = 1200, 860
_LEFT, _TOP, _RIGHT, _BOTTOM = 92, 46, 36, 40  # margins of a panel
_TICKS = 6  # about so many on an axis
_WIDE_RATIO = 20.0  # of the largest value to the smallest, from which an axis is logarithmic
_POINTS = 240  # of a line
_MEAN = ""  # the series over all stems

_COLOURS: tuple[Colour, ...] = (
    (0.84, 0.15, 0.16),
    (0.12, 0.47, 0.71),
    (0.17, 0.63, 0.17),
    (1.0, 0.5, 0.05),
    (0.58, 0.4, 0.74),
    (0.55, 0.34, 0.29),
)

Series = list[tuple[int, float]]
"""Steps, which rise, and values."""


@dataclass
class Curves:
    """What the log of a run has told so far."""

    path: Path
    """The log."""

    loss: dict[str, Series] = field(default_factory=dict)
    """Of every term and stem; the whole loss is under the empty name."""

    sdr_db: dict[str, Series] = field(default_factory=dict)
    """Of every stem; the mean is under the empty name."""

    learning_rate: Series = field(default_factory=list)
    gradient_norm: Series = field(default_factory=list)
    _read_bytes: int = 0

    def update(self) -> None:
        """Read the lines that have come since the last time.

        A run that went on from a state behind its last line tells some steps again: the later
        lines take the place of the earlier ones.

        Raises:
            OSError: the log cannot be read.
        """
        with self.path.open("rb") as file:
            file.seek(self._read_bytes)
            text = file.read()
        whole = text.rfind(b"\n") + 1
        self._read_bytes += whole
        for entry in log_entries(text[:whole]):
            with suppress(KeyError, TypeError, AttributeError):  # of another version
                self._add(entry)

    def _add(self, entry: Mapping[str, Any]) -> None:
        if entry["kind"] == "StepDone":
            step = entry["step"]
            for name, value in {_MEAN: entry["loss"], **entry["terms"]}.items():
                _append(self.loss.setdefault(name, []), step, value)
            _append(self.learning_rate, step, entry["learning_rate"])
            _append(self.gradient_norm, step, entry["gradient_norm"])
        elif entry["kind"] == "Validated":
            for name, value in {_MEAN: entry["sdr_db"], **entry["stems_db"]}.items():
                _append(self.sdr_db.setdefault(name, []), entry["step"], value)

    def draw(self) -> bytes:
        """A PNG of loss, SDR, learning rate and norm of the gradient over the steps."""
        stems = [name for name in self.sdr_db if name != _MEAN]
        colours = {_MEAN: BLACK} | {
            name: _COLOURS[place % len(_COLOURS)] for place, name in enumerate(stems)
        }
        canvas = Canvas(_WIDTH, _HEIGHT)
        panels = (
            ("loss", self.loss, True),
            ("SDR (dB)", self.sdr_db, False),
            ("learning rate", {_MEAN: self.learning_rate}, False),
            ("norm of the gradient", {_MEAN: self.gradient_norm}, True),
        )
        for place, (title, series, may_be_wide) in enumerate(panels):
            row, column = divmod(place, 2)
            box = _Box(column * _WIDTH / 2, row * _HEIGHT / 2, _WIDTH / 2, _HEIGHT / 2)
            shown = {name: series[name] for name in colours if series.get(name)}
            _draw_panel(canvas, box, title, shown, colours, may_be_wide)
        return write_png(canvas.pixels)


@dataclass(frozen=True)
class _Axis:
    """Values to places."""

    low: float
    high: float
    first: float
    """Place of `low`, in pixels."""
    last: float
    is_wide: bool = False
    """Logarithmic."""

    def __call__(self, value: float) -> float:
        low, high, value = (self._even(one) for one in (self.low, self.high, value))
        return self.first + (value - low) / (high - low) * (self.last - self.first)

    def ticks(self) -> list[float]:
        """Round values."""
        if self.is_wide:
            powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
            found = [factor * 10.0**power for power in powers for factor in (1, 2, 5)]
            inside = [value for value in found if self.low <= value <= self.high]
            return inside if len(inside) <= _TICKS + 2 else inside[:: len(inside) // _TICKS]
        rough = (self.high - self.low) / _TICKS
        unit = 10.0 ** math.floor(math.log10(rough))
        step = next(unit * factor for factor in (1, 2, 5, 10) if rough <= unit * factor)
        first = math.ceil(self.low / step)
        return [step * number for number in range(first, math.floor(self.high / step) + 1)]

    def _even(self, value: float) -> float:
        return math.log10(value) if self.is_wide else value


@dataclass(frozen=True)
class _Box:
    """Where a panel lies, in pixels."""

    left: float
    top: float
    width: float
    height: float

    def across(self, values: Sequence[float]) -> _Axis:
        return _Axis(0, max(values, default=1), self.left + _LEFT, self.left + self.width - _RIGHT)

    def upwards(self, values: Sequence[float], may_be_wide: bool) -> _Axis:
        low, high = min(values, default=0.0), max(values, default=1.0)
        is_wide = may_be_wide and low > 0 and high / low > _WIDE_RATIO
        if is_wide:
            low, high = low / 1.1, high * 1.1
        else:
            margin = 0.05 * (high - low) or 0.05 * abs(high) or 1.0
            low, high = low - margin, high + margin
        return _Axis(low, high, self.top + self.height - _BOTTOM, self.top + _TOP, is_wide)


def _draw_panel(
    canvas: Canvas,
    box: _Box,
    title: str,
    series: Mapping[str, Series],
    colours: Mapping[str, Colour],
    may_be_wide: bool,
) -> None:
    thinned = {name: _thinned(points, _POINTS) for name, points in series.items()}
    across = box.across([step for points in thinned.values() for step, _ in points])
    values = [value for points in thinned.values() for _, value in points]
    upwards = box.upwards(values, may_be_wide)
    for tick in across.ticks():
        canvas.rule(across(tick), upwards.last, across(tick), upwards.first)
        label = _label(tick)
        canvas.text(across(tick), upwards.first + 10, label, anchor="middle")
    for tick in upwards.ticks():
        canvas.rule(across.first, upwards(tick), across.last, upwards(tick))
        canvas.text(across.first - 8, upwards(tick) - 7, _label(tick), anchor="right")
    canvas.rule(across.first, upwards.first, across.last, upwards.first, GREY)
    canvas.rule(across.first, upwards.last, across.first, upwards.first, GREY)
    canvas.text(across.first, box.top + 12, title, BLACK)
    for name in reversed(thinned):  # the mean comes last, on top
        points = [(across(step), upwards(value)) for step, value in thinned[name]]
        canvas.line(points, colours[name], width=2.6 if name == _MEAN else 1.6)
        if len(points) == 1:
            ((x, y),) = points
            canvas.line([(x - 3, y), (x + 3, y)], colours[name], width=4)
    _draw_names(canvas, across.last, box.top + 12, [name for name in thinned if name], colours)


def _draw_names(
    canvas: Canvas, right: float, top: float, names: Sequence[str], colours: Mapping[str, Colour]
) -> None:
    """Say which colour is which, in the line of the title; black is all together."""
    for name in reversed(names):
        canvas.text(right, top, name, colours[name], anchor="right")
        right -= LETTER_WIDTH * (len(name) + 1)


def _append(series: Series, step: int, value: float | None) -> None:
    while series and series[-1][0] >= step:
        series.pop()
    if value is not None and math.isfinite(value):
        series.append((step, value))


def _thinned(points: Series, most: int) -> Series:
    """Means of neighbours, where there are more points than can be seen."""
    if len(points) <= most:
        return points
    parts = np.array_split(np.array(points), most)
    return [(int(part[-1, 0]), float(part[:, 1].mean())) for part in parts]


def _label(value: float) -> str:
    if abs(value) >= 1_000_000:
        return f"{value / 1_000_000:g}M"
    if abs(value) >= 10_000:
        return f"{value / 1000:g}k"
    return f"{value:.0e}".replace("e-0", "e-") if 0 < abs(value) < 1e-3 else f"{value:.4g}"
