"""Which nodes of a model stay in float32: whole layers, by what they compute.

A layer stays if one of its operators sums squares or exponentials, divides, or compares scores
and places: Softmax, normalization, LRN, detection. So does what only moves the numbers of such
layers and constants, such as the boxes of prior layers, and the preprocessing of pictures.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import onnx

from prototxt_gen.layers.base import Role
from prototxt_gen.to_onnx.export import Exported

Array = np.ndarray[Any, np.dtype[Any]]
_LARGEST = np.finfo(np.float32).max
#: Operators whose layers stay in float32.
EXACT = frozenset(
    (
        *("Softmax", "LogSoftmax", "LRN", "BatchNormalization", "InstanceNormalization"),
        *("LpNormalization", "MeanVarianceNormalization", "Exp", "Log", "Pow", "Sqrt"),
        *("Reciprocal", "Div", "ReduceL1", "ReduceL2", "ReduceLogSumExp", "ReduceMean"),
        *("ReduceSum", "ReduceSumSquare", "CumSum", "Range", "TopK", "ArgMax", "ArgMin"),
        *("NonMaxSuppression", "RoiAlign", "MaxRoiPool", "Resize", "GridSample"),
        *("Loop", "Scan", "If", "LSTM", "GRU", "RNN", "Min", "Max"),
    )
)
#: Operators that compute nothing.
MOVING = frozenset(
    (
        *("Concat", "Reshape", "Flatten", "Transpose", "Squeeze", "Unsqueeze", "Slice", "Split"),
        *("Gather", "Expand", "Identity", "Tile"),
    )
)


def layer_of(node: onnx.NodeProto) -> str:
    """The layer that a node belongs to; its own name where there is none."""
    layer: str = node.name.rpartition("/")[0]
    return layer or node.name


def kept_layers(made: Exported) -> list[str]:
    """The layers that stay in float32, in order."""
    nodes = made.skeleton.graph.node
    pictures = {node.name for node in made.graph.nodes if node.layer.role is Role.INPUT}
    kept = {layer_of(node) for node in nodes if _is_exact(node)} | pictures
    huge = {name for name, values in made.values.items() if _is_a_bound(values)}
    kept |= {layer_of(node) for node in nodes if not huge.isdisjoint(node.input)}
    constants = {tensor.name for tensor in made.skeleton.graph.initializer}
    for layer, own in _by_layer(nodes).items():
        if layer not in kept and all(node.op_type in MOVING for node in own):
            inner = {name for node in own for name in node.output}
            read = {name for node in own for name in node.input if name} - inner
            if not read <= constants:
                continue
            kept.add(layer)
        if layer in kept:
            constants |= {name for node in own for name in node.output}
    return [layer for layer in _by_layer(nodes) if layer in kept]


def kept_nodes(made: Exported, layers: Iterable[str]) -> list[str]:
    """The names of the nodes of layers."""
    wanted = set(layers)
    return [node.name for node in made.skeleton.graph.node if layer_of(node) in wanted]


def _is_exact(node: onnx.NodeProto) -> bool:
    return node.op_type in EXACT or node.domain not in ("", "ai.onnx")


def _is_a_bound(values: Array) -> bool:
    """Whether there is the largest number of float32, which stands for no number at all."""
    return values.dtype == np.float32 and bool((np.abs(values) == _LARGEST).any())


def _by_layer(nodes: Iterable[onnx.NodeProto]) -> dict[str, list[onnx.NodeProto]]:
    found: dict[str, list[onnx.NodeProto]] = {}
    for node in nodes:
        found.setdefault(layer_of(node), []).append(node)
    return found
