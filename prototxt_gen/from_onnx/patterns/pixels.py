"""Channels shuffled, and pixels made of channels, by Reshape, Transpose and Reshape."""

from __future__ import annotations

from math import prod

import numpy as np

from prototxt_gen.errors import UnsupportedError
from prototxt_gen.from_onnx.model import Op
from prototxt_gen.from_onnx.patterns import View, pattern
from prototxt_gen.from_onnx.pixels import darknet_stride, moves


@pattern("Reshape")
def rearranged(op: Op, view: View) -> Op | None:
    """Reshape(Transpose(Reshape(x))), where it reorders each image by blocks of pixels."""
    turned = view.maker(op.inputs[0], "Transpose")
    first = view.maker(turned.inputs[0], "Reshape") if turned else None
    if turned is None or first is None:
        return None
    try:
        old, new = first.shape(), op.top_shape()
        inner = turned.shape()
    except UnsupportedError:
        return None
    order = turned.attribute("perm", list(range(len(inner)))[::-1])
    if len(old) != 4 or len(new) != 4 or (inner[0], order[0], new[0]) != (old[0], 0, old[0]):
        return None
    places = np.arange(prod(inner[1:])).reshape(inner[1:])
    source = places.transpose([axis - 1 for axis in order[1:]]).reshape(new[1:])
    if moves(old[1:], source) is None and darknet_stride(old[1:], source) is None:
        return None
    attributes = {"source": source}
    return op.instead("Rearrange", [first.inputs[0]], attributes)
