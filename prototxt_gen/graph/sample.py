"""Values for the inputs of a net, where nobody gives any."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from prototxt_gen._numpy import np
from prototxt_gen.graph.graph import Graph, Ref
from prototxt_gen.layers.parts.shapes import Shape

if TYPE_CHECKING:
    Array = np.ndarray[Any, np.dtype[Any]]


def seeded(graph: Graph, shapes: Mapping[str, Shape], seed: int = 0) -> dict[str, Array]:
    """Values for the inputs of a net: normal ones, and whole numbers where they are indices."""
    random = np.random.default_rng(seed)
    known = {ref.blob: ref for ref in graph.inputs}
    found = {}
    for name, shape in shapes.items():
        size = tuple(dim or 1 for dim in shape)
        limit = _index_limit(graph, known[name]) if name in known else None
        if limit is not None:
            found[name] = random.integers(0, limit, size).astype(np.float32)
        else:
            found[name] = random.normal(size=size).astype(np.float32)
    return found


def _index_limit(graph: Graph, ref: Ref) -> int | None:
    """How many there are to choose from, where an input is an index, a label or a mark."""
    for node in graph.nodes:
        for index, bottom in enumerate(node.bottoms):
            if bottom != ref:
                continue
            if node.type == "Embed":
                return int(node.layer.input_dim)  # type: ignore[attr-defined]
            if (node.layer.loss or node.type == "Accuracy") and index == 1:
                return 2
            if node.type in ("LSTM", "RNN", "Filter", "BatchReindex") and index == 1:
                return 2
            if node.type in ("ROIPooling", "ROIAlign") and index == 1:
                return 1
    return None
