"""From many values to one: sums, means, maxima, and where the maximum is."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import prod

import numpy as np

from prototxt_gen.document import Symbol
from prototxt_gen.errors import UnsupportedError
from prototxt_gen.from_onnx.lifting import Lifting, Made, rule
from prototxt_gen.from_onnx.model import Op
from prototxt_gen.from_onnx.net import Blob, Net
from prototxt_gen.from_onnx.rules.shapes import reshaped
from prototxt_gen.layers.convolution import Convolution
from prototxt_gen.layers.elementwise import AbsVal, Log, Power
from prototxt_gen.layers.parts.onnx_operands import reduced_axes
from prototxt_gen.layers.pooling import AVE, MAX, Pooling
from prototxt_gen.layers.reduce import ArgMax, Reduction

_PICTURE = 4  #: the axes of what Pooling takes
_KINDS = {
    "ReduceMean": "MEAN",
    "ReduceSum": "SUM",
    "ReduceL1": "ASUM",
    "ReduceSumSquare": "SUMSQ",
    "ReduceMax": "MAX",
}
_TIES = "of equal values Caffe takes the last; the model takes the first"
_NONE = {
    "CumSum": "no layer of Caffe adds up along an axis step by step",
    "ReduceProd": "no layer of Caffe multiplies along an axis",
    "ReduceLogSumExp": "no layer of Caffe computes it without overflow; write it as Exp, "
    "ReduceSum and Log",
}


@rule(*_NONE)
def none(lifting: Lifting, op: Op) -> Made:
    """Nothing in Caffe does what these do."""
    raise UnsupportedError(_NONE[op.op_type])


@rule(*_KINDS)
def reduce(lifting: Lifting, op: Op) -> Made:
    """Reduction over the last axes, Pooling over others."""
    if op.op_type == "ReduceMean" and op.model.kind(op.inputs[0]) != "float32":
        raise UnsupportedError("the mean of integers is one in ONNX; expected floats")
    return _reduced(lifting, op, _KINDS[op.op_type], lifting.bottom(op))


@rule("ReduceL2")
def length(lifting: Lifting, op: Op) -> Made:
    """The root of the sum of squares."""
    total = _reduced(lifting, op, "SUMSQ", lifting.bottom(op), "squares")
    return lifting.net.add(Power(0.5), [total])


@rule("ReduceLogSum")
def logarithm(lifting: Lifting, op: Op) -> Made:
    """The logarithm of the sum."""
    total = _reduced(lifting, op, "SUM", lifting.bottom(op), "sum")
    return lifting.net.add(Log(), [total])


@rule("ReduceMin")
def least(lifting: Lifting, op: Op) -> Made:
    """Minus the maximum of -x."""
    negative = lifting.net.add(Power(scale=-1.0), [lifting.bottom(op)], (), "negative")
    most = _reduced(lifting, op, "MAX", negative, "most")
    return lifting.net.add(Power(scale=-1.0), [most])


@rule("ArgMax", "ArgMin")
def argmax(lifting: Lifting, op: Op) -> Made:
    """ArgMax, of -x for ArgMin; equal values are noted, of which Caffe takes the last."""
    blob = lifting.bottom(op)
    axis = op.attribute("axis", 0) % len(blob.shape)
    if op.op_type == "ArgMin":
        blob = lifting.net.add(Power(scale=-1.0), [blob], (), "negative")
    if not op.attribute("select_last_index", 0):
        op.model.notes.append((op.label, op.op_type, _TIES))
    keeps = op.attribute("keepdims", 1)
    made = lifting.net.add(ArgMax(axis=axis), [blob], (), "" if keeps else "kept")
    return reshaped(lifting.net, made, op.top_shape())


@rule("TopK")
def top_k(lifting: Lifting, op: Op) -> Made:
    """ArgMax for the values, and another for the places."""
    if not op.attribute("largest", 1):
        raise UnsupportedError("it looks for the least values; ArgMax looks for the greatest")
    blob = lifting.bottom(op)
    axis = op.attribute("axis", -1) % len(blob.shape)
    count = int(np.ravel(op.setting("k", 1))[0])
    values = places = None
    if lifting.is_read(op, 0):
        values = lifting.net.add(ArgMax(True, count, axis), [blob], (), "values")
    if lifting.is_read(op, 1):
        op.model.notes.append((op.label, op.op_type, _TIES))
        places = lifting.net.add(ArgMax(False, count, axis), [blob], (), "places")
    return [values, places]


def _reduced(lifting: Lifting, op: Op, kind: str, blob: Blob, suffix: str = "") -> Blob:
    """An operator's reduction, in the shape that it gives."""
    shape, folded = blob.shape, reduced_axes(op, len(blob.shape))
    kept = tuple(1 if axis in folded else dim for axis, dim in enumerate(shape))
    keeps = bool(op.attribute("keepdims", 1))
    wanted = kept if keeps else tuple(d for i, d in enumerate(shape) if i not in folded)
    # Our own export keeps no axes where it writes Reduction, and keeps them elsewhere.
    own = op.model.producer == "resnet-proto" and not keeps
    coeff = op.attribute("coeff", 1.0)
    if coeff != 1 and kind != "MAX" and folded and folded == list(range(folded[0], len(shape))):
        made = lifting.net.add(Reduction(Symbol(kind), folded[0], coeff), [blob], (), suffix)
        return reshaped(lifting.net, made, wanted, suffix)
    return reduced(lifting.net, blob, kind, folded, wanted, suffix, pooled=not own)


