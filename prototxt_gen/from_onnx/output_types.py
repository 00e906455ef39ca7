"""The types and shapes of what an operator computes, by ONNX's own inference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from prototxt_gen.errors import UnsupportedError
from prototxt_gen.layers.parts.shapes import MAX_COUNT, show

Array = np.ndarray[Any, np.dtype[Any]]
#: The least that the numbers of an attribute may be, where an operator has it.
_LEAST = {"kernel_shape": 1, "strides": 1, "dilations": 1, "group": 1, "size": 1, "blocksize": 1}
_LEAST |= {"hidden_size": 1, "num_groups": 1, "num_outputs": 1, "pooled_shape": 1}
_MOST, _WIDEST = 2**31, 2**20
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
    _need_sense(node)
    known = {name: types[name] for name in node.input if name in types}
    small = {
        name: numpy_helper.from_array(value, name)
        for name in node.input
        if (value := constants.get(name)) is not None and value.size <= _SMALL
    }
    try:
        found = onnx.shape_inference.infer_node_outputs(
            schema, node, known, small, opset_imports=list(opsets)
        )
    except Exception as error:  # ONNX's own errors have no common root
        words = " ".join(str(error).split())
        raise UnsupportedError(f"its shape cannot be inferred: {words}") from error
    found.pop("", None)  # of outputs that are not given
    for name, kind in found.items():
        dims = [dim.dim_value for dim in kind.tensor_type.shape.dim]
        if any(dim < 0 for dim in dims):
            raise UnsupportedError(f"its output {name!r} would be {show(dims)}")
        if prod(dims) > MAX_COUNT:
            raise UnsupportedError(
                f"its output {name!r} is {show(dims)}; a blob has at most {MAX_COUNT} elements"
            )
    return found


def _need_sense(node: onnx.NodeProto) -> None:
    """Raise UnsupportedError for counts that neither the checker nor the inference looks at."""
    for attribute in node.attribute:
        least = _LEAST.get(attribute.name)
        values = [*attribute.ints, attribute.i][: max(1, len(attribute.ints))]
        if least is not None and any(not least <= value < _MOST for value in values):
            shown = ", ".join(map(str, values))
            raise UnsupportedError(f"its {attribute.name} are {shown}; expected {least} or more")
        if attribute.name == "pads" and any(abs(value) > _WIDEST for value in values):
            shown = ", ".join(map(str, values))
            raise UnsupportedError(f"its pads are {shown}; expected at most {_WIDEST}")
