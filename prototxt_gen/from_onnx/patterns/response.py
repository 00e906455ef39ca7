"""Local response normalisation as PyTorch and the export of nets write it: by a mean of squares."""

from __future__ import annotations

from collections.abc import Iterator

from prototxt_gen.from_onnx.model import Op
from prototxt_gen.from_onnx.patterns import View, pattern

_SHAPES = ("Reshape", "Squeeze", "Unsqueeze")


@pattern("Mul", "Div")
def response(op: Op, view: View) -> Op | None:
    """x / (k + alpha * mean(x * x)) ^ beta, over neighbouring channels or a square of pixels."""
    for x, power, sign in _halves(op):
        raised = view.inner(power, "Pow")
        shifted = view.inner(raised.inputs[0], "Add") if raised else None
        scaled = view.inner(shifted.inputs[0], "Mul") if shifted else None
        if not (raised and shifted and scaled):
            continue
        beta, k, alpha = (view.scalar(one.inputs[1]) for one in (raised, shifted, scaled))
        mean = view.inner(_before(scaled.inputs[0], view), "AveragePool")
        if mean is None or alpha is None or beta is None or k is None:
            continue
        squares = view.maker(_before(mean.inputs[0], view), "Mul")
        size, across = _neighbours(mean, op.top_shape())
        if squares is None or squares.inputs != [x, x] or not size or not (across or k == 1):
            continue
        attributes = {"size": size, "alpha": alpha, "beta": sign * beta, "bias": k}
        name = "LRN" if across else "ResponseWithin"
        return op.instead(name, [x], attributes)
    return None


def _halves(op: Op) -> Iterator[tuple[str, str, float]]:
    """What may be x, what the power, and the sign of beta."""
    first, second = op.inputs
    yield first, second, 1.0 if op.op_type == "Div" else -1.0
    if op.op_type == "Mul":
        yield second, first, -1.0


def _before(name: str, view: View) -> str:
    """The value before its shape was changed."""
    while (op := view.inner(name, *_SHAPES)) is not None:
        name = op.inputs[0]
    return name


def _neighbours(mean: Op, shape: tuple[int, ...]) -> tuple[int, bool]:
    """How many channels, or pixels along a side, a mean is over; 0 if it is another one."""
    if len(shape) != 4 or mean.attribute("auto_pad", "NOTSET") != "NOTSET":
        return 0, False
    kernel, below = mean.attribute("kernel_shape"), mean.shape()
    size, axes = max(kernel), len(kernel)
    across = below == (shape[0], 1, *shape[1:]) and kernel == [size, 1, 1]
    if not across and not (below == shape and kernel == [size] * 2):
        return 0, False
    ones = [1] * axes
    plain = mean.attribute("strides", ones) == ones == mean.attribute("dilations", ones)
    own = mean.attribute("pads", [0] * 2 * axes)
    around = mean.attribute("image_pads", [0] * 2 * axes)
    counted = mean.attribute("count_include_pad", 0) or not any(own)
    pads = [a + b for a, b in zip(own, around, strict=True)]
    wanted = [one // 2 for one in kernel] * 2
    return (size, across) if plain and counted and size % 2 and pads == wanted else (0, False)
