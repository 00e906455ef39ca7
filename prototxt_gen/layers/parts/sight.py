"""What a value of a layer's top depends on in a bottom: the step of a receptive field."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, Union

from prototxt_gen.layers.parts.shapes import Shape
from prototxt_gen.layers.parts.window import Window

if TYPE_CHECKING:
    from fractions import Fraction


class Step(NamedTuple):
    """Along one axis: how many positions of the bottom a position of the top sees.

    Position 0 sees those around ``center``, and each next one those ``stride`` further on.
    """

    size: int = 1
    stride: Fraction | int = 1
    center: Fraction | int = 0


SAME = Step()  #: a position sees itself


class Sight(enum.Enum):
    """What a value sees of a bottom where that is no window."""

    ALL = "all"  #: the whole bottom
    VALUES = "values"  #: values as they are, of any position
    NOTHING = "nothing"  #: no value: the bottom's shape alone matters
    OPEN = "open"  #: what the data decide, or nobody said


Steps = tuple[Step, ...]  #: for each axis from the third on
Seen = Union[Steps, Sight]


def own_places(bottom: Shape, tops: Sequence[Shape], *, rearranges: bool) -> Seen:
    """The default: each position sees itself, if bottom and tops have the same positions.

    A bottom with one position is seen by all.
    """
    places = bottom[2:]
    if all(len(top) == len(bottom) and top[2:] == places for top in tops):
        return (SAME,) * len(places)
    one = all(size == 1 for size in places)
    return Sight.VALUES if rearranges or one else Sight.OPEN


def windowed(kernel: Window, stride: Window, pad: Window, dilation: Window) -> Steps:
    """Windows that slide over the bottom."""
    from fractions import Fraction  # no net needs one until its receptive fields are asked for

    return tuple(
        Step(d * (k - 1) + 1, s, Fraction(d * (k - 1), 2) - p)
        for k, s, p, d in zip(kernel, stride, pad, dilation, strict=True)
    )


def spread(kernel: Window, stride: Window, pad: Window, dilation: Window) -> Steps:
    """The transpose: each position of the bottom is written to a window of the top."""
    from fractions import Fraction

    return tuple(
        Step(-(-(d * (k - 1) + 1) // s), Fraction(1, s), (p - Fraction(d * (k - 1), 2)) / s)
        for k, s, p, d in zip(kernel, stride, pad, dilation, strict=True)
    )
