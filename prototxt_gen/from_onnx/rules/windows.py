"""Convolutions whose pads differ at the two ends of an axis, which Caffe's cannot.

A convolution with a pad p >= begin, where p - begin is a multiple of the stride, has all the
windows that are wanted, with others before and after them, which are cut off.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from prototxt_gen.errors import UnsupportedError
from prototxt_gen.from_onnx.lifting import Lifting, Made, rule
from prototxt_gen.from_onnx.model import Op
from prototxt_gen.from_onnx.net import Blob, Net
from prototxt_gen.from_onnx.rules.shapes import sliced
from prototxt_gen.layers.convolution import Convolution
from prototxt_gen.layers.deconvolution import Deconvolution
from prototxt_gen.layers.parts.onnx_windows import Span, spans, spreads
from prototxt_gen.layers.reshape import Reshape

Array = np.ndarray[Any, np.dtype[Any]]


@rule("Conv")
def convolution(lifting: Lifting, op: Op) -> Made:
    """Convolution with more pad, and Slice."""
    weight = op.need_constant(1, "weights")
    found = spans(op, weight.shape[2:], op.shape()[2:])
    leads = [_lead(span) for span in found]
    pads = [span.begin + lead * span.stride for span, lead in zip(found, leads, strict=True)]
    layer, blobs, _ = Convolution.lifted(op, weight, pads)
    whole = lifting.net.add(layer, [lifting.bottom(op)], blobs, suffix="whole")
    return cut(lifting.net, whole, 2, leads, [span.out for span in found])


def _lead(span: Span) -> int:
    """The fewest windows in front with which there are enough at the end."""
    lead = 0
    while True:
        pad = span.begin + lead * span.stride
        if span._replace(begin=pad, end=pad).out >= lead + span.out and pad >= 0:
            return lead
        lead += 1


@rule("ConvTranspose")
def transposed(lifting: Lifting, op: Op) -> Made:
    """Deconvolution and Slice; zeros that follow come from taps of the kernel that are zero."""
    found = spreads(op, op.need_constant(1, "weights").shape[2:], op.shape()[2:])
    if any(one.out < 1 for one in found):
        raise UnsupportedError("its pads leave nothing of its output; use smaller pads")
    weight = op.need_constant(1, "weights")
    wide = [(0, 0), (0, 0), *((0, -(min(0, one.end) // one.span.dilation)) for one in found)]
    weight = np.pad(weight, wide)
    wider = [
        one._replace(span=one.span._replace(kernel=kernel))
        for one, kernel in zip(found, weight.shape[2:], strict=True)
    ]
    pads = [min(one.begin, one.end) for one in wider]
    layer, blobs, _ = Deconvolution.lifted(op, weight, pads)
    whole = lifting.net.add(layer, [lifting.bottom(op)], blobs, suffix="whole")
    starts = [one.begin - pad for one, pad in zip(wider, pads, strict=True)]
    return cut(lifting.net, whole, 2, starts, [one.out for one in found])


def cut(
    net: Net, blob: Blob, axis: int, starts: Sequence[int], sizes: Sequence[int], name: str = ""
) -> Blob:
    """A part of a blob, by a Slice for each axis from ``axis`` on where something goes."""
    wanted = [
        (at, start, size)
        for at, (start, size) in enumerate(zip(starts, sizes, strict=True), axis)
        if size != blob.shape[at]
    ]
    for at, start, size in wanted:
        if size < 1 or start < 0 or start + size > blob.shape[at]:
            raise UnsupportedError("its pads leave nothing of its output; use smaller pads")
        suffix = name if (at, start, size) == wanted[-1] else f"{name}axis{at}"
        blob = sliced(net, blob, at, start, start + size, suffix)
    return blob


def reshaped(net: Net, blob: Blob, shape: Sequence[int], suffix: str = "") -> Blob:
    """The same values in another shape; the batch is copied where it stays."""
    if tuple(shape) == blob.shape:
        return blob
    dims = [0 if (at, size) == (0, blob.shape[0]) else size for at, size in enumerate(shape)]
    return net.add(Reshape(tuple(dims)), [blob], suffix=suffix)
