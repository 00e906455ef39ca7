"""The whole way from a net to one for inference: its inputs, its batch, nothing of training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from prototxt_gen.graph.check import checked, need_inputs
from prototxt_gen.graph.graph import Graph
from prototxt_gen.graph.infer import Shapes
from prototxt_gen.layers.base import Role
from prototxt_gen.layers.inputs import Input
from prototxt_gen.layers.parts.shapes import Shape
from prototxt_gen.passes.batch import set_batch
from prototxt_gen.passes.deploy import Change, Losses, deploy
from prototxt_gen.passes.rebuild import append, empty_like
from prototxt_gen.passes.strip import strip


def for_inference(
    graph: Graph, given: Mapping[str, Shape], batch: int | None, losses: Losses
) -> tuple[Graph, list[Change]]:
    """The net for inference, and what was changed; ``given`` are shapes of inputs.

    Each input states its shape. Raises GraphError if Caffe would refuse the net, before or
    with the other batch, or if the shape of an input is not known.
    """
    shapes = checked(graph, given)
    net, changes = deploy(graph, shapes, losses)
    need_inputs(net, shapes)
    made = with_inputs(net, shapes)
    if batch is not None:
        made, more = set_batch(made, batch, None)
        changes += more
        checked(made)
    return strip(made), changes


def with_inputs(graph: Graph, shapes: Shapes) -> Graph:
    """The net whose inputs state their shapes, which are known."""
    made = empty_like(graph)
    for node in graph.nodes:
        if node.layer.role is Role.INPUT:
            sizes = (tuple(dim or 0 for dim in shapes.blobs[top]) for top in node.tops)
            node = replace(node, layer=Input(tuple(sizes)))
        append(made, node)
    return made
