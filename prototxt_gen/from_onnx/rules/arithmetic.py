"""Sums, products and their kin."""

from __future__ import annotations

from prototxt_gen.from_onnx.lifting import Lifting, Made, rule
from prototxt_gen.from_onnx.model import Op
from prototxt_gen.layers.combine import Eltwise


@rule("Identity")
def identity(lifting: Lifting, op: Op) -> Made:
    """The same values; a Power that does nothing where another name is needed."""
    return lifting.net.copy(lifting.bottom(op))


@rule("Add")
def add(lifting: Lifting, op: Op) -> Made:
    """Eltwise SUM where the shapes are equal."""
    a, b = lifting.bottom(op, 0), lifting.bottom(op, 1)
    return lifting.net.add(Eltwise(), [a, b]) if a.shape == b.shape else None
