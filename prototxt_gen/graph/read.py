"""From a typed document to a graph."""

from __future__ import annotations

from prototxt_gen.diagnostics import Sink, Span
from prototxt_gen.document import Block, Document, Field
from prototxt_gen.formats.upgrade.inputs import needs_input_upgrade, shape_field
from prototxt_gen.formats.upgrade.net import upgrade_input, upgrade_net
from prototxt_gen.graph.graph import Graph, InputForm
from prototxt_gen.graph.phase import State, included, options_for, stages_of
from prototxt_gen.layers import read_layer


def read(document: Document, sink: Sink, state: State | None = None) -> Graph:
    """The graph of a net in a state; the phase TEST without stages, where None.

    A V0 or V1 net is upgraded first. Problems are reported to the sink, and the
    graph holds the rest.
    """
    net, state = upgraded(document, sink), state or State()
    graph = build(net, sink, state)
    made = graph.last
    whole, stages = state.within(net.root), stages_of(net.root)
    for layer in net.root.blocks("layer"):
        missing = [top for top in layer.get_list("top", str) if top not in made]
        options = options_for(layer, whole, stages) if missing else None
        if options:
            name = layer.get("name", str, "")
            graph.elsewhere.update(dict.fromkeys(missing, (name, options)))
    return graph


def upgraded(document: Document, sink: Sink) -> Document:
    """The net in its present form, except for ``input`` fields, which a graph keeps."""
    root = upgrade_net(document.root, sink, inputs=False)
    return Document(root, document.source, document.dialect)


def need_layers(root: Block, sink: Sink) -> None:
    """Report a net without layers, such as an empty file, which Caffe accepts."""
    if not any(root.has(name) for name in ("layer", "layers", "input")):
        place = next((field.span for field in root), Span(0, 0))
        sink.error("empty-net", "the net has no layer; expected at least one", span=place)


def build(document: Document, sink: Sink, state: State | None) -> Graph:
    """The graph, in a state, of an upgraded net; with every layer where it is None."""
    root = document.root
    state = state.within(root) if state else None
    header = [field for field in root if field.name not in ("layer", "layers")]
    graph = Graph(
        root.get("name", str, ""),
        header=header,
        header_type=root.type,
        input_form=_input_form(root),
        source=document.source,
        dialect=document.dialect,
    )
    layers = [field for field in root if field.name == "layer"]
    if graph.input_form != "layers":
        made = [field for field in upgrade_input(root, sink) if field.name == "layer"]
        if len(made) > len(layers):
            add_layer(graph, made[0])
        else:
            graph.input_form = "layers"
    for field in layers:
        block = field.value
        if isinstance(block, Block) and (state is None or included(block, state)):
            add_layer(graph, field)
    return graph


def add_layer(graph: Graph, field: Field) -> None:
    """Append the layer of a ``layer`` field to a graph."""
    block = field.value
    if not isinstance(block, Block):
        return
    graph.add(
        block.get("name", str, ""),
        read_layer(block),
        block.get_list("bottom", str),
        block.get_list("top", str),
        block,
        field,
    )


def _input_form(root: Block) -> InputForm:
    return shape_field(root) if needs_input_upgrade(root) else "layers"
