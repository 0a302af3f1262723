"""The pictures of the report: SVG that stands in the page itself. Imports no torch."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

NUM_COLOURS = 6  # of the style sheet
_WIDTH = 900
_LABEL_WIDTH = 200
_BOX_HEIGHT, _BAR_HEIGHT, _AXIS_HEIGHT = 34, 17, 24
_WHISKER = 1.5  # of the middle half: how far whiskers reach
_TICKS = 7


@dataclass(frozen=True)
class _Scale:
    """Decibels to places."""

    low: float
    high: float

    def __call__(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return _LABEL_WIDTH + share * (_WIDTH - _LABEL_WIDTH - 20)

    def ticks(self) -> list[float]:
        span = self.high - self.low
        rough = 10 ** math.floor(math.log10(span / _TICKS))
        step = next(rough * k for k in (1, 2, 5, 10) if span / (rough * k) <= _TICKS)
        first = math.ceil(self.low / step)
        return [step * k for k in range(first, math.floor(self.high / step) + 1)]


def box_plots(rows: Sequence[tuple[str, int, Mapping[str, float]]], unit: str = "dB") -> str:
    """Boxes of the middle half of the tracks, with every track as a dot.

    Args:
        rows: label, number of the colour, and track to value; values that are not finite are left
            out.
        unit: of the axis.
    """
    kept = [(label, colour, _finite(values)) for label, colour, values in rows]
    kept = [row for row in kept if row[2]]
    if not kept:
        return '<p class="soft">There is nothing to draw.</p>'
    scale = _scale([value for _, _, values in kept for value in values.values()])
    height = len(kept) * _BOX_HEIGHT + _AXIS_HEIGHT
    parts = list(_axis(scale, height, unit))
    for index, (label, colour, values) in enumerate(kept):
        parts += _box(label, colour, values, scale, index * _BOX_HEIGHT)
    return _svg(parts, height, "Box plots: " + ", ".join(label for label, _, _ in kept))


def gap_bars(gaps: Mapping[str, float], colour: int, unit: str = "dB") -> str:
    """One bar per track, the largest gap on top.

    Args:
        gaps: track to gap; what is not finite is left out.
        colour: number of the colour.
        unit: of the axis.
    """
    kept = sorted(_finite(gaps).items(), key=lambda item: -item[1])
    if not kept:
        return '<p class="soft">There is nothing to draw.</p>'
    scale = _scale([0.0, *(gap for _, gap in kept)])
    height = len(kept) * _BAR_HEIGHT + _AXIS_HEIGHT
    parts = list(_axis(scale, height, unit))
    zero = scale(0.0)
    for index, (track, gap) in enumerate(kept):
        top, end = index * _BAR_HEIGHT, scale(gap)
        name = track if len(track) <= 30 else f"{track[:29]}…"
        parts.append(f'<text x="4" y="{top + 12.5:.1f}">{escape(name)}</text>')
        parts.append(
            f'<rect x="{min(zero, end):.1f}" y="{top + 3}" width="{abs(end - zero):.1f}"'
            f' height="{_BAR_HEIGHT - 6}" class="bar {_colour(colour)}">'
            f"<title>{escape(track)}: {gap:+.2f} {unit}</title></rect>"
        )
    parts.append(_line(zero, 0, zero, height - _AXIS_HEIGHT, "zero"))
    return _svg(parts, height, f"Gap per track, {len(kept)} tracks")


def _box(
    label: str, colour: int, values: Mapping[str, float], scale: _Scale, top: int
) -> Iterator[str]:
    ordered = np.sort(np.array(list(values.values())))
    first, median, third = np.quantile(ordered, (0.25, 0.5, 0.75))
    reach = _WHISKER * (third - first)
    low = float(ordered[ordered >= first - reach].min())
    high = float(ordered[ordered <= third + reach].max())
    middle = top + _BOX_HEIGHT / 2
    kind = _colour(colour)
    yield f'<text x="4" y="{middle + 4:.1f}">{escape(_short(label))}</text>'
    for start, stop in ((low, first), (third, high)):
        yield (
            f'<line x1="{scale(start):.1f}" y1="{middle}" x2="{scale(stop):.1f}" y2="{middle}"'
            f' class="edge {kind}"/>'
        )
    width = max(1.0, scale(third) - scale(first))
    yield (
        f'<rect x="{scale(first):.1f}" y="{top + 7}" width="{width:.1f}"'
        f' height="{_BOX_HEIGHT - 14}" class="box {kind}">'
        f"<title>{escape(label)}: median {median:.2f}, middle half {first:.2f} to {third:.2f}"
        "</title></rect>"
    )
    yield (
        f'<line x1="{scale(median):.1f}" y1="{top + 7}" x2="{scale(median):.1f}"'
        f' y2="{top + _BOX_HEIGHT - 7}" class="middle {kind}"/>'
    )
    for track, value in values.items():
        yield (
            f'<circle cx="{scale(value):.1f}" cy="{middle}" r="2.5" class="dot {kind}">'
            f"<title>{escape(track)}: {value:.2f}</title></circle>"
        )


def _axis(scale: _Scale, height: int, unit: str) -> Iterator[str]:
    bottom = height - _AXIS_HEIGHT
    for tick in scale.ticks():
        place = scale(tick)
        yield _line(place, 0, place, bottom, "grid")
        yield (
            f'<text class="soft" x="{place:.1f}" y="{height - 8}" text-anchor="middle">{tick:g}'
            "</text>"
        )
    yield f'<text class="soft" x="4" y="{height - 8}">{escape(unit)}</text>'


def _colour(number: int) -> str:
    return f"c{number % NUM_COLOURS}"


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _svg(parts: Sequence[str], height: int, title: str) -> str:
    body = "".join(parts)
    return (
        f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{escape(title)}">{body}</svg>'
    )


def _scale(values: Sequence[float]) -> _Scale:
    low, high = min(values), max(values)
    margin = 0.04 * (high - low) or 0.5
    return _Scale(low - margin, high + margin)


def _finite(values: Mapping[str, float]) -> dict[str, float]:
    return {name: value for name, value in values.items() if math.isfinite(value)}


def _short(label: str) -> str:
    return label if len(label) <= 28 else f"{label[:27]}…"
