"""Where a model ends that leaves the choice of detections to the user's own code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from prototxt_gen.errors import UnsupportedError
from prototxt_gen.graph.graph import Graph, Node
from prototxt_gen.passes.deploy import Change
from prototxt_gen.passes.rebuild import needed
from prototxt_gen.to_onnx.names import outputs_of

#: ``full``: detections are in the model; ``stop``: the model ends before them.
Detection = Literal["full", "stop"]


def before_heads(graph: Graph, asked: Sequence[str]) -> tuple[tuple[str, ...], list[Change]]:
    """The outputs that a model has if it ends before all layers that detect.

    ``asked`` are the outputs with them; empty for all of the net. Raises UnsupportedError if
    nothing is left.
    """
    heads = [node for node in graph.nodes if node.layer.detects]
    if not heads:
        what = "no layer detects, so that --detection stop changes nothing"
        return tuple(asked), [Change(graph.name or "net", "", what)]
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


def made_bottoms(graph: Graph, node: Node) -> list[str]:
    """The bottoms of a node that are no inputs of the net, each once."""
    inputs = set(graph.inputs)
    return list(dict.fromkeys(ref.blob for ref in node.bottoms if ref not in inputs))


def _heads(graph: Graph, blobs: Sequence[str]) -> list[Node]:
    """The layers that detect among those that some blobs need."""
    return [graph.nodes[i] for i in needed(graph, blobs) if graph.nodes[i].layer.detects]
