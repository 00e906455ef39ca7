"""Bounds of values: one Clip where the target has it, else made of ReLUs.

    max(x, low) = relu(x - low) + low        min(x, high) = high - relu(high - x)

A large bound would cost the digits of small values, so that there the bound is a blob.
"""

from __future__ import annotations

from math import inf

import numpy as np

from prototxt_gen.document import Symbol
from prototxt_gen.errors import UnsupportedError
from prototxt_gen.from_onnx.lifting import Lifting
from prototxt_gen.from_onnx.model import number
from prototxt_gen.from_onnx.net import Blob
from prototxt_gen.layers.activation import Clip, ReLU
from prototxt_gen.layers.combine import Eltwise
from prototxt_gen.layers.elementwise import Power
from prototxt_gen.layers.fork_activation import ReLU6

_MOST = 3.4028235e38  #: the largest float, by its shortest name
_LARGE = 64.0  #: a bound above it would cost more than the fifth decimal


def clipped(lifting: Lifting, x: Blob, low: float, high: float, suffix: str = "") -> Blob:
    """x between two bounds, each of which may be infinite."""
    if low == 0 and high == inf:
        return lifting.net.add(ReLU(), [x], suffix=suffix)
    if (low, high) == (-inf, inf):
        return lifting.net.add(Power(), [x], suffix=suffix)
    if lifting.target.has("Clip"):
        bounds = Clip(max(low, -_MOST), min(high, _MOST))
        return lifting.net.add(bounds, [x], suffix=suffix)
    if low == 0 and lifting.target.has("ReLU6"):
        return lifting.net.add(ReLU6(high), [x], suffix=suffix)
    if low == -inf:
        return _at_most(lifting, x, high, suffix)
    if high == inf:
        return _at_least(lifting, x, low, suffix)
    if max(abs(low), abs(high)) > _LARGE:
        above = _at_least(lifting, x, low, f"{suffix}low")
        return _at_most(lifting, above, high, suffix)
    shifted = _line(lifting, x, 1.0, -low, f"{suffix}shift")
    above = lifting.net.add(ReLU(), [shifted], suffix=f"{suffix}low")
    return _mirrored(lifting, above, number(high - low), high, suffix)


def _at_least(lifting: Lifting, x: Blob, low: float, suffix: str) -> Blob:
    if low == 0:
        return lifting.net.add(ReLU(), [x], suffix=suffix)
    if abs(low) > _LARGE:
        return _maximum(lifting, x, low, suffix)
    shifted = _line(lifting, x, 1.0, -low, f"{suffix}shift")
    above = lifting.net.add(ReLU(), [shifted], suffix=f"{suffix}relu")
    return _line(lifting, above, 1.0, low, suffix)


def _at_most(lifting: Lifting, x: Blob, high: float, suffix: str) -> Blob:
    if abs(high) <= _LARGE:
        return _mirrored(lifting, x, high, high, suffix)
    negative = _line(lifting, x, -1.0, 0.0, f"{suffix}negative")
    bounded = _maximum(lifting, negative, -high, f"{suffix}max")
    return _line(lifting, bounded, -1.0, 0.0, suffix)


def _mirrored(lifting: Lifting, x: Blob, before: float, after: float, suffix: str) -> Blob:
    """after - relu(before - x)."""
    turned = _line(lifting, x, -1.0, before, f"{suffix}turned")
    above = lifting.net.add(ReLU(), [turned], suffix=f"{suffix}high")
    return _line(lifting, above, -1.0, after, suffix)


def _maximum(lifting: Lifting, x: Blob, low: float, suffix: str) -> Blob:
    if not abs(low) < inf:
        raise UnsupportedError(f"its bound is {low}; expected a finite number")
    bound = lifting.net.constant(np.full(x.shape, low, np.float32))
    return lifting.net.add(Eltwise(Symbol("MAX")), [x, bound], suffix=suffix)


def _line(lifting: Lifting, x: Blob, scale: float, shift: float, suffix: str) -> Blob:
    if suffix and scale == 1 and shift == 0:
        return x
    return lifting.net.add(Power(scale=scale, shift=shift), [x], suffix=suffix)
