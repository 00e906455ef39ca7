"""ROIPooling with basic operators.

The maximum of any rectangle is the maximum of four rectangles that cover it and whose
sides are powers of 2. A table has, for each pair of powers (2^a, 2^b), the maximum of the
rectangle of that size at each pixel: one MaxPool each. A cell of a region is then four
look-ups, at its corners, in the table of the largest powers that fit into it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from prototxt_gen._numpy import np
from prototxt_gen.layers.parts.numeric import FLT_MAX
from prototxt_gen.layers.parts.regions import looked_up, rounded

if TYPE_CHECKING:
    from prototxt_gen.layers.parts.protocols import Builder


def lower_roi_pooling(b: Builder, x: str, rois: str, pooled: Sequence[int], scale: float) -> str:
    """(R, C, pooled_h, pooled_w) from a feature map (N, C, H, W) and regions (R, 5)."""
    _, _, height, width = (dim or 0 for dim in b.bottom_shapes[0])
    index, corners = b.split(rois, [1, 4], 1)
    corners = rounded(b, b.op("Mul", [corners, b.scalar(scale)]))
    left, top, right, bottom = b.split(corners, [1, 1, 1, 1], 1)
    rows = _edges(b, top, bottom, pooled[0], height)  # (R, pooled_h) each
    columns = _edges(b, left, right, pooled[1], width)
    powers = (_powers(height), _powers(width))
    level_h, reach_h = _level(b, rows, powers[0])
    level_w, reach_w = _level(b, columns, powers[1])
    level = b.op(
        "Add",
        [
            b.op("Mul", [b.unsqueeze(level_h, [2]), b.ints(len(powers[1]))]),
            b.unsqueeze(level_w, [1]),
        ],
    )
    table = _table(b, x, powers)
    image = b.unsqueeze(b.cast(index, "int64"), [2])
    found = []
    for row in (rows[0], reach_h):
        for column in (columns[0], reach_w):
            parts = [level, image, b.unsqueeze(row, [2]), b.unsqueeze(column, [1])]
            found.append(looked_up(b, table, parts))
    best = b.transpose(b.op("Max", found), [0, 3, 1, 2])
    empty = b.op("Or", [b.unsqueeze(_empty(b, rows), [2]), b.unsqueeze(_empty(b, columns), [1])])
    return b.op("Where", [b.unsqueeze(empty, [1]), b.scalar(0.0), best])


def _edges(b: Builder, start: str, end: str, cells: int, size: int) -> tuple[str, str]:
    """The first pixel of each cell along an axis, and the one after its last."""
    length = b.op("Max", [b.op("Add", [b.op("Sub", [end, start]), b.scalar(1.0)]), b.scalar(1.0)])
    step = b.op("Div", [length, b.scalar(float(cells))])
    numbers = np.arange(cells, dtype=np.float32)[None]
    low = b.op("Floor", [b.op("Mul", [step, b.const(numbers)])])
    high = b.op("Ceil", [b.op("Mul", [step, b.const(numbers + 1)])])
    low, high = (b.clip(b.op("Add", [edge, start]), 0.0, float(size)) for edge in (low, high))
    return b.cast(low, "int64"), b.cast(high, "int64")


def _empty(b: Builder, edges: tuple[str, str]) -> str:
    return b.op("Not", [b.op("Less", [edges[0], edges[1]])])


def _powers(size: int) -> list[int]:
    return [1 << power for power in range(size.bit_length())]


def _level(b: Builder, edges: tuple[str, str], powers: Sequence[int]) -> tuple[str, str]:
    """The largest power that fits into each cell, and where its second rectangle begins."""
    largest = powers[-1] * 2
    fits = [max(0, length.bit_length() - 1) for length in range(largest)]
    length = b.op("Max", [b.op("Sub", [edges[1], edges[0]]), b.ints(1)])
    level = b.op("Gather", [b.ints(*fits), length], axis=0)
    extent = b.op("Gather", [b.ints(*powers), level], axis=0)
    return level, b.op("Max", [b.op("Sub", [edges[1], extent]), b.ints(0)])


def _table(b: Builder, x: str, powers: tuple[list[int], list[int]]) -> str:
    """(levels, N, H + 1, W + 1, C): the maximum of each rectangle at each pixel."""
    # One more row and column, since an empty cell may start after the last.
    wide = b.pad(x, [0, 0, 0, 0], [0, 0, powers[0][-1], powers[1][-1]], -FLT_MAX)
    _, _, height, width = (dim or 0 for dim in b.bottom_shapes[0])
    found = []
    for high in powers[0]:
        for long in powers[1]:
            pool = b.op("MaxPool", [wide], kernel_shape=[high, long], strides=[1, 1])
            cut = b.slice(pool, [0, 0], [height + 1, width + 1], [2, 3])
            found.append(b.unsqueeze(b.transpose(cut, [0, 2, 3, 1]), [0]))
    return b.op("Concat", found, axis=0)
