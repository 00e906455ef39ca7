"""The receptive field of each blob: which pixels of an input a value of it depends on.

Fields follow the layers' facet ``sees``. Where branches meet, the field covers those of all of
them, so that it is that of the longest path.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from fractions import Fraction
from math import ceil
from typing import NamedTuple, Union

from prototxt_gen.graph.graph import Graph, Node, Ref
from prototxt_gen.graph.infer import Shapes
from prototxt_gen.layers.base import Seen, Sight
from prototxt_gen.layers.parts.shapes import Shape
from prototxt_gen.layers.parts.sight import SAME, Steps

Numbers = tuple[Fraction, ...]


class Window(NamedTuple):
    """A field of so many pixels along each axis; ``exact`` sizes may be fractions.

    Position 0 of the blob sees the pixels around ``offset``, the middle of pixel 0 being 0, and
    each next position those ``stride`` further on; None where positions have been mixed.
    """

    exact: Numbers
    stride: Numbers | None
    offset: Numbers | None

    @property
    def size(self) -> tuple[int, ...]:
        """Whole pixels."""
        return tuple(map(ceil, self.exact))


class Extent(enum.Enum):
    """A field that is no window."""

    WHOLE = "whole"  #: all pixels
    UNKNOWN = "unknown"


Field = Union[Window, Extent]


def fields(graph: Graph, shapes: Shapes) -> dict[Ref, Field]:
    """The field of each blob that depends on pixels of an input.

    An input has pixels if it has more axes than a batch and channels.
    """
    found: dict[Ref, Field] = {}
    for node in graph.nodes:
        bottoms, tops = shapes.of(node.bottoms), shapes.of(node.tops)
        if not node.bottoms:
            found.update(_inputs(node, shapes))
            continue
        seen = [
            _through(found[ref], _seen(node, index, bottoms, tops))
            for index, ref in enumerate(node.bottoms)
            if ref in found
        ]
        field = _joined(one for one in seen if one is not None)
        if field is not None:
            found.update(dict.fromkeys(node.tops, field))
    return found


def _inputs(node: Node, shapes: Shapes) -> Iterable[tuple[Ref, Field]]:
    if node.layer.parameter_free():
        for ref in node.tops:
            axes = len(shapes.blobs.get(ref, ())) - 2
            if axes > 0:
                one, zero = (Fraction(1),) * axes, (Fraction(0),) * axes
                yield ref, Window(one, one, zero)


def _seen(
    node: Node, index: int, bottoms: tuple[Shape, ...] | None, tops: tuple[Shape, ...] | None
) -> Seen:
    if bottoms is None or tops is None:
        return Sight.OPEN
    return node.layer.sees(index, bottoms, tops)


def _through(field: Field, seen: Seen) -> Field | None:
    """The field of a top, by what it sees of a bottom with a field."""
    if seen is Sight.NOTHING:
        return None
    if seen is Sight.ALL or field is Extent.WHOLE:
        return Extent.WHOLE
    if isinstance(field, Extent) or isinstance(seen, Sight):
        if seen is Sight.VALUES and isinstance(field, Window):
            return field._replace(stride=None, offset=None)
        return Extent.UNKNOWN
    return _stepped(field, seen)


def _stepped(field: Window, steps: Steps) -> Field:
    if all(step is SAME for step in steps):
        return field
    if field.stride is None or field.offset is None or len(steps) != len(field.exact):
        return field if all(step.size == 1 for step in steps) else Extent.UNKNOWN
    return Window(
        tuple(
            size + (step.size - 1) * stride
            for size, stride, step in zip(field.exact, field.stride, steps, strict=True)
        ),
        tuple(stride * step.stride for stride, step in zip(field.stride, steps, strict=True)),
        tuple(
            offset + stride * step.center
            for offset, stride, step in zip(field.offset, field.stride, steps, strict=True)
        ),
    )


def _joined(fields: Iterable[Field]) -> Field | None:
    """The field that covers all; None without one."""
    joined: Field | None = None
    for one in dict.fromkeys(fields):
        joined = one if joined is None else _both(joined, one)
    return joined


def _both(a: Field, b: Field) -> Field:
    if Extent.WHOLE in (a, b):
        return Extent.WHOLE
    if isinstance(a, Extent) or isinstance(b, Extent) or len(a.exact) != len(b.exact):
        return Extent.UNKNOWN
    if a.stride is None or a.stride != b.stride or a.offset is None or b.offset is None:
        return Window(tuple(map(max, a.exact, b.exact)), None, None)
    exact, offset = zip(*map(_hull, a.exact, a.offset, b.exact, b.offset), strict=True)
    return Window(exact, a.stride, offset)


def _hull(
    size: Fraction, middle: Fraction, other: Fraction, its_middle: Fraction
) -> tuple[Fraction, Fraction]:
    """The size and the middle of what covers two fields."""
    low = min(middle - size / 2, its_middle - other / 2)
    high = max(middle + size / 2, its_middle + other / 2)
    return high - low, (low + high) / 2
