"""Numbers that are added and multiplied: parameters of one Power, Exp, Log or Eltwise."""

from __future__ import annotations

from math import exp, inf, log

import numpy as np

from prototxt_gen.from_onnx.model import Op, number
from prototxt_gen.from_onnx.patterns import View, pattern, with_number

#: scale and shift
Line = tuple[float, float]
_LINES = ("Mul", "Div", "Add", "Sub", "Neg", "Power")


def _line(op: Op | None, view: View) -> tuple[str, Line] | None:
    """What an operator computes of its input, if that is a line."""
    if op is None:
        return None
    if op.op_type == "Neg":
        return op.inputs[0], (-1.0, 0.0)
    if op.op_type == "Power":
        found = {"scale": 1.0, "shift": 0.0, "power": 1.0, **op.attribute("line")}
        return (op.inputs[0], (found["scale"], found["shift"])) if found["power"] == 1 else None
    beside = with_number(op, view)
    if beside is None:
        return None
    x, value = beside
    is_first = x == op.inputs[0]
    if op.op_type == "Div":
        is_first &= "int" not in op.kind()
        return (x, (number(1 / value), 0.0)) if is_first and abs(value) > 1e-30 else None
    lines = {
        "Mul": (value, 0.0),
        "Add": (1.0, value),
        "Sub": (1.0, -value) if is_first else (-1.0, value),
    }
    return x, lines[op.op_type]


def _made(op: Op, kind: str, x: str, line: Line, **more: float) -> Op:
    values = {"scale": line[0], "shift": line[1], **more}
    return op.instead(kind, [x], {"line": values})


def _finite(line: Line) -> bool:
    return all(abs(value) < inf for value in line)


@pattern("Add", "Sub", late=True)
def shifted(op: Op, view: View) -> Op | None:
    """scale * x + shift."""
    outer = _line(op, view)
    inner = _line(view.part(outer[0], *_LINES), view) if outer else None
    if outer is None or inner is None or inner[1][1] != 0:
        return None
    line = (outer[1][0] * inner[1][0], outer[1][1])
    return _made(op, "Power", inner[0], line) if _finite(line) else None


@pattern("Pow", "Sqrt", "Reciprocal", late=True)
def raised(op: Op, view: View) -> Op | None:
    """(scale * x + shift) ^ power."""
    power = {"Sqrt": 0.5, "Reciprocal": -1.0}.get(op.op_type)
    if op.op_type == "Pow" and view.scalar(op.inputs[0]) is None:
        beside = with_number(op, view)
        power = beside[1] if beside else None
    inner = _line(view.part(op.inputs[0], *_LINES), view)
    if power is None or inner is None or not _finite((power, 0.0)) or not _finite(inner[1]):
        return None
    return _made(op, "Power", inner[0], inner[1], power=power)


@pattern("Exp", "Log", late=True)
def of_a_line(op: Op, view: View) -> Op | None:
    """The exponential or the logarithm of scale * x + shift."""
    inner = None if op.attributes else _line(view.part(op.inputs[0], *_LINES), view)
    if inner is None or not _finite(inner[1]):
        return None
    return _made(op, op.op_type, *inner)


@pattern("Mul", "Div", late=True)
def to_a_base(op: Op, view: View) -> Op | None:
    """log(x) / log(base), for a base of a few digits."""
    outer = _line(op, view)
    inner = view.part(outer[0], "Log") if outer else None
    if outer is None or inner is None or "base" in inner.attribute("line", {}):
        return None
    base = _base(outer[1][0])
    if base is None:
        return None
    line = {**inner.attribute("line", {}), "base": base}
    return op.instead("Log", inner.inputs, {"line": line})


def _base(factor: float) -> float | None:
    """The shortest number b for which 1 / log(b) is a factor; None if it has many digits."""
    if factor == 0 or not abs(1 / factor) < 80:
        return None
    for digits in range(1, 7):
        base = float(f"{exp(1 / factor):.{digits}g}")
        if base > 0 and base != 1 and np.float32(1 / log(base)) == np.float32(factor):
            return base
    return None


@pattern("Add", "Sub", "Sum", late=True)
def weighted(op: Op, view: View) -> Op | None:
    """A sum of numbers times blobs."""
    shapes = {view.model.shapes.get(name) for name in (*op.inputs, *op.outputs)}
    if op.attribute("coeff") or len(op.inputs) < 2 or len(shapes) > 1 or None in shapes:
        return None
    signs = [-1.0 if op.op_type == "Sub" and index else 1.0 for index in range(len(op.inputs))]
    terms = [_term(name, view) for name in op.inputs]
    if all(factor == 1 for _, factor in terms):
        return None
    coeff = [sign * factor for sign, (_, factor) in zip(signs, terms, strict=True)]
    return op.instead("Sum", [x for x, _ in terms], {"coeff": coeff})


def _term(name: str, view: View) -> tuple[str, float]:
    """A blob, and the number it is multiplied with."""
    found = _line(view.part(name, "Mul", "Div", "Neg"), view)
    if found is None or found[1][1] != 0 or not _finite(found[1]):
        return name, 1.0
    return found[0], found[1][0]
