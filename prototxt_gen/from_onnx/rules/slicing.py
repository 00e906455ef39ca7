"""Parts of blobs: cut out, selected by index, put together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from prototxt_gen.errors import UnsupportedError
from prototxt_gen.from_onnx.lifting import Lifting, Made, rule
from prototxt_gen.from_onnx.model import Op
from prototxt_gen.from_onnx.net import Blob
from prototxt_gen.from_onnx.rules.shapes import picked, reshaped, sliced
from prototxt_gen.layers.combine import Concat, Slice
from prototxt_gen.layers.pooling import MAX, Pooling

_INPUTS_SINCE = 10  #: the opset in which Slice's attributes became inputs
_PICTURE = 4  #: the axes of what Pooling takes
_NONE = {
    "NonZero": "how many values it finds depends on the data; a blob of Caffe has a fixed size",
    "Compress": "it keeps rows by a condition other than that a computed value is not 0",
    "Unique": "how many values it finds depends on the data; expected a fixed size",
    "GatherElements": "no layer of Caffe selects another value for each place",
    "GatherND": "no layer of Caffe selects by several indices",
    "ScatterElements": "no layer of Caffe writes into a blob by index",
    "ScatterND": "no layer of Caffe writes into a blob by index",
    "OneHot": "no layer of Caffe makes a 1 at an index; an Embed with an identity matrix does",
    "ReverseSequence": "its lengths may differ for each sequence; expected Slice with step -1",
    "NonMaxSuppression": "how many boxes it finds depends on the data; end the model before it",
}


@rule(*_NONE)
def none(lifting: Lifting, op: Op) -> Made:
    """Nothing in Caffe does what these do."""
    raise UnsupportedError(_NONE[op.op_type])


@rule("Concat")
def concat(lifting: Lifting, op: Op) -> Made:
    """Concat of what is not empty; one blob is itself."""
    axis = op.attribute("axis") % len(op.top_shape())
    full = [index for index in range(len(op.inputs)) if op.shape(index)[axis]]
    bottoms = [lifting.bottom(op, index) for index in full]
    return bottoms[0] if len(bottoms) == 1 else lifting.net.add(Concat(axis), bottoms)


@rule("Split")
def split(lifting: Lifting, op: Op) -> Made:
    """Slice; parts that are not named are made all the same."""
    bottom = lifting.bottom(op)
    if len(op.outputs) == 1:
        return bottom
    axis = op.attribute("axis", 0) % len(bottom.shape)
    asked = op.setting("split", 1, None)
    sizes = asked or [op.top_shape(0)[axis]] * (len(op.outputs) - 1)
    points = np.cumsum(sizes)[: len(op.outputs) - 1].tolist()
    return lifting.net.add_all(Slice(tuple(points), axis), [bottom], len(op.outputs))


@rule("Slice")
def cut(lifting: Lifting, op: Op) -> Made:
    """Slice, one axis after another; with steps over a picture Pooling, else also Concat."""
    blob = lifting.bottom(op)
    ranges = [(axis, rows) for axis, rows in _ranges(op) if rows != range(op.shape()[axis])]
    strided = [axis for axis, rows in ranges if rows.step > 1 and len(rows) > 1]
    pools = len(blob.shape) == _PICTURE and strided and set(strided) <= {2, 3}
    for number, (axis, rows) in enumerate(ranges):
        last = number == len(ranges) - 1 and not pools
        suffix = "" if last else f"axis{axis}"
        if pools and axis in strided:
            blob = sliced(lifting.net, blob, axis, rows[0], rows[-1] + 1, suffix)
        else:
            blob = picked(lifting.net, blob, axis, rows, suffix)
    return _every(lifting, blob, dict(ranges)) if pools else blob


def _every(lifting: Lifting, blob: Blob, ranges: dict[int, range]) -> Blob:
    """Every so many rows and columns, from the first through the last."""
    steps = tuple(
        rows.step if (rows := ranges.get(axis)) and len(rows) > 1 and rows.step > 1 else 1
        for axis in (2, 3)
    )
    stride = steps[:1] if steps[0] == steps[1] else steps
    return lifting.net.add(Pooling(MAX, (1,), stride), [blob])


def _ranges(op: Op) -> list[tuple[int, range]]:
    """Which rows of which axes a Slice keeps."""
    shape = op.shape()
    if op.opset < _INPUTS_SINCE:
        starts, ends = op.attribute("starts"), op.attribute("ends")
        axes = op.attribute("axes")
        steps = None
    else:
        starts = op.need_constant(1, "starts").reshape(-1).tolist()
        ends = op.need_constant(2, "ends").reshape(-1).tolist()
        axes = op.need_constant(3, "axes").reshape(-1).tolist() if op.has(3) else None
        steps = op.need_constant(4, "steps").reshape(-1).tolist() if op.has(4) else None
    axes = list(range(len(starts))) if axes is None else [axis % len(shape) for axis in axes]
    found = zip(axes, starts, ends, steps or [1] * len(axes), strict=True)
    return sorted(
        ((axis, range(shape[axis])[start:end:step]) for axis, start, end, step in found),
        key=lambda one: one[0],
    )


@rule("Gather")
def gather(lifting: Lifting, op: Op) -> Made:
    """Slice and Concat by constant indices; a row alone loses its axis."""
    shape = op.shape()
    axis = op.attribute("axis", 0) % len(shape)
    indices = op.constant(1)
    if indices is None:
        return _computed(lifting, op, axis)
    blob = lifting.bottom(op)
    rows = [int(index) % shape[axis] for index in indices.reshape(-1)]
    wanted = op.top_shape()
    same = tuple(len(rows) if i == axis else dim for i, dim in enumerate(shape)) == wanted
    blob = picked(lifting.net, blob, axis, rows, "" if same else "rows")
    return reshaped(lifting.net, blob, wanted)


def _computed(lifting: Lifting, op: Op, axis: int) -> Made:
    """Rows of a table of any shape, as a matrix, by computed indices."""
    table = op.constant(0)
    if table is None or axis != 0:
        raise UnsupportedError(
            "it selects by computed indices; expected a constant table, or rows by a list of "
            "indices, along axis 0"
        )
    from prototxt_gen.layers.dense import Embed

    matrix = np.ascontiguousarray(table.reshape(table.shape[0], -1))
    layer = Embed(matrix.shape[1], matrix.shape[0], bias_term=False)
    blob = lifting.net.add(layer, [lifting.bottom(op, 1)], (matrix,), "rows")
    return reshaped(lifting.net, blob, op.top_shape())


def rows_in_reverse(lifting: Lifting, blob: Blob, axis: int, suffix: str) -> Blob:
    """An axis back to front."""
    order: Sequence[int] = range(blob.shape[axis])[::-1]
    return picked(lifting.net, blob, axis, order, suffix)
