"""Two operands of any shapes: one layer where Scale, Bias or Eltwise fits, after Tiles if not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from prototxt_gen.document import Symbol
from prototxt_gen.errors import UnsupportedError
from prototxt_gen.from_onnx.lifting import Lifting
from prototxt_gen.from_onnx.model import Array, Op
from prototxt_gen.from_onnx.net import Blob
from prototxt_gen.from_onnx.rules.shapes import reshaped
from prototxt_gen.layers.affine import Bias, Scale
from prototxt_gen.layers.arrange import Tile
from prototxt_gen.layers.base import Layer
from prototxt_gen.layers.combine import Eltwise
from prototxt_gen.layers.elementwise import Power
from prototxt_gen.layers.parts.onnx_operands import factors, finite, span_from_front
from prototxt_gen.layers.parts.shapes import show

Operand = Blob | Array
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Operation:
    """An operation of Eltwise, and the layers that do it with a number or along some axes."""

    eltwise: Symbol
    with_number: Callable[[float], Layer] | None = None
    along: type[Bias] | type[Scale] | None = None


SUM = Operation(Symbol("SUM"), lambda value: Power(shift=value), Bias)
PRODUCT = Operation(Symbol("PROD"), lambda value: Power(scale=value), Scale)
MAX = Operation(Symbol("MAX"))


def operands(lifting: Lifting, op: Op) -> list[Operand]:
    """The inputs of an operator: constants as arrays of float32, others as blobs."""
    found: list[Operand] = []
    for index in range(len(op.inputs)):
        constant = op.constant(index)
        if constant is None:
            found.append(lifting.bottom(op, index))
        else:
            found.append(constant.astype(np.float32))
    return found


def negative(lifting: Lifting, one: Operand) -> Operand:
    """The same with the other sign."""
    if isinstance(one, Blob):
        return lifting.net.add(Power(scale=-1.0), [one], suffix="negative")
    return -one


def common_shape(*shapes: Sequence[int]) -> tuple[int, ...]:
    """The shape that all broadcast to; raises UnsupportedError if there is none."""
    try:
        return np.broadcast_shapes(*map(tuple, shapes))
    except ValueError:
        shown = " and ".join(map(show, shapes))
        raise UnsupportedError(f"{shown} do not broadcast to one shape") from None


def joined(
    lifting: Lifting, operation: Operation, a: Operand, b: Operand, suffix: str = ""
) -> Blob:
    """The sum, product or maximum of two operands, one of which is a blob."""
    out = common_shape(a.shape, b.shape)
    if not isinstance(a, Blob):
        a, b = b, a
    if not isinstance(a, Blob):
        raise UnsupportedError("both operands are constants; expected a computed one")
    if not isinstance(b, Blob):
        return _with_constant(lifting, operation, stretched(lifting, a, out), b, suffix)
    if prod(a.shape) < prod(b.shape):
        a, b = b, a
    a = stretched(lifting, a, out)
    along = operation.along
    start, stop = span_from_front(b.shape, out)
    stop = stop or int(b.shape[:1] == out[:1])
    if along is None or not stop or out[start:stop] == out:
        pair = [a, stretched(lifting, b, out)]
        return lifting.net.add(Eltwise(operation.eltwise), pair, suffix=suffix)
    ones = (1,) * (len(out) - len(b.shape))
    inside = tuple(out[axis] if start <= axis < stop else 1 for axis in range(len(ones), len(out)))
    b = reshaped(lifting.net, stretched(lifting, b, inside), out[start:stop], "shape")
    return lifting.net.add(along(axis=start), [a, b], suffix=suffix)


def _with_constant(lifting: Lifting, operation: Operation, a: Blob, b: Array, suffix: str) -> Blob:
    if b.size == 1 and operation.with_number is not None:
        value = finite(b.reshape(-1)[0], "its constant")
        return lifting.net.add(operation.with_number(value), [a], suffix=suffix)
    if operation.along is None:
        constant = lifting.net.constant(np.broadcast_to(b, a.shape))
        return lifting.net.add(Eltwise(operation.eltwise), [a, constant], suffix=suffix)
    axis, blob = factors(b, a.shape)
    layer = operation.along(axis=axis, num_axes=blob.ndim)
    return lifting.net.add(layer, [a], (blob,), suffix=suffix)


def stretched(lifting: Lifting, blob: Blob, shape: Shape) -> Blob:
    """A blob repeated along the axes where it has one and ``shape`` has more."""
    blob = reshaped(lifting.net, blob, (1,) * (len(shape) - len(blob.shape)) + blob.shape, "shape")
    for axis, (own, wanted) in enumerate(zip(blob.shape, shape, strict=True)):
        if own != wanted:
            blob = lifting.net.add(Tile(axis, wanted), [blob], suffix=f"tile{axis}")
    return blob
