"""What constants decide: operators of constants alone, by onnx's own reference, and others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper

from prototxt_gen.errors import UnsupportedError
from prototxt_gen.from_onnx.values import constant_of

Array = np.ndarray[Any, np.dtype[Any]]

#: Operators without a result that is always the same.
RANDOM = {
    "Bernoulli",
    "Multinomial",
    "RandomNormal",
    "RandomNormalLike",
    "RandomUniform",
    "RandomUniformLike",
}
#: Operators that mean another thing before an opset, which onnx's reference does not know.
CHANGED = {"Softmax": 13, "LogSoftmax": 13, "Hardmax": 13, "Resize": 11, "Upsample": 11}


def computed(
    node: onnx.NodeProto,
    constants: Mapping[str, Array],
    types: Mapping[str, onnx.TypeProto],
    opsets: Sequence[onnx.OperatorSetIdProto],
) -> list[Array]:
    """The outputs of a node, something for those that are absent too.

    Raises UnsupportedError if the reference cannot compute it.
    """
    if node.op_type == "Constant":
        return [constant_of(node)]
    if node.op_type == "Identity":
        return [constants[node.input[0]]]
    given = {name: constants[name] for name in node.input if name}
    try:
        found = iter(_run(node, given, types, opsets))
    except Exception as error:
        raise UnsupportedError(f"its constant inputs cannot be computed with: {error}") from error
    return [np.asarray(next(found)) if name else np.zeros(0) for name in node.output]


def _run(
    node: onnx.NodeProto,
    given: Mapping[str, Array],
    types: Mapping[str, onnx.TypeProto],
    opsets: Sequence[onnx.OperatorSetIdProto],
) -> list[Any]:
    """In a model, as a node alone is taken for one of the newest opset."""
    from onnx.reference import ReferenceEvaluator

    inputs = [helper.make_value_info(name, types[name]) for name in given]
    outputs = [helper.make_empty_tensor_value_info(name) for name in node.output if name]
    graph = helper.make_graph([node], "node", inputs, outputs)
    try:
        model = ReferenceEvaluator(helper.make_model(graph, opset_imports=opsets))
    except (NotImplementedError, RuntimeError):  # an old form that is not among the reference's
        model = ReferenceEvaluator(node)
    return list(model.run(None, dict(given)))


def drops(node: onnx.NodeProto, constants: Mapping[str, Array]) -> bool:
    """Whether a Dropout drops values: in training, by a ratio that is not 0."""
    ratio, training = [*node.input[1:], "", ""][:2]
    always = training in constants and constants[training].any()
    return bool(always and not (ratio in constants and not constants[ratio].any()))


def pads_nothing(node: onnx.NodeProto, constants: Mapping[str, Array]) -> bool:
    """Whether all pads of a Pad are 0; they are an attribute up to opset 10."""
    own = next((a.ints for a in node.attribute if a.name == "pads"), None)
    pads = constants.get(node.input[1]) if own is None else np.array(own)
    return pads is not None and not pads.any()


def sizes(node: onnx.NodeProto, shape: Sequence[int | None]) -> Array:
    """What a Shape or a Size says of a known shape."""
    span = {a.name: a.i for a in node.attribute}
    dims = np.array(shape, np.int64)[span.get("start", 0) : span.get("end", len(shape))]
    return np.array(dims.prod()) if node.op_type == "Size" else dims