def reduced(
    net: Net,
    blob: Blob,
    kind: str,
    axes: Sequence[int],
    wanted: tuple[int, ...],
    suffix: str = "",
    *,
    pooled: bool = True,
) -> Blob:
    """The SUM, ASUM, SUMSQ, MEAN or MAX over axes, in the shape ``wanted``.

    ``pooled`` prefers Pooling to Reduction where both can be.
    """
    shape, inner = blob.shape, f"{suffix}/" if suffix else ""
    axes = [axis for axis in axes if shape[axis] != 1]
    last = suffix if wanted == _kept(shape, axes) else f"{inner}reduced"
    if not axes:
        return reshaped(net, _each(net, blob, kind, suffix), wanted, suffix)
    if pooled and axes == [2, 3] and len(shape) == _PICTURE and kind in ("MEAN", "MAX"):
        pool = AVE if kind == "MEAN" else MAX
        made = net.add(Pooling(pool, global_pooling=True), [blob], (), last)
        return reshaped(net, made, wanted, suffix)
    if kind != "MAX" and axes == list(range(axes[0], len(shape))):
        made = _summed(net, blob, kind, axes[0], suffix if wanted == shape[: axes[0]] else last)
        return reshaped(net, made, wanted, suffix)
    if kind in ("ASUM", "SUMSQ"):
        blob, kind = _each(net, blob, kind, f"{inner}each"), "SUM"
    if axes == [1] and len(shape) == _PICTURE and kind in ("SUM", "MEAN"):
        return reshaped(net, _over_channels(net, blob, kind, last), wanted, suffix)
    return _by_blocks(net, blob, kind, axes, wanted, suffix)


def _kept(shape: Sequence[int], axes: Sequence[int]) -> tuple[int, ...]:
    return tuple(1 if axis in axes else dim for axis, dim in enumerate(shape))


def _each(net: Net, blob: Blob, kind: str, suffix: str) -> Blob:
    """What a kind of sum does to each value."""
    if kind == "ASUM":
        return net.add(AbsVal(), [blob], (), suffix)
    return net.add(Power(2.0), [blob], (), suffix) if kind == "SUMSQ" else blob


def _summed(net: Net, blob: Blob, kind: str, axis: int, suffix: str) -> Blob:
    return net.add(Reduction(Symbol(kind), axis), [blob], (), suffix)


def _over_channels(net: Net, blob: Blob, kind: str, suffix: str) -> Blob:
    """The sum or the mean of the channels: a convolution by 1 with equal weights."""
    channels = blob.shape[1]
    weight = np.full((1, channels, 1, 1), 1 / channels if kind == "MEAN" else 1, np.float32)
    layer = Convolution(1, kernel=(1,), bias_term=False)
    return net.add(layer, [blob], (weight,), suffix)


def _by_blocks(
    net: Net, blob: Blob, kind: str, axes: Sequence[int], wanted: tuple[int, ...], suffix: str
) -> Blob:
    """Adjacent axes at a time: they become the height of a picture, and Pooling folds that."""
    inner = f"{suffix}/" if suffix else ""
    breaks = [i + 1 for i, (a, b) in enumerate(pairwise(axes)) if b != a + 1]
    blocks = [list(axes[a:b]) for a, b in pairwise((0, *breaks, len(axes)))]
    total, shape = prod(blob.shape[axis] for axis in axes), blob.shape
    for number, block in enumerate(blocks):
        start, stop = block[0], block[-1] + 1
        batch = shape[0] if start else 1
        picture = (
            batch,
            prod(shape[1:start]) if start else 1,
            prod(shape[start:stop]),
            prod(shape[stop:]),
        )
        blob = reshaped(net, blob, picture, f"{inner}picture{number or ''}")
        layer = Pooling(MAX if kind == "MAX" else AVE, (picture[2], 1))
        folded = (*picture[:2], 1, picture[3])
        plain = number == len(blocks) - 1 and kind != "SUM" and folded == wanted
        blob = net.add(layer, [blob], (), suffix if plain else f"{inner}pool{number or ''}")
        shape = _kept(shape, block)
    if kind == "SUM":
        scaled = blob.shape == wanted
        blob = net.add(Power(scale=float(total)), [blob], (), suffix if scaled else f"{inner}sum")
    return reshaped(net, blob, wanted, suffix)
