"""Comparisons and choices; true is 1 and false 0, as Threshold has it."""

from __future__ import annotations

import numpy as np

from prototxt_gen.errors import UnsupportedError
from prototxt_gen.from_onnx.lifting import Lifting, Made, rule
from prototxt_gen.from_onnx.model import Op
from prototxt_gen.from_onnx.net import Blob
from prototxt_gen.from_onnx.rules.broadcast import (
    MAX,
    PRODUCT,
    SUM,
    Operand,
    joined,
    negative,
    operands,
)
from prototxt_gen.layers.elementwise import AbsVal, Power, Threshold
from prototxt_gen.layers.parts.onnx_operands import finite


@rule("Greater")
def greater(lifting: Lifting, op: Op) -> Made:
    """a - b > 0, or -x > -c."""
    a, b = operands(lifting, op)
    return _above(lifting, a, b)


@rule("Less")
def less(lifting: Lifting, op: Op) -> Made:
    """Greater, the other way round."""
    a, b = operands(lifting, op)
    return _above(lifting, b, a)


@rule("GreaterOrEqual")
def greater_or_equal(lifting: Lifting, op: Op) -> Made:
    """1 - (a < b)."""
    a, b = operands(lifting, op)
    return _negated(lifting, _above(lifting, b, a, "less"))


@rule("LessOrEqual")
def less_or_equal(lifting: Lifting, op: Op) -> Made:
    """1 - (a > b)."""
    a, b = operands(lifting, op)
    return _negated(lifting, _above(lifting, a, b, "greater"))


@rule("Equal")
def equal(lifting: Lifting, op: Op) -> Made:
    """1 - (|a - b| > 0)."""
    a, b = operands(lifting, op)
    difference = joined(lifting, SUM, a, negative(lifting, b), "difference")
    size = lifting.net.add(AbsVal(), [difference], suffix="size")
    return _negated(lifting, lifting.net.add(Threshold(0.0), [size], suffix="differs"))


@rule("Not")
def negation(lifting: Lifting, op: Op) -> Made:
    """1 - x."""
    return _negated(lifting, lifting.bottom(op))


@rule("And")
def both(lifting: Lifting, op: Op) -> Made:
    """The product."""
    a, b = operands(lifting, op)
    return joined(lifting, PRODUCT, a, b)


@rule("Or")
def either(lifting: Lifting, op: Op) -> Made:
    """The maximum."""
    a, b = operands(lifting, op)
    return joined(lifting, MAX, a, b)


@rule("Where")
def where(lifting: Lifting, op: Op) -> Made:
    """c * a + (1 - c) * b: one of the terms is 0, so that the other one is exact."""
    condition, a, b = operands(lifting, op)
    for one in (a, b):
        if not isinstance(one, Blob) and not np.isfinite(one).all():
            raise UnsupportedError("it chooses values that are not finite; expected numbers")
    yes = _chosen(lifting, condition, a, "yes")
    no = _chosen(lifting, _opposite(lifting, condition), b, "no")
    return joined(lifting, SUM, yes, no)


def _chosen(lifting: Lifting, condition: Operand, value: Operand, suffix: str) -> Operand:
    if isinstance(condition, Blob) or isinstance(value, Blob):
        return joined(lifting, PRODUCT, condition, value, suffix)
    return condition * value


def _opposite(lifting: Lifting, condition: Operand) -> Operand:
    if isinstance(condition, Blob):
        return _negated(lifting, condition, "not")
    return 1 - condition


def _negated(lifting: Lifting, x: Blob, suffix: str = "") -> Blob:
    return lifting.net.add(Power(scale=-1.0, shift=1.0), [x], suffix=suffix)


def _above(lifting: Lifting, a: Operand, b: Operand, suffix: str = "") -> Blob:
    """Whether a > b: whether -b > -a where a is a constant, a - b > 0 where none is a number."""
    if isinstance(b, Blob):
        turned = negative(lifting, b)
        if not isinstance(a, Blob):
            return _above(lifting, turned, -a, suffix)
        difference = joined(lifting, SUM, a, turned, "difference")
        return lifting.net.add(Threshold(0.0), [difference], suffix=suffix)
    if isinstance(a, Blob) and b.size == 1 and b.ndim <= len(a.shape):
        threshold = Threshold(finite(b.reshape(-1)[0], "its threshold"))
        return lifting.net.add(threshold, [a], suffix=suffix)
    difference = joined(lifting, SUM, a, -b, "difference")
    return lifting.net.add(Threshold(0.0), [difference], suffix=suffix)
