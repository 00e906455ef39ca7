"""Activations that Caffe has no layer for, or not every Caffe."""

from __future__ import annotations

from math import pi, sqrt

import numpy as np

from prototxt_gen.document import Symbol
from prototxt_gen.errors import UnsupportedError
from prototxt_gen.from_onnx.lifting import Lifting, Made, rule
from prototxt_gen.from_onnx.model import Op, number
from prototxt_gen.from_onnx.net import Blob
from prototxt_gen.from_onnx.rules.bounds import clipped
from prototxt_gen.from_onnx.rules.broadcast import PRODUCT, joined
from prototxt_gen.from_onnx.rules.shapes import reshaped
from prototxt_gen.layers.activation import BNLL, ELU, ReLU, Sigmoid, Softmax, TanH
from prototxt_gen.layers.base import Layer
from prototxt_gen.layers.combine import Concat, Eltwise
from prototxt_gen.layers.elementwise import AbsVal, Log, Power, Threshold
from prototxt_gen.layers.parts.onnx_operands import limits, softmax_axis

_PROD = Eltwise(Symbol("PROD"))
_SELU_ALPHA, _SELU_GAMMA = 1.67326319217681884765625, 1.05070102214813232421875


@rule("Clip")
def clip(lifting: Lifting, op: Op) -> Made:
    """ReLUs, where the target has no Clip."""
    return clipped(lifting, lifting.bottom(op), *limits(op))


@rule("Swish")
def swish(lifting: Lifting, op: Op) -> Made:
    """x * sigmoid(alpha * x)."""
    x, alpha = lifting.bottom(op), op.attribute("alpha", 1.0)
    inner = x if alpha == 1 else lifting.net.add(Power(scale=alpha), [x], suffix="scale")
    return _times(lifting, x, Sigmoid(), inner)


@rule("HardSigmoid")
def hard_sigmoid(lifting: Lifting, op: Op) -> Made:
    """alpha * x + beta, between 0 and 1."""
    alpha, beta = op.attribute("alpha", 0.2), op.attribute("beta", 0.5)
    line = lifting.net.add(Power(scale=alpha, shift=beta), [lifting.bottom(op)], suffix="line")
    return clipped(lifting, line, 0.0, 1.0)


@rule("HardSwish")
def hard_swish(lifting: Lifting, op: Op) -> Made:
    """x * hardsigmoid(x), of x / 6 + 0.5."""
    x = lifting.bottom(op)
    line = lifting.net.add(Power(scale=number(1 / 6), shift=0.5), [x], suffix="line")
    gate = clipped(lifting, line, 0.0, 1.0, "gate")
    return lifting.net.add(_PROD, [x, gate])


@rule("Mish")
def mish(lifting: Lifting, op: Op) -> Made:
    """x * tanh(log(1 + exp(x)))."""
    x = lifting.bottom(op)
    return _times(lifting, x, TanH(), lifting.net.add(BNLL(), [x], suffix="softplus"))


@rule("Softsign")
def softsign(lifting: Lifting, op: Op) -> Made:
    """x / (1 + |x|)."""
    x = lifting.bottom(op)
    size = lifting.net.add(AbsVal(), [x], suffix="abs")
    return _times(lifting, x, Power(power=-1.0, shift=1.0), size)


@rule("ThresholdedRelu")
def thresholded(lifting: Lifting, op: Op) -> Made:
    """x where it is above alpha, else 0."""
    x = lifting.bottom(op)
    return _times(lifting, x, Threshold(op.attribute("alpha", 1.0)), x)


@rule("Selu")
def selu(lifting: Lifting, op: Op) -> Made:
    """gamma * elu(x)."""
    alpha = op.attribute("alpha", number(_SELU_ALPHA))
    gamma = op.attribute("gamma", number(_SELU_GAMMA))
    curve = lifting.net.add(ELU(alpha), [lifting.bottom(op)], suffix="elu")
    return lifting.net.add(Power(scale=gamma), [curve])


