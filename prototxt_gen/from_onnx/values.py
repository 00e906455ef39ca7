"""Tensors and attributes of ONNX as numpy and Python have them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from prototxt_gen.errors import UnsupportedError
from prototxt_gen.from_onnx.model import number

Array = np.ndarray[Any, np.dtype[Any]]


def array_of(tensor: onnx.TensorProto) -> Array:
    """The values of a tensor."""
    return np.asarray(numpy_helper.to_array(tensor))


def constant_of(node: onnx.NodeProto) -> Array:
    """The value of a Constant."""
    (attribute,) = node.attribute
    if attribute.name == "value":
        return array_of(attribute.t)
    if attribute.name in ("value_float", "value_floats"):
        return np.array(attribute_of(attribute), np.float32)
    if attribute.name in ("value_int", "value_ints"):
        return np.array(attribute_of(attribute), np.int64)
    raise UnsupportedError(f"a constant given as {attribute.name}")


def attribute_of(attribute: onnx.AttributeProto) -> Any:
    """An attribute as Python has it: numbers, text, lists, arrays."""
    value = helper.get_attribute_value(attribute)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, float):
        return number(value)
    if attribute.type == onnx.AttributeProto.FLOATS:
        return [number(one) for one in value]
    if isinstance(value, onnx.TensorProto):
        return array_of(value)
    if attribute.type == onnx.AttributeProto.STRINGS:
        return [text.decode("utf-8", "replace") for text in value]
    if isinstance(value, Iterator | Sequence) and not isinstance(value, str):
        return list(value)
    return value


def text_of(name: str | bytes) -> str:
    """A name, which protobuf gives as bytes where it is not UTF-8."""
    return name.decode("utf-8", "replace") if isinstance(name, bytes) else name
