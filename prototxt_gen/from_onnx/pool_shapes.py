"""The sizes of pools that round up.

A window that would begin behind the image and the pad in front of it is left out, as ONNX's
documentation says, and onnxruntime and PyTorch do; onnx's inference of shapes counts it.
"""

from __future__ import annotations

from collections.abc import Sequence

from onnx import NodeProto, helper


def without_empty_windows(
    node: NodeProto, before: Sequence[int | None], after: Sequence[int | None]
) -> list[int | None]:
    """The shape of a pool's output, given that of its input, and what onnx makes of it."""
    values = {one.name: helper.get_attribute_value(one) for one in node.attribute}
    if not node.op_type.endswith("Pool") or not values.get("ceil_mode") or None in before:
        return list(after)
    axes = len(before) - 2
    strides, pads = values.get("strides", [1] * axes), values.get("pads", [0] * 2 * axes)
    found = list(after)
    for axis, size in enumerate(before[2:]):
        last = found[2 + axis]
        if size is not None and last is not None:
            room = size + pads[axis]
            found[2 + axis] = last - ((last - 1) * strides[axis] >= room)
    return found
