"""Pictures and excerpts of the report."""

import base64
import io
import xml.etree.ElementTree as ElementTree
import zlib
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from stemsplit.evaluation.excerpts import make_excerpt
from stemsplit.evaluation.png import palette, write_png
from stemsplit.evaluation.report_plots import box_plots, gap_bars

RATE = 8000


def read_png(data: bytes) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Pixels of a picture that `write_png` wrote, its checksums compared."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, place = {}, 8
    while place < len(data):
        length = int.from_bytes(data[place : place + 4], "big")
        kind, body = data[place + 4 : place + 8], data[place + 8 : place + 8 + length]
        check = int.from_bytes(data[place + 8 + length : place + 12 + length], "big")
        assert check == zlib.crc32(kind + body)
        chunks[kind] = body
        place += 12 + length
    width, height = (int.from_bytes(chunks[b"IHDR"][i : i + 4], "big") for i in (0, 4))
    rows = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(height, -1)
    if chunks[b"IHDR"][9] == 2:
        return rows[:, 1:].reshape(height, width, 3)
    assert len(chunks[b"PLTE"]) == 3 * 256
    return rows[:, 1:]


@pytest.mark.parametrize("shape", [(6, 4), (4, 2, 3)])
def test_a_picture_holds_its_pixels(shape: tuple[int, ...]) -> None:
    pixels = np.arange(24, dtype=np.uint8).reshape(shape) * 10
    np.testing.assert_array_equal(read_png(write_png(pixels)), pixels)


def test_brighter_means_more() -> None:
    lightness = palette().astype(float) @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(lightness) > -1).all()  # rounding of the colours
    assert lightness[-1] - lightness[0] > 200


def test_a_box_plot_is_drawn_to_scale() -> None:
    svg = box_plots([("m", 0, {str(value): float(value) for value in range(11)})])
    root = ElementTree.fromstring(svg)
    dots = sorted(float(one.attrib["cx"]) for one in root.iter("circle"))
    assert len(dots) == 11
    np.testing.assert_allclose(np.diff(dots), dots[1] - dots[0], atol=0.11)  # of 0.1 written
    box = next(one for one in root.iter("rect"))
    assert float(box.attrib["x"]) == pytest.approx((dots[2] + dots[3]) / 2, abs=0.2)
    assert "median 5.00, middle half 2.50 to 7.50" in svg


def test_values_that_are_no_numbers_are_not_drawn() -> None:
    svg = box_plots([("m", 0, {"a": 1.0, "b": float("nan"), "c": float("inf")})])
    assert len(list(ElementTree.fromstring(svg).iter("circle"))) == 1
    assert "nothing to draw" in box_plots([("m", 0, {"b": float("nan")})])
    assert "nothing to draw" in gap_bars({}, 0)


def test_bars_are_sorted_by_the_gap_and_names_are_escaped() -> None:
    svg = gap_bars({"<low>": -2.0, "high": 3.0, "mid": 1.0}, 1)
    root = ElementTree.fromstring(svg)
    names = [one.text for one in root.iter("text") if one.attrib["x"] == "4"][1:]
    assert names == ["high", "mid", "<low>"]
    widths = [float(one.attrib["width"]) for one in root.iter("rect")]
    assert widths[0] / widths[1] == pytest.approx(3.0, abs=0.01)
    assert widths[2] / widths[1] == pytest.approx(2.0, abs=0.01)


def test_the_excerpt_is_where_the_error_is_loudest(tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(0)
    reference = 0.05 * torch.randn(2, 20 * RATE, generator=generator)
    estimate = reference.clone()
    estimate[:, 13 * RATE : 15 * RATE] += 0.3
    found = make_excerpt("vocals", reference, estimate, reference, sample_rate=RATE)
    assert found["stem"] == "vocals"
    assert 9.0 <= found["start_seconds"] <= 13.0
    assert found["seconds"] == 6.0
    for name in ("mix", "reference", "estimate"):
        sound = base64.b64decode(found["sounds"][name])
        samples, rate = soundfile.read(io.BytesIO(sound))
        assert len(samples) / rate == pytest.approx(6.0, abs=0.2)  # MP3 adds frames
    pixels = read_png(base64.b64decode(found["pictures"]["error"]))
    assert pixels.shape == (128, 320)
    # A constant is all in the lowest rows, and only while it lasts.
    assert pixels[:64].max() < pixels[-1].max()


def test_a_tone_lies_at_its_pitch() -> None:
    time = torch.arange(6 * RATE) / RATE
    tone = (0.5 * torch.sin(2 * torch.pi * 400 * time)).expand(2, -1)
    found = make_excerpt("x", tone, 0 * tone, tone, sample_rate=RATE)
    pixels = read_png(base64.b64decode(found["pictures"]["reference"]))
    loudest = int(pixels[::-1].astype(int).sum(axis=1).argmax())
    # Rows run evenly in pitch from 40 Hz to 4 kHz: 400 Hz is in the middle, give or take a row.
    assert loudest == pytest.approx(63.5, abs=1.5)


def test_songs_shorter_than_an_excerpt_are_shown_whole() -> None:
    signal = torch.zeros(1, 1000)
    found = make_excerpt("x", signal, signal, signal, sample_rate=RATE)
    assert found["seconds"] == 1000 / RATE
    assert read_png(base64.b64decode(found["pictures"]["error"])).max() == 0
