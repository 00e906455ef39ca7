"""Shapes of blobs, and the arithmetic that Caffe does with them (blob.hpp).

A shape is a tuple of dimensions, outermost first. A dimension that depends on the data
(how many boxes a detector finds) is ``None``, and so is any that depends on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Optional

from prototxt_gen._words import plural
from prototxt_gen.errors import ShapeError

Dim = Optional[int]
Shape = tuple[Dim, ...]

#: The most elements a blob may have: Caffe counts them in an int (blob.cpp, Reshape).
MAX_COUNT = 2**31 - 1
MAX_AXES = 32  #: kMaxBlobAxes of blob.hpp


def count(shape: Iterable[Dim]) -> Dim:
    """The number of elements; 1 for a scalar, None if a dimension is unknown."""
    product = 1
    for dim in shape:
        if dim is None:
            return None
        product *= dim
    return product


def show(shape: Sequence[Dim] | None) -> str:
    """A shape as people write it: ``1x64x112x112``, ``scalar``; ``?`` where unknown."""
    if shape is None:
        return "unknown"
    return "x".join("?" if dim is None else str(dim) for dim in shape) or "scalar"


def same(a: Sequence[Dim], b: Sequence[Dim]) -> bool:
    """Whether two shapes may be equal; an unknown dimension equals any other."""
    return len(a) == len(b) and all(
        x == y or x is None or y is None for x, y in zip(a, b, strict=True)
    )


def merge(a: Shape, b: Shape) -> Shape:
    """Two shapes that may be equal, merged: each fills in the other's unknown dimensions."""
    return tuple(y if x is None else x for x, y in zip(a, b, strict=True))


def axis_index(axis: int, rank: int, field: str = "axis") -> int:
    """An axis counted from the front; a negative one counts from the end.

    Raises ShapeError if the blob has no such axis (Blob::CanonicalAxisIndex).
    """
    if not -rank <= axis < rank:
        raise ShapeError(
            f"{field} {axis} is outside the bottom, which has {plural(rank, 'axis')} "
            f"(expected {-rank} to {rank - 1})",
            rule="axis-out-of-range",
            field=field,
        )
    return axis + rank if axis < 0 else axis


def need_equal(bottoms: Sequence[Shape]) -> Shape:
    """The shape that all bottoms share; raises ShapeError if they differ."""
    shape = bottoms[0]
    for index, bottom in enumerate(bottoms[1:], 1):
        if not same(shape, bottom):
            raise ShapeError(
                f"bottom {index} is {show(bottom)} and bottom 0 is {show(bottoms[0])}; expected "
                "equal shapes",
                bottom=index,
            )
        shape = merge(shape, bottom)
    return shape


def need_rank(shape: Shape, least: int, most: int, what: str, bottom: int = 0) -> None:
    """Refuse a bottom whose number of axes is not between two bounds."""
    if not least <= len(shape) <= most:
        wanted = plural(most, "axis") if least == most else f"{least} to {most} axes"
        raise ShapeError(
            f"{what} needs a bottom of {wanted}, found {show(shape)}",
            rule="bottom-rank",
            bottom=bottom,
        )


def need_sizes(found: Shape, wanted: Shape, what: str, bottom: int) -> None:
    """Refuse a bottom that does not have the shape that other blobs require."""
    if not same(found, wanted):
        raise ShapeError(f"{what} is {show(found)}; expected {show(wanted)}", bottom=bottom)


def need_rows(bottoms: Sequence[Shape]) -> None:
    """Refuse scores and labels whose first dimensions differ (loss_layer.cpp)."""
    first, second = bottoms
    need_rank(first, 1, 32, "a loss", 0)
    need_rank(second, 1, 32, "a loss", 1)
    need_sizes(second[:1], first[:1], "the first dimension of bottom 1", 1)


def need_count(found: Shape, wanted: Dim, what: str, bottom: int) -> None:
    """Refuse a bottom that does not have as many elements as other blobs require."""
    number = count(found)
    if number is not None and wanted is not None and number != wanted:
        raise ShapeError(
            f"{what} is {show(found)}, {plural(number, 'element')}; expected {wanted}",
            bottom=bottom,
        )
