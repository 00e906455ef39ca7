"""Batches: another size, or one that is free.

A free dimension has a symbol in the model. Axis 0 of an input is the batch, axis 1 where an
LSTM or RNN reads it. A second bottom that has factors or a state of its own keeps its size,
and one that has regions or indices gets a symbol of its own. To know what depends on the
batch, shapes are inferred once more for another one: what differs is free.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from prototxt_gen.diagnostics import Sink
from prototxt_gen.errors import GraphError
from prototxt_gen.graph.check import check
from prototxt_gen.graph.graph import Graph, Ref
from prototxt_gen.graph.infer import Shapes
from prototxt_gen.layers.affine import Bias, Scale
from prototxt_gen.layers.inputs import DummyData, Input
from prototxt_gen.layers.parts.shapes import Dim, Shape
from prototxt_gen.layers.reshape import Reshape
from prototxt_gen.passes.deploy import Change
from prototxt_gen.passes.rebuild import append, empty_like

BATCH = "batch"
_OTHER = 13  #: how much larger the other batch is; no net counts in it
_ROWS = frozenset(["ROIPooling", "ROIAlign", "PSROIPooling", "PSROIAlign", "BatchReindex"])


@dataclass(frozen=True)
class Batch:
    """What is free: the shapes at another batch, and the symbol of each input's free axis."""

    shapes: Shapes
    others: Mapping[Ref, Shape]
    symbols: Mapping[str, tuple[int, str]]  #: by input: axis and symbol

    def other(self, refs: Iterable[Ref], shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        """The shapes of blobs at the other batch."""
        return tuple(self.others.get(ref, shape) for ref, shape in zip(refs, shapes, strict=True))

    def dims(self, ref: Ref) -> list[int | str]:
        """The shape of a blob as a model declares it."""
        shape = self.shapes.blobs[ref]
        other = self.others.get(ref, shape)
        return [
            dim if dim == more and dim is not None else self._symbol(ref, axis, (dim, more))
            for axis, (dim, more) in enumerate(zip(shape, other, strict=True))
        ]

    def _symbol(self, ref: Ref, axis: int, sizes: tuple[Dim, Dim]) -> str:
        """That of the input which has the same size at both batches."""
        for name, (own, symbol) in self.symbols.items():
            first = Ref(name, 0)
            if sizes == (self.shapes.blobs[first][own], self.others[first][own]):
                return symbol
        return f"{ref.blob}_{axis}"


def set_batch(graph: Graph, batch: int, given: Mapping[str, Shape] | None) -> Graph:
    """The net with another size of its batch."""
    axes = _free_axes(graph)
    made = empty_like(graph)
    for node in graph.nodes:
        if isinstance(node.layer, Input):
            shapes = node.layer.shape * (len(node.tops) if len(node.layer.shape) == 1 else 1)
            changed = []
            for top, shape in zip(node.tops, shapes, strict=False):
                found = list((given or {}).get(top.blob, shape))
                axis, symbol = axes.get(top.blob, (0, ""))
                if symbol == BATCH and len(found) > axis:
                    found[axis] = batch
                changed.append(tuple(dim or 0 for dim in found))
            node = replace(node, layer=Input(tuple(changed)))
        append(made, node)
    return made


def free_batch(graph: Graph, shapes: Shapes) -> tuple[Graph, Batch, list[Change]]:
    """The net with a batch that is free; raises GraphError where it cannot have one."""
    graph, changes = _without_literal_batch(graph, shapes)
    symbols = {
        name: (axis, symbol)
        for name, (axis, symbol) in _free_axes(graph).items()
        if len(shapes.blobs[Ref(name, 0)]) > axis and symbol
    }
    given: dict[str, Shape] = {}
    extra: dict[str, int] = {}
    for ref in graph.inputs:
        shape = list(shapes.blobs[ref])
        if ref.blob in symbols:
            axis, symbol = symbols[ref.blob]
            more = _OTHER + 10 * extra.setdefault(symbol, len(extra))
            shape[axis] = (shape[axis] or 0) + more
        given[ref.blob] = tuple(shape)
    sink = Sink(graph.source)
    other = check(graph, sink, {**given, **_constants(graph, shapes, given)})
    if sink.errors:
        first = sink.errors[0]
        raise GraphError(
            f"the net cannot have a free batch: layer {first.layer!r}: {first.message}; give a "
            "batch with --batch N"
        )
    for index, weights in shapes.weights.items():
        if other.weights.get(index) != weights:
            raise GraphError(
                f"the net cannot have a free batch: a weight of layer {graph.nodes[index].name!r} "
                "has the size of the batch; give a batch with --batch N"
            )
    return graph, Batch(shapes, other.blobs, symbols), changes


def _constants(graph: Graph, shapes: Shapes, given: Mapping[str, Shape]) -> dict[str, Shape]:
    """The shapes of constants that have the batch of the inputs, and so follow it."""
    sizes = {
        (shapes.blobs[ref][0], given[ref.blob][0])
        for ref in graph.inputs
        if shapes.blobs[ref] and shapes.blobs[ref][0] != given[ref.blob][0]
    }
    if len(sizes) != 1:
        return {}
    ((old, new),) = sizes
    return {
        top.blob: (new, *shapes.blobs[top][1:])
        for node in graph.nodes
        if isinstance(node.layer, DummyData)
        for top in node.tops
        if len(shapes.blobs[top]) > 1 and shapes.blobs[top][0] == old
    }


def _free_axes(graph: Graph) -> dict[str, tuple[int, str]]:
    """For each input the axis that is free, and its symbol; an empty one where none is."""
    found = {ref.blob: (0, BATCH) for ref in graph.inputs}
    for node in graph.nodes:
        for index, ref in enumerate(node.bottoms):
            if ref.version or ref.blob not in found:
                continue
            layer = node.layer
            if isinstance(layer, (Scale, Bias)) and index and layer.axis != 0:
                found[ref.blob] = (0, "")
            elif node.type in _ROWS and index:
                found[ref.blob] = (0, f"{ref.blob}_rows")
            elif node.type in ("LSTM", "RNN"):
                static = index == 2 and len(node.bottoms) > layer.arity().bottoms[0]
                found[ref.blob] = (0 if static else 1, BATCH)
            elif node.type == "Lstm":
                found[ref.blob] = (1, BATCH)
            elif node.type == "InfogainLoss" and index == 2:
                found[ref.blob] = (0, "")
            elif node.type in ("PriorBox", "Crop") and index == 1:
                found[ref.blob] = (0, found[ref.blob][1])
    return found


def _without_literal_batch(graph: Graph, shapes: Shapes) -> tuple[Graph, list[Change]]:
    """A Reshape that names the batch keeps it instead."""
    made, changes = empty_like(graph), []
    for node in graph.nodes:
        layer = node.layer
        bottom = shapes.blobs.get(node.bottoms[0]) if node.bottoms else None
        if (
            isinstance(layer, Reshape)
            and bottom
            and layer.axis == 0
            and layer.dims
            and layer.dims[0] == bottom[0]
            and layer.dims[0] > 0
        ):
            node = replace(node, layer=replace(layer, dims=(0, *layer.dims[1:])))
            what = f"its literal batch {layer.dims[0]} became that of its bottom"
            changes.append(Change(node.name, node.type, what))
        append(made, node)
    return made, changes
