"""Who attends to whom: bins, frames, windows, shifted windows, scales."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from stemsplit.layers.attention import MultiHeadAttention
from stemsplit.models.tfswa.blocks import CrossBlock, MultiScaleBlock, SerialBlock, StageLayers
from stemsplit.models.tfswa.config import Part, TfswaConfig
from stemsplit.models.tfswa.variants import VARIANTS
from stemsplit.models.tfswa.window_attention import AlongFrequency, AlongTime, InWindows, strips

FEATURES = 8


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def attend() -> MultiHeadAttention:
    return MultiHeadAttention(FEATURES, 2)


def in_windows(window: tuple[int, int], *, shifted: bool, positions: bool = True) -> InWindows:
    layer = InWindows(attend(), FEATURES, window, shifted=shifted, positions=positions)
    if layer.positions is not None:
        torch.nn.init.normal_(layer.positions)
    return layer


def touched(
    layer: Callable[[Tensor], Tensor], size: tuple[int, int], cell: tuple[int, int]
) -> Tensor:
    """Cells (T, F) of the result that change when one cell of the map does."""
    x = torch.randn(1, *size, FEATURES)
    changed = x.clone()
    # A random vector: a constant could be lost in a norm.
    changed[:, cell[0], cell[1]] += torch.randn(FEATURES)
    with torch.no_grad():
        difference: Tensor = layer(changed) - layer(x)
    return difference.abs().amax(dim=(0, 3)) > 1e-7


def area(size: tuple[int, int], rows: slice, columns: slice) -> Tensor:
    expected = torch.zeros(size, dtype=torch.bool)
    expected[rows, columns] = True
    return expected


ALL = slice(None)


def test_attention_along_time_stays_in_its_bin() -> None:
    assert touched(AlongTime(attend()), (6, 5), (2, 3)).equal(area((6, 5), ALL, slice(3, 4)))


def test_attention_along_frequency_stays_in_its_frame() -> None:
    assert touched(AlongFrequency(attend()), (6, 5), (2, 3)).equal(area((6, 5), slice(2, 3), ALL))


def test_attention_to_another_map_asks_the_same_bin() -> None:
    layer, x = AlongTime(attend()), torch.randn(1, 6, 5, FEATURES)
    memory = torch.randn(1, 6, 5, FEATURES)
    expected = layer.attend(x[:, :, 3], memory[:, :, 3])
    torch.testing.assert_close(layer(x, memory)[:, :, 3], expected)


@pytest.mark.parametrize(
    ("shifted", "cell", "rows", "columns"),
    [
        (False, (0, 0), slice(0, 4), slice(0, 4)),
        (False, (5, 9), slice(4, 8), slice(8, 12)),
        (True, (0, 0), slice(0, 2), slice(0, 2)),
        (True, (3, 11), slice(2, 6), slice(10, 12)),
        (True, (7, 5), slice(6, 8), slice(2, 6)),
    ],
)
def test_attention_in_windows_stays_in_its_window(
    shifted: bool, cell: tuple[int, int], rows: slice, columns: slice
) -> None:
    layer = in_windows((4, 4), shifted=shifted)
    assert touched(layer, (8, 12), cell).equal(area((8, 12), rows, columns))


@pytest.mark.parametrize("window", [(4, 4), (5, 4), (8, 8)])
def test_shifted_windows_equal_rolling_and_masking(window: tuple[int, int]) -> None:
    layer = in_windows(window, shifted=True)
    x = torch.randn(2, 2 * window[0], 3 * window[1], FEATURES)
    with torch.no_grad():
        torch.testing.assert_close(layer(x), rolled_and_masked(layer, x))


def rolled_and_masked(layer: InWindows, x: Tensor) -> Tensor:
    """The way of the Swin transformer: one size of windows, and a mask of what does not belong."""
    assert layer.positions is not None
    (height, width), shifts = layer.window, layer.shift
    rows, columns = x.shape[1] // height, x.shape[2] // width

    def cut(values: Tensor) -> Tensor:
        rolled = values.roll((-shifts[0], -shifts[1]), dims=(1, 2))
        grid = rolled.reshape(-1, rows, height, columns, width, values.shape[-1])
        return grid.transpose(2, 3).reshape(-1, height * width, values.shape[-1])

    region = torch.zeros(1, *x.shape[1:3], 1)
    region[:, : shifts[0]] += 1
    region[:, :, : shifts[1]] += 2
    labels = cut(region)
    allowed = (labels == labels.transpose(1, 2)).repeat(x.shape[0], 1, 1)[:, None]
    tokens = cut(x) + layer.positions.flatten(0, 1)
    attention = layer.attend
    query, key, value = (
        part.unflatten(-1, (attention.heads, -1)).transpose(1, 2)
        for part in attention.in_proj(tokens).chunk(3, dim=-1)
    )
    found = F.scaled_dot_product_attention(query, key, value, attn_mask=allowed)
    y: Tensor = attention.out_proj(found.transpose(1, 2).flatten(2))
    grid = y.reshape(-1, rows, columns, height, width, FEATURES).transpose(2, 3)
    return grid.reshape(x.shape).roll(shifts, dims=(1, 2))


@pytest.mark.parametrize("length", range(1, 23))
@pytest.mark.parametrize("shift", [0, 2])
def test_strips_cover_an_axis_without_gap_or_overlap(length: int, shift: int) -> None:
    found = strips(length, 5, shift)
    assert [start for start, *_ in found] == [0, *(stop for _, stop, *_ in found[:-1])]
    assert found[-1][1] == length
    for start, stop, window, first in found:
        assert (stop - start) % window == 0
        assert first + window <= 5
    assert length > 5 or len(found) == 1


@pytest.mark.parametrize("size", [(1, 1), (3, 4), (7, 9), (8, 5)])
@pytest.mark.parametrize("kind", ["cross", "serial", "multiscale"])
def test_a_block_takes_maps_of_any_size(kind: str, size: tuple[int, int]) -> None:
    block = make_block(kind, features=12)
    x = torch.randn(2, 12, *size)
    y = block(x)
    assert y.shape == x.shape
    assert y.isfinite().all()


def make_block(kind: str, *, features: int, scales: tuple[int, ...] = (1, 2, 4)) -> torch.nn.Module:
    config = replace(VARIANTS["tfswa_multiscale"].config, heads=2, window=(4, 4), scales=scales)
    if kind == "cross":
        return CrossBlock(features, config, shifted=True).eval()
    if kind == "serial":
        return SerialBlock(features, config, shifted=False).eval()
    return MultiScaleBlock(features, config, shifted=True).eval()


def test_a_block_whose_last_maps_are_zero_does_nothing() -> None:
    block = make_block("cross", features=FEATURES)
    for name, parameter in block.named_parameters():
        if "out_proj" in name or "linear_out" in name:
            torch.nn.init.zeros_(parameter)
    x = torch.randn(1, FEATURES, 6, 9)
    torch.testing.assert_close(block(x), x, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("parts", "rows", "columns"),
    [
        (("time",), ALL, slice(3, 4)),
        (("frequency",), slice(2, 3), ALL),
        (("time", "frequency"), ALL, ALL),
        (("windows",), slice(0, 6), slice(0, 6)),  # a plain window, then shifted ones around it
    ],
)
def test_a_serial_block_reaches_only_along_its_parts(
    parts: tuple[Part, ...], rows: slice, columns: slice
) -> None:
    config = replace(
        VARIANTS["tfswa_resunet"].config, heads=2, window=(4, 4), parts=parts, mlp_ratio=2.0
    )
    block = SerialBlock(FEATURES, config, shifted=False).eval()

    def over_cells(x: Tensor) -> Tensor:
        y: Tensor = block(x.permute(0, 3, 1, 2))
        return y.permute(0, 2, 3, 1)

    assert touched(over_cells, (12, 10), (2, 3)).equal(area((12, 10), rows, columns))


def test_windows_of_every_second_block_are_shifted() -> None:
    config: TfswaConfig = VARIANTS["tfswa_unet"].config
    blocks = StageLayers(32, 32, config, convs=0, blocks=4).blocks
    windows = [module for module in blocks.modules() if isinstance(module, InWindows)]
    assert [window.shift for window in windows] == [(0, 0), (4, 4), (0, 0), (4, 4)]


def test_a_single_scale_is_the_plain_block() -> None:
    config = replace(VARIANTS["tfswa_multiscale"].config, scales=(1,))
    (block,) = StageLayers(48, 48, config, convs=0, blocks=1).blocks
    assert isinstance(block, CrossBlock)


def test_a_coarse_scale_sees_further_with_the_same_window() -> None:
    def reach(scale: int) -> int:
        block = make_block("multiscale", features=FEATURES, scales=(scale,))
        assert isinstance(block, MultiScaleBlock)
        (path,) = block.paths
        assert isinstance(path, CrossBlock)
        # Without attention over whole axes, only windows carry a change from cell to cell.
        for part in (path.time, path.frequency, path.cross):
            for name, parameter in part.named_parameters():
                if "out_proj" in name:
                    torch.nn.init.zeros_(parameter)
        x = torch.randn(1, FEATURES, 32, 32)
        changed = x.clone()
        changed[:, :, 16, 16] += torch.randn(FEATURES)
        with torch.no_grad():
            return int(((block(changed) - block(x)).abs().amax(dim=(0, 1)) > 1e-7).sum())

    assert reach(1) == 16
    assert reach(1) < reach(2) < reach(4)
