"""MAX pooling in ONNX, with Caffe's windows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prototxt_gen._numpy import np
from prototxt_gen.layers.parts.grid import lower_places
from prototxt_gen.layers.parts.numeric import FLT_MAX
from prototxt_gen.layers.parts.pool_window import Grid
from prototxt_gen.layers.parts.sizes import any_free

if TYPE_CHECKING:
    from prototxt_gen.layers.parts.protocols import Builder


def lower_max(b: Builder, x: str, tops: int, grid: Grid) -> tuple[str, ...]:
    """MaxPool, with indices for a mask; Caffe's are indices in the plane."""
    sizes, pad, ends = grid.sizes, grid.pad, grid.ends
    window = {"kernel_shape": list(grid.kernel), "strides": list(grid.stride)}
    width = sizes[1]
    if grid.gap:
        x = b.pad(x, [0, 0, *pad], [0, 0, *ends], -FLT_MAX)
        plane = [size + p + end for size, p, end in zip(sizes, pad, ends, strict=True)]
    else:
        window["pads"] = [*pad, *ends]
        plane = list(sizes)
    if tops == 1:
        return (b.op("MaxPool", [x], **window),)
    values, found = b.ops("MaxPool", [x], 2, **window)
    index = b.op("Mod", [found, b.ints(plane[0] * plane[1])])
    if grid.gap:
        row = b.op("Div", [index, b.ints(plane[1])])
        column = b.op("Mod", [index, b.ints(plane[1])])
        index = b.op("Add", [b.op("Mul", [row, b.ints(width)]), column])
        some = _reads(b, grid)
        index = b.op("Where", [some, index, b.ints(-1)])
        # The maximum of nothing, which OpenCV 5 takes for 0 where it is asked for places.
        values = b.op("Where", [some, values, b.scalar(-FLT_MAX)])
    return values, b.cast(index, "float")


def _reads(b: Builder, grid: Grid) -> str:
    """Which windows begin on the map; where there may be others, there are no pads."""
    axes = list(zip(grid.sizes, grid.out, grid.stride, strict=True))
    if not any_free(grid.sizes):
        rows, columns = (np.arange(o) * s < size for size, o, s in axes)
        return b.const(np.outer(rows, columns))
    found = [
        b.op("Less", [b.op("Mul", [lower_places(b, o), b.scalar(s)]), b.scalar(size)])
        for size, o, s in axes
    ]
    return b.op("And", [b.unsqueeze(found[0], [1]), b.unsqueeze(found[1], [0])])
