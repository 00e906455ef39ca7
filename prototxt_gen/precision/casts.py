"""The nodes of a model in order, and without detours through float16."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

import onnx
from onnx import TensorProto


def without_detours(graph: onnx.GraphProto, own: Collection[str]) -> None:
    """Let what stays in float32 read what was float32 before it was cast to float16.

    The converter casts around each node that it leaves in float32, also between two of them, and
    between one and an input or an output. Nodes whose names are not among ``own`` are its casts.
    """
    added = {n.output[0]: n for n in graph.node if n.op_type == "Cast" and n.name not in own}
    made = {name for node in graph.node for name in node.output}
    ends = {value.name for value in graph.output}
    sources: dict[str, str] = {}  #: what to read in place of the end of a detour
    named: dict[str, str] = {}  #: values that become outputs
    for result, node in added.items():
        before = added.get(node.input[0])
        if before is None or _kind(node) != TensorProto.FLOAT:
            continue
        if _kind(before) != TensorProto.FLOAT16:
            continue
        source = before.input[0]
        if result not in ends:
            sources[result] = source
        elif source in made and source not in ends and source not in named:
            named[source] = result
    renamed = {**{result: named.get(one, one) for result, one in sources.items()}, **named}
    gone = {*sources, *named.values()}
    nodes = [n for n in graph.node if not (n.output[0] in gone and n.output[0] in added)]
    for node in nodes:
        _rename(node, renamed)
        for index, name in enumerate(node.output):
            node.output[index] = named.get(name, name)
    read = {name for node in nodes for name in read_by(node)} | ends
    nodes = [n for n in nodes if n.output[0] in read or n.output[0] not in added]
    del graph.node[:]
    graph.node.extend(nodes)


def _kind(cast: onnx.NodeProto) -> int:
    return next(one.i for one in cast.attribute if one.name == "to")


def _rename(node: onnx.NodeProto, names: Mapping[str, str]) -> None:
    for index, name in enumerate(node.input):
        node.input[index] = names.get(name, name)
    for attribute in node.attribute:
        for inner in attribute.g.node:
            _rename(inner, names)


def in_order(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    """The nodes, each as early as it stands but after what it reads."""
    makers = {name: node for node in graph.node for name in node.output if name}
    done: set[str] = set()
    for node in graph.node:
        stack = [node]
        while stack:
            top = stack[-1]
            left = [makers[name] for name in read_by(top) if name in makers and name not in done]
            if left:
                stack.append(left[0])
                continue
            if not done.issuperset(name for name in top.output if name):
                done.update(top.output)
                yield top
            stack.pop()


def read_by(node: onnx.NodeProto) -> Iterator[str]:
    """What a node reads, in its subgraphs too."""
    yield from node.input
    for attribute in node.attribute:
        for inner in attribute.g.node:
            yield from read_by(inner)
