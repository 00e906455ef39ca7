"""What only PyTorch's exporters write: an axis turned to the end, and a Softplus with a limit."""

from __future__ import annotations

from prototxt_gen.from_onnx.model import Op
from prototxt_gen.from_onnx.patterns import View, pattern

#: Above it log(1 + exp(x)) is x, to the last bit of a 32-bit float.
_STRAIGHT = 16.0


@pattern("Transpose")
def softmax_along(op: Op, view: View) -> Op | None:
    """Transpose(Softmax(Transpose(x))), where the first turns an axis to the end.

    Before opset 13 ONNX had no Softmax along any other axis than the last.
    """
    inner = view.inner(op.inputs[0], "Softmax", "LogSoftmax")
    turned = view.inner(inner.inputs[0], "Transpose") if inner else None
    if inner is None or turned is None:
        return None
    order, back = turned.attribute("perm"), op.attribute("perm")
    if not order or not back or [order[axis] for axis in back] != list(range(len(order))):
        return None
    last = len(order) - 1
    default = 1 if op.opset < 13 else -1
    if inner.attribute("axis", default) % len(order) != last:
        return None
    name = f"{inner.op_type}Along"
    return Op(name, [turned.inputs[0]], op.outputs, {"axis": order[last]}, op.model, op.name)


@pattern("Where")
def softplus(op: Op, view: View) -> Op | None:
    """x where it is greater than a limit, else log(1 + exp(x)), which is the same there."""
    condition, straight, curved = op.inputs
    greater = view.inner(condition, "Greater")
    soft = view.inner(curved, "Softplus")
    if (
        greater is None
        or soft is None
        or {straight, greater.inputs[0], soft.inputs[0]} != {straight}
    ):
        return None
    limit = view.scalar(greater.inputs[1])
    if limit is None or limit < _STRAIGHT:
        return None
    return Op("Softplus", [straight], op.outputs, {}, op.model, op.name)
