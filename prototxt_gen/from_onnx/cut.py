"""A model that ends earlier."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import onnx

from prototxt_gen._nearest import closest
from prototxt_gen.errors import GraphError


def ending_at(model: onnx.ModelProto, outputs: Sequence[str]) -> onnx.ModelProto:
    """The model that computes some values, and has no more nodes, weights and inputs than needed.

    The model itself where no output is named. Raises GraphError for a value that no node makes.
    """
    if not outputs:
        return model
    graph = model.graph
    made = {name for node in graph.node for name in node.output if name}
    for name in outputs:
        if name not in made:
            close = closest(name, made)
            hint = f"; did you mean {close!r}?" if close else ""
            raise GraphError(f"the model computes no value {name!r} to use as an output{hint}")
    cut = onnx.ModelProto()
    for field, value in model.ListFields():
        if field.name == "graph":
            cut.graph.name = graph.name
        elif isinstance(value, int | str):
            setattr(cut, field.name, value)
        else:
            getattr(cut, field.name).MergeFrom(value)
    needed, kept = set(outputs), []
    for node in reversed(graph.node):
        if not needed.isdisjoint(node.output):
            kept.append(node)
            needed.update(_read(node))
    known = {value.name: value for value in (*graph.value_info, *graph.output)}
    cut.graph.node.extend(reversed(kept))
    cut.graph.input.extend(value for value in graph.input if value.name in needed)
    cut.graph.initializer.extend(one for one in graph.initializer if one.name in needed)
    cut.graph.output.extend(known.get(name, onnx.ValueInfoProto(name=name)) for name in outputs)
    return cut


def _read(node: onnx.NodeProto) -> Iterator[str]:
    """The values that a node reads, also within the graphs that it has."""
    yield from filter(None, node.input)
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            for inner in graph.node:
                yield from _read(inner)
            for value in graph.output:
                yield value.name
