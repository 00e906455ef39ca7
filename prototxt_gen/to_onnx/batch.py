"""A batch that is free.

The layers that an input passes determine which of its axes is the batch, and which must keep
its size (``passes.axes``). What depends on the batch then follows from the shapes
(``to_onnx.free``): a batch that not every size of it fits is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NoReturn

from prototxt_gen.diagnostics import Sink
from prototxt_gen.errors import UnsupportedError
from prototxt_gen.graph.graph import Graph, Ref
from prototxt_gen.graph.infer import Shapes
from prototxt_gen.layers.base import CLASSES, FIXED, TIME
from prototxt_gen.layers.parts.ranges import Ranges
from prototxt_gen.layers.parts.shapes import Shape
from prototxt_gen.layers.parts.sizes import is_free
from prototxt_gen.passes.axes import Free, Meanings, batch_axes, labelled, meaning_of
from prototxt_gen.passes.batch import followers, unpinned
from prototxt_gen.passes.deploy import Change
from prototxt_gen.to_onnx.free import Dims, inferred, symbol_size

#: The axes that cannot follow the batch, and how a layer needs them.
_NEEDED = {TIME: "for time", CLASSES: "for classes", FIXED: "at its size"}


def free_batch(graph: Graph, shapes: Shapes) -> tuple[Graph, Dims, list[Change]]:
    """The net with a free batch; raises UnsupportedError if that is impossible."""
    meanings = Meanings(graph, shapes)
    symbols = batch_axes(graph, shapes, meanings)
    if graph.inputs and not symbols:
        _refuse("no axis of an input may change")
    named = {name: {free.axis: free.symbol} for name, free in symbols.items()}
    sink = Sink(graph.source)
    graph, dims, changes = freed(graph, shapes, named, symbols, meanings, sink)
    for error in sink.errors:
        _refuse(f"layer {error.layer!r}: {error.message}")
    _need_fixed(graph, shapes, dims.shapes)
    return graph, dims, changes


def freed(
    graph: Graph,
    shapes: Shapes,
    named: Mapping[str, Mapping[int, str]],
    batch: Mapping[str, Free],
    meanings: Meanings,
    sink: Sink,
) -> tuple[Graph, Dims, list[Change]]:
    """The net with free axes of inputs, and what its layers' sizes are then.

    ``named`` has the symbols of the axes; ``batch`` are those of them that are the batch, which
    layers and constants that have it written follow. A layer that pins a size is reported.
    """
    graph, changes = unpinned(graph, shapes, batch, meanings)
    sources: dict[str, tuple[Ref, int]] = {}
    for name, axes in named.items():
        for axis, symbol in axes.items():
            sources.setdefault(symbol, (Ref(name, 0), axis))
    ranges = Ranges({s: shapes.blobs[ref][axis] or 0 for s, (ref, axis) in sources.items()})
    given: dict[str, Shape] = {}
    for ref in graph.inputs:
        shape = list(shapes.blobs[ref])
        for axis, symbol in named.get(ref.blob, {}).items():
            shape[axis] = symbol_size(symbol, ranges)
        given[ref.blob] = tuple(shape)
    given |= followers(graph, shapes, given, meanings, batch)
    graph, found, followed = inferred(graph, shapes, ranges, given, sink)
    return graph, Dims(found, ranges, sources), changes + followed


def need_all(dims: Dims) -> None:
    """Raise UnsupportedError where a model takes only some sizes of the batch."""
    for _, words in dims.narrowed():
        _refuse(f"it would take only {words}")


def _need_fixed(graph: Graph, shapes: Shapes, found: Shapes) -> None:
    """Raise UnsupportedError if an axis that a layer needs at its size follows the batch."""
    for node in graph.nodes:
        for ref, axis, label in labelled(node, shapes):
            meaning = meaning_of(label)
            if meaning in _NEEDED and is_free(found.blobs.get(ref, shapes.blobs[ref])[axis]):
                _refuse(
                    f"axis {axis} of blob {ref.blob!r}, which layer {node.name!r} needs "
                    f"{_NEEDED[meaning]}, would change with it"
                )


def _refuse(why: str) -> NoReturn:
    raise UnsupportedError(f"the net cannot have a free batch: {why}; give a batch with --batch N")
