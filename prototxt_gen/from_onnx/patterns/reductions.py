"""Reductions with a factor, places in a reversed axis, and rows that are not 0."""

from __future__ import annotations

from prototxt_gen.from_onnx.model import Op
from prototxt_gen.from_onnx.patterns import View, pattern
from prototxt_gen.layers.parts.onnx_operands import reduced_axes

_SUMS = ("ReduceSum", "ReduceMean", "ReduceL1", "ReduceSumSquare")


@pattern("Mul")
def times_number(op: Op, view: View) -> Op | None:
    """A sum over the last axes, which are not kept, times a number."""
    for index in (0, 1):
        total, factor = view.inner(op.inputs[index], *_SUMS), view.scalar(op.inputs[1 - index])
        if total is None or factor is None or total.attribute("keepdims", 1):
            continue
        known, rank = op.constant(1 - index), len(total.shape())
        axes = reduced_axes(total, rank)
        narrow = known is not None and known.ndim <= len(total.top_shape())
        if not narrow or "coeff" in total.attributes:
            continue
        if axes and axes == list(range(axes[0], rank)):
            attributes = {**total.attributes, "coeff": factor}
            return op.instead(total.op_type, total.inputs, attributes, name=total.name)
    return None


@pattern("ReduceSum")
def absolute(op: Op, view: View) -> Op | None:
    """The sum of absolute values over the last axes, which are not kept, but not all axes."""
    values, rank = view.part(op.inputs[0], "Abs"), len(op.shape())
    if values is None or op.attribute("keepdims", 1):
        return None
    axes = reduced_axes(op, rank)
    if not axes or axes != list(range(axes[0], rank)):
        return None
    attributes = {**op.attributes, "axes": axes}
    return op.instead("ReduceL1", values.inputs, attributes)


@pattern("Cast")
def last_places(op: Op, view: View) -> Op | None:
    """n - 1 - TopK(x back to front), and as a float: the places as Caffe orders them."""
    rest = view.inner(op.inputs[0], "Sub")
    top = view.maker(rest.inputs[1], "TopK") if rest is not None else None
    back = view.maker(top.inputs[0], "Slice") if top is not None else None
    if rest is None or top is None or back is None or top.outputs[1] != rest.inputs[1]:
        return None
    axis = top.attribute("axis", -1) % len(top.shape())
    if view.scalar(rest.inputs[0]) != top.shape()[axis] - 1 or not _is_reversed(back, axis):
        return None
    if not top.attribute("largest", 1):
        return None
    if view.readers(top.outputs[1]) != [rest] or view.is_output(top.outputs[1]):
        return None
    # The values, where they are read, are the same without the reversal.
    inputs = [back.inputs[0], *top.inputs[1:]]
    view.replace(top, top.instead("TopK", inputs, top.attributes))
    attributes = {"axis": axis, "top_k": top.setting("k", 1)[0]}
    return op.instead("LastPlaces", back.inputs[:1], attributes)


@pattern("TopK")
def values_of_reversed(op: Op, view: View) -> Op | None:
    """The greatest values of an axis back to front are those of the axis."""
    back = view.maker(op.inputs[0], "Slice")
    axis = op.attribute("axis", -1) % len(op.shape())
    if len(op.outputs) < 2 or back is None or not _is_reversed(back, axis):
        return None
    if view.readers(op.outputs[1]) or view.is_output(op.outputs[1]):
        return None
    inputs = [back.inputs[0], *op.inputs[1:]]
    return op.instead("TopK", inputs, op.attributes)


@pattern("Gather", "Compress")
def rows_not_zero(op: Op, view: View) -> Op | None:
    """Compress(x, Not(selector == 0)), or Cast(selector) to a truth value, along axis 0.

    The same as Gather(x, NonZero of that as a list).
    """
    name = op.inputs[1]
    if op.attribute("axis", 0 if op.op_type == "Gather" else None) != 0:
        return None
    if op.op_type == "Gather":
        places = view.maker(name, "Reshape", "Squeeze")
        places = view.maker(places.inputs[0], "NonZero") if places is not None else None
        if places is None or len(places.shape()) != 1:
            return None
        name = places.inputs[0]
    condition = view.maker(name, "Not", "Cast")
    if condition is None:
        return None
    name = condition.inputs[0]
    if condition.op_type == "Not":
        equal = view.maker(name, "Equal")
        if equal is None or view.scalar(equal.inputs[1]) != 0:
            return None
        name = equal.inputs[0]
    flat = view.maker(name, "Reshape")
    if flat is not None and all(dim == 1 for dim in flat.shape()[1:]):
        name = flat.inputs[0]
    return op.instead("Filter", [op.inputs[0], name])


def _is_reversed(cut: Op, axis: int) -> bool:
    """Whether a Slice turns one whole axis back to front."""
    given = [cut.constant(index) for index in range(1, 5)]
    if any(value is None or value.size != 1 for value in given):
        return False
    start, end, where, step = (int(value.flat[0]) for value in given if value is not None)
    size, rank = cut.shape()[axis], len(cut.shape())
    return step == -1 and where % rank == axis and range(size)[start:end:step] == range(size)[::-1]
