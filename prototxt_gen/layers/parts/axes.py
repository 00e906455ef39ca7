"""What the axes of a layer's blobs mean, and which of them are one and the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from prototxt_gen.layers.parts.shapes import Shape

#: What an axis means, in the answers of ``Layer.axes``. An axis whose meaning is not BATCH
#: or ROWS keeps its size when the batch is free. ``f"{FIXED}:1"`` tells two of them apart.
BATCH: Final = "batch"
TIME: Final = "time"
ROWS: Final = "rows"  #: regions or indices, as many as there happen to be
CLASSES: Final = "classes"
FIXED: Final = "fixed"
MEANINGS = frozenset({BATCH, TIME, ROWS, CLASSES, FIXED})

Labels = tuple[str | None, ...]


class Axes(NamedTuple):
    """A label for each axis of each bottom and top; None for an axis that stands alone.

    Axes with one label are one and the same: they have the same size, whatever it is. A
    label of ``MEANINGS`` says besides what the axis is.
    """

    bottoms: tuple[Labels, ...]
    tops: tuple[Labels, ...]


def alike(bottoms: Sequence[Shape], tops: Sequence[Shape]) -> Axes:
    """The ordinary answer: an axis is that of the first bottom with the same place and size.

    Of blobs with another number of axes only those count that stand in front of the first
    difference.
    """
    first = bottoms[0] if bottoms else ()

    def labels(shape: Shape) -> Labels:
        found: list[str | None] = []
        for index, dim in enumerate(shape):
            same = index < len(first) and dim is not None and dim == first[index]
            if not same and len(shape) != len(first):
                break
            found.append(str(index) if same else None)
        return (*found, *(None,) * (len(shape) - len(found)))

    return Axes(tuple(map(labels, bottoms)), tuple(map(labels, tops)))


def in_front(bottoms: Sequence[Shape], tops: Sequence[Shape], axis: int) -> Axes:
    """The axes in front of one stay, and nothing is said of the others."""

    def labels(shape: Shape) -> Labels:
        return tuple(str(index) if index < axis else None for index in range(len(shape)))

    return Axes(tuple(map(labels, bottoms)), tuple(map(labels, tops)))


def regrouped(bottom: Shape, top: Shape) -> Axes:
    """The axes of one sequence of values in two shapes: those that no reshaping touches."""
    pairs = dict(_kept(bottom, top))
    labels = {axis: str(other) for axis, other in pairs.items()}
    tops = {other: str(other) for other in pairs.values()}
    return Axes(
        (tuple(labels.get(axis) for axis in range(len(bottom))),),
        (tuple(tops.get(axis) for axis in range(len(top))),),
    )


def all_but(axes: Axes, index: int) -> Axes:
    """The same, but that one axis stands alone in every blob."""

    def labels(own: Labels) -> Labels:
        return (*own[:index], *(None,) * len(own[index : index + 1]), *own[index + 1 :])

    return Axes(tuple(map(labels, axes.bottoms)), tuple(map(labels, axes.tops)))


def filled(labels: Sequence[Labels], shapes: Sequence[Shape]) -> tuple[Labels, ...]:
    """Labels of the first axes of some blobs, and None for the others."""
    return tuple(
        (*found, *(None,) * len(shape))[: len(shape)]
        for found, shape in zip(labels, shapes, strict=True)
    )


def named(first: str, rank: int) -> Labels:
    """The first axis by its meaning, and nothing of the others."""
    return (first, *(None,) * (rank - 1)) if rank else ()


def _kept(bottom: Shape, top: Shape) -> list[tuple[int, int]]:
    """Pairs of axes that have the same size, and as many values in front of them."""
    found = []
    i = j = 0
    before, above = 1, 1  # what has been passed on either side, less what both have
    while i < len(bottom) and j < len(top):
        x, y = bottom[i], top[j]
        if before == above and x == y:
            found.append((i, j))
            i, j = i + 1, j + 1
        elif x is None or y is None:
            break
        elif before < above or (before == above and x == 1):
            before, i = before * x, i + 1
        elif above < before or y == 1:
            above, j = above * y, j + 1
        else:
            before, above, i, j = before * x, above * y, i + 1, j + 1
    return found
