"""What one build or fork of Caffe refuses, and another takes."""

from __future__ import annotations

from prototxt_gen.diagnostics import Sink
from prototxt_gen.graph.graph import Graph, Node
from prototxt_gen.graph.infer import Shapes, param_span
from prototxt_gen.layers.parts.shapes import Shape, show

LEGACY_AXES = 4  #: what num(), channels(), height() and width() go with (blob.hpp)


def check_builds(graph: Graph, shapes: Shapes, sink: Sink, dialect: str | None = None) -> None:
    """Report what debug builds or BVLC refuse.

    For the dialect ``bvlc`` that of BVLC is an error, else one warning for the whole net.
    """
    wide = []
    for node in graph.nodes:
        if node.layer.type == "Dropout":
            _check_ratio(node, sink)
        elif node.layer.type == "PReLU" and len(_bottom(node, shapes)) > LEGACY_AXES:
            wide.append(node)
    report = sink.error if dialect == "bvlc" else sink.warning
    for node in wide if dialect == "bvlc" else wide[:1]:
        # BVLC's asks for channels(), intel/caffe's does not.
        shape = _bottom(node, shapes)
        report(
            "legacy-axes",
            f"the bottom {show(shape)} has {len(shape)} axes; BVLC's {node.type} takes at most "
            f"{LEGACY_AXES} (prelu_layer.cpp)",
            span=node.span,
            layer=node.name,
        )


def _check_ratio(node: Node, sink: Sink) -> None:
    """A ratio of 1 would divide by 0 in training; only a debug build asks (dropout_layer.cpp)."""
    ratio = node.params.get("dropout_ratio", float, 0.5)
    if not 0 <= ratio < 1:
        sink.warning(
            "dropout-ratio",
            f"dropout_ratio is {ratio:g}; expected 0 or more and less than 1, or training makes "
            "no sense (dropout_layer.cpp)",
            span=param_span(node, "dropout_ratio"),
            layer=node.name,
        )


def _bottom(node: Node, shapes: Shapes) -> Shape:
    return shapes.blobs.get(node.bottoms[0], ()) if node.bottoms else ()
