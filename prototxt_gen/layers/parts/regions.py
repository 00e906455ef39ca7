"""Regions of interest: rows (image, x1, y1, x2, y2), their rounding, and their boxes moved.

Each rule is here twice: with numpy for references, and as operators of ONNX.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from prototxt_gen._numpy import np
from prototxt_gen.errors import ShapeError, UnsupportedError
from prototxt_gen.layers.parts.shapes import Dim, Shape, count, need_rank, show

if TYPE_CHECKING:
    from prototxt_gen.layers.parts.protocols import Array, Builder


def regions(bottom: Shape, index: int = 1) -> Dim:
    """How many rows of five there are; (R, 5, 1, 1) and (1, 1, R, 5) occur too."""
    need_rank(bottom, 2, 4, "a list of regions", index)
    if bottom[1] not in (5, None) and bottom[-1] not in (5, None):
        raise ShapeError(
            f"the regions are {show(bottom)}; expected rows of 5", rule="rois", bottom=index
        )
    return bottom[0]


def as_rows(rois: Array) -> Array:
    """A bottom of regions as (R, 5)."""
    _need_fives(rois.shape)
    return rois.reshape(-1, 5)


def rows(b: Builder, x: str, bottom: int) -> str:
    """The same as an operator."""
    shape = b.bottom_shapes[bottom]
    _need_fives(shape)
    return x if len(shape) == 2 else b.op("Flatten", [x], axis=1)


def _need_fives(shape: Shape) -> None:
    """Raise UnsupportedError where the first dimension is not the number of regions."""
    if count(shape[1:]) != 5:
        raise UnsupportedError(f"its regions are {show(shape)}; expected rows of 5")


def round_half_away(value: Array) -> Array:
    """Round to the nearest integer, halves away from 0, as C's round."""
    size = np.abs(value)
    whole = np.floor(size)
    # Adding a half would round up the float just below it.
    found: Array = (whole + (size - whole >= np.float32(0.5))) * np.sign(value)
    return found.astype(np.float32)


def rounded(b: Builder, x: str) -> str:
    """The same as operators; ONNX's Round takes halves to the even integer."""
    size = b.op("Abs", [x])
    whole = b.op("Floor", [size])
    half = b.op("Not", [b.op("Less", [b.op("Sub", [size, whole]), b.scalar(0.5)])])
    return b.op("Mul", [b.op("Add", [whole, b.cast(half, "float")]), b.op("Sign", [x])])


def quotient(b: Builder, x: str, by: int) -> str:
    """Floats of at least 0 divided by a number below 4096, to the last bit, which counts where
    what is made of them is rounded to pixels.

    Not by Div: OpenVINO and tract multiply by the reciprocal, whatever the divisor. So do we, and
    then add the share of what is left. To have that without an error, the first quotient is cut
    into two halves of 12 bits, whose products with the divisor are exact (Dekker, 1971).
    """
    divisor, share = b.scalar(by), b.scalar(1 / by)
    near = b.op("Mul", [x, share])
    scaled = b.op("Mul", [near, b.scalar(4097.0)])
    upper = b.op("Sub", [scaled, b.op("Sub", [scaled, near])])
    lower = b.op("Sub", [near, upper])
    left = b.op("Sub", [x, b.op("Mul", [upper, divisor])])
    left = b.op("Sub", [left, b.op("Mul", [lower, divisor])])
    return b.op("Add", [near, b.op("Mul", [left, share])])


def looked_up(b: Builder, table: str, places: Sequence[str], sizes: Sequence[int]) -> str:
    """The rows of a table, (product of sizes, C), at places along axes of these sizes.

    The places broadcast to each other. The first size, usually the number of images, is not read.
    """
    row = places[0]
    for place, size in zip(places[1:], sizes[1:], strict=True):
        row = b.op("Add", [b.op("Mul", [row, b.ints(size)]), place])
    return b.op("Gather", [table, row], axis=0)


def sizes_and_centres(boxes: Array) -> tuple[Array, Array]:
    """Width and height, and the centre, of boxes (P, 4) that include their last pixel."""
    size = boxes[:, 2:] - boxes[:, :2] + np.float32(1)
    return size, boxes[:, :2] + np.float32(0.5) * size


def moved(boxes: Array, offsets: Array) -> Array:
    """Boxes (P, 4) moved and resized by offsets (P, 4) (bbox_transform_inv of Fast R-CNN)."""
    size, centre = sizes_and_centres(boxes)
    centre = offsets[:, :2] * size + centre
    half = np.float32(0.5) * (np.exp(offsets[:, 2:]) * size)
    return np.concatenate([centre - half, centre + half], axis=1)


def lower_sizes_and_centres(b: Builder, boxes: str) -> tuple[str, str]:
    """Width and height, and the centre, of boxes (P, 4)."""
    low, high = b.split(boxes, [2, 2], 1)
    size = b.op("Add", [b.op("Sub", [high, low]), b.scalar(1.0)])
    return size, b.op("Add", [low, b.op("Mul", [b.scalar(0.5), size])])


def lower_moved(b: Builder, size: str, centre: str, offsets: str) -> tuple[str, str]:
    """The first and the last corners (P, 2) of boxes that offsets (P, 4) have moved."""
    shift, growth = b.split(offsets, [2, 2], 1)
    centre = b.op("Add", [b.op("Mul", [shift, size]), centre])
    half = b.op("Mul", [b.scalar(0.5), b.op("Mul", [b.op("Exp", [growth]), size])])
    return b.op("Sub", [centre, half]), b.op("Add", [centre, half])
