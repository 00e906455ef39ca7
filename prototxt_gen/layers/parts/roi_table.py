"""ROIPooling with basic operators.

The maximum of any rectangle is the maximum of four rectangles that cover it and whose
sides are powers of 2. A table has, for each pair of powers (2^a, 2^b), the maximum of the
rectangle of that size at each pixel. A cell of a region is then four look-ups, at its
corners, in the table of the largest powers that fit into it.

The pixels of a map are in one list, row after row, so that a rectangle twice as high or wide
is the maximum of two parts of a list: it and itself, further on. Where a rectangle would leave
the map, the list holds something else, which nothing reads.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from prototxt_gen._numpy import np
from prototxt_gen.errors import UnsupportedError
from prototxt_gen.layers.parts.regions import quotient, rounded
from prototxt_gen.layers.parts.sizes import is_free

if TYPE_CHECKING:
    from prototxt_gen.layers.parts.protocols import Builder

_END = 2**31 - 1  #: of a part that goes to the end
_AT_ONCE = 256  #: channels of a table
_MOST_POWERS = 11  #: of a free side: cells of up to 2047 pixels of the map


def lower_roi_pooling(b: Builder, x: str, rois: str, pooled: Sequence[int], scale: float) -> str:
    """(R, C, pooled_h, pooled_w) from a feature map (N, C, H, W) and regions (R, 5).

    Raises UnsupportedError if the size of the map depends on the data.
    """
    _, channels, height, width = b.bottom_shapes[0]
    if channels is None or height is None or width is None:
        raise UnsupportedError("the size of its feature map is not known")
    index, corners = b.split(rois, [1, 4], 1)
    corners = rounded(b, b.op("Mul", [corners, b.scalar(scale)]))
    left, top, right, bottom = b.split(corners, [1, 1, 1, 1], 1)
    rows = _edges(b, top, bottom, pooled[0], height)  # (R, pooled_h) each
    columns = _edges(b, left, right, pooled[1], width)
    best = _looked_up(b, x, index, (rows, columns), (channels, height, width))
    empty = b.op("Or", [b.unsqueeze(_empty(b, rows), [2]), b.unsqueeze(_empty(b, columns), [1])])
    return b.op("Where", [b.unsqueeze(empty, [1]), b.scalar(0.0), best])


def _edges(b: Builder, start: str, end: str, cells: int, size: int) -> tuple[str, str]:
    """The first pixel of each cell along an axis, and the one after its last, as floats."""
    length = b.op("Max", [b.op("Add", [b.op("Sub", [end, start]), b.scalar(1.0)]), b.scalar(1.0)])
    step = quotient(b, length, cells)
    numbers = np.arange(cells, dtype=np.float32)[None]
    low = b.op("Floor", [b.op("Mul", [step, b.const(numbers)])])
    high = b.op("Ceil", [b.op("Mul", [step, b.const(numbers + 1)])])
    low, high = (b.clip(b.op("Add", [edge, start]), 0.0, size) for edge in (low, high))
    return low, high


def _empty(b: Builder, edges: tuple[str, str]) -> str:
    return b.op("Not", [b.op("Less", [edges[0], edges[1]])])


def _looked_up(
    b: Builder,
    x: str,
    index: str,
    edges: tuple[tuple[str, str], tuple[str, str]],
    size: tuple[int, int, int],
) -> str:
    """(R, C, pooled_h, pooled_w): the maximum of each cell, anything for an empty one."""
    channels, *sides = size
    powers = (_powers(sides[0]), _powers(sides[1]))
    places = _places(b, x, index, edges, (sides, powers))
    # The table is as large as dozens of maps: one after the other, of some channels each.
    counts = [min(_AT_ONCE, channels - first) for first in range(0, channels, _AT_ONCE)]
    found = []
    for part, count in zip(b.split(x, counts, 1) if len(counts) > 1 else [x], counts, strict=True):
        table = b.reshape(b.op("Concat", _parts(b, part, sides, powers), axis=0), [-1, count])
        cells = [b.op("Gather", [table, place], axis=0) for place in places]
        found.append(b.transpose(b.op("Max", cells), [0, 3, 1, 2]))
    return b.op("Concat", found, axis=1) if len(found) > 1 else found[0]


def _places(
    b: Builder,
    x: str,
    index: str,
    edges: tuple[tuple[str, str], tuple[str, str]],
    table: tuple[Sequence[int], tuple[Sequence[int], Sequence[int]]],
) -> list[str]:
    """(R, pooled_h, pooled_w) four times: the rows of the table to look up, for each corner."""
    sides, powers = table
    rows, columns = (
        _corners(b, ends, side, own) for ends, side, own in zip(edges, sides, powers, strict=True)
    )
    level = b.op("Mul", [rows[0], b.ints(len(powers[1]))])
    level = b.op("Add", [b.unsqueeze(level, [2]), b.unsqueeze(columns[0], [1])])
    start = b.op("Gather", [_starts(b, sides, powers), level], axis=0)
    images = b.op("Gather", [b.op("Shape", [x]), b.ints(0)], axis=0)
    image = b.unsqueeze(b.cast(index, "int64"), [2])
    found = []
    for row in rows[1:]:
        line = b.op("Add", [start, b.unsqueeze(b.op("Mul", [row, b.ints(sides[1])]), [2])])
        for column in columns[1:]:
            pixel = b.op("Add", [line, b.unsqueeze(column, [1])])
            found.append(b.op("Add", [b.op("Mul", [pixel, images]), image]))
    return found


def _powers(size: int) -> list[int]:
    return [1 << power for power in range(_MOST_POWERS if is_free(size) else size.bit_length())]


def _corners(
    b: Builder, edges: tuple[str, str], size: int, powers: Sequence[int]
) -> tuple[str, str, str]:
    """The largest power that fits into each cell, and where its two rectangles begin."""
    fits = [max(0, length.bit_length() - 1) for length in range(powers[-1] * 2)]
    length = b.op("Max", [b.op("Sub", [edges[1], edges[0]]), b.scalar(1.0)])
    level = b.op("Gather", [b.ints(*fits), b.cast(length, "int64")], axis=0)
    extent = b.op("Gather", [b.const(np.array(powers, np.float32)), level], axis=0)
    # An empty cell may begin after the last pixel, or end before the first.
    first = b.clip(edges[0], 0.0, size - 1)
    second = b.op("Max", [b.op("Sub", [edges[1], extent]), b.scalar(0.0)])
    return level, b.cast(first, "int64"), b.cast(second, "int64")


def _parts(
    b: Builder, x: str, size: Sequence[int], powers: tuple[Sequence[int], Sequence[int]]
) -> list[str]:
    """(pixels, N, C) for each pair of powers: the maximum of the rectangle at each pixel."""
    rows = b.transpose(b.reshape(x, [0, 0, -1]), [2, 0, 1])
    steps = _steps(b, size, powers[1][1:])
    found = []
    for high in powers[0]:
        if high > 1:
            step = high // 2 * size[1]
            rows = _doubled(b, rows, (b.ints(step), b.ints(-step)))
        found.append(rows)
        for ends in steps:
            found.append(_doubled(b, found[-1], ends))
    return found


def _steps(b: Builder, size: Sequence[int], powers: Sequence[int]) -> list[tuple[str, str]]:
    """How much further on the second half of a rectangle is, and less, for each width from 2 on."""
    steps = [long // 2 for long in powers]
    if not is_free(size[1]):
        return [(b.ints(step), b.ints(-step)) for step in steps]
    # A rectangle that is wider than the map is nowhere: nothing is left of the list.
    times = b.op("Div", [b.ints(*(long - 1 for long in powers)), b.ints(size[1])])
    further = b.op("Add", [b.ints(*steps), b.op("Mul", [times, b.ints(size[0] * size[1])])])
    ends = [b.split(one, [1] * len(steps), 0) for one in (further, b.op("Neg", [further]))]
    return list(zip(*ends, strict=True))


def _doubled(b: Builder, part: str, step: tuple[str, str]) -> str:
    """The maximum of each pixel and the one that is a step further on."""
    first = b.op("Slice", [part, b.ints(0), step[1], b.ints(0)])
    second = b.op("Slice", [part, step[0], b.ints(_END), b.ints(0)])
    return b.op("Max", [first, second])


def _starts(b: Builder, size: Sequence[int], powers: tuple[Sequence[int], Sequence[int]]) -> str:
    """How many pixels there are before those of each pair of powers."""
    height, width = size
    pairs = ((high - 1, long - 1) for high in powers[0] for long in powers[1])
    down, across = zip(*pairs, strict=True)
    if not (is_free(height) or is_free(width)):
        left = [height * width - y * width - x for y, x in zip(down, across, strict=True)]
        return b.ints(*np.cumsum([0, *left[:-1]]).tolist())
    lost = b.op("Add", [b.op("Mul", [b.ints(*down), b.ints(width)]), b.ints(*across)])
    count = b.op("Sub", [b.ints(height * width), lost])
    fits = b.op("Less", [b.ints(*across), b.ints(width)])
    some = b.op("And", [fits, b.op("Less", [b.ints(0), count])])
    count = b.op("Where", [some, count, b.ints(0)])
    return b.op("CumSum", [count, b.const(np.array(0, np.int64))], exclusive=1)
