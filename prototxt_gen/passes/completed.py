"""The weights of a net with those that no file has, which are made (``--weights-init``)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from prototxt_gen.graph.fillers import Init, initial
from prototxt_gen.graph.graph import Graph
from prototxt_gen.graph.infer import Shapes
from prototxt_gen.graph.weights import lacking
from prototxt_gen.passes.deploy import Change

if TYPE_CHECKING:
    from prototxt_gen._numpy import np

    Array = np.ndarray[Any, np.dtype[Any]]


def completed(
    graph: Graph, shapes: Shapes, init: Init, seed: int = 0
) -> tuple[dict[str, Sequence[Array]], list[Change]]:
    """The weights that a net has stored and, for layers without any, new ones; what was made.

    They depend on the seed, and on the name and the shapes of a layer alone: a net for inference
    gets the same ones wherever it is made. Raises WeightsError as ``initial`` does.
    """
    stored = graph.stored
    if not stored:
        if not any(shapes.weights.values()):
            return {}, []
        what = f"has no caffemodel; its weights are made by --weights-init {init}"
        return {**initial(graph, shapes, init, seed)}, [Change(graph.name or "net", "", what)]
    missing = lacking(graph, shapes, stored)
    wanted = {index: shapes.weights[index] for index in missing}
    made = initial(graph, replace(shapes, weights=wanted), init, seed)
    what = f"the file has no weights for it; they are made by --weights-init {init}"
    nodes = [graph.nodes[index] for index in missing]
    return {**stored, **made}, [Change(node.name, node.type, what) for node in nodes]
