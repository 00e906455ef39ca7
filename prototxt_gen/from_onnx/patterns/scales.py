"""Factors and shifts along some axes: one Scale, Bias, Axpy or Eltwise."""

from __future__ import annotations

import numpy as np

from prototxt_gen.errors import UnsupportedError
from prototxt_gen.from_onnx.model import Array, Op
from prototxt_gen.from_onnx.patterns import View, pairs, pattern
from prototxt_gen.layers.parts.onnx_operands import beside_constant, factors, span_from_front

Shape = tuple[int, ...]


def _beside(op: Op | None) -> tuple[int, Array] | None:
    """The computed input of an operator, and the constant beside it; None if it has none."""
    try:
        return beside_constant(op) if op is not None else None
    except UnsupportedError:
        return None


def _shape(name: str, view: View) -> Shape | None:
    try:
        return view.model.shape(name)
    except UnsupportedError:
        return None


@pattern("Add", "Sub", late=True)
def scale_and_shift(op: Op, view: View) -> Op | None:
    """x * factors + shifts, along the same axes."""
    outer = _beside(op)
    if outer is None or (op.op_type == "Sub" and outer[0] == 1):
        return None
    shift = outer[1].astype(np.float32) * (-1 if op.op_type == "Sub" else 1)
    inner = view.part(op.inputs[outer[0]], "Mul", "Scale")
    if inner is not None and inner.op_type == "Scale":
        return _with_shift(op, inner, shift, view)
    beside = _beside(inner)
    if inner is None or beside is None or max(beside[1].size, shift.size) == 1:
        return None
    shape = inner.shape(beside[0])
    whole = np.broadcast_shapes(beside[1].shape, shift.shape)
    axis, factor = factors(np.broadcast_to(beside[1], whole), shape)
    _, shift = factors(np.broadcast_to(shift, whole), shape)
    inputs = [
        inner.inputs[beside[0]],
        op.add_constant("weight", factor),
        op.add_constant("bias", shift),
    ]
    return op.instead("Scale", inputs, {"axis": axis})


def _with_shift(op: Op, inner: Op, shift: Array, view: View) -> Op | None:
    """A Scale by a computed blob, with a bias."""
    if len(inner.inputs) != 2:
        return None
    axis, bias = factors(shift, inner.shape())
    if axis != inner.attribute("axis") or bias.shape != _shape(inner.inputs[1], view):
        return None
    inputs = [*inner.inputs, op.add_constant("bias", bias)]
    return op.instead("Scale", inputs, inner.attributes)


@pattern("Mul", "Add", late=True)
def along(op: Op, view: View) -> Op | None:
    """x and a blob that has some of its axes, which only got ones behind them."""
    out = _shape(op.outputs[0], view)
    for x, other in pairs(op):
        if {x, other} & op.model.constants.keys() or x == other or _shape(x, view) != out:
            continue
        small = _shape(other, view)
        maker = view.part(other, "Unsqueeze", "Reshape")
        source = maker.inputs[0] if maker is not None else other
        own = _shape(source, view)
        if out is None or small is None or not own or small == out:
            continue
        start, stop = span_from_front(small, out)
        if own == out[start:stop] and own != out:
            kind = "Scale" if op.op_type == "Mul" else "Bias"
            return op.instead(kind, [x, source], {"axis": start})
    return None


@pattern("Add", late=True)
def axpy(op: Op, view: View) -> Op | None:
    """a * x + y, with a for each channel of each image."""
    for name, y in pairs(op):
        product = view.part(name, "Scale", "Mul")
        if product is None or len(product.inputs) != 2 or y in op.model.constants:
            continue
        for x, factor in pairs(product):
            shape, own = _shape(x, view), _shape(factor, view)
            if not shape or not own or _shape(y, view) != shape or not 2 < len(shape) < 5:
                continue
            ones = (*shape[:2], *(1,) * (len(shape) - 2))
            if own in (shape[:2], ones) and product.attribute("axis", 0) == 0 and own != shape:
                return op.instead("Axpy", [factor, x, y])
    return None


@pattern("Mul", late=True)
def product(op: Op, view: View) -> Op | None:
    """The product of several blobs of one shape, which our own conversion writes two by two."""
    if view.model.producer != "resnet-proto":
        return None
    inner = view.part(op.inputs[0], "Mul")
    if inner is None or any(name in view.model.constants for name in (*op.inputs, *inner.inputs)):
        return None
    inputs = [*inner.inputs, *op.inputs[1:]]
    if len({_shape(name, view) for name in inputs}) > 1:
        return None
    return op.instead("Mul", inputs)
