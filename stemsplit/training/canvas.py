"""Draws lines and words into a picture, so that curves need no other program. Imports no torch."""

import math
from collections.abc import Sequence
from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Colour = tuple[float, float, float]
"""Red, green and blue, from 0 to 1."""

Anchor = Literal["left", "middle", "right"]

BLACK: Colour = (0.1, 0.1, 0.1)
GREY: Colour = (0.45, 0.45, 0.45)
LIGHT: Colour = (0.9, 0.9, 0.9)

_STEP = 0.5  # pixels between the dots that a line is made of
_REACH = 2  # pixels around a dot that it can colour
_SCALE = 2  # pixels of a dot of a letter
_COLUMNS, _ROWS = 6, 8  # dots from letter to letter, and of a letter with its tail
LETTER_WIDTH, LETTER_HEIGHT = _SCALE * _COLUMNS, _SCALE * 7

# A letter, then its five columns from left to right, two digits each; the lowest bit is the top.
_TABLE = """
%2313086462 (001C224100 )0041221C00 +08083E0808 ,0050300000 -0808080808 .0060600000 /2010080402
:0036360000 =1414141414 _4040404040 03E5149453E 100427F4000 24261514946 32141454B31 41814127F10
52745454539 63C4A494930 70171090503 83649494936 9064949291E A7E1111117E B7F49494936 C3E41414122
D7F4141413E E7F49494941 F7F09090901 G3E4149497A H7F0808087F I00417F4100 J2040413F01 K7F08142241
L7F40404040 M7F020C027F N7F0408107F O3E4141413E P7F09090906 Q3E4151215E R7F09192946 S4649494931
T01017F0101 U3F4040403F V1F2040201F W3F4038403F X6314081463 Y0304780403 Z6151494543 a2054545478
b7F48444438 c3844444420 d384444487F e3854545418 f087E090102 g0C5252523E h7F08040478 i00447D4000
j2040443D00 k7F10284400 l00417F4000 m7C04180478 n7C08040478 o3844444438 p7C14141408 q081414187C
r7C08040408 s4854545420 t043F444020 u3C4040207C v1C2040201C w3C4030403C x4428102844 y0C5050503C
z4464544C44
"""
_LETTERS = {" ": "0000000000"} | {word[0]: word[1:] for word in _TABLE.split()}
_UNKNOWN = "7F4141417F"


class Canvas:
    """A white picture that things are drawn into; places are in pixels from its top left corner."""

    def __init__(self, width: int, height: int) -> None:
        """Begin with a white picture."""
        self._light = np.ones((height, width, 3), np.float32)

    @property
    def pixels(self) -> NDArray[np.uint8]:
        """(rows, columns, 3), as `stemsplit.evaluation.png.write_png` takes them."""
        return (self._light * 255).round().astype(np.uint8)

    def line(
        self, points: Sequence[tuple[float, float]], colour: Colour, *, width: float = 1.8
    ) -> None:
        """Draw a line with smooth edges through points (x, y)."""
        corners = np.array(points, dtype=np.float64).reshape(-1, 2)
        lengths = np.hypot(*np.diff(corners, axis=0).T)
        along = np.concatenate([[0.0], np.cumsum(lengths)])
        places = np.linspace(0, along[-1], 1 + math.ceil(along[-1] / _STEP))
        x, y = (np.interp(places, along, corners[:, axis]) for axis in (0, 1))
        # Only the part of the picture around the line, which has room for the edges of all dots.
        top, left = math.floor(y.min()) - _REACH, math.floor(x.min()) - _REACH
        size = math.floor(y.max()) + _REACH + 1 - top, math.floor(x.max()) + _REACH + 1 - left
        cover = np.zeros(size, np.float32)
        around = range(-_REACH, _REACH + 1)
        for rows, columns in (
            (np.floor(y) + dy, np.floor(x) + dx) for dy in around for dx in around
        ):
            apart = np.hypot(rows + 0.5 - y, columns + 0.5 - x)
            near = apart < width / 2 + 0.5
            where = rows[near].astype(int) - top, columns[near].astype(int) - left
            np.maximum.at(cover, where, np.minimum(width / 2 + 0.5 - apart[near], 1))
        inside = self._light[max(0, top) : top + size[0], max(0, left) : left + size[1]]
        cover = cover[max(0, -top) :, max(0, -left) :][: inside.shape[0], : inside.shape[1]]
        inside += cover[..., None] * (np.array(colour, np.float32) - inside)

    def rule(self, x1: float, y1: float, x2: float, y2: float, colour: Colour = LIGHT) -> None:
        """Draw a straight line along the rows or columns, one pixel wide."""
        self._light[int(y1) : int(y2) + 1, int(x1) : int(x2) + 1] = colour

    def text(
        self, x: float, y: float, text: str, colour: Colour = GREY, *, anchor: Anchor = "left"
    ) -> None:
        """Write a line of words.

        Args:
            x: where it begins, has its middle or ends, as `anchor` says.
            y: its top.
            text: letters, digits and some signs; others become a box.
            colour: of the letters.
            anchor: what `x` is.
        """
        width = len(text) * LETTER_WIDTH
        left = int(x) - {"left": 0, "middle": width // 2, "right": width}[anchor]
        for letter in text:
            dots = _dots(letter)
            area = self._light[int(y) : int(y) + dots.shape[0], left : left + dots.shape[1]]
            area[dots[: area.shape[0], : area.shape[1]]] = colour
            left += LETTER_WIDTH


@cache
def _dots(letter: str) -> NDArray[np.bool_]:
    """Pixels (rows, columns) of a letter."""
    columns = np.frombuffer(bytes.fromhex(_LETTERS.get(letter, _UNKNOWN)), np.uint8)
    dots = (columns[None] >> np.arange(_ROWS)[:, None]) & 1
    return np.kron(dots, np.ones((_SCALE, _SCALE), int)).astype(bool)
