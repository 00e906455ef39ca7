"""The pixels of a map along an axis, as ONNX: constants, or computed where a size is free."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prototxt_gen._numpy import np

if TYPE_CHECKING:
    from prototxt_gen.layers.parts.protocols import Array, Builder


def lower_places(b: Builder, size: int) -> str:
    """0, 1, 2... as floats, one for each pixel."""
    zero, one = (b.const(np.array(value, np.int64)) for value in (0, 1))
    number = b.squeeze(b.ints(size), [0])
    return b.cast(b.op("Range", [zero, number, one]), "float")


def lower_placed(b: Builder, boxes: Array, stride: int, height: int, width: int) -> str:
    """Boxes (A, 4) around the first pixel, around every one: (H * W * A, 4)."""
    step = b.scalar(stride)
    x, y = (b.op("Mul", [lower_places(b, size), step]) for size in (width, height))
    across, down = (np.array(mask, np.float32) for mask in ([1, 0, 1, 0], [0, 1, 0, 1]))
    x = b.op("Mul", [b.unsqueeze(x, [0, 2, 3]), b.const(across)])
    y = b.op("Mul", [b.unsqueeze(y, [1, 2, 3]), b.const(down)])
    every = b.op("Add", [b.op("Add", [x, y]), b.const(boxes)])
    return b.reshape(every, [-1, 4])
