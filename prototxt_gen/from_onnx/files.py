"""ONNX files, read and checked."""

from __future__ import annotations

import os

import onnx
from google.protobuf.message import DecodeError
from onnx import helper

from prototxt_gen.errors import ParseError


def load(model: str | os.PathLike[str] | onnx.ModelProto) -> onnx.ModelProto:
    """An ONNX model with its weights, also those beside it; one in memory as it is.

    Raises ParseError for a file that is none, and OSError.
    """
    if isinstance(model, onnx.ModelProto):
        return model
    name = os.fspath(model)
    try:
        whole = onnx.load(name, format="protobuf")
    except (DecodeError, ValueError, onnx.checker.ValidationError) as error:
        words = " ".join(str(error).split())
        raise ParseError(f"{name}: not a complete ONNX model: {words}") from error
    if not whole.graph.node and not whole.graph.output:
        raise ParseError(f"{name}: not an ONNX model; expected a ModelProto with a graph")
    return whole


def check(proto: onnx.ModelProto) -> None:
    """Raise ParseError for a model that ONNX's checker refuses; large weights are left out."""
    model, graph = onnx.ModelProto(), proto.graph
    for known, value in proto.ListFields():
        if known.name in ("opset_import", "functions", "metadata_props"):
            getattr(model, known.name).MergeFrom(value)
        elif isinstance(value, int):
            setattr(model, known.name, value)
    model.graph.name = graph.name or "net"
    model.graph.node.MergeFrom(graph.node)
    model.graph.input.MergeFrom(graph.input)
    model.graph.output.MergeFrom(graph.output)
    for info in (*model.graph.input, *model.graph.output):
        if info.type.HasField("tensor_type"):
            # The checker wants a shape; which one does not matter to it.
            info.type.tensor_type.shape.SetInParent()
    inputs = {info.name for info in graph.input}
    model.graph.input.extend(
        helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
        for tensor in graph.initializer
        if tensor.name not in inputs
    )
    try:
        onnx.checker.check_model(model)
    except Exception as error:
        words = " ".join(str(error).split())
        raise ParseError(f"the model is not valid ONNX: {words}") from error
