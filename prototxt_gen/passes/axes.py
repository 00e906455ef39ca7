"""The meanings of the axes of a net's blobs, according to the layers that they pass."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from prototxt_gen.graph.graph import Graph, Node, Ref
from prototxt_gen.graph.infer import Shapes
from prototxt_gen.layers.base import BATCH, MEANINGS, ROWS
from prototxt_gen.layers.parts.shapes import Dim

Axis = tuple[Ref, int]


class Meanings:
    """The axes of all blobs in equivalence classes: those of one class are the same axis."""

    def __init__(self, graph: Graph, shapes: Shapes) -> None:
        self._above: dict[Axis, Axis] = {}
        meant: list[tuple[Axis, str]] = []
        for node in graph.nodes:
            first: dict[str, Axis] = {}
            for ref, axis, label in labelled(node, shapes):
                self._join((ref, axis), first.setdefault(label, (ref, axis)))
                meaning = meaning_of(label)
                if meaning is not None:
                    meant.append(((ref, axis), meaning))
        self._meanings: dict[Axis, set[str]] = {}
        for place, meaning in meant:
            self._meanings.setdefault(self.root(*place), set()).add(meaning)

    def root(self, ref: Ref, axis: int) -> Axis:
        """The axis that represents the class of another."""
        place = (ref, axis)
        while (above := self._above.get(place, place)) != place:
            place = above
        return place

    def of(self, ref: Ref, axis: int) -> set[str]:
        """All meanings of an axis; none if no layer gives one."""
        return self._meanings.get(self.root(ref, axis), set())

    def _join(self, one: Axis, other: Axis) -> None:
        self._above[self.root(*one)] = self.root(*other)


class Free(NamedTuple):
    """A free axis of an input, its symbol in a model, and whether it counts regions or indices."""

    axis: int
    symbol: str
    rows: bool = False


def batch_axes(graph: Graph, shapes: Shapes, meanings: Meanings) -> dict[str, Free]:
    """For each input with a free axis, that axis and its symbol.

    If no layer determines it, it is axis 0. Inputs of one batch share a symbol; one
    with another size, or with regions or indices, has its own.
    """
    found: dict[str, Free] = {}
    rows: dict[Axis, str] = {}
    size: Dim = None
    for ref in graph.inputs:
        shape = shapes.blobs.get(ref, ())
        axis = next(_axes_of(meanings, ref, len(shape), BATCH), 0)
        meant = meanings.of(ref, axis)
        if not shape or meant - {BATCH, ROWS}:
            continue
        if ROWS in meant:
            symbol = rows.setdefault(meanings.root(ref, axis), f"{ref.blob}_{ROWS}")
            found[ref.blob] = Free(axis, symbol, rows=True)
            continue
        size = size or shape[axis]
        found[ref.blob] = Free(axis, BATCH if shape[axis] == size else f"{ref.blob}_{BATCH}")
    return found


def _axes_of(meanings: Meanings, ref: Ref, rank: int, meaning: str) -> Iterator[int]:
    """The axes of a blob that have a certain meaning and no other."""
    return (axis for axis in range(rank) if meanings.of(ref, axis) == {meaning})


def labelled(node: Node, shapes: Shapes) -> Iterator[tuple[Ref, int, str]]:
    """The labelled axes of a node's bottoms and tops; none if shapes are missing."""
    bottoms, tops = shapes.of(node.bottoms), shapes.of(node.tops)
    if bottoms is None or tops is None:
        return
    said = node.layer.axes(bottoms, tops)
    for refs, labels in ((node.bottoms, said.bottoms), (node.tops, said.tops)):
        for ref, own in zip(refs, labels, strict=True):
            yield from ((ref, axis, label) for axis, label in enumerate(own) if label is not None)


def meaning_of(label: str) -> str | None:
    """The meaning in a label of ``Layer.axes``, if it has one."""
    meaning = label.partition(":")[0]
    return meaning if meaning in MEANINGS else None
