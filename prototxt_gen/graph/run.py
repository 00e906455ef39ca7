"""A whole net computed by numpy, layer by layer: the reference for all other results."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from prototxt_gen._numpy import np
from prototxt_gen.errors import GraphError, UnsupportedError
from prototxt_gen.graph.graph import Graph, Ref
from prototxt_gen.graph.weights import Weights
from prototxt_gen.layers.base import Role

if TYPE_CHECKING:
    Array = np.ndarray[Any, np.dtype[Any]]


def run(
    graph: Graph, weights: Weights, inputs: Mapping[str, Array], *, keep: bool = True
) -> dict[Ref, Array]:
    """Every version of every blob, computed from the inputs by blob name.

    With ``keep=False`` a blob is dropped after its last reader, except outputs. Raises
    UnsupportedError where a layer has no reference, and GraphError for a missing input.
    """
    blobs: dict[Ref, Array] = {}
    last = {ref: index for index, node in enumerate(graph.nodes) for ref in node.bottoms}
    kept = set(graph.outputs)
    for index, node in enumerate(graph.nodes):
        if not node.bottoms and all(top.blob in inputs for top in node.tops):
            tops = tuple(np.asarray(inputs[top.blob], np.float32) for top in node.tops)
        elif not node.bottoms and node.layer.role is Role.INPUT:
            lacking = [top.blob for top in node.tops if top.blob not in inputs]
            raise GraphError(f"the input {lacking[0]!r} is not given")
        else:
            values = [blobs[ref] for ref in node.bottoms]
            try:
                # An overflow gives infinity without a warning, as in Caffe.
                with np.errstate(all="ignore"):
                    tops = node.layer.run(values, weights.get(index), len(node.tops))
            except UnsupportedError as error:
                raise UnsupportedError(error.reason, layer=node.name) from error
        blobs.update(zip(node.tops, tops, strict=True))
        if not keep:
            for ref in node.bottoms:
                if last[ref] == index and ref not in kept:
                    blobs.pop(ref, None)
    return blobs
