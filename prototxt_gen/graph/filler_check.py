"""Fillers that Caffe refuses when it builds a net and fills its weights.

A caffemodel replaces the filled weights, so ``graph.check`` does not check fillers.
"""

from __future__ import annotations

from prototxt_gen.diagnostics import Sink
from prototxt_gen.graph.graph import Graph, Node
from prototxt_gen.graph.infer import Shapes, param_span
from prototxt_gen.layers.parts.fillers import filler_faults, kind_of, unknown_filler
from prototxt_gen.layers.parts.shapes import Shape, show


def check_fillers(graph: Graph, shapes: Shapes, sink: Sink) -> None:
    """Report fillers of unknown types, and those that cannot fill their blobs."""
    for index, node in enumerate(graph.nodes):
        wanted = shapes.weights.get(index)
        if not wanted or node.source.has("blobs"):
            continue
        for weight, shape in zip(node.layer.weights(wanted), wanted, strict=True):
            if weight.filler is not None:
                _check(node, weight.filler, shape, sink)


def _check(node: Node, field: str, shape: Shape, sink: Sink) -> None:
    """An absent field means a constant filler, which also needs something to fill."""
    filler = node.params.block(field)
    unknown = unknown_filler(filler)
    if unknown is not None:
        message = f"{field} has {unknown}"
        place = param_span(node, f"{field}.type")
        sink.error("filler-type", message, span=place, layer=node.name)
        return
    for fault in filler_faults(filler, shape):
        message = f"{field} ({kind_of(filler)}) of {show(shape)}: {fault}"
        sink.error("filler-bounds", message, span=param_span(node, field), layer=node.name)
