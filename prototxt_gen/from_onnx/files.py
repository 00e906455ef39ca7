"""ONNX files, read and checked."""

from __future__ import annotations

import os
import re
from math import prod

import onnx
from google.protobuf.message import DecodeError
from onnx import helper

from prototxt_gen._words import plural
from prototxt_gen.errors import ParseError
from prototxt_gen.from_onnx.unread import Array, read_unread

#: Types of which a byte holds several numbers.
_PACKED = {
    getattr(onnx.TensorProto, name)
    for name in ("INT4", "UINT4", "FLOAT4E2M1", "INT2", "UINT2")
    if hasattr(onnx.TensorProto, name)
}

#: Where onnx says that a file with weights is not as it should be.
_BESIDE = re.compile(r"should be stored in (.+?), but it ")


def load(
    model: str | os.PathLike[str] | onnx.ModelProto,
) -> tuple[onnx.ModelProto, dict[str, Array]]:
    """An ONNX model, and the weights that it does not have itself; one in memory as it is.

    Those are large ones, in its file or beside it, which are read when they are asked for.
    Raises ParseError for a file that is none, and OSError.
    """
    if isinstance(model, onnx.ModelProto):
        check(model)
        return model, {}
    path = os.fspath(model)
    found, unread = read_unread(path) or (read(path), {})
    if not found.graph.node and not found.graph.output:
        raise ParseError(f"{model}: not an ONNX model; expected a ModelProto with a graph")
    check(found)
    return found, unread


def read(path: str) -> onnx.ModelProto:
    """An ONNX model with its weights, whatever it holds; raises ParseError for half of one."""
    try:
        model = onnx.load(path, format="protobuf")
        for tensor in model.graph.initializer:
            # A recent onnx looks at that itself.
            if tensor.HasField("raw_data") and len(tensor.raw_data) < _bytes_of(tensor):
                found = plural(len(tensor.raw_data), "byte")
                raise ValueError(f"{tensor.name!r} has {found}; expected {_bytes_of(tensor)}")
    except (DecodeError, ValueError, onnx.checker.ValidationError) as error:
        # A ValueError is about weights: cut off, or beside the model at no such place.
        words = " ".join(str(error).split())
        beside = _BESIDE.search(words)
        if beside is not None and not os.path.exists(beside[1]):
            found = f"{path}: has weights in {beside[1]}, and there is no such file"
            raise ParseError(found) from error
        raise ParseError(f"{path}: not a complete ONNX model: {words}") from error
    return model


def check(proto: onnx.ModelProto) -> None:
    """Raise ParseError for a model that ONNX's checker refuses; large weights are left out."""
    _need_text(proto.graph)
    model, graph = onnx.ModelProto(), proto.graph
    for known, value in proto.ListFields():
        if known.name in ("opset_import", "functions", "metadata_props"):
            getattr(model, known.name).MergeFrom(value)
        elif isinstance(value, int):
            setattr(model, known.name, value)
    model.graph.name = "net"
    model.graph.node.MergeFrom(graph.node)
    model.graph.input.MergeFrom(graph.input)
    model.graph.output.MergeFrom(graph.output)
    for info in (*model.graph.input, *model.graph.output):
        if info.type.HasField("tensor_type"):
            _need_type(f"the value {info.name!r}", info.type.tensor_type.elem_type)
            # The checker wants a shape; which one does not matter to it.
            info.type.tensor_type.shape.SetInParent()
    inputs = {info.name for info in graph.input}
    model.graph.input.extend(
        helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
        for tensor in graph.initializer
        if tensor.name not in inputs
    )
    for tensor in graph.initializer:
        _need_values(tensor)
    try:
        onnx.checker.check_model(model)
    except Exception as error:
        words = " ".join(str(error).split())
        raise ParseError(f"the model is not valid ONNX: {words}") from error


def _need_values(tensor: onnx.TensorProto) -> None:
    """Raise ParseError for a weight whose bytes are not those of its shape."""
    _need_type(f"the weight {tensor.name!r}", tensor.data_type)
    if tensor.HasField("raw_data") and tensor.data_type not in _PACKED:
        found, wanted = len(tensor.raw_data), _bytes_of(tensor)
        if found != wanted:
            shown = plural(found, "byte")
            raise ParseError(f"the weight {tensor.name!r} has {shown}; expected {wanted}")


def _need_type(what: str, kind: int) -> None:
    """Raise ParseError for a type of numbers that there is not."""
    if _size_of(kind) is None:
        raise ParseError(f"{what} has the type {kind}, which ONNX does not know")


def _bytes_of(tensor: onnx.TensorProto) -> int:
    """The bytes that a weight has by its shape; 0 where its type does not tell."""
    if tensor.data_type in _PACKED:
        return 0
    return prod(tensor.dims) * (_size_of(tensor.data_type) or 0)


def _size_of(kind: int) -> int | None:
    """The bytes of a number of a type, None for a type that there is not."""
    try:
        return helper.tensor_dtype_to_np_dtype(kind).itemsize
    except (KeyError, TypeError, ValueError):
        return None


def _need_text(graph: onnx.GraphProto) -> None:
    """Raise ParseError for a name that is not UTF-8, which protobuf gives as bytes."""
    names: list[str] = [value.name for value in (*graph.input, *graph.output)]
    names += [tensor.name for tensor in graph.initializer]
    for node in graph.node:
        names += [node.name, node.op_type, node.domain, *node.input, *node.output]
        names += [attribute.name for attribute in node.attribute]
    for value in (*graph.input, *graph.output):
        names += [dim.dim_param for dim in value.type.tensor_type.shape.dim]
    wrong = next((name for name in names if isinstance(name, bytes)), None)
    if wrong is not None:
        raise ParseError(f"the model is not valid ONNX: the name {wrong!r} is not UTF-8")
