"""A unit as a single box, with a line for each of its branches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from prototxt_gen.draw.boxes import Box
from prototxt_gen.draw.units import Unit

_COMPUTE = ("convolution", "dense")


def lines(unit: Unit) -> tuple[str, ...]:
    """What a unit does: each branch, and how they are joined."""
    *inside, end = unit.boxes
    return *map(_line, _branches(inside)), " · ".join([end.brief, *end.more])


def kind(unit: Unit) -> str:
    """What the colour of the box stands for: what computes in the unit."""
    found = (box.kind for box in unit.boxes if box.kind in _COMPUTE)
    return next(found, unit.boxes[-1].kind)


def _branches(inside: Sequence[Box]) -> Iterator[list[Box]]:
    """Boxes that follow each other, up to where a branch begins or several meet."""
    made: list[list[Box]] = []
    ends: dict[int, list[Box]] = {}
    for box in inside:
        before = ends.pop(box.inputs[0][0].number, None) if len(box.inputs) == 1 else None
        if before is None:
            before = []
            made.append(before)
        before.append(box)
        ends[box.number] = before
    # The longest says what the unit is.
    yield from sorted(made, key=len, reverse=True)


def _line(branch: Sequence[Box]) -> str:
    """``Convolution 1×1, 64 · 3×3, 64``: a type that comes again is not said again."""
    words, type = [], ""
    for box in branch:
        own, _, rest = box.brief.partition(" ")
        words.append(rest if own == type and rest else box.brief)
        type = own
    return " · ".join(words)
