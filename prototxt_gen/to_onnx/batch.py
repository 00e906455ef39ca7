"""A batch that is free.

A free dimension has a symbol in the model. The layers that an input passes determine which
of its axes is the batch, and which must keep its size (``passes.axes``). To find what
depends on the batch, shapes are inferred again for another size: dimensions that differ are
free.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from prototxt_gen.diagnostics import Sink
from prototxt_gen.errors import UnsupportedError
from prototxt_gen.graph.check import check
from prototxt_gen.graph.graph import Graph, Ref
from prototxt_gen.graph.infer import Shapes
from prototxt_gen.layers.base import BATCH, CLASSES, FIXED, TIME
from prototxt_gen.layers.parts.shapes import Dim, Shape
from prototxt_gen.passes.axes import Free, Meanings, batch_axes, labelled, meaning_of
from prototxt_gen.passes.batch import followers, unpinned
from prototxt_gen.passes.deploy import Change

_OTHER = 13  #: how much larger the other batch is; unlikely to be a size in a net
_ADVICE = "give a batch with --batch N"
#: The axes that cannot follow the batch, and how a layer needs them.
_NEEDED = {TIME: "for time", CLASSES: "for classes", FIXED: "at its size"}


@dataclass(frozen=True)
class Batch:
    """The free dimensions: shapes at another batch, and the symbol of each input's free axis."""

    shapes: Shapes
    others: Mapping[Ref, Shape]
    symbols: Mapping[str, Free]  #: by input

    @property
    def followed(self) -> str:
        """The input whose first axis is the batch that constants follow; empty if none is."""
        names = [name for name, free in self.symbols.items() if free.axis == 0]
        own = [name for name in names if self.symbols[name].symbol == BATCH]
        return next(iter(own or names), "")

    def other(self, refs: Iterable[Ref], shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        """The shapes of blobs at the other batch."""
        return tuple(self.others.get(ref, shape) for ref, shape in zip(refs, shapes, strict=True))

    def dims(self, ref: Ref) -> list[int | str]:
        """The shape of a blob as the model declares it."""
        shape = self.shapes.blobs[ref]
        other = self.others.get(ref, shape)
        return [
            dim if dim == more and dim is not None else self._symbol(ref, axis, (dim, more))
            for axis, (dim, more) in enumerate(zip(shape, other, strict=True))
        ]

    def _symbol(self, ref: Ref, axis: int, sizes: tuple[Dim, Dim]) -> str:
        """The symbol of the input that has the same size at both batches."""
        for name, (own, symbol, _) in self.symbols.items():
            first = Ref(name, 0)
            if sizes == (self.shapes.blobs[first][own], self.others[first][own]):
                return symbol
        return f"{ref.blob}_{axis}"


def free_batch(graph: Graph, shapes: Shapes) -> tuple[Graph, Batch, list[Change]]:
    """The net with a free batch; raises UnsupportedError if that is impossible."""
    meanings = Meanings(graph, shapes)
    symbols = batch_axes(graph, shapes, meanings)
    if graph.inputs and not symbols:
        raise UnsupportedError(
            f"the net cannot have a free batch: no axis of an input may change; {_ADVICE}"
        )
    graph, changes = unpinned(graph, shapes, symbols, meanings)
    given: dict[str, Shape] = {}
    more: dict[str, int] = {}
    for ref in graph.inputs:
        shape = list(shapes.blobs[ref])
        if ref.blob in symbols:
            axis, symbol, _ = symbols[ref.blob]
            shape[axis] = (shape[axis] or 0) + more.setdefault(symbol, _OTHER + 10 * len(more))
        given[ref.blob] = tuple(shape)
    sink = Sink(graph.source)
    other = check(graph, sink, {**given, **followers(graph, shapes, given, meanings, symbols)})
    if sink.errors:
        raise UnsupportedError(
            f"the net cannot have a free batch: layer {sink.errors[0].layer!r} works only with "
            f"the net's own batch [{sink.errors[0].rule}]; {_ADVICE}"
        )
    for index, weights in shapes.weights.items():
        if other.weights.get(index) != weights:
            raise UnsupportedError(
                f"the net cannot have a free batch: a weight of layer {graph.nodes[index].name!r} "
                f"has the size of the batch; {_ADVICE}"
            )
    _need_fixed(graph, shapes, other)
    return graph, Batch(shapes, other.blobs, symbols), changes


def _need_fixed(graph: Graph, shapes: Shapes, other: Shapes) -> None:
    """Raise UnsupportedError if an axis that a layer needs at its size follows the batch."""
    for node in graph.nodes:
        for ref, axis, label in labelled(node, shapes):
            meaning = meaning_of(label)
            if meaning not in _NEEDED:
                continue
            if other.blobs.get(ref, shapes.blobs[ref])[axis] != shapes.blobs[ref][axis]:
                raise UnsupportedError(
                    f"the net cannot have a free batch: axis {axis} of blob {ref.blob!r}, which "
                    f"layer {node.name!r} needs {_NEEDED[meaning]}, would change with it; {_ADVICE}"
                )
