"""Activations that exporters spell with several operators."""

from __future__ import annotations

from math import inf, sqrt

import numpy as np

from prototxt_gen.errors import UnsupportedError
from prototxt_gen.from_onnx.model import Array, Op, number
from prototxt_gen.from_onnx.patterns import View, pairs, pattern, with_number
from prototxt_gen.layers.parts.onnx_operands import limits, softmax_axis

_MOST_FACTORS = 6  #: the most factors of a product that is a GELU; three of them are its own


def _is(value: float, wanted: float) -> bool:
    """Whether a constant is a number, whose last digits exporters write in several ways."""
    return bool(abs(value - wanted) <= 1e-6 * abs(wanted))


def _made(op: Op, kind: str, x: str, **attributes: float | str) -> Op:
    return op.instead(kind, [x], attributes)


@pattern("Mul")
def swish(op: Op, view: View) -> Op | None:
    """x * sigmoid(x), x * sigmoid(alpha * x)."""
    for x, gate in pairs(op):
        curve = view.part(gate, "Sigmoid")
        if curve is None:
            continue
        if curve.inputs[0] == x:
            return _made(op, "Swish", x, alpha=1.0)
        found = with_number(view.part(curve.inputs[0], "Mul"), view)
        if found is not None and found[0] == x:
            return _made(op, "Swish", x, alpha=found[1])
    return None


@pattern("Mul")
def mish(op: Op, view: View) -> Op | None:
    """x * tanh(softplus(x))."""
    for x, gate in pairs(op):
        curve = view.part(gate, "Tanh")
        inner = curve and view.part(curve.inputs[0], "Softplus")
        if inner is not None and inner.inputs[0] == x:
            return _made(op, "Mish", x)
    return None


@pattern("Log")
def softplus(op: Op, view: View) -> Op | None:
    """log(exp(x) + 1)."""
    found = with_number(view.part(op.inputs[0], "Add"), view)
    curve = view.part(found[0], "Exp") if found is not None and found[1] == 1 else None
    return _made(op, "Softplus", curve.inputs[0]) if curve is not None else None


@pattern("Clip", "Min", "Max")
def bounds(op: Op, view: View) -> Op | None:
    """Two bounds one after the other, as min(max(x, 0), 6) or clip(relu(x), max=6)."""
    outer = _bounds(op, view)
    inner = outer and _bounds(view.part(outer[0], "Clip", "Min", "Max", "Relu"), view)
    if outer is None or inner is None:
        return None
    low, high = max(outer[1], inner[1]), min(outer[2], inner[2])
    if low > high:
        return None
    bounds = {name: value for name, value in (("min", low), ("max", high)) if abs(value) < inf}
    return _made(op, "Clip", inner[0], **bounds)


def _bounds(op: Op | None, view: View) -> tuple[str, float, float] | None:
    """What an operator bounds, and between which numbers."""
    if op is None:
        return None
    if op.op_type == "Relu":
        return op.inputs[0], 0.0, inf
    if op.op_type == "Clip":
        try:
            return op.inputs[0], *limits(op)
        except UnsupportedError:
            return None
    found = with_number(op, view)
    if found is None:
        return None
    return (found[0], -inf, found[1]) if op.op_type == "Min" else (found[0], found[1], inf)


@pattern("Max")
def leaky_relu(op: Op, view: View) -> Op | None:
    """max(x, a * x), for a from 0 to 1."""
    for x, scaled in pairs(op):
        found = with_number(view.part(scaled, "Mul"), view)
        if found is not None and found[0] == x and 0 <= found[1] <= 1:
            return _made(op, "LeakyRelu", x, alpha=found[1])
    return None


@pattern("Mul", "Div")
def hard_sigmoid(op: Op, view: View) -> Op | None:
    """clip(x + 3, 0, 6) / 6."""
    found = _sixth(op, view)
    x = found and _clip_of_six(found, view)
    return _made(op, "HardSigmoid", x, alpha=number(1 / 6), beta=0.5) if x else None


@pattern("Mul")
def hard_swish(op: Op, view: View) -> Op | None:
    """x * hardsigmoid(x), and (x / 6) * clip(x + 3, 0, 6)."""
    for x, gate in pairs(op):
        curve = view.part(gate, "HardSigmoid")
        if curve is not None and curve.inputs[0] == x and _has_slope_of_a_sixth(curve):
            return _made(op, "HardSwish", x)
        scaled = view.part(x, "Mul", "Div")
        source = scaled and _sixth(scaled, view)
        if source and _clip_of_six(gate, view) == source:
            return _made(op, "HardSwish", source)
    return None


@pattern("Mul", "Div")
def hard_swish_divided(op: Op, view: View) -> Op | None:
    """(x * clip(x + 3, 0, 6)) / 6."""
    found = _sixth(op, view)
    product = found and view.part(found, "Mul")
    for x, gate in pairs(product) if product else ():
        if _clip_of_six(gate, view) == x:
            return _made(op, "HardSwish", x)
    return None


