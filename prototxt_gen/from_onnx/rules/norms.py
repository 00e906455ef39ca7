"""Normalisations: mean 0 and variance 1, or length 1.

MVN of Caffe adds eps to the deviation, and ONNX adds it to the variance, so that all but what
ONNX calls MeanVarianceNormalization are composed: x - mean, the mean of its square, a root.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from prototxt_gen.document import Symbol
from prototxt_gen.errors import UnsupportedError
from prototxt_gen.from_onnx.lifting import Lifting, Made, rule
from prototxt_gen.from_onnx.model import Array, Op, number
from prototxt_gen.from_onnx.net import Blob, Net
from prototxt_gen.from_onnx.rules.reductions import reduced
from prototxt_gen.from_onnx.rules.shapes import reshaped
from prototxt_gen.layers.affine import Scale
from prototxt_gen.layers.arrange import Tile
from prototxt_gen.layers.batch_norm import BatchNorm
from prototxt_gen.layers.combine import Eltwise
from prototxt_gen.layers.elementwise import Power
from prototxt_gen.layers.normalization import MVN
from prototxt_gen.layers.pooling import AVE, Pooling

PROD = Symbol("PROD")


@rule("BatchNormalization")
def batch_norm(lifting: Lifting, op: Op) -> Made:
    """BatchNorm, then Scale, which has the operator's name."""
    found = BatchNorm.with_statistics(op)
    blob = lifting.net.add(found.layer, [lifting.bottom(op)], found.blobs, "norm")
    scale, bias = op.need_constant(1, "scales"), op.need_constant(2, "biases")
    return lifting.net.add(Scale(bias_term=True), [blob], (scale, bias))


@rule("InstanceNormalization")
def instance_norm(lifting: Lifting, op: Op) -> Made:
    """Each channel of each image by itself."""
    blob = lifting.bottom(op)
    factor, shift = op.need_constant(1, "scales"), op.need_constant(2, "biases")
    groups = (*blob.shape[:2], prod(blob.shape[2:]), 1)
    ones = (1,) * (len(blob.shape) - 2)
    affine = (factor.reshape(-1, *ones), shift.reshape(-1, *ones))
    return _normalized(lifting.net, blob, groups, op.attribute("epsilon", 1e-5), affine)


