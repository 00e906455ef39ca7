"""Pools whose windows are not those that Caffe has when it rounds up.

What a pool reads and divides by is counted for each window, in ONNX and in Caffe, and the
fewest layers are taken that give the same: another rounding where the target has the field,
more pad in front, a Slice that cuts what is too much, a Scale where the divisors differ. A mean
that no Pooling gives is a convolution with ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product
from math import prod
from typing import Any, NamedTuple

import numpy as np

from prototxt_gen.document import Symbol
from prototxt_gen.errors import UnsupportedError
from prototxt_gen.from_onnx.lifting import Lifting, Made, rule
from prototxt_gen.from_onnx.model import Op
from prototxt_gen.from_onnx.net import Blob, Net
from prototxt_gen.from_onnx.rules.windows import cut, reshaped
from prototxt_gen.from_onnx.target import Target
from prototxt_gen.layers.affine import Scale
from prototxt_gen.layers.convolution import Convolution
from prototxt_gen.layers.parts.onnx_windows import Pooled, Span, pooled
from prototxt_gen.layers.parts.window import collapse
from prototxt_gen.layers.pooling import AVE, FLOOR, MAX, STOCHASTIC, Pooling
from prototxt_gen.layers.rois import ROIPooling

Array = np.ndarray[Any, np.dtype[Any]]


class Plan(NamedTuple):
    """A Pooling, how many of its first windows are too many, and the factors of a mean."""

    layer: Pooling
    leads: tuple[int, ...]
    factors: Array | None
    layers: int


@rule("GlobalMaxPool", "GlobalAveragePool")
def of_all(lifting: Lifting, op: Op) -> Made:
    """Global pooling over the axes of a volume, or of a line, as those of a plane."""
    shape, mode = op.shape(), MAX if op.op_type == "GlobalMaxPool" else AVE
    if len(shape) < 3:
        return lifting.bottom(op)
    plane = (*shape[:2], prod(shape[2:-1]), shape[-1])
    x = reshaped(lifting.net, lifting.bottom(op), plane, "plane")
    y = lifting.net.add(Pooling(mode, global_pooling=True), [x], suffix="pool")
    return reshaped(lifting.net, y, op.top_shape())


@rule("MaxPool")
def greatest(lifting: Lifting, op: Op) -> Made:
    """Pooling MAX, one axis after the other for a volume; the second top is the mask."""
    axes = pooled(op)
    if any(one.span.dilation != 1 for one in axes):
        raise UnsupportedError(
            "its window has dilations, which no Caffe's Pooling has; use dilations of 1"
        )
    tops = len([name for name in op.outputs if name])
    if tops == 2 and len(axes) == 2:
        _need_plane(lifting, op)
        return pooled_plane(lifting.net, lifting.bottom(op), MAX, axes, 2)
    if tops == 2:
        raise UnsupportedError("the indices of its maxima are read; Caffe has them for planes only")
    x = _volume(lifting.net, lifting.bottom(op), axes)
    (x,) = pooled_plane(lifting.net, x, MAX, axes[-2:], 1)
    return reshaped(lifting.net, x, op.top_shape())


def _volume(net: Net, x: Blob, axes: Sequence[Pooled]) -> Blob:
    """The maxima along all but the last two axes, each with what follows it as one axis."""
    batch, front, *sizes = x.shape
    for at, one in enumerate(axes[:-2]):
        rest = prod(sizes[at + 1 :])
        x = reshaped(net, x, (batch, front, one.span.size, rest), f"axis{at}")
        (x,) = pooled_plane(net, x, MAX, [one, Pooled(Span(rest, 1), rest)], 1, f"pool{at}")
        front *= one.out
    return reshaped(net, x, (batch, front, *sizes[-2:]), "planes") if len(axes) > 2 else x


def _need_plane(lifting: Lifting, op: Op) -> None:
    """The indices may be read as those of a plane only, since these are what Caffe has."""
    if op.attribute("storage_order", 0):
        raise UnsupportedError("its indices go by columns (storage_order 1); expected 0")
    shape, name = op.shape(), op.outputs[1]
    modulo = all(plane_of(lifting, one) == op for one in lifting.readers(name))
    if name not in op.model.outputs and modulo:
        return
    if prod(shape[:2]) > 1:
        raise UnsupportedError(
            "the indices of its maxima are counted over the whole tensor, Caffe's mask over one "
            "plane; take them modulo height times width"
        )


def plane_of(lifting: Lifting, op: Op) -> Op | None:
    """The MaxPool whose indices an operator takes modulo the size of a plane."""
    divisor = op.constant(1) if op.op_type == "Mod" else None
    if divisor is None or divisor.size != 1:
        return None
    maker = lifting.maker(op.inputs[0])
    if maker is None or op.inputs[0] not in maker.outputs[1:]:
        return None
    if maker.op_type != "MaxPool" or len(maker.shape()) != 4:
        return None
    return maker if int(divisor.flat[0]) == prod(maker.shape()[2:]) else None


@rule("Mod")
def in_plane(lifting: Lifting, op: Op) -> Made:
    """Nothing: the mask of Pooling counts within a plane already."""
    return lifting.bottom(op) if plane_of(lifting, op) else None


@rule("StochasticPool")
def stochastic(lifting: Lifting, op: Op) -> Made:
    """Pooling STOCHASTIC, which Caffe has for planes and without pads."""
    axes = pooled(op)
    return pooled_plane(lifting.net, lifting.bottom(op), STOCHASTIC, axes, 1)[0]


@rule("AveragePool")
def mean(lifting: Lifting, op: Op) -> Made:
    """Pooling AVE of a plane or a line, a convolution of a volume."""
    axes, x, net = pooled(op), lifting.bottom(op), lifting.net
    dilated = any(one.span.dilation != 1 for one in axes)
    if dilated and op.attribute("auto_pad", "NOTSET") != "NOTSET":
        raise UnsupportedError("runtimes disagree on auto_pad with dilations; give it pads")
    if any(count < 1 for one in axes for count in one.counts()):
        raise UnsupportedError("a window lies outside of the image, and its mean is not defined")
    if len(axes) > 2:
        return _convolved(net, x, axes)
    if len(axes) == 1:
        axes.append(Pooled(Span(1, 1), 1))
        x = reshaped(net, x, (*x.shape, 1), "plane")
    y = pooled_plane(net, x, AVE, axes, 1)[0] if _plans(net.target, AVE, axes) else None
    y = y or _convolved(net, x, axes)
    return reshaped(net, y, op.top_shape())


def pooled_plane(
    net: Net, x: Blob, mode: Symbol, axes: list[Pooled], tops: int, suffix: str = ""
) -> list[Blob]:
    """A pool of a plane."""
    if len(axes) == 1:
        axes = [*axes, Pooled(Span(1, 1), 1)]
        x = reshaped(net, x, (*x.shape, 1), "plane")
    plans = _plans(net.target, mode, axes)
    if not plans:
        raise UnsupportedError(
            "no Pooling of Caffe has all of its windows: the pad that it needs in front would not "
            "be smaller than the kernel; pad by an operator of its own, or use a smaller pad"
        )
    plan = min(plans, key=lambda one: one.layers)
    found = []
    pool = f"{suffix}whole" if plan.layers > 1 else suffix
    for at, y in enumerate(net.add_all(plan.layer, [x], tops, suffix=pool)):
        part = "mask" if at else f"{suffix}cut" if plan.factors is not None else suffix
        y = cut(net, y, 2, plan.leads, [one.out for one in axes], part)
        if plan.factors is not None:
            y = net.add(Scale(axis=2, num_axes=2), [y], (plan.factors,), suffix)
        found.append(y)
    return found


def _plans(target: Target, mode: Symbol, axes: Sequence[Pooled]) -> list[Plan]:
    """The ways to make a pool of a plane, the plainest of equal ones first."""
    if any(one.span.dilation != 1 for one in axes):
        return []
    found = []
    sizes, out = [one.span.size for one in axes], [one.out for one in axes]
    for leads in product(*(range(_most(one) + 1) for one in axes)):
        pads = [one.lead + lead * one.span.stride for one, lead in zip(axes, leads, strict=True)]
        for layer in _rounded(target, Pooling.of(mode, axes, pads)):
            if any(layer.problems()):
                continue
            have = layer.windows(sizes)
            if any(h < o + lead for h, o, lead in zip(have, out, leads, strict=True)):
                continue
            counts = _counts(layer, axes, have, leads)
            if mode == AVE and any(count < 1 for each in counts for count in each):
                continue  # Caffe would divide 0 by 0
            factors = _factors(axes, counts) if mode == AVE else None
            cuts = len([1 for h, o in zip(have, out, strict=True) if h != o])
            found.append(Plan(layer, leads, factors, 1 + cuts + (factors is not None)))
    return found


def _most(axis: Pooled) -> int:
    """How many windows there can be in front: the pad must be smaller than the kernel."""
    return (axis.span.kernel - 1 - axis.lead) // axis.span.stride


def _rounded(target: Target, layer: Pooling) -> Iterator[Pooling]:
    """The pool, rounding up, and down where the target can."""
    yield layer
    if target.has_field("PoolingParameter", "round_mode"):
        yield replace(layer, round_mode=FLOOR)
    elif target.has_field("PoolingParameter", "ceil_mode"):
        yield replace(layer, round_mode=FLOOR, ceil_mode=True)


def _counts(
    layer: Pooling, axes: Sequence[Pooled], have: Sequence[int], leads: Sequence[int]
) -> list[list[int]]:
    """What Caffe divides by in the windows that are kept."""
    counts = layer.counts([one.span.size for one in axes], have)
    return [
        count[lead : lead + one.out] for one, count, lead in zip(axes, counts, leads, strict=True)
    ]


def _factors(axes: Sequence[Pooled], counts: Sequence[Sequence[int]]) -> Array | None:
    """What to multiply with where Caffe divides by another number; None if it never does."""
    found = [
        np.array(count) / np.array(one.counts()) for one, count in zip(axes, counts, strict=True)
    ]
    factors = np.outer(*found).astype(np.float32)
    return None if (factors == 1).all() else factors


def _convolved(net: Net, x: Blob, axes: Sequence[Pooled]) -> Blob:
    """A mean as the sum of its windows, by a convolution, over its divisors."""
    channels = x.shape[1]
    pads, leads = [], []
    for one in axes:
        lead = 0
        while _out(one, lead) < one.out + lead:
            lead += 1
        pads.append(one.lead + lead * one.span.stride)
        leads.append(lead)
    counts = [np.array(one.counts()) for one in axes]
    even = all(len(set(one.tolist())) == 1 for one in counts)
    kernel = [one.span.kernel for one in axes]
    weight = np.ones((channels, 1, *kernel), np.float32)
    layer = Convolution(
        channels,
        kernel=collapse(tuple(kernel)),
        pad=collapse(tuple(pads)),
        stride=collapse(tuple(one.span.stride for one in axes)),
        dilation=collapse(tuple(one.span.dilation for one in axes)),
        group=channels,
        bias_term=False,
    )
    if even:
        weight /= np.float32(prod(int(one[0]) for one in counts))
    whole = any(_out(one, lead) > one.out for one, lead in zip(axes, leads, strict=True))
    y = net.add(layer, [x], (weight,), suffix="sum" if whole or not even else "")
    y = cut(net, y, 2, leads, [one.out for one in axes], "" if even else "cut")
    if even:
        return y
    return net.add(Scale(axis=2, num_axes=len(axes)), [y], (_inverse(counts),))


def _inverse(counts: Sequence[Array]) -> Array:
    whole: Array = np.ones(())
    for one in counts:
        whole = np.multiply.outer(whole, one)
    return (1 / whole).astype(np.float32)


def _out(one: Pooled, lead: int) -> int:
    pad = one.lead + lead * one.span.stride
    return one.span._replace(begin=pad, end=pad).out


@rule("MaxRoiPool")
def regions(lifting: Lifting, op: Op) -> Made:
    """ROIPooling."""
    height, width = op.attribute("pooled_shape")
    layer = ROIPooling(height, width, op.attribute("spatial_scale", 1.0))
    return lifting.net.add(layer, [lifting.bottom(op, 0), lifting.bottom(op, 1)])


@rule("LpPool", "GlobalLpPool", "MaxUnpool", "RoiAlign", "GridSample", "Col2Im")
def refused(lifting: Lifting, op: Op) -> Made:
    """None of these: their reasons."""
    raise UnsupportedError(_REASONS[op.op_type])


_REASONS = {
    "LpPool": "Caffe's Pooling has no norm; use a mean of squares, or a maximum",
    "GlobalLpPool": "Caffe's Pooling has no norm; use a mean of squares, or a maximum",
    "MaxUnpool": "no target has a layer that puts maxima back; use a ConvTranspose, or a Resize",
    "RoiAlign": "no target's ROIAlign samples as ONNX does; end the net before it",
    "GridSample": "no layer of Caffe samples at computed places; end the net before it",
    "Col2Im": "no layer of Caffe adds columns to an image; use a ConvTranspose",
}
