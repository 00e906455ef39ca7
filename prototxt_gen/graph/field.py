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
from prototxt_gen.layers.base import Role, Seen, Sight
from prototxt_gen.layers.parts.shapes import Shape
from prototxt_gen.layers.parts.sight import Step

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
    if node.layer.role in (Role.INPUT, Role.SOURCE):
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
        mixed = seen is Sight.VALUES and isinstance(field, Window)
        return field._replace(stride=None, offset=None) if mixed else Extent.UNKNOWN  # type: ignore[union-attr]
    return _stepped(field, seen)


def _stepped(field: Window, steps: tuple[Step, ...]) -> Field:
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
    distinct = list(dict.fromkeys(fields))
    if Extent.WHOLE in distinct:
        return Extent.WHOLE
    if Extent.UNKNOWN in distinct:
        return Extent.UNKNOWN
    joined: Window | None = None
    for one in distinct:
        assert isinstance(one, Window)
        if joined is None:
            joined = one
        elif len(one.exact) != len(joined.exact):
            return Extent.UNKNOWN
        else:
            joined = _both(joined, one)
    return joined


def _both(a: Window, b: Window) -> Window:
    if a.stride is None or a.stride != b.stride or a.offset is None or b.offset is None:
        return Window(tuple(map(max, a.exact, b.exact)), None, None)
    low = tuple(min(_low(a)[i], _low(b)[i]) for i in range(len(a.exact)))
    high = tuple(max(_low(w)[i] + w.exact[i] for w in (a, b)) for i in range(len(a.exact)))
    return Window(
        tuple(h - low_ for h, low_ in zip(high, low, strict=True)),
        a.stride,
        tuple((low_ + h - 1) / 2 for low_, h in zip(low, high, strict=True)),
    )


def _low(window: Window) -> Numbers:
    """The first pixel that position 0 sees."""
    assert window.offset is not None
    return tuple(o - (s - 1) / 2 for o, s in zip(window.offset, window.exact, strict=True))
