"""Reorderings of channels and pixels: a fork's layer, else a convolution that picks one value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from prototxt_gen.errors import ShapeError
from prototxt_gen.from_onnx.lifting import Lifting, Made, rule
from prototxt_gen.from_onnx.model import Op
from prototxt_gen.from_onnx.net import Blob, Net
from prototxt_gen.from_onnx.pixels import Moves, darknet_stride, moves
from prototxt_gen.from_onnx.rules.windows import reshaped
from prototxt_gen.from_onnx.target import Target
from prototxt_gen.layers.base import Layer
from prototxt_gen.layers.convolution import Convolution
from prototxt_gen.layers.deconvolution import Deconvolution
from prototxt_gen.layers.parts.window import collapse
from prototxt_gen.layers.rearrange import Reorg, ShuffleChannel

Array = np.ndarray[Any, np.dtype[Any]]


@rule("DepthToSpace", "SpaceToDepth", "Rearrange")
def rearranged(lifting: Lifting, op: Op) -> Made:
    """ShuffleChannel or Reorg, else a Convolution or Deconvolution with a single 1 per output."""
    before, x = op.shape()[1:], lifting.bottom(op)
    source = op.attribute("source")
    if source is None:
        source = _source(op, before)
    layer = _fork(lifting.target, before, source)
    if layer is not None:
        return lifting.net.add(layer, [x])
    if stride := darknet_stride(before, source):
        return _darknet(lifting.net, x, stride)
    found = moves(before, source)
    if found is None:
        return None
    made, weight = _wider(found, before[0]) if found.wider else _deeper(found, before[0])
    return lifting.net.add(made, [x], (weight,))


def _darknet(net: Net, x: Blob, stride: int) -> Blob:
    """YOLOv2's reorg: Convolution between the shapes that its order is plain in."""
    batch, channels, height, width = x.shape
    few, square = channels // (stride * stride), stride * stride
    large = reshaped(net, x, (batch, few, height * stride, width * stride), "large")
    rows, columns, channel = np.indices((stride, stride, few)).reshape(3, -1)
    table = np.stack([channel, rows, columns], axis=1)
    layer, weight = _deeper(Moves(table, (stride, stride), False), few)
    y = net.add(layer, [large], (weight,), "pixels")
    return reshaped(net, y, (batch, channels * square, height // stride, width // stride))


def _source(op: Op, before: Sequence[int]) -> Array:
    """Where the values of DepthToSpace and SpaceToDepth come from."""
    channels, height, width = before
    places, block = np.arange(channels * height * width), op.attribute("blocksize")
    if op.op_type == "SpaceToDepth":
        cut = places.reshape(channels, height // block, block, width // block, block)
        return cut.transpose(2, 4, 0, 1, 3).reshape(op.top_shape()[1:])
    each = channels // (block * block)
    if op.attribute("mode", "DCR") == "DCR":
        cut = places.reshape(block, block, each, height, width).transpose(2, 3, 0, 4, 1)
    else:
        cut = places.reshape(each, block, block, height, width).transpose(0, 3, 1, 4, 2)
    return cut.reshape(op.top_shape()[1:])


def _fork(target: Target, before: Sequence[int], source: Array) -> Layer | None:
    """The layer of a fork that has the same order."""
    (channels, height, _), after = before, source.shape
    known: list[Layer] = []
    if target.has("ShuffleChannel") and after == tuple(before):
        known += [ShuffleChannel(g) for g in range(2, channels) if channels % g == 0]
    stride = max(height, after[1]) // min(height, after[1])
    if target.has("Reorg") and stride > 1:
        known.append(Reorg(stride, after[1] > height))
    places = np.arange(source.size).reshape(1, *before)
    return next((one for one in known if _same(one, places, source)), None)


def _same(layer: Layer, places: Array, source: Array) -> bool:
    try:
        return np.array_equal(layer.run([places], (), 1)[0][0], source)
    except ShapeError:
        return False


def _wider(found: Moves, channels: int) -> tuple[Layer, Array]:
    """Pixels from channels; a group for each output where its channels lie together."""
    outputs, rows, columns = found.table.shape
    each = rows * columns
    group = outputs if (found.table // each == np.arange(outputs)[:, None, None]).all() else 1
    weight = np.zeros((channels, outputs // group, rows, columns), np.float32)
    for output, row, column in np.ndindex(*found.table.shape):
        weight[found.table[output, row, column], output if group == 1 else 0, row, column] = 1
    layer = Deconvolution(
        outputs,
        collapse(found.factors),
        stride=collapse(found.factors),
        group=group,
        bias_term=False,
    )
    return layer, weight


def _deeper(found: Moves, channels: int) -> tuple[Layer, Array]:
    """Channels from pixels; a group for each channel where its outputs lie together."""
    outputs, each = len(found.table), len(found.table) // channels
    groups = channels if (found.table[:, 0] == np.arange(outputs) // each).all() else 1
    weight = np.zeros((outputs, channels // groups, *found.factors), np.float32)
    for output, (channel, row, column) in enumerate(found.table):
        weight[output, channel if groups == 1 else 0, row, column] = 1
    layer = Convolution(
        outputs,
        collapse(found.factors),
        stride=collapse(found.factors),
        group=groups,
        bias_term=False,
    )
    return layer, weight
