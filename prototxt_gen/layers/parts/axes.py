"""The meanings of the axes of a layer's blobs, and which of them are the same axis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from prototxt_gen.layers.parts.shapes import Shape

#: What an axis means, in the answers of ``Layer.axes``. An axis that is neither BATCH
#: nor ROWS keeps its size when the batch is free. A suffix, as in ``fixed:1``, distinguishes two.
BATCH: Final = "batch"
TIME: Final = "time"
ROWS: Final = "rows"  #: regions or indices, in any number
CLASSES: Final = "classes"
FIXED: Final = "fixed"
MEANINGS = frozenset({BATCH, TIME, ROWS, CLASSES, FIXED})

Labels = tuple[str | None, ...]


class Axes(NamedTuple):
    """A label for each axis of each bottom and top; None for an unrelated axis.

    Axes with the same label are the same axis: they always have the same size. A label of
    ``MEANINGS`` also says what the axis means.
    """

    bottoms: tuple[Labels, ...]
    tops: tuple[Labels, ...]


def alike(bottoms: Sequence[Shape], tops: Sequence[Shape]) -> Axes:
    """The default: an axis is the first bottom's if it has the same position and size there.

    In a blob with another number of axes than the first bottom, only those before the first
    difference count.
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
    """The axes before ``axis`` are kept, and the others are unrelated."""

    def labels(shape: Shape) -> Labels:
        return tuple(str(index) if index < axis else None for index in range(len(shape)))

    return Axes(tuple(map(labels, bottoms)), tuple(map(labels, tops)))


def regrouped(bottom: Shape, top: Shape) -> Axes:
    """The axes that a reshape from one shape to another keeps."""
    pairs = dict(_kept(bottom, top))
    labels = {axis: str(other) for axis, other in pairs.items()}
    tops = {other: str(other) for other in pairs.values()}
    return Axes(
        (tuple(labels.get(axis) for axis in range(len(bottom))),),
        (tuple(tops.get(axis) for axis in range(len(top))),),
    )


def fixed_from(axes: Axes, first: int) -> Axes:
    """The same, but that the bottoms' axes from one on keep their size, wherever they go."""
    renamed: dict[str, str] = {}

    def labels(index: int, own: Labels) -> Labels:
        made: list[str | None] = list(own[:first])
        for axis, label in enumerate(own[first:], first):
            fresh = f"{FIXED}:{index}.{axis}"
            made.append(fresh if label is None else renamed.setdefault(label, fresh))
        return tuple(made)

    bottoms = tuple(labels(index, own) for index, own in enumerate(axes.bottoms))
    tops = tuple(
        tuple(None if one is None else renamed.get(one, one) for one in own) for own in axes.tops
    )
    return Axes(bottoms, tops)


def all_but(axes: Axes, index: int) -> Axes:
    """The same labels, except that one axis is unrelated in every blob."""

    def labels(own: Labels) -> Labels:
        return (*own[:index], *(None,) * len(own[index : index + 1]), *own[index + 1 :])

    return Axes(tuple(map(labels, axes.bottoms)), tuple(map(labels, axes.tops)))


def filled(labels: Sequence[Labels], shapes: Sequence[Shape]) -> tuple[Labels, ...]:
    """Labels of the first axes of each blob, and None for the others."""
    return tuple(
        (*found, *(None,) * len(shape))[: len(shape)]
        for found, shape in zip(labels, shapes, strict=True)
    )


def named(first: str, rank: int) -> Labels:
    """A label for the first axis, and None for the others."""
    return (first, *(None,) * (rank - 1)) if rank else ()


def _kept(bottom: Shape, top: Shape) -> list[tuple[int, int]]:
    """Pairs of axes of equal size, with equally many values before them."""
    found = []
    i = j = 0
    before, above = 1, 1  # what was passed in each shape, without what both have passed
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
