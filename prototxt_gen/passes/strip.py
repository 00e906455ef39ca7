"""Remove what is for training only from a net's layers: fillers, learning rates, rules."""

from __future__ import annotations

from dataclasses import replace

from prototxt_gen.document import Block, Field
from prototxt_gen.graph.graph import Graph, Node
from prototxt_gen.passes.rebuild import append, empty_like

#: Fields of a layer and of a net that are not read at inference.
LAYER_FIELDS = frozenset({"include", "exclude", "loss_weight", "propagate_down", "transform_param"})
NET_FIELDS = frozenset({"force_backward", "state", "debug_info"})


def strip(graph: Graph) -> Graph:
    """The same net at inference, without anything that only training needs.

    A ``param`` whose name shares a weight stays, without its learning rate.
    """
    made = empty_like(graph)
    made.header = [field for field in graph.header if field.name not in NET_FIELDS]
    for node in graph.nodes:
        append(made, _stripped(node))
    return made


def _stripped(node: Node) -> Node:
    block = Block(type=node.source.type, comments=node.source.comments)
    for field in node.source:
        if field.name == "param" and isinstance(field.value, Block):
            named = Block([f for f in field.value if f.name in ("name", "share_mode")])
            if named.has("name"):
                block.fields.append(Field("param", named, comments=field.comments))
        elif field.name not in LAYER_FIELDS:
            block.fields.append(_without_fillers(node, field))
    old = node.field
    if old is None:
        return replace(node, source=block)
    place = (old.start, old.value_start, old.end)
    field = Field("layer", block, *place, comments=old.comments, trailing=old.trailing)
    return replace(node, source=block, field=field)


def _without_fillers(node: Node, field: Field) -> Field:
    value = field.value
    # A layer without blobs uses its fillers for its tops.
    weightless = node.layer.parameter_free()
    if field.name != node.layer.param or not isinstance(value, Block) or weightless:
        return field
    kept = [inner for inner in value if not inner.name.endswith("filler")]
    params = Block(kept, value.type, value.comments)
    return Field(field.name, params, comments=field.comments, trailing=field.trailing)
