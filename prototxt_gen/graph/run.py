"""A whole net computed with numpy, layer by layer: the reference for all other results."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from prototxt_gen._numpy import np
from prototxt_gen.errors import GraphError, UnsupportedError
from prototxt_gen.graph.graph import Graph, Node, Ref
from prototxt_gen.graph.weights import Weights
from prototxt_gen.layers.base import Role
from prototxt_gen.layers.parts.shapes import show

if TYPE_CHECKING:
    Array = np.ndarray[Any, np.dtype[Any]]


def run(
    graph: Graph,
    weights: Weights,
    inputs: Mapping[str, Array],
    *,
    keep: bool = True,
    others: Mapping[Ref, Array] | None = None,
) -> dict[Ref, Array]:
    """Every version of every blob, computed from the inputs by blob name.

    With ``keep=False`` a blob is dropped after its last reader, except for outputs and what a
    layer selects from. ``others`` are values of another computation, to be compared with ours;
    a layer that selects does so from them, since nearly equal values may change the choice. Raises
    UnsupportedError if a layer has no reference, or a blob that is empty or too large, and
    GraphError if an input is missing or a value is not a valid index.
    """
    blobs: dict[Ref, Array] = {}
    last = {ref: index for index, node in enumerate(graph.nodes) for ref in node.bottoms}
    others = others or {}
    chosen_from = {ref for node in graph.nodes if node.layer.selects for ref in node.bottoms}
    kept = {*graph.outputs, *chosen_from}
    for index, node in enumerate(graph.nodes):
        if not node.bottoms and all(top.blob in inputs for top in node.tops):
            tops = tuple(np.asarray(inputs[top.blob], np.float32) for top in node.tops)
        elif not node.bottoms and node.layer.role is Role.INPUT:
            lacking = [top.blob for top in node.tops if top.blob not in inputs]
            raise GraphError(f"the input {lacking[0]!r} is not given")
        else:
            values = [blobs[ref] for ref in node.bottoms]
            if node.layer.selects:
                values = [others.get(ref, blobs[ref]) for ref in node.bottoms]
            tops = _run_one(node, values, weights.get(index))
        blobs.update(zip(node.tops, tops, strict=True))
        if not keep:
            for ref in node.bottoms:
                if last[ref] == index and ref not in kept:
                    blobs.pop(ref, None)
    return blobs


def _run_one(node: Node, values: Sequence[Array], weights: Sequence[Array]) -> tuple[Array, ...]:
    """The tops of a node; errors of numpy about its values become messages."""
    try:
        # Overflow gives infinity, as in Caffe, without a warning.
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # a mean of nothing
            return node.layer.run(values, weights, len(node.tops))
    except UnsupportedError as error:
        raise UnsupportedError(error.reason, layer=node.name) from error
    except MemoryError as error:
        raise _too_large(node) from error
    except (IndexError, OverflowError, ValueError, ZeroDivisionError) as error:
        empty = next((value for value in (*values, *weights) if value.size == 0), None)
        if empty is not None:
            reason = f"{node.type} of an empty blob, {show(empty.shape)}, is not computed"
            raise UnsupportedError(reason, layer=node.name) from error
        if _TOO_LARGE in str(error):
            raise _too_large(node) from error
        if isinstance(error, IndexError) or _OUTSIDE in str(error):
            words = f"a value of a bottom is outside of what it indexes: {error}"
            raise GraphError(f"layer {node.name!r}: {words}") from error
        if _NO_NUMBER in str(error):
            raise GraphError(f"layer {node.name!r}: a value is invalid: {error}") from error
        raise


#: numpy's messages for errors that values cause, rather than code.
_OUTSIDE, _NO_NUMBER, _TOO_LARGE = "is out of bounds", "cannot convert float", "array is too big"


def _too_large(node: Node) -> UnsupportedError:
    return UnsupportedError("it needs more memory than is available", layer=node.name)
