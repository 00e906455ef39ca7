"""Units of a net: where branches part and meet again, as in a residual block.

A unit ends at a box with several inputs and begins behind the box that all its paths come
from, its dominator. What lies between is a frame. Frames do not overlap: a larger one counts,
up to a size that is still a unit and not a part of a net.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from os.path import commonprefix

from prototxt_gen.draw.boxes import Box

_MOST = 40  #: boxes of a unit; more are a part of a net


@dataclass(eq=False)
class Unit:
    """A frame: its boxes in the order of the net, the last of which joins its branches."""

    boxes: list[Box]
    name: str

    def form(self, *, sized: bool = True) -> tuple[object, ...]:
        """What equal units have in common: their layers, wiring and marks, without names.

        Unless they are ``sized``, what they read may grow from one to the next, as in DenseNet.
        """
        places = {id(box): index for index, box in enumerate(self.boxes)}
        return tuple(
            (
                *(node.layer for node in box.nodes),
                *(places.get(id(one), -1) for one, _ in box.inputs),
                *(map(str, box.shapes) if sized else ()),
                box.mark,
            )
            for box in self.boxes
        )


def units(found: Sequence[Box]) -> list[Unit]:
    """The units of a net, in its order."""
    candidates = _candidates(found)
    # Of what begins at one box the largest counts: in a dense block each layer ends another one.
    largest: dict[int, int] = {}
    for start, inside in candidates:
        largest[start] = max(largest.get(start, 0), len(inside))
    taken: set[int] = set()
    made = []
    for start, inside in sorted(candidates, key=lambda one: -len(one[1])):
        names = {one.number for one in inside}
        if len(inside) == largest[start] and len(inside) <= _MOST and not names & taken:
            taken |= names
            made.append(Unit(inside, _name(inside) or inside[-1].name))
    return sorted(made, key=lambda unit: unit.boxes[0].number)


def _candidates(found: Sequence[Box]) -> list[tuple[int, list[Box]]]:
    """What lies between a box where branches part, given by its number, and one that joins them."""
    above = _dominators(found)
    readers: dict[int, list[int]] = {}
    for box in found:
        for one, _ in box.inputs:
            readers.setdefault(one.number, []).append(box.number)
    made = []
    for box in found:
        start = above[box.number]
        # A loss joins what a net computes with its labels, and detections all that was found:
        # what lies between is the net.
        if len(box.inputs) < 2 or start is None or box.kind in ("loss", "detection"):
            continue
        inside = _between(start, box)
        names = {one.number for one in inside}
        closed = all(names.issuperset(readers.get(number, [])) for number in names - {box.number})
        # What computes nothing of its own, as a shortcut filled up with zeros, is no unit.
        if closed and any(one.kind in ("convolution", "dense") for one in inside):
            made.append((start.number, inside))
    return made


def _dominators(found: Sequence[Box]) -> list[Box | None]:
    """For each box the last one that every path to it goes through; None at the start."""
    above: list[Box | None] = []
    depth: list[int] = []
    for box in found:
        common: Box | None = None
        for index, (one, _) in enumerate(box.inputs):
            other: Box | None = one
            if index == 0:
                common = one
                continue
            while common is not other and common is not None and other is not None:
                if depth[common.number] >= depth[other.number]:
                    common = above[common.number]
                else:
                    other = above[other.number]
            if other is None:
                common = None
        above.append(common)
        depth.append(depth[common.number] + 1 if common is not None else 0)
    return above


def _between(start: Box, end: Box) -> list[Box]:
    """The boxes on all paths from behind a box up to another one."""
    found, rest = {end.number: end}, [end]
    while rest:
        for one, _ in rest.pop().inputs:
            if one is not start and one.number not in found:
                found[one.number] = one
                rest.append(one)
    return [found[number] for number in sorted(found)]


def _name(inside: Sequence[Box]) -> str:
    """What the names of the layers begin with, without a part of a word; may be empty."""
    prefix = commonprefix([box.name for box in inside])  # noqa: RUF071 - they are no paths
    cut = prefix.rstrip("_/.-")
    if cut != prefix or len(cut) < 2:
        return cut
    rest = [box.name[len(prefix) :] for box in inside]
    # "res2a" of res2a and res2a_branch1, but not "conv" of conv1 and conv2.
    whole = all(not tail or not tail[0].isalnum() for tail in rest)
    return cut if whole else cut.rpartition("_")[0] or cut.rpartition("/")[0]
