"""What only PyTorch's exporters write: a Softplus with a limit."""

from __future__ import annotations

from prototxt_gen.from_onnx.model import Op
from prototxt_gen.from_onnx.patterns import View, pattern

#: Above it log(1 + exp(x)) is x, to the last bit of a 32-bit float.
_STRAIGHT = 16.0


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
    return op.instead("Softplus", [straight])
