"""Pads that the window behind them can bear itself."""

from __future__ import annotations

from collections.abc import Sequence

from prototxt_gen.errors import UnsupportedError
from prototxt_gen.from_onnx.model import Op
from prototxt_gen.from_onnx.pads import Padding, padding
from prototxt_gen.from_onnx.patterns import View, pattern

_LOWEST = -3.4e38  #: no float is less, but for the last few and minus infinity
#: Operators without a negative result.
_POSITIVE = ("Relu", "Sigmoid", "Softmax", "Abs", "Exp", "HardSigmoid")


@pattern("Conv")
def padded_convolution(op: Op, view: View) -> Op | None:
    """Conv(Pad(x, 0)) is Conv with more pads."""
    found = _padded(op, view)
    return _with_pads(op, found[0], found[1]) if found and found[2].value == 0 else None


@pattern("MaxPool")
def padded_maximum(op: Op, view: View) -> Op | None:
    """MaxPool(Pad(x)) has pads itself, if what is padded never is the maximum.

    That is the lowest number, or 0 behind an operator without negative results; a window must
    have a value of the image as well.
    """
    found = _padded(op, view)
    if found is None or len([name for name in op.outputs if name]) > 1:
        return None
    pad, pads, what = found
    positive = what.value == 0 and view.maker(pad.inputs[0], *_POSITIVE) is not None
    made = _with_pads(op, pad, pads)
    if not (positive or what.value <= _LOWEST):
        return None
    kernel = op.attribute("kernel_shape")
    small = all(one < kernel[at % len(kernel)] for at, one in enumerate(made.attribute("pads")))
    return made if small or _rounds_up(made, pad.shape()[2:]) else None


def _rounds_up(op: Op, sizes: Sequence[int]) -> bool:
    """Whether a last window reads nothing, as where Caffe rounds up with a stride > kernel."""
    pads, kernel = op.attribute("pads"), op.attribute("kernel_shape")
    strides = op.attribute("strides", [1] * len(kernel))
    wanted = [-(-(n - k) // s) + 1 for n, k, s in zip(sizes, kernel, strides, strict=True)]
    return not any(pads[: len(kernel)]) and list(op.top_shape()[2:]) == wanted


@pattern("AveragePool")
def padded_mean(op: Op, view: View) -> Op | None:
    """AveragePool(Pad(x, 0)) has pads that count as values of the image."""
    found = _padded(op, view)
    if found is None or found[2].value != 0 or op.attribute("image_pads"):
        return None
    pad, pads, _ = found
    attributes = {**op.attributes, "image_pads": pads, "auto_pad": "NOTSET"}
    return op.instead("AveragePool", [pad.inputs[0]], attributes)


def _padded(op: Op, view: View) -> tuple[Op, list[int], Padding] | None:
    """The Pad in front that only the operator reads, and the pads of its spatial axes."""
    pad = view.inner(op.inputs[0], "Pad")
    if pad is None or op.attribute("auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
        return None
    try:
        found = padding(pad)
        pads = found.around(len(op.shape()))
    except UnsupportedError:
        return None
    return (pad, pads, found) if pads is not None and found.mode == "constant" else None


def _with_pads(op: Op, pad: Op, pads: list[int]) -> Op:
    own = op.attribute("pads", [0] * len(pads))
    if op.attribute("auto_pad", "NOTSET") == "VALID":
        own = [0] * len(pads)
    both = [a + b for a, b in zip(own, pads, strict=True)]
    attributes = {**op.attributes, "pads": both, "auto_pad": "NOTSET"}
    inputs = [pad.inputs[0], *op.inputs[1:]]
    return op.instead(op.op_type, inputs, attributes)


@pattern("Where")
def stochastic(op: Op, view: View) -> Op | None:
    """The mean of x * x over the mean of x, where that is above 0, else 0."""
    asked, ratio = view.inner(op.inputs[0], "Greater"), view.inner(op.inputs[1], "Div")
    if asked is None or ratio is None or view.scalar(op.inputs[2]) != 0:
        return None
    squares, mean = (view.maker(name, "AveragePool") for name in ratio.inputs)
    if squares is None or mean is None or squares.attributes != mean.attributes:
        return None
    squared, x = view.inner(squares.inputs[0], "Mul"), mean.inputs[0]
    above = asked.inputs[0] == mean.outputs[0] and view.scalar(asked.inputs[1]) == 0
    if squared is None or squared.inputs != [x, x] or not above:
        return None
    return op.instead("StochasticPool", [x], mean.attributes)
