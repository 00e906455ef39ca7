"""Another batch size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from prototxt_gen.diagnostics import Sink
from prototxt_gen.graph.graph import Graph
from prototxt_gen.graph.infer import infer
from prototxt_gen.layers.base import Role
from prototxt_gen.layers.inputs import Input
from prototxt_gen.layers.parts.shapes import Shape
from prototxt_gen.passes.axes import batch_axes
from prototxt_gen.passes.rebuild import append, empty_like, input_shapes


def set_batch(graph: Graph, batch: int, given: Mapping[str, Shape] | None) -> Graph:
    """The net with another batch size."""
    given = given or {}
    axes = batch_axes(graph, infer(graph, Sink(), given))
    made = empty_like(graph)
    for node in graph.nodes:
        if node.layer.role is Role.INPUT:
            changed = []
            for top, shape in zip(node.tops, input_shapes(node), strict=True):
                found = list(given.get(top.blob, shape or ()))
                free = axes.get(top.blob)
                if free is not None and not free.rows and len(found) > free.axis:
                    found[free.axis] = batch
                changed.append(tuple(dim or 0 for dim in found))
            node = replace(node, layer=Input(tuple(changed)))
        append(made, node)
    return made
