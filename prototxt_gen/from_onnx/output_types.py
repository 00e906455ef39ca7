"""The types and shapes of what an operator computes, by ONNX's own inference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from prototxt_gen.errors import UnsupportedError

Array = np.ndarray[Any, np.dtype[Any]]
_SMALL = 1 << 12  #: the most elements of a constant that may decide about a shape


def output_types(
    node: onnx.NodeProto,
    opset: int,
    types: Mapping[str, onnx.TypeProto],
    constants: Mapping[str, Array],
    opsets: Sequence[onnx.OperatorSetIdProto],
) -> Mapping[str, onnx.TypeProto]:
    """The types of a node's outputs by name, given those of its inputs and the constants.

    Raises UnsupportedError if ONNX has no such operator, or cannot infer them.
    """
    try:
        schema = onnx.defs.get_schema(node.op_type, opset, "")
    except onnx.defs.SchemaError as error:
        raise UnsupportedError(f"ONNX has no such operator in opset {opset}") from error
    known = {name: types[name] for name in node.input if name in types}
    small = {
        name: numpy_helper.from_array(value, name)
        for name in node.input
        if (value := constants.get(name)) is not None and value.size <= _SMALL
    }
    try:
        return onnx.shape_inference.infer_node_outputs(
            schema, node, known, small, opset_imports=list(opsets)
        )
    except Exception as error:  # ONNX's own errors have no common root
        words = " ".join(str(error).split())
        raise UnsupportedError(f"its shape cannot be inferred: {words}") from error
