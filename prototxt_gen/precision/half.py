"""A model in float16, by onnxruntime's converter; inputs and outputs stay as they are."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import numpy as np
import onnx

from prototxt_gen.diagnostics import Sink
from prototxt_gen.errors import UnsupportedError
from prototxt_gen.precision.casts import without_detours
from prototxt_gen.precision.keep import layer_of
from prototxt_gen.precision.tools import tools
from prototxt_gen.to_onnx.export import Exported

LARGEST = float(np.finfo(np.float16).max)  #: 65504


def to_half(made: Exported, kept: Collection[str]) -> onnx.ModelProto:
    """The model with all but the nodes of ``kept`` in float16.

    Raises UnsupportedError with each layer whose weights float16 cannot hold.
    """
    sink = Sink()
    for layer, name, value in _overflows(made, set(kept)):
        sink.error(
            "float16-overflow",
            f"layer {layer!r}: {name!r} has {value:.6g}, which float16 cannot hold: its largest "
            f"number is {LARGEST:.0f}",
        )
    sink.raise_errors(UnsupportedError)
    model = onnx.ModelProto()
    model.CopyFrom(made.model)
    with tools():
        from onnxruntime.transformers.float16 import convert_float_to_float16

        half: onnx.ModelProto = convert_float_to_float16(
            model, keep_io_types=True, op_block_list=[], node_block_list=list(kept)
        )
    without_detours(half.graph, {node.name for node in made.skeleton.graph.node})
    return half


def _overflows(made: Exported, kept: Collection[str]) -> Iterator[tuple[str, str, float]]:
    """Each initializer that float16 would not hold: its layer, name and worst value."""
    seen: set[str] = set()
    for node in made.skeleton.graph.node:
        if node.name in kept:
            continue
        for name in node.input:
            values = made.values.get(name)
            if values is None or name in seen or values.dtype != np.float32:
                continue
            seen.add(name)
            finite = np.abs(values[np.isfinite(values)])
            if finite.size and finite.max() > LARGEST:
                yield layer_of(node), name, float(finite.max())
