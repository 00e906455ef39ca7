"""Transpositions that undo each other, as exporters of channels-last frameworks leave them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from prototxt_gen.from_onnx.model import Op
from prototxt_gen.from_onnx.patterns import View, pattern

#: Operators that treat all places alike.
_EACH = (
    *("Abs", "Add", "Celu", "Ceil", "Clip", "Div"),
    *("Elu", "Erf", "Exp", "Floor", "Gelu", "HardSigmoid"),
    *("HardSwish", "Identity", "LeakyRelu", "Log", "Max", "Min"),
    *("Mish", "Mul", "Neg", "PRelu", "Pow", "Reciprocal"),
    *("Relu", "Selu", "Sigmoid", "Softplus", "Softsign", "Sqrt"),
    *("Sub", "Sum", "Swish", "Tanh", "ThresholdedRelu"),
)


@pattern("Transpose")
def twice(op: Op, view: View) -> Op | None:
    """Transpose(Transpose(x))."""
    first = view.maker(op.inputs[0], "Transpose")
    if first is None:
        return None
    inner = _order(first)
    order = [inner[axis] for axis in _order(op)]
    return Op("Transpose", first.inputs, op.outputs, {"perm": order}, op.model, op.name)


@pattern("Transpose")
def around(op: Op, view: View) -> Op | None:
    """Transpose, operators that treat all places alike, and the transposition back."""
    order = np.argsort(_order(op)).tolist()
    between: list[Op] = []
    if not _comes_turned(op.inputs[0], order, view, between) or not between:
        return None
    for one in between:
        inputs = [_unturned(name, one, order, view) for name in one.inputs]
        made = Op(one.op_type, inputs, one.outputs, one.attributes, one.model, one.name)
        shape = one.top_shape()
        before = [0] * len(shape)
        for place, axis in enumerate(order):
            before[axis] = shape[place]
        op.model.shapes[one.outputs[0]] = tuple(before)
        view.replace(one, made)
    same = {"perm": list(range(len(order)))}
    return Op("Transpose", op.inputs, op.outputs, same, op.model, op.name)


def _order(op: Op) -> list[int]:
    order: list[int] = op.attribute("perm", list(range(len(op.shape())))[::-1])
    return order


def _comes_turned(name: str, order: Sequence[int], view: View, between: list[Op]) -> bool:
    """Whether all that a value is made of was transposed so; collects the operators between."""
    before = view.maker(name, "Transpose")
    if before is not None:
        return _order(before) == order
    op = view.inner(name, *_EACH)
    if op is None or op in between or len(op.top_shape()) != len(order):
        return False
    for one in filter(None, op.inputs):
        known = op.model.constants.get(one)
        if known is not None and known.ndim <= len(order):
            continue
        if known is not None or len(op.model.shape(one)) != len(order):
            return False
        if not _comes_turned(one, order, view, between):
            return False
    between.append(op)
    return True


def _unturned(name: str, op: Op, order: Sequence[int], view: View) -> str:
    """A value before it was transposed."""
    known = op.model.constants.get(name)
    if known is None:
        before = view.maker(name, "Transpose")
        return before.inputs[0] if before is not None else name
    if known.size == 1:
        return name
    whole = known.reshape((1,) * (len(order) - known.ndim) + known.shape)
    turned = np.ascontiguousarray(whole.transpose(np.argsort(order)))
    return op.model.add_constant(f"{op.outputs[0]}/{name}", turned)
