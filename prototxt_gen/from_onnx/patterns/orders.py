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
    return op.instead("Transpose", first.inputs, {"perm": order})


@pattern("Transpose")
def around(op: Op, view: View) -> Op | None:
    """Transpose, operators that treat all places alike, and the transposition back."""
    order = np.argsort(_order(op)).tolist()
    between = _between(op.inputs[0], order, view)
    if not between:
        return None
    for one in between:
        inputs = [_unturned(name, one, order, view) for name in one.inputs]
        made = one.instead(one.op_type, inputs, one.attributes)
        shape = one.top_shape()
        op.model.shapes[one.outputs[0]] = tuple(shape[axis] for axis in _order(op))
        view.replace(one, made)
    same = {"perm": list(range(len(order)))}
    return op.instead("Transpose", op.inputs, same)


def _order(op: Op) -> list[int]:
    order: list[int] = op.attribute("perm", list(range(len(op.shape())))[::-1])
    return order


def _between(name: str, order: Sequence[int], view: View) -> list[Op] | None:
    """The operators that make a value, each behind those that it reads.

    None if not all that they are made of was transposed so.
    """
    found: list[Op] = []
    names = [name]
    while names:
        name = names.pop()
        before = view.maker(name, "Transpose")
        if before is not None:
            if _order(before) != order:
                return None
            continue
        op = view.inner(name, *_EACH)
        if op is None or len(op.top_shape()) != len(order):
            return None
        found.append(op)
        for one in filter(None, op.inputs):
            known = op.model.constants.get(one)
            rank = len(op.model.shape(one)) if known is None else known.ndim
            if known is None and rank == len(order):
                names.append(one)
            elif known is None or rank > len(order):
                return None
    return found[::-1]


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
    return op.add_constant(name, turned)
