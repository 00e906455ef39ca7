"""Arithmetic that the numpy references of several layers share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from prototxt_gen._numpy import np

if TYPE_CHECKING:
    from prototxt_gen.layers.parts.facets import Before
    from prototxt_gen.layers.parts.protocols import Array

FLT_MAX = 3.4028234663852886e38
FLT_MIN = 1.1754943508222875e-38
_MUCH = 256  #: a larger pad that exceeds the blob is not materialized
LOG_THRESHOLD = 1e-20  #: kLOG_THRESHOLD of the losses that take a logarithm


def scaled(weight: Array, factor: Array) -> Array:
    """A weight times a factor that broadcasts, as float32; float64 is used bit by bit."""
    from prototxt_gen._deferred import mapped

    def times(values: Array, rows: slice) -> Array:
        found: Array = np.empty(values.shape, np.float32)
        own = factor[rows] if factor.ndim and len(factor) > 1 else factor
        with np.errstate(all="ignore"):
            return np.multiply(values, own, out=found, dtype=np.float64, casting="same_kind")

    return mapped(weight, np.float32, times)


def preceded(weight: Array, before: Before, group: int) -> tuple[Array, Array]:
    """A convolution's weight for what comes before its bottom, and what is added to its bias."""
    outputs, channels = weight.shape[:2]
    made = weight.astype(np.float64) * before.scale
    shift: Array = np.zeros(outputs)
    if before.mean is not None:
        means = np.repeat(before.mean.reshape(group, -1), outputs // group, axis=0)
        shift = -(made.reshape(outputs, channels, -1).sum(axis=2) * means).sum(axis=1)
    if before.order:
        made = made[:, np.argsort(before.order)]
    return np.ascontiguousarray(made, np.float32), shift


def windows(
    x: Array,
    kernel: Sequence[int],
    stride: Sequence[int],
    dilation: Sequence[int],
    out: Sequence[int],
    begin: Sequence[int],
    fill: float,
) -> Array:
    """The windows over the spatial axes of a blob, as (N, C, out..., kernel...).

    ``begin`` is the pad before each axis; values outside the blob are ``fill``.
    """
    pads = [(0, 0), (0, 0)]
    for size, k, s, d, o, b in zip(x.shape[2:], kernel, stride, dilation, out, begin, strict=True):
        needed = (o - 1) * s + d * (k - 1) + 1
        pads.append((b, max(0, needed - size - b)))
    if any(sum(pad) > max(size, _MUCH) for pad, size in zip(pads, x.shape, strict=True)):
        return _gathered(x, kernel, stride, dilation, out, begin, fill)
    padded = np.pad(x, pads, constant_values=fill)
    extent = tuple(d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True))
    axes = tuple(range(2, x.ndim))
    view = np.lib.stride_tricks.sliding_window_view(padded, extent, axes)
    steps = [slice(None, (o - 1) * s + 1, s) for o, s in zip(out, stride, strict=True)]
    taps = [slice(None, None, d or 1) for d in dilation]
    found: Array = view[(slice(None), slice(None), *steps, *taps)]
    # A dilation of 0 has all taps on one pixel.
    return np.broadcast_to(found, (*found.shape[: x.ndim], *kernel)) if 0 in dilation else found


def _gathered(
    x: Array,
    kernel: Sequence[int],
    stride: Sequence[int],
    dilation: Sequence[int],
    out: Sequence[int],
    begin: Sequence[int],
    fill: float,
) -> Array:
    """The same windows, value by value: for windows that are mostly outside the blob."""
    axes = x.ndim - 2
    for axis, (k, s, d, o, b) in enumerate(zip(kernel, stride, dilation, out, begin, strict=True)):
        at = 2 + 2 * axis
        size = x.shape[at]
        places = np.arange(o)[:, None] * s + np.arange(k) * d - b
        places = np.where((places >= 0) & (places < size), places, size)
        pads = [(0, int(index == at)) for index in range(x.ndim)]
        x = np.pad(x, pads, constant_values=fill).take(places, axis=at)
    order = (0, 1, *range(2, 2 + 2 * axes, 2), *range(3, 2 + 2 * axes, 2))
    return x.transpose(order)


def along(values: Array, axis: int, rank: int) -> Array:
    """A blob of factors, reshaped to broadcast over ``rank`` axes from ``axis`` on."""
    found: Array = values.reshape((1,) * axis + values.shape + (1,) * (rank - axis - values.ndim))
    return found


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)), without overflow."""
    found: Array = 0.5 * np.tanh(0.5 * x) + 0.5
    return found


def softmax(x: Array, axis: int) -> Array:
    """Positive values that sum to 1 along an axis."""
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    found: Array = e / e.sum(axis=axis, keepdims=True)
    return found


def convolved(seen: Array, weight: Array, group: int) -> Array:
    """Windows (N, C, out..., kernel...) times weights (O, C / group, kernel...)."""
    axes = weight.ndim - 2
    # (N, g, C / g, out..., kernel...) times (g, O / g, C / g, kernel...)
    seen = seen.reshape(seen.shape[0], group, -1, *seen.shape[2:])
    weight = weight.reshape(group, -1, *weight.shape[1:])
    summed = [1, *range(2 + axes, 2 + 2 * axes)]
    parts = [
        np.tensordot(seen[:, g], weight[g], (summed, list(range(1, weight.ndim - 1))))
        for g in range(group)
    ]
    return np.moveaxis(np.concatenate(parts, -1), -1, 1)
