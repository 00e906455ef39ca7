"""What the patterns of PyTorch's exporters find."""

from __future__ import annotations

from prototxt_gen.from_onnx.lifting import Lifting, Made, rule
from prototxt_gen.from_onnx.model import Op
from prototxt_gen.layers.activation import Softmax
from prototxt_gen.layers.elementwise import Log


@rule("SoftmaxAlong")
def softmax_along(lifting: Lifting, op: Op) -> Made:
    """Softmax, along any axis."""
    return lifting.net.add(Softmax(op.attribute("axis")), [lifting.bottom(op)])


@rule("LogSoftmaxAlong")
def log_softmax_along(lifting: Lifting, op: Op) -> Made:
    """Softmax, and the logarithm of it."""
    found = lifting.net.add(Softmax(op.attribute("axis")), [lifting.bottom(op)], suffix="softmax")
    return lifting.net.add(Log(), [found])
