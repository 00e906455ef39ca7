"""Whether float16 can hold what a model computes.

A processor without float16 computes such a model in float32 and may leave out what would round in
between, so that an overflow does not show where it is tried. What is looked at is therefore the
model in float32: the greatest number of each value that will be float16.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

import numpy as np
import onnx
from onnx import TensorProto, helper

from prototxt_gen.engines import open_session, session_values
from prototxt_gen.errors import VerificationError
from prototxt_gen.precision.half import LARGEST
from prototxt_gen.precision.keep import layer_of
from prototxt_gen.precision.samples import Feed
from prototxt_gen.to_onnx.export import Exported

_PREFIX = "greatest of "


def need_room(made: Exported, kept: Collection[str], feeds: Iterable[Feed]) -> None:
    """Raise VerificationError for the first value, for any feed, that float16 cannot hold."""
    stays = set(kept)
    model = onnx.shape_inference.infer_shapes(made.model)
    graph = model.graph
    floats = {
        value.name
        for value in (*graph.value_info, *graph.output)
        if value.type.tensor_type.elem_type == TensorProto.FLOAT
    }
    read = {name for node in graph.node if node.name not in stays for name in node.input}
    layers = {
        name: layer_of(node)
        for node in graph.node
        for name in node.output
        if name in floats and (node.name not in stays or name in read)
    }
    del graph.output[:]
    for index, name in enumerate(layers):
        size = f"{_PREFIX}{index}"
        graph.node.append(helper.make_node("Abs", [name], [f"{size} abs"]))
        graph.node.append(helper.make_node("ReduceMax", [f"{size} abs"], [size], keepdims=0))
        graph.output.append(helper.make_tensor_value_info(size, TensorProto.FLOAT, []))
    names = [value.name for value in graph.output]
    session = open_session(model, "CPUExecutionProvider", plain=True)
    for feed in feeds:
        found = session_values(session, names, feed) if names else {}
        for layer, value in zip(layers.values(), found.values(), strict=True):
            if LARGEST < float(value) < np.inf:
                raise VerificationError(
                    f"layer {layer!r} makes {float(value):.6g}, and the largest number of float16 "
                    f"is {LARGEST:.0f}; nothing is written"
                )