@rule("GroupNormalization")
def group_norm(lifting: Lifting, op: Op) -> Made:
    """Each group of channels of each image by itself."""
    blob, groups = lifting.bottom(op), op.attribute("num_groups")
    factor, shift = op.need_constant(1, "scales"), op.need_constant(2, "biases")
    picture = (blob.shape[0], groups, prod(blob.shape[1:]) // groups, 1)
    ones = (1,) * (len(blob.shape) - 2)
    affine = (factor.reshape(-1, *ones), shift.reshape(-1, *ones))
    return _normalized(lifting.net, blob, picture, op.attribute("epsilon", 1e-5), affine)


@rule("LayerNormalization", "RMSNormalization")
def layer_norm(lifting: Lifting, op: Op) -> Made:
    """The last axes of each position; RMSNormalization keeps the mean."""
    if len([name for name in op.outputs if name]) > 1:
        raise UnsupportedError("its statistics are read as well; expected the first output alone")
    blob = lifting.bottom(op)
    axis = op.attribute("axis", -1) % len(blob.shape)
    factor = op.need_constant(1, "scales") if op.has(1) else np.ones((), np.float32)
    shift = op.need_constant(2, "biases") if op.has(2) else None
    rows, eps = _rows(blob.shape, axis), op.attribute("epsilon", 1e-5)
    centred = op.op_type == "LayerNormalization"
    return _normalized(lifting.net, blob, rows, eps, (factor, shift), centred=centred)


@rule("MeanVarianceNormalization")
def mean_variance(lifting: Lifting, op: Op) -> Made:
    """What is no MVN: over other axes."""
    axes = op.attribute("axes", [0, 2, 3])
    raise UnsupportedError(
        f"it works over the axes {', '.join(map(str, axes))} of {len(op.shape())}; MVN of Caffe "
        "works over 2, 3 or 1, 2, 3 of 4"
    )


@rule("Centre")
def centre(lifting: Lifting, op: Op) -> Made:
    """x - mean, over the last axes."""
    blob = lifting.bottom(op)
    x = reshaped(lifting.net, blob, _rows(blob.shape, op.attribute("axes")[0]), "rows")
    made = lifting.net.add(MVN(normalize_variance=False), [x], (), "centred")
    return reshaped(lifting.net, made, blob.shape)


@rule("Standardize")
def standardize(lifting: Lifting, op: Op) -> Made:
    """(x - mean) / sqrt(variance + eps) * factor + shift over the last axes.

    With eps added to the root instead it is MVN.
    """
    blob = lifting.bottom(op)
    if op.attribute("deviation"):
        x = reshaped(lifting.net, blob, _rows(blob.shape, op.attribute("axes")[0]), "rows")
        made = lifting.net.add(MVN(eps=op.attribute("epsilon")), [x], (), "normal")
        return reshaped(lifting.net, made, blob.shape)
    factor = op.need_constant(1, "scales") if op.has(1) else np.ones((), np.float32)
    rows = _rows(blob.shape, op.attribute("axes")[0])
    centred = op.attribute("centred", True)
    eps, affine = op.attribute("epsilon"), (factor, op.constant(2))
    return _normalized(lifting.net, blob, rows, eps, affine, centred=centred)


@rule("LpNormalization")
def lp_norm(lifting: Lifting, op: Op) -> Made:
    """x / its length along an axis."""
    kind = "ASUM" if op.attribute("p", 2) == 1 else "SUMSQ"
    blob = lifting.bottom(op)
    # Zeros have the length 0, and stay zeros in ONNX: so they do with the least of shifts.
    axes = [op.attribute("axis", -1) % len(blob.shape)]
    return _by_length(lifting.net, blob, axes, 1e-37, kind=kind)


@rule("Normalize")
def normalize(lifting: Lifting, op: Op) -> Made:
    """SSD's Normalize, composed for a Caffe without it."""
    blob, factor = lifting.bottom(op), op.need_constant(1, "scales")
    made = _by_length(lifting.net, blob, op.attribute("axes"), op.attribute("epsilon"), "unit")
    return scaled(lifting.net, made, factor, None)


def _by_length(
    net: Net, blob: Blob, axes: Sequence[int], eps: float, suffix: str = "", kind: str = "SUMSQ"
) -> Blob:
    """x / sqrt(sum of squares + eps), or x / (sum of magnitudes + eps)."""
    kept = tuple(1 if axis in axes else dim for axis, dim in enumerate(blob.shape))
    total = reduced(net, blob, kind, axes, kept, "total")
    power = -0.5 if kind == "SUMSQ" else -1.0
    factors = net.add(Power(power, shift=eps), [total], (), "factor")
    return _times(net, blob, factors, axes, suffix)


def _rows(shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    """The picture, (N, G, K, 1), whose rows are the axes from one on."""
    batch = shape[:1] if axis else (1,)
    return (*batch, prod(shape[1:axis]), prod(shape[axis:]), 1)


def _normalized(
    net: Net,
    blob: Blob,
    groups: tuple[int, ...],
    eps: float,
    affine: tuple[Array, Array | None],
    *,
    centred: bool = True,
) -> Blob:
    """Each row of the picture ``groups``, (N, G, K, 1), by itself, then factor and shift."""
    factor, shift = affine
    plain = bool((factor == 1).all()) and (shift is None or not shift.any())
    whole = blob.shape
    if len(whole) == 4 and whole[:2] == groups[:2]:
        groups = whole  # a picture already
    x = reshaped(net, blob, groups, "groups")
    if centred:
        x = net.add(MVN(normalize_variance=False), [x], (), "centred")
    square = net.add(Power(2.0), [x], (), "square")
    variance = net.add(Pooling(AVE, global_pooling=True), [square], (), "variance")
    factors = net.add(Power(-0.5, shift=eps), [variance], (), "factor")
    flat = reshaped(net, factors, groups[:2], "factors")
    last = "" if plain and groups == whole else "normal"
    y = reshaped(net, net.add(Scale(axis=0), [x, flat], (), last), whole, "" if plain else "whole")
    return y if plain else scaled(net, y, factor, shift)


def scaled(net: Net, blob: Blob, factor: Array, shift: Array | None, suffix: str = "") -> Blob:
    """A blob times one constant plus another, both as ONNX broadcasts them."""
    rank = len(blob.shape)
    both = [
        one.reshape((1,) * (rank - one.ndim) + one.shape)
        for one in (factor, shift)
        if one is not None
    ]
    wide = [axis for axis in range(rank) if any(one.shape[axis] != 1 for one in both)]
    if not wide:
        numbers = [number(one.flat[0]) for one in both]
        return net.add(Power(1.0, *numbers), [blob], (), suffix)
    start, stop = wide[0], wide[-1] + 1
    blobs = [
        np.broadcast_to(one.reshape(one.shape[start:stop]), blob.shape[start:stop]) for one in both
    ]
    return net.add(Scale(shift is not None, start, stop - start), [blob], blobs, suffix)


def _times(net: Net, blob: Blob, factors: Blob, axes: Sequence[int], suffix: str = "") -> Blob:
    """A blob times factors whose size along some axes is 1."""
    if list(axes) == list(range(axes[0], len(blob.shape))):
        flat = reshaped(net, factors, blob.shape[: axes[0]], "factors")
        return net.add(Scale(axis=0), [blob, flat], (), suffix)
    for axis in axes:
        if blob.shape[axis] > 1:
            factors = net.add(Tile(axis, blob.shape[axis]), [factors], (), f"tile{axis}")
    return net.add(Eltwise(PROD), [blob, factors], (), suffix)
