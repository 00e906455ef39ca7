"""Resize and Upsample, of any mode, as linear maps along each spatial axis.

A whole factor is a Deconvolution with a group for each channel, and a Scale where the border
needs it; aligned corners are an Interp where there is one; every n-th pixel is a Pooling with a
kernel of 1. Anything else is a product with a matrix along each axis: exact, but with more work.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any

import numpy as np

from prototxt_gen.errors import UnsupportedError
from prototxt_gen.from_onnx.lifting import Lifting, Made, rule
from prototxt_gen.from_onnx.model import Op
from prototxt_gen.from_onnx.net import Blob, Net
from prototxt_gen.from_onnx.resampling import Sampling, Taps, matrix, taps
from prototxt_gen.from_onnx.rules.pools import pooled_plane
from prototxt_gen.from_onnx.rules.windows import cut, reshaped
from prototxt_gen.layers.affine import Scale
from prototxt_gen.layers.convolution import Convolution
from prototxt_gen.layers.deconvolution import Deconvolution
from prototxt_gen.layers.dense import InnerProduct
from prototxt_gen.layers.parts.onnx_windows import Pooled, Span
from prototxt_gen.layers.parts.window import collapse
from prototxt_gen.layers.pooling import MAX
from prototxt_gen.layers.resize import Interp

Array = np.ndarray[Any, np.dtype[Any]]

_LARGEST = 1 << 24  #: the most numbers of a matrix that resizes an axis


@rule("Upsample", "Resize")
def resize(lifting: Lifting, op: Op) -> Made:
    """One of the forms above."""
    net, x = lifting.net, lifting.bottom(op)
    old, new, scales, how = op.shape(), op.top_shape(), _scales(op), _sampling(op)
    if old == new and all(scale == 1 for scale in scales):
        return x
    if old[:2] != new[:2] or len(old) < 3:
        raise UnsupportedError("it resizes the batch or the channels; expected spatial axes only")
    each = list(zip(old[2:], new[2:], scales[2:], strict=True))
    found = [one for size, out, scale in each if (one := taps(size, out, scale, how))]
    if len(found) == len(each):
        return _enlarged(net, x, found)
    aligned = how[:2] == ("linear", "align_corners")
    if aligned and len(old) == 4 and lifting.target.has("Interp"):
        return net.add(Interp(new[2], new[3]), [x])
    if len(old) > 4:
        raise UnsupportedError(
            "it resizes a volume by something other than whole factors; use whole factors"
        )
    if any(size * out > _LARGEST for size, out, _ in each):
        raise UnsupportedError("it resizes by other than whole factors what is too large for that")
    rows = [matrix(size, out, scale, how) for size, out, scale in each]
    if len(old) == 3:
        x, rows = reshaped(net, x, (*old, 1), "plane"), [*rows, np.eye(1)]
    y = _thinned(net, x, rows) or _multiplied(net, x, rows)
    return reshaped(net, y, new)


def _scales(op: Op) -> list[float]:
    """The factor of each axis."""
    rank, place = len(op.shape()), 1 if op.op_type == "Upsample" or op.opset < 11 else 2
    given: list[float] = np.ravel(op.setting("scales", place, [])).tolist()
    if not given:
        if op.attribute("keep_aspect_ratio_policy", "stretch") != "stretch":
            raise UnsupportedError("it keeps the aspect ratio; give the sizes that come out")
        return [new / old for old, new in zip(op.shape(), op.top_shape(), strict=True)]
    found = [1.0] * rank
    for axis, scale in zip(op.attribute("axes", range(rank)), given, strict=True):
        found[axis] = scale
    return found


def _sampling(op: Op) -> Sampling:
    """Where values are taken from; Upsample, and Resize of opset 10, have one way only."""
    mode = op.attribute("mode", "nearest")
    if op.opset < 11:
        nearest = "floor" if op.op_type == "Upsample" else "simple"
        return Sampling("linear" if "linear" in mode else mode, "asymmetric", nearest)
    if op.attribute("antialias", 0):
        raise UnsupportedError("antialias is set; expected 0, or a convolution that blurs")
    return Sampling(
        mode,
        op.attribute("coordinate_transformation_mode", "half_pixel"),
        op.attribute("nearest_mode", "round_prefer_floor"),
        op.attribute("cubic_coeff_a", -0.75),
        bool(op.attribute("exclude_outside", 0)),
    )


def _enlarged(net: Net, x: Blob, axes: Sequence[Taps]) -> Blob:
    """Deconvolution, and Scale where a row of it does not sum to 1."""
    channels = x.shape[1]
    kernel = reduce(np.multiply.outer, [one.kernel for one in axes])
    factors = reduce(np.multiply.outer, [one.factors for one in axes])
    plain = bool((factors == 1).all())
    layer = Deconvolution(
        channels,
        kernel=collapse(kernel.shape),
        pad=collapse(tuple(one.pad for one in axes)),
        stride=collapse(tuple(one.stride for one in axes)),
        group=channels,
        bias_term=False,
    )
    weight = np.tile(kernel, (channels, 1, *(1,) * len(axes)))
    y = net.add(layer, [x], (weight.reshape(channels, 1, *kernel.shape),), "" if plain else "taps")
    return y if plain else net.add(Scale(axis=2, num_axes=len(axes)), [y], (factors,))


def _thinned(net: Net, x: Blob, rows: Sequence[Array]) -> Blob | None:
    """Every n-th pixel of each axis from some pixel on; None if it is something else."""
    axes, starts = [], []
    for one in rows:
        places = one.argmax(axis=1)
        steps = set(np.diff(places).tolist()) or {1}
        if len(steps) > 1 or 0 in steps or (one.max(axis=1) != 1).any():
            return None
        start, step, out = int(places[0]), steps.pop(), len(places)
        # What is cut in front can be cut behind as well.
        size = (out - 1) * step + 1 if start or step == 1 else one.shape[1]
        starts.append(start)
        axes.append(Pooled(Span(size, 1, step), out))
    picked = any(one.span.stride > 1 for one in axes)
    x = cut(net, x, 2, starts, [one.span.size for one in axes], "first" if picked else "")
    return pooled_plane(net, x, MAX, axes, 1)[0] if picked else x


def _multiplied(net: Net, x: Blob, rows: Sequence[Array]) -> Blob:
    """The rows of each plane by a convolution whose channels they are, then the columns."""
    height, width = rows
    columns = width.shape[0] != width.shape[1] or bool((width != np.eye(len(width))).any())
    if height.shape[0] != height.shape[1] or (height != np.eye(len(height))).any():
        layer = Convolution(len(height), (1,), axis=2, bias_term=False)
        x = net.add(layer, [x], (height[..., None],), "rows" if columns else "")
    if columns:
        x = net.add(InnerProduct(len(width), bias_term=False, axis=3), [x], (width,))
    return x
