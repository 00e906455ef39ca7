"""The nodes of a model wherever they are, and which of them ONNX itself knows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import onnx
from onnx import AttributeProto

DOMAINS = ("", "ai.onnx")  #: of ONNX itself


def name_of(node: onnx.NodeProto) -> str:
    """The op, with its domain if that is not ONNX's."""
    own = node.domain in DOMAINS
    return node.op_type if own else f"{node.domain}::{node.op_type}"


def nodes_in(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    """The nodes of a graph, and those of the graphs inside them (If, Loop, Scan)."""
    return _with_inner(graph.node)


def called(
    node: onnx.NodeProto, functions: dict[tuple[str, str], onnx.FunctionProto]
) -> onnx.FunctionProto | None:
    """The function of the model's own that a node calls."""
    return functions.get((node.domain, node.op_type))


def functions_of(model: onnx.ModelProto) -> dict[tuple[str, str], onnx.FunctionProto]:
    """The functions of a model's own by domain and name."""
    return {(one.domain, one.name): one for one in model.functions}


def bodies(
    function: onnx.FunctionProto, functions: dict[tuple[str, str], onnx.FunctionProto]
) -> Iterator[onnx.NodeProto]:
    """The nodes that a function stands for, those of functions that it calls among them."""
    waiting, seen = [function], {(function.domain, function.name)}
    while waiting:
        for node in _with_inner(waiting.pop().node):
            more = called(node, functions)
            if more is None:
                yield node
            elif (more.domain, more.name) not in seen:
                seen.add((more.domain, more.name))
                waiting.append(more)


def _with_inner(nodes: Iterable[onnx.NodeProto]) -> Iterator[onnx.NodeProto]:
    for node in nodes:
        yield node
        for graph in _graphs(node):
            yield from nodes_in(graph)


def missing(model: onnx.ModelProto) -> Iterator[tuple[onnx.NodeProto, str]]:
    """The nodes that read what nothing makes before them, or whose domain has no opset."""
    domains = {one.domain for one in model.opset_import} | set(DOMAINS)
    yield from _missing(model.graph, frozenset(), domains)


def _missing(
    graph: onnx.GraphProto, outer: frozenset[str], domains: set[str]
) -> Iterator[tuple[onnx.NodeProto, str]]:
    made = {*outer, "", *(value.name for value in graph.input)}
    made |= {tensor.name for tensor in graph.initializer}
    made |= {tensor.values.name for tensor in graph.sparse_initializer}
    for node in graph.node:
        lost = [name for name in node.input if name not in made]
        if lost:
            yield node, f"nothing before it makes {lost[0]!r}"
        if node.domain not in domains:
            yield node, f"it imports no opset of {node.domain}"
        for inner in _graphs(node):
            yield from _missing(inner, frozenset(made), domains)
        made.update(node.output)


def _graphs(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    """The graphs inside a node."""
    for attribute in node.attribute:
        if attribute.type == AttributeProto.GRAPH:
            yield attribute.g
        yield from attribute.graphs


def unknown(name: str, opset: int) -> str:
    """Why ONNX has no op of its own by this name at any opset; empty if it has, or may have.

    An opset that is newer than the package onnx may have ops that this does not know.
    """
    if opset > onnx.defs.onnx_opset_version() or onnx.defs.has(name):
        return ""
    return f"ONNX has no {name}"


def unknown_ops(model: onnx.ModelProto) -> Iterator[str]:
    """Why a model has ops that ONNX has at no opset."""
    opset = next((one.version for one in model.opset_import if one.domain in DOMAINS), 0)
    for node in nodes_in(model.graph):
        why = unknown(node.op_type, opset) if node.domain in DOMAINS else ""
        if why:
            yield why


def at_another_opset(name: str, opset: int) -> str:
    """Why an op of ONNX is not one at an opset; empty if it is."""
    if opset > onnx.defs.onnx_opset_version():
        return ""
    try:
        schema = onnx.defs.get_schema(name, opset, "")
    except onnx.defs.SchemaError:
        versions = [
            one.since_version
            for one in onnx.defs.get_all_schemas_with_history()
            if one.name == name and one.domain in DOMAINS
        ]
        return f"ONNX has {name} from opset {min(versions)} on; the model has {opset}"
    if schema.deprecated:
        return f"ONNX has no {name} from opset {schema.since_version} on; the model has {opset}"
    return ""
