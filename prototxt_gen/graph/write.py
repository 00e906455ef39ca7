"""From a graph to a document, without loss."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from prototxt_gen.document import Block, Document, Field
from prototxt_gen.graph.graph import Graph, Node
from prototxt_gen.layers import layer_class, read_layer
from prototxt_gen.layers.base import Role

_INPUT_FIELDS = ("input", "input_shape", "input_dim")
#: The fields of a layer in the order in which people write them; any other comes between
#: the tops and the parameters.
_FIRST = ("name", "type", "bottom", "top")


def write(graph: Graph) -> Document:
    """The document of a graph.

    A layer that is unchanged since it was read gives back its own block, with comments.
    """
    nodes = graph.nodes
    header = _header(graph)
    if graph.input_form != "layers" and nodes and nodes[0].layer.role is Role.INPUT:
        header = _with_inputs(graph, header, nodes[0])
        nodes = nodes[1:]
    root = Block(header)
    root.fields.extend(_field(node) for node in nodes)
    return Document(root, graph.source, graph.dialect)


def write_layer(node: Node) -> Block:
    """The ``layer`` block of a node."""
    source, layer = node.source, node.layer
    same_layer = _as_read(node)
    if same_layer and _wiring(source) == _node_wiring(node):
        return source
    block = Block.of(
        name=node.name,
        type=node.type if layer_class(node.type) is type(layer) else layer.type,
        bottom=[ref.blob for ref in node.bottoms],
        top=[ref.blob for ref in node.tops],
    )
    kept = [field for field in source if field.name not in _FIRST]
    if same_layer or layer.param is None:
        block.fields.extend(kept)
        return block
    block.fields.extend(field for field in kept if field.name != layer.param)
    params = layer.write()
    modelled = layer.models()
    params.fields.extend(f for f in source.block(layer.param) if f.name not in modelled)
    if params.fields:
        block.add(layer.param, params)
    return block


def _header(graph: Graph) -> list[Field]:
    header = list(graph.header)
    named = any(field.name == "name" for field in header)
    if graph.name and not named:
        header.insert(0, Field("name", graph.name))
    return [
        Field("name", graph.name) if field.name == "name" and field.value != graph.name else field
        for field in header
    ]


def _with_inputs(graph: Graph, header: Sequence[Field], node: Node) -> list[Field]:
    """The header with the fields of the inputs; its own fields stay where they still hold."""
    if _as_read(node):
        written = [field.value for field in header if field.name == "input"]
        if written == [top.blob for top in node.tops]:
            return list(header)
    kept = [field for field in header if field.name not in _INPUT_FIELDS]
    return [*kept, *_input_fields(graph, node)]


def _input_fields(graph: Graph, node: Node) -> Iterator[Field]:
    for top in node.tops:
        yield Field("input", top.blob)
    given = node.layer.write().blocks("shape")
    shapes = [block.get_list("dim", int) for block in given]
    by_dim = graph.input_form == "input_dim" and all(len(shape) == 4 for shape in shapes)
    for shape in shapes if len(shapes) > 1 else shapes * len(node.tops):
        if by_dim:
            yield from (Field("input_dim", dim) for dim in shape)
        else:
            yield Field("input_shape", Block.of(dim=shape))


def _field(node: Node) -> Field:
    block = write_layer(node)
    if block is node.source and node.field is not None:
        return node.field
    return Field("layer", block)


def _as_read(node: Node) -> bool:
    """Whether the parameters of a node equal those of its source."""
    return node.source.has("type") and read_layer(node.source) == node.layer


def _wiring(source: Block) -> tuple[object, ...]:
    return (
        source.get("name", str, ""),
        source.get_list("bottom", str),
        source.get_list("top", str),
    )


def _node_wiring(node: Node) -> tuple[object, ...]:
    return (
        node.name,
        tuple(ref.blob for ref in node.bottoms),
        tuple(ref.blob for ref in node.tops),
    )
