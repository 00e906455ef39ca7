"""Where a model ends that leaves the choice of detections to something else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from prototxt_gen.errors import UnsupportedError
from prototxt_gen.graph.graph import Graph, Node
from prototxt_gen.passes.deploy import Change
from prototxt_gen.passes.rebuild import needed
from prototxt_gen.to_onnx.names import outputs_of

#: ``full``: detections are in the model; ``stop``: the model ends before them, for code of the
#: user's; ``trt``: it ends with them, as operators of TensorRT's.
Detection = Literal["full", "stop", "trt"]


def before_heads(graph: Graph, asked: Sequence[str]) -> tuple[tuple[str, ...], list[Change]]:
    """The outputs that a model has if it ends before all layers that detect.

    ``asked`` are the outputs with them; empty for all of the net. Raises UnsupportedError if
    nothing is left.
    """
    if not has_heads(graph):
        return tuple(asked), [_nothing(graph, "stop")]
    found: dict[str, None] = {}
    changes: dict[Change, None] = {}
    for name in asked or [ref.blob for ref in outputs_of(graph, ())]:
        behind = _heads(graph, [name])
        if not behind:
            found[name] = None
        for node in behind:
            if not _heads(graph, [ref.blob for ref in node.bottoms]):
                ends = made_bottoms(graph, node)
                found.update(dict.fromkeys(ends))
                what = f"left out, with what follows; the model ends at {', '.join(ends)}"
                changes[Change(node.name, node.type, what)] = None
    if not found:
        raise UnsupportedError("--detection stop: nothing of the net comes before its detections")
    return tuple(found), list(changes)


def at_heads(graph: Graph, asked: Sequence[str]) -> tuple[tuple[str, ...], list[Change]]:
    """The outputs that a model has if it ends with the layers that detect, as TensorRT's.

    ``asked`` are the outputs with what follows these; empty for all of the net.
    """
    if not has_heads(graph):
        return tuple(asked), [_nothing(graph, "trt")]
    found: dict[str, None] = {}
    changes: list[Change] = []
    for name in asked or [ref.blob for ref in outputs_of(graph, ())]:
        behind = _heads(graph, [name])
        first = [node for node in behind if not _heads(graph, [ref.blob for ref in node.bottoms])]
        tops = [top.blob for node in first for top in node.tops]
        if behind and name not in tops:
            maker = graph.makers[graph.last[name]]
            what = "left out: it follows detections, which are TensorRT's in another form"
            changes.append(Change(maker.name, maker.type, what))
            found.update(dict.fromkeys(tops))
        else:
            found[name] = None
    return tuple(found) if changes else tuple(asked), changes


def has_heads(graph: Graph) -> bool:
    """Whether a layer of the net detects."""
    return any(node.layer.detects for node in graph.nodes)


def _nothing(graph: Graph, option: Detection) -> Change:
    what = f"no layer detects, so that --detection {option} changes nothing"
    return Change(graph.name or "net", "", what)


def made_bottoms(graph: Graph, node: Node) -> list[str]:
    """The bottoms of a node that are no inputs of the net, each once."""
    inputs = set(graph.inputs)
    return list(dict.fromkeys(ref.blob for ref in node.bottoms if ref not in inputs))


def _heads(graph: Graph, blobs: Sequence[str]) -> list[Node]:
    """The layers that detect among those that some blobs need."""
    return [graph.nodes[i] for i in needed(graph, blobs) if graph.nodes[i].layer.detects]
