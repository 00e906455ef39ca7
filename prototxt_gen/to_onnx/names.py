"""What a model calls the values of a net's blobs.

Inputs and outputs keep the names of the blobs, and the last version of a blob that is written
in place owns its name.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from prototxt_gen.diagnostics import Sink
from prototxt_gen.errors import UnsupportedError
from prototxt_gen.graph.graph import Graph, Ref
from prototxt_gen.to_onnx.builder import Builder


def name_of(ref: Ref, inputs: Collection[str]) -> str:
    """The name of a blob's last version.

    An overwritten input keeps its own name, and the new value has another.
    """
    return f"{ref.blob}@{ref.version}" if ref.blob in inputs else ref.blob


def need_names(graph: Graph) -> None:
    """Names in ONNX are UTF-8, and an empty name means no value."""
    sink = Sink(graph.source)
    for node in graph.nodes:
        for what, name in (("layer", node.name), *(("top", top.blob) for top in node.tops)):
            if any("\ud800" <= letter <= "\udfff" for letter in name):
                wrong = f"the name {name!r} of a {what} is not UTF-8, which ONNX requires"
            elif what == "top" and not name:
                wrong = "a top has the name '', which means no value in ONNX"
            else:
                continue
            sink.error("unsupported", wrong, span=node.span, layer=node.name)
    sink.raise_errors(UnsupportedError)


def outputs_of(graph: Graph, asked: Sequence[str]) -> list[Ref]:
    """The outputs, without inputs that no layer reads."""
    if asked:
        last = graph.last
        return [last[name] for name in asked]
    inputs = set(graph.inputs)
    return [ref for ref in graph.outputs if ref not in inputs]


def final_names(
    graph: Graph, builder: Builder, values: dict[Ref, str], outputs: Sequence[Ref]
) -> dict[Ref, str]:
    """Give the last version of each blob its name; return the names of the outputs."""
    inputs = {ref.blob for ref in graph.inputs}
    last = graph.last
    renamed: dict[str, str] = {}
    names: dict[Ref, str] = {}
    for ref in [*outputs, *(ref for ref in last.values() if ref not in outputs)]:
        if ref not in values:  # a plug-in has something else in its place
            continue
        value = values[ref]
        if ref.blob in inputs and ref not in outputs:
            continue
        name = name_of(ref, inputs)
        if value in renamed or value in inputs or value in builder.initializers:
            if ref not in outputs:
                continue
            builder.identity(value, name)
        else:
            renamed[value] = name
        names[ref] = name
    builder.rename(renamed)
    return names
