"""Normalisations that exporters write as means, roots and quotients."""

from __future__ import annotations

from prototxt_gen.from_onnx.model import Op
from prototxt_gen.from_onnx.patterns import View, pattern
from prototxt_gen.layers.parts.onnx_operands import reduced_axes


@pattern("Sub")
def centre(op: Op, view: View) -> Op | None:
    """x - ReduceMean(x) over the last axes."""
    mean = view.maker(op.inputs[1], "ReduceMean")
    if mean is None or mean.inputs[0] != op.inputs[0]:
        return None
    axes = _axes(mean)
    if axes is None or axes != list(range(axes[0], len(op.shape()))):
        return None
    return op.instead("Centre", op.inputs[:1], {"axes": axes})


@pattern("Div", "Mul")
def standardize(op: Op, view: View) -> Op | None:
    """c / sqrt(ReduceMean(c^2) + eps), also as a product, or with eps outside of the root.

    c is x - mean, or x itself, as in RMSNorm.
    """
    for index in (0, 1) if op.op_type == "Mul" else (0,):
        found = _root(op.inputs[1 - index], view, inverse=op.op_type == "Mul")
        if found is None:
            continue
        squares, eps, deviation = found
        mean = view.maker(squares, "ReduceMean")
        axes = _axes(mean) if mean is not None else None
        if mean is None or axes is None:
            continue
        c, base = op.inputs[index], _squared(mean.inputs[0], view)
        if base is None or not _equal(c, base, view):
            continue
        centred = view.maker(c, "Centre")
        if centred is not None and centred.attribute("axes") != axes:
            continue
        if axes != list(range(axes[0], len(mean.shape()))) or (deviation and centred is None):
            continue
        attributes = {"axes": axes, "epsilon": eps, "deviation": deviation}
        attributes["centred"] = centred is not None
        inputs = [centred.inputs[0] if centred is not None else c]
        return op.instead("Standardize", inputs, attributes)
    return None


@pattern("Mul", "Add")
def affine(op: Op, view: View) -> Op | None:
    """Standardize(x) * factor + shift."""
    place = 1 if op.op_type == "Mul" else 2
    for index in (0, 1):
        norm, value = view.inner(op.inputs[index], "Standardize"), op.constant(1 - index)
        if norm is None or value is None or len(norm.inputs) > place:
            continue
        if value.ndim > len(norm.shape()) or norm.attribute("deviation"):
            continue
        wide = zip(value.shape[::-1], norm.shape()[::-1], strict=False)
        if any(a not in (1, b) for a, b in wide):
            continue
        inputs = [*norm.inputs, *[""] * (place - len(norm.inputs)), op.inputs[1 - index]]
        return op.instead("Standardize", inputs, norm.attributes, name=norm.name)
    return None


@pattern("Mul")
def normalize(op: Op, view: View) -> Op | None:
    """x / sqrt(ReduceSumSquare(x) + eps) * factor."""
    for index in (0, 1):
        unit, factor = view.inner(op.inputs[index], "Div"), op.constant(1 - index)
        found = _root(unit.inputs[1], view) if unit is not None else None
        if unit is None or factor is None or found is None or found[2]:
            continue
        total = view.maker(found[0], "ReduceSumSquare")
        axes = _axes(total) if total is not None else None
        if total is None or axes is None or total.inputs[0] != unit.inputs[0]:
            continue
        if factor.ndim > len(unit.shape()):
            continue
        attributes = {"axes": axes, "epsilon": found[1]}
        inputs = [unit.inputs[0], op.inputs[1 - index]]
        return op.instead("Normalize", inputs, attributes)
    return None


def _axes(reduction: Op) -> list[int] | None:
    """The axes of a reduction that names and keeps them; None if it does not."""
    axes = reduced_axes(reduction, len(reduction.shape()))
    named = reduction.setting("axes", 1, None)
    return axes if named and reduction.attribute("keepdims", 1) else None


def _root(name: str, view: View, *, inverse: bool = False) -> tuple[str, float, bool] | None:
    """x and eps of sqrt(x + eps); True at the end for sqrt(x) + eps.

    ``inverse`` looks for 1 / sqrt(x + eps).
    """
    if inverse:
        one = view.maker(name, "Reciprocal", "Div")
        if one is None or (one.op_type == "Div" and view.scalar(one.inputs[0]) != 1):
            return None
        return _root(one.inputs[-1], view)
    if (root := view.maker(name, "Sqrt")) is not None:
        found = _plus(root.inputs[0], view)
        return None if found is None else (*found, False)
    outer = _plus(name, view)
    root = view.maker(outer[0], "Sqrt") if outer is not None else None
    return (root.inputs[0], outer[1], True) if outer is not None and root is not None else None


def _plus(name: str, view: View) -> tuple[str, float] | None:
    """x and the number of x + number."""
    total = view.maker(name, "Add")
    if total is None:
        return None
    for index in (0, 1):
        shift = view.scalar(total.inputs[1 - index])
        if shift is not None:
            return total.inputs[index], shift
    return None


def _squared(name: str, view: View) -> str | None:
    """x of x * x or x ^ 2."""
    product = view.maker(name, "Mul", "Pow")
    if product is None:
        return None
    if product.op_type == "Pow":
        return product.inputs[0] if view.scalar(product.inputs[1]) == 2 else None
    return product.inputs[0] if _equal(product.inputs[0], product.inputs[1], view) else None


def _equal(a: str, b: str, view: View) -> bool:
    """Whether two values are one, or centred in the same way."""
    if a == b:
        return True
    one, other = view.maker(a, "Centre"), view.maker(b, "Centre")
    if one is None or other is None:
        return False
    return one.inputs == other.inputs and one.attributes == other.attributes
