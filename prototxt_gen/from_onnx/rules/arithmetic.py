"""Sums, products and their kin, for operands that no single layer takes."""

from __future__ import annotations

from math import inf

import numpy as np

from prototxt_gen.errors import UnsupportedError
from prototxt_gen.from_onnx.lifting import Lifting, Made, rule
from prototxt_gen.from_onnx.model import Op, number
from prototxt_gen.from_onnx.net import Blob
from prototxt_gen.from_onnx.rules.bounds import clipped
from prototxt_gen.from_onnx.rules.broadcast import (
    MAX,
    PRODUCT,
    SUM,
    Operand,
    Operation,
    joined,
    negative,
    operands,
    stretched,
)
from prototxt_gen.layers.affine import Scale
from prototxt_gen.layers.elementwise import Exp, Power


@rule("Identity")
def identity(lifting: Lifting, op: Op) -> Made:
    """The same values; a Power that does nothing where another name is needed."""
    return lifting.net.copy(lifting.bottom(op))


@rule("Add", "Sum")
def add(lifting: Lifting, op: Op) -> Made:
    """Two by two."""
    return _folded(lifting, SUM, operands(lifting, op))


@rule("Mul")
def multiply(lifting: Lifting, op: Op) -> Made:
    """Scale, or Eltwise PROD after Tiles."""
    return _folded(lifting, PRODUCT, operands(lifting, op))


@rule("Mean")
def mean(lifting: Lifting, op: Op) -> Made:
    """The sum, divided."""
    given = operands(lifting, op)
    total = _folded(lifting, SUM, given, "sum")
    return lifting.net.add(Power(scale=number(1 / len(given))), [total])


@rule("Sub")
def subtract(lifting: Lifting, op: Op) -> Made:
    """The sum with the negative."""
    a, b = operands(lifting, op)
    return joined(lifting, SUM, a, negative(lifting, b))


@rule("Div")
def divide(lifting: Lifting, op: Op) -> Made:
    """The product with the inverse."""
    a, b = operands(lifting, op)
    if isinstance(b, Blob):
        inverse = lifting.net.add(Power(power=-1.0), [b], suffix="inverse")
        return joined(lifting, PRODUCT, a, inverse)
    if not b.all():
        raise UnsupportedError("it divides by a constant that has zeros")
    return joined(lifting, PRODUCT, a, 1 / b)


@rule("Pow")
def power(lifting: Lifting, op: Op) -> Made:
    """Power with one exponent, Exp with positive constants as bases."""
    a, b = operands(lifting, op)
    if isinstance(a, Blob) and isinstance(b, Blob):
        raise UnsupportedError("its exponent is computed; expected a constant")
    if isinstance(b, Blob):
        if isinstance(a, Blob) or not (a > 0).all():
            raise UnsupportedError("it has a base of 0 or less; expected positive ones")
        exponent = joined(lifting, PRODUCT, np.log(a), b, "exponent")
        return lifting.net.add(Exp(), [exponent])
    if isinstance(a, Blob) and b.size and (b == b.reshape(-1)[0]).all():
        base = stretched(lifting, a, np.broadcast_shapes(a.shape, b.shape))
        return lifting.net.add(Power(power=number(b.reshape(-1)[0])), [base])
    raise UnsupportedError("its exponents differ; expected one number")


@rule("Axpy")
def axpy(lifting: Lifting, op: Op) -> Made:
    """a * x + y."""
    a, x, y = (lifting.bottom(op, index) for index in range(3))
    if len(a.shape) < len(x.shape):
        scaled = lifting.net.add(Scale(axis=0), [x, a], suffix="scale")
    else:
        scaled = joined(lifting, PRODUCT, x, a, "scale")
    return joined(lifting, SUM, scaled, y)


@rule("Max")
def maximum(lifting: Lifting, op: Op) -> Made:
    """A bound where one is a number, else Eltwise MAX."""
    return _extreme(lifting, operands(lifting, op), 1.0)


@rule("Min")
def minimum(lifting: Lifting, op: Op) -> Made:
    """An upper bound, or the negative of the maximum of the negatives."""
    return _extreme(lifting, operands(lifting, op), -1.0)


def _extreme(lifting: Lifting, given: list[Operand], sign: float) -> Blob:
    """The maximum, or the minimum for a sign of -1."""
    numbers = [one for one in given if not isinstance(one, Blob) and one.size == 1]
    rest = [one for one in given if isinstance(one, Blob) or one.size != 1]
    bound = max((sign * number(one.reshape(-1)[0]) for one in numbers), default=-inf)
    out = np.broadcast_shapes(*(one.shape for one in given))
    single = len(rest) == 1
    if not single and sign < 0:
        rest = [negative(lifting, one) for one in rest]
    last = "" if not numbers and (single or sign > 0) else "max"
    found = _folded(lifting, MAX, rest, last)
    if not single and sign < 0:
        found = lifting.net.add(Power(scale=-1.0), [found], suffix="min" if numbers else "")
    found = stretched(lifting, found, out)
    if not numbers:
        return found
    limits = (bound, inf) if sign > 0 else (-inf, -bound)
    return clipped(lifting, found, *limits)


def _folded(lifting: Lifting, operation: Operation, given: list[Operand], suffix: str = "") -> Blob:
    """All operands, one after the other; constants first with blobs, in the given order."""
    blobs = [one for one in given if isinstance(one, Blob)]
    rest = [one for one in given if not isinstance(one, Blob)]
    ordered: list[Operand] = [*blobs, *rest]
    found = blobs[0]
    for index, one in enumerate(ordered[1:], 2):
        last = index == len(ordered)
        found = joined(lifting, operation, found, one, suffix if last else f"part{index - 1}")
    if len(ordered) == 1 and not suffix:
        return lifting.net.copy(found)
    return found