def _has_slope_of_a_sixth(op: Op) -> bool:
    alpha, beta = op.attribute("alpha", 0.2), op.attribute("beta", 0.5)
    return _is(alpha, 1 / 6) and beta == 0.5


def _sixth(op: Op, view: View) -> str | None:
    """What an operator divides by 6."""
    found = with_number(op, view)
    if found is None or (op.op_type == "Div" and found[0] != op.inputs[0]):
        return None
    return found[0] if _is(found[1], 6 if op.op_type == "Div" else 1 / 6) else None


def _clip_of_six(name: str, view: View) -> str | None:
    """The x of clip(x + 3, 0, 6)."""
    bounded = _bounds(view.part(name, "Clip", "Min", "Max"), view)
    if bounded is None or bounded[1:] != (0, 6):
        return None
    found = with_number(view.part(bounded[0], "Add"), view)
    return found[0] if found is not None and found[1] == 3 else None


@pattern("Cast")
def threshold(op: Op, view: View) -> Op | None:
    """x > t as a float."""
    above = view.part(op.inputs[0], "Greater", "Less")
    if above is None or op.attribute("to") != 1:
        return None
    return op.instead(above.op_type, above.inputs)


@pattern("Mul")
def gelu(op: Op, view: View) -> Op | None:
    """x * 0.5 * (1 + erf(x / sqrt(2))), in any order."""
    terms = _factors(op, view)
    numbers = [value for term in terms if (value := view.scalar(term)) is not None]
    rest = [term for term in terms if view.scalar(term) is None]
    if len(rest) != 2 or not _is(float(np.prod(numbers)), 0.5):
        return None
    for x, curve in (rest, rest[::-1]):
        if _erf_of_root(curve, view) == x:
            return _made(op, "Gelu", x, approximate="none")
    return None


def _factors(op: Op, view: View) -> list[str]:
    """The factors of a product, and of those products that are its factors; [] if they are many."""
    found: list[str] = []
    rest = op.inputs[::-1]
    while rest:
        name = rest.pop()
        inner = view.part(name, "Mul")
        if inner is None:
            found.append(name)
        else:
            rest.extend(reversed(inner.inputs))
        if len(found) + len(rest) > _MOST_FACTORS:
            return []
    return found


def _erf_of_root(name: str, view: View) -> str | None:
    """The x of 1 + erf(x / sqrt(2))."""
    found = with_number(view.part(name, "Add"), view)
    curve = view.part(found[0], "Erf") if found is not None and found[1] == 1 else None
    inner = curve and view.part(curve.inputs[0], "Mul", "Div")
    scaled = with_number(inner, view)
    if inner is None or scaled is None:
        return None
    wanted = sqrt(2) if inner.op_type == "Div" else sqrt(0.5)
    return scaled[0] if _is(scaled[1], wanted) and scaled[0] == _first(inner) else None


def _first(op: Op) -> str:
    """The input that a Div divides; either one of a Mul."""
    return (
        op.inputs[0]
        if op.op_type == "Div"
        else next(name for name in op.inputs if name not in op.model.constants)
    )


@pattern("Relu")
def crelu(op: Op, view: View) -> Op | None:
    """relu of x and -x, one behind the other."""
    both = view.part(op.inputs[0], "Concat")
    if both is None or len(both.inputs) != 2 or both.attribute("axis") != 1:
        return None
    turned = view.part(both.inputs[1], "Neg")
    found = turned is not None and turned.inputs[0] == both.inputs[0]
    return _made(op, "CReLU", both.inputs[0]) if found else None


@pattern("Add")
def prelu(op: Op, view: View) -> Op | None:
    """relu(x) + a * relu(-x), as Keras writes it: a PRelu with the slopes -a."""
    for above, scaled in pairs(op):
        positive, product = view.part(above, "Relu"), view.part(scaled, "Mul")
        for below, factor in pairs(product) if product else ():
            slope, negative = op.model.constants.get(factor), view.part(below, "Relu")
            turned = view.part(negative.inputs[0], "Neg") if negative else None
            if positive is None or slope is None or turned is None:
                continue
            if turned.inputs == positive.inputs:
                return _with_slope(op, turned.inputs[0], -slope)
    return None


def _with_slope(op: Op, x: str, slope: Array) -> Op:
    name = op.add_constant("slope", slope)
    return op.instead("PRelu", [x, name])


@pattern("Transpose")
def softmax(op: Op, view: View) -> Op | None:
    """Softmax along the last axis between two Transposes that bring another axis there."""
    curve = view.part(op.inputs[0], "Softmax", "LogSoftmax")
    first = view.part(curve.inputs[0], "Transpose") if curve is not None else None
    if curve is None or first is None:
        return None
    perm, back = first.attribute("perm"), op.attribute("perm")
    if not perm or not back or [perm[axis] for axis in back] != [*range(len(perm))]:
        return None
    axis, single = softmax_axis(curve, len(perm))
    if not single and axis != len(perm) - 1:
        return None
    attributes = {"axis": perm[axis], "single": True}
    return op.instead(curve.op_type, first.inputs, attributes)