@rule("Celu")
def celu(lifting: Lifting, op: Op) -> Made:
    """alpha * elu(x / alpha)."""
    x, alpha = lifting.bottom(op), op.attribute("alpha", 1.0)
    if alpha <= 0:
        raise UnsupportedError(f"its alpha is {alpha:g}; expected more than 0")
    if alpha == 1:
        return lifting.net.add(ELU(), [x])
    inner = lifting.net.add(Power(scale=number(1 / alpha)), [x], suffix="scale")
    curve = lifting.net.add(ELU(), [inner], suffix="elu")
    return lifting.net.add(Power(scale=alpha), [curve])


@rule("PRelu")
def prelu(lifting: Lifting, op: Op) -> Made:
    """relu(x) - slope * relu(-x), for slopes that are not one for each channel."""
    x, slope = lifting.bottom(op), op.need_constant(1, "slopes")
    above = lifting.net.add(ReLU(), [x], suffix="positive")
    turned = lifting.net.add(Power(scale=-1.0), [x], suffix="negative")
    below = lifting.net.add(ReLU(), [turned], suffix="below")
    scaled = joined(lifting, PRODUCT, below, slope.astype(np.float32), "slope")
    return lifting.net.add(Eltwise(coeff=(1.0, -1.0)), [above, scaled])


@rule("CReLU")
def crelu(lifting: Lifting, op: Op) -> Made:
    """relu of x and -x, concatenated."""
    x = lifting.bottom(op)
    turned = lifting.net.add(Power(scale=-1.0), [x], suffix="negative")
    return lifting.net.add(ReLU(), [lifting.net.add(Concat(), [x, turned], suffix="both")])


@rule("Gelu")
def gelu(lifting: Lifting, op: Op) -> Made:
    """x * (1 + tanh(c * (x + 0.044715 * x^3))) / 2, with c the root of 2 / pi."""
    if op.attribute("approximate", "none") != "tanh":
        raise UnsupportedError(
            "no layer computes erf; train or export with GELU's approximate='tanh'"
        )
    x, factor = lifting.bottom(op), sqrt(2 / pi)
    cube = lifting.net.add(Power(power=3.0), [x], suffix="cube")
    coeff = (number(factor), number(0.044715 * factor))
    inner = lifting.net.add(Eltwise(coeff=coeff), [x, cube], suffix="inner")
    curve = lifting.net.add(TanH(), [inner], suffix="tanh")
    return _times(lifting, x, Power(scale=0.5, shift=0.5), curve)


@rule("Erf")
def erf(lifting: Lifting, op: Op) -> Made:
    """None has it."""
    raise UnsupportedError(
        "no layer computes it; if it is part of a GELU, export that with approximate='tanh'"
    )


@rule("Sign", "Floor", "Ceil", "Round")
def steps(lifting: Lifting, op: Op) -> Made:
    """None has them."""
    raise UnsupportedError("no layer computes it; leave it to the program that runs the net")


@rule("Softmax")
def softmax(lifting: Lifting, op: Op) -> Made:
    """Along all axes from one on, as before opset 13: as one axis, and back."""
    return _softmax(lifting, op, "")


@rule("LogSoftmax")
def log_softmax(lifting: Lifting, op: Op) -> Made:
    """The logarithm of the softmax."""
    note = "a probability below 1e-38 is 0, and its logarithm -inf"
    lifting.model.notes.append((op.label, op.op_type, note))
    return lifting.net.add(Log(), [_softmax(lifting, op, "softmax")])


def _softmax(lifting: Lifting, op: Op, suffix: str) -> Blob:
    x, shape = lifting.bottom(op), op.shape()
    axis, single = softmax_axis(op, len(shape))
    if single or all(size == 1 for size in shape[axis + 1 :]):
        return lifting.net.add(Softmax(axis), [x], suffix=suffix)
    flat = reshaped(lifting.net, x, (*shape[:axis], int(np.prod(shape[axis:]))), "flat")
    found = lifting.net.add(Softmax(axis), [flat], suffix="softmax")
    return reshaped(lifting.net, found, shape, "shape" if suffix else "")


def _times(lifting: Lifting, x: Blob, gate: Layer, of: Blob) -> Blob:
    """x times a layer of another blob."""
    return lifting.net.add(_PROD, [x, lifting.net.add(gate, [of], suffix="gate")])
