"""What Caffe refuses in ``param`` fields, which set learning rates and share weights."""

from __future__ import annotations

from collections.abc import Sequence

from prototxt_gen._words import plural
from prototxt_gen.diagnostics import Sink
from prototxt_gen.document import Block
from prototxt_gen.formats.upgrade.frozen import is_frozen
from prototxt_gen.graph.graph import Graph, Node
from prototxt_gen.graph.infer import Shapes, field_span
from prototxt_gen.layers.parts.shapes import Shape, count, show


def check_params(graph: Graph, shapes: Shapes, sink: Sink) -> None:
    """The ``param`` fields: their number, BatchNorm's statistics, shared weights."""
    owners: dict[str, tuple[Node, Shape]] = {}
    for index, node in enumerate(graph.nodes):
        params = node.source.blocks("param")
        if not params:
            continue
        weights = shapes.weights.get(index)
        if weights is not None and len(params) > len(weights):
            sink.error(
                "too-many-params",
                f"has {len(params)} param for {plural(len(weights), 'weight')}; expected at most "
                "one for each",
                span=field_span(node, "param", len(weights)),
                layer=node.name,
            )
        # NVIDIA's Caffe has another BatchNorm, which accepts learning rates.
        if graph.dialect != "nvcaffe":
            _check_statistics(node, params, weights, sink)
        for position, (param, shape) in enumerate(zip(params, weights or (), strict=False)):
            name = param.get("name", str, "")
            if not name:
                continue
            owner, owned = owners.setdefault(name, (node, shape))
            _check_shared(node, position, param, shape, owner, owned, sink)


def _check_statistics(
    node: Node, params: Sequence[Block], shapes: Sequence[Shape] | None, sink: Sink
) -> None:
    weights = node.layer.weights(((),) * len(params) if shapes is None else shapes)
    for index, (param, weight) in enumerate(zip(params, weights, strict=False)):
        if weight.fixed and not is_frozen(param):
            sink.error(
                "batch-norm-lr",
                f"lr_mult of {node.type}'s {weight.name} must be 0, since it is not learned "
                "(batch_norm_layer.cpp)",
                span=field_span(node, "param", index),
                layer=node.name,
                help="write `lr_mult: 0`, or leave the param out",
            )


def _check_shared(
    node: Node,
    index: int,
    param: Block,
    shape: Shape,
    owner: Node,
    owned: Shape,
    sink: Sink,
) -> None:
    """Shared weights have the same shape, or with PERMISSIVE the same count (AppendParam)."""
    if param.get("share_mode", str, "STRICT") == "PERMISSIVE":
        equal = count(shape) == count(owned)
    else:
        equal = shape == owned
    if not equal:
        sink.error(
            "shared-param-shape",
            f"shares {param.get('name', str, '')!r} with layer {owner.name!r}, but its weight "
            f"is {show(shape)} and the other is {show(owned)}",
            span=field_span(node, "param", index),
            layer=node.name,
        )
