"""A graph rebuilt node by node, so that the versions of its blobs are right."""

from __future__ import annotations

from collections.abc import Iterable

from prototxt_gen.errors import UnsupportedError
from prototxt_gen.graph.graph import Graph, Node


def empty_like(graph: Graph) -> Graph:
    """A graph without nodes, with the header of another."""
    made = Graph(
        graph.name,
        header=graph.header,
        header_type=graph.header_type,
        input_form=graph.input_form,
        source=graph.source,
        dialect=graph.dialect,
        stored=graph.stored,
    )
    made.hidden |= graph.hidden
    made.files |= graph.files
    return made


def append(graph: Graph, node: Node) -> Node:
    """Append a node unchanged."""
    return graph.add(
        node.name,
        node.layer,
        [ref.blob for ref in node.bottoms],
        [ref.blob for ref in node.tops],
        node.source,
        node.field,
    )


def needed(graph: Graph, outputs: Iterable[str]) -> list[int]:
    """The nodes that some blobs, in their last versions, are computed from; in their order."""
    last = graph.last
    wanted = {last[name] for name in outputs}
    found = []
    for index in range(len(graph.nodes) - 1, -1, -1):
        node = graph.nodes[index]
        if any(top in wanted for top in node.tops):
            wanted.update(node.bottoms)
            found.append(index)
    return found[::-1]


def input_shapes(node: Node) -> tuple[tuple[int, ...] | None, ...]:
    """The shape that an input node has for each top; None where the user must give it."""
    try:
        shapes = node.layer.shapes((), len(node.tops))
    except UnsupportedError:
        return (None,) * len(node.tops)
    return tuple(tuple(dim or 0 for dim in shape) for shape in shapes)
