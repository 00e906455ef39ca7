"""What a Pad adds to each axis of its input."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from prototxt_gen.errors import UnsupportedError
from prototxt_gen.from_onnx.model import Op


class Padding(NamedTuple):
    """How many values each axis gets in front and behind, below 0 to cut; and which."""

    begins: tuple[int, ...]
    ends: tuple[int, ...]
    value: float
    mode: str

    def around(self, rank: int) -> list[int] | None:
        """The pads of the spatial axes, begins first; None if others are padded or some cut."""
        if len(self.begins) != rank or any((*self.begins[:2], *self.ends[:2])):
            return None
        found = [*self.begins[2:], *self.ends[2:]]
        return found if min(found, default=0) >= 0 else None


def padding(op: Op) -> Padding:
    """The pads of a Pad, given as attributes up to opset 10, else as inputs.

    Raises UnsupportedError if they are computed.
    """
    rank = len(op.shape())
    pads = [int(pad) for pad in np.ravel(op.setting("pads", 1))]
    value = op.attribute("value", 0.0)
    if op.has(2):
        value = float(op.need_constant(2, "values to pad with").flat[0])
    axes = list(range(rank))
    if op.has(3):
        axes = [int(axis) for axis in op.need_constant(3, "axes")]
    if len(pads) != 2 * len(axes):
        raise UnsupportedError(f"it has {len(pads)} pads for {len(axes)} axes; expected two each")
    begins, ends = [0] * rank, [0] * rank
    for index, axis in enumerate(axes):
        begins[axis], ends[axis] = pads[index], pads[len(axes) + index]
    return Padding(tuple(begins), tuple(ends), value, op.attribute("mode", "constant"))
