"""The builder through which a layer's ``lower`` writes nodes and initializers.

Operators changed their form between opsets; the named methods write the form of the
requested opset, so that layers need not know.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from prototxt_gen._deferred import Deferred
from prototxt_gen.errors import UnsupportedError
from prototxt_gen.layers.parts.shapes import Shape

CONSTANT = "constant/"  #: what the names of constants begin with, which are no weights
_AXES_ARE_INPUTS = 13  #: of Squeeze, Unsqueeze, Split and ReduceSum
_REDUCE_AXES_ARE_INPUTS = 18  #: of the other reductions
_SOFTMAX_HAS_AN_AXIS = 13
_TYPES = {
    "float": TensorProto.FLOAT,
    "int64": TensorProto.INT64,
    "bool": TensorProto.BOOL,
    "double": TensorProto.DOUBLE,
}


class Builder:
    """Nodes and initializers, in order; ``layers.parts.protocols`` describes how layers use it."""

    def __init__(self, opset: int) -> None:
        self.opset = opset
        self.batch_input = ""  #: an input whose first dimension is the batch
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: dict[str, Any] = {}  #: arrays, some of them deferred
        self.layer = ""
        self.bottom_shapes: tuple[Shape, ...] = ()
        self.top_shapes: tuple[Shape, ...] = ()
        self.other_bottom_shapes: tuple[Shape, ...] = ()
        self.other_top_shapes: tuple[Shape, ...] = ()
        self._constants: dict[tuple[object, ...], str] = {}
        self._used: set[str] = set()
        self._last: dict[str, int] = {}

    def begin(
        self,
        layer: str,
        bottoms: tuple[tuple[Shape, ...], tuple[Shape, ...]],
        tops: tuple[tuple[Shape, ...], tuple[Shape, ...]],
    ) -> None:
        """Start a layer; each pair has the shapes at the requested batch, and at another."""
        self.layer = layer
        self.bottom_shapes, self.other_bottom_shapes = bottoms
        self.top_shapes, self.other_top_shapes = tops

    def op(self, name: str, inputs: Sequence[str], **attributes: Any) -> str:
        """Add a node with one output; return the output's name."""
        return self.ops(name, inputs, 1, **attributes)[0]

    def ops(self, name: str, inputs: Sequence[str], count: int, **attributes: Any) -> list[str]:
        """Add a node with several outputs; return their names."""
        label = self._fresh(f"{self.layer}/{name}")
        outputs = [label] if count == 1 else [f"{label}:{index}" for index in range(count)]
        self.nodes.append(helper.make_node(name, list(inputs), outputs, label, **attributes))
        return outputs

    def plugin(
        self, name: str, domain: str, inputs: Sequence[str], outputs: Sequence[str], **settings: Any
    ) -> None:
        """Add a node of an operator that is not ONNX's; its outputs have the names given."""
        label = self._fresh(f"{self.layer}/{name}")
        self.nodes.append(
            helper.make_node(name, list(inputs), list(outputs), label, domain=domain, **settings)
        )

    def const(self, value: Any, name: str = "") -> str:
        """Add an initializer; return its name. Equal ones without a name become one."""
        array = value if isinstance(value, Deferred) else np.asarray(value)
        if name:
            label = self._fresh(f"{self.layer}/{name}")
            self.initializers[label] = array
            return label
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._constants:
            self._constants[key] = label = self._fresh(f"{CONSTANT}{len(self._constants)}")
            self.initializers[label] = array
        return self._constants[key]

    def ints(self, *values: int) -> str:
        """A constant list of int64."""
        return self.const(np.array(values, np.int64))

    def scalar(self, value: float) -> str:
        """A constant float without axes."""
        return self.const(np.array(value, np.float32))

    def cast(self, x: str, to: str) -> str:
        """Convert to another type: float, int64, bool or double."""
        return self.op("Cast", [x], to=_TYPES[to])

    def transpose(self, x: str, perm: Sequence[int]) -> str:
        """Put the axes into another order."""
        return self.op("Transpose", [x], perm=list(perm))

    def reshape(self, x: str, dims: Sequence[int]) -> str:
        """Give another shape; 0 keeps the axis at that position, one -1 is inferred."""
        return self.op("Reshape", [x, self.ints(*dims)])

    def reshape_to_top(self, x: str, index: int = 0, bottom: int = 0) -> str:
        """Give a bottom's values the shape of a top, for any batch.

        Raises UnsupportedError if two dimensions depend on the batch.
        """
        return self.reshape(
            x,
            _free_dims(
                (self.bottom_shapes[bottom], self.other_bottom_shapes[bottom]),
                (self.top_shapes[index], self.other_top_shapes[index]),
            ),
        )

    def reshape_like(self, x: str, index: int) -> str:
        """Give a value the shape of a top; its elements are the top's, in the same order."""
        return self.reshape(
            x, _free_dims(((), ()), (self.top_shapes[index], self.other_top_shapes[index]))
        )

    def unsqueeze(self, x: str, axes: Sequence[int]) -> str:
        """Insert axes of size 1."""
        if self.opset < _AXES_ARE_INPUTS:
            return self.op("Unsqueeze", [x], axes=list(axes))
        return self.op("Unsqueeze", [x, self.ints(*axes)])

    def squeeze(self, x: str, axes: Sequence[int]) -> str:
        """Remove axes of size 1."""
        if self.opset < _AXES_ARE_INPUTS:
            return self.op("Squeeze", [x], axes=list(axes))
        return self.op("Squeeze", [x, self.ints(*axes)])

    def split(self, x: str, sizes: Sequence[int], axis: int) -> list[str]:
        """Cut along an axis."""
        if self.opset < _AXES_ARE_INPUTS:
            return self.ops("Split", [x], len(sizes), axis=axis, split=list(sizes))
        return self.ops("Split", [x, self.ints(*sizes)], len(sizes), axis=axis)

    def reduce(self, kind: str, x: str, axes: Sequence[int], *, keepdims: bool) -> str:
        """ReduceSum, ReduceMean and the like."""
        since = _AXES_ARE_INPUTS if kind == "ReduceSum" else _REDUCE_AXES_ARE_INPUTS
        keep = int(keepdims)
        if self.opset < since:
            return self.op(kind, [x], axes=list(axes), keepdims=keep)
        return self.op(kind, [x, self.ints(*axes)], keepdims=keep)

    def softmax(self, x: str, axis: int, rank: int) -> str:
        """Softmax along one axis."""
        axis %= rank
        if self.opset >= _SOFTMAX_HAS_AN_AXIS or axis == rank - 1:
            return self.op("Softmax", [x], axis=axis)
        # Older opsets normalize over all axes from axis on.
        perm = [i for i in range(rank) if i != axis] + [axis]
        back = [perm.index(i) for i in range(rank)]
        last = self.op("Softmax", [self.transpose(x, perm)], axis=rank - 1)
        return self.transpose(last, back)

    def slice(
        self,
        x: str,
        starts: Sequence[int],
        ends: Sequence[int],
        axes: Sequence[int],
        steps: Sequence[int] | None = None,
    ) -> str:
        """A part of a blob."""
        inputs = [x, self.ints(*starts), self.ints(*ends), self.ints(*axes)]
        return self.op("Slice", [*inputs, self.ints(*steps)] if steps else inputs)

    def pad(self, x: str, begin: Sequence[int], end: Sequence[int], value: float) -> str:
        """Add a border of one value."""
        return self.op("Pad", [x, self.ints(*begin, *end), self.scalar(value)], mode="constant")

    def clip(self, x: str, low: float, high: float) -> str:
        """Limit values to two bounds."""
        return self.op("Clip", [x, self.scalar(low), self.scalar(high)])

    @property
    def batch_is_dynamic(self) -> bool:
        """Whether a bottom of the layer has a free dimension."""
        return self.bottom_shapes != self.other_bottom_shapes

    def need_fixed(self, what: str) -> None:
        """Raise UnsupportedError if the layer's bottoms depend on the batch."""
        if self.batch_is_dynamic:
            raise UnsupportedError(f"{what}; give a batch with --batch N")

    def need_fixed_axis(self, axis: int, what: str) -> None:
        """Raise UnsupportedError if an axis of the first bottom is the batch."""
        if self.bottom_shapes[0][axis] != self.other_bottom_shapes[0][axis]:
            raise UnsupportedError(f"{what}; give a batch with --batch N")

    def top_is_fixed(self, index: int) -> bool:
        """Whether a top has no free dimension."""
        return self.top_shapes[index] == self.other_top_shapes[index]

    def full_by_batch(self, value: float, rest: Sequence[int]) -> str:
        """A blob of one value whose first dimension is the batch of the net's inputs."""
        batch = self.slice(self.op("Shape", [self.batch_input]), [0], [1], [0])
        shape = self.op("Concat", [batch, self.ints(*rest)], axis=0)
        tensor = helper.make_tensor("value", TensorProto.FLOAT, [1], [value])
        return self.op("ConstantOfShape", [shape], value=tensor)

    def full_like(self, x: str, value: float) -> str:
        """A blob of the same shape with one value everywhere."""
        tensor = helper.make_tensor("value", TensorProto.FLOAT, [1], [value])
        return self.op("ConstantOfShape", [self.op("Shape", [x])], value=tensor)

    def reserve(self, names: set[str]) -> None:
        """Reserve names for blobs."""
        self._used |= names

    def identity(self, value: str, name: str) -> None:
        """Add a node that gives a value a second name."""
        self.nodes.append(helper.make_node("Identity", [value], [name], f"{name}/Identity"))

    def rename(self, names: dict[str, str]) -> None:
        """Give values other names, wherever they occur."""
        for node in self.nodes:
            for places in (node.input, node.output):
                places[:] = [names.get(value, value) for value in places]

    def _fresh(self, name: str) -> str:
        label, number = name, self._last.get(name, 1)
        while label in self._used:
            number += 1
            label = f"{name}_{number}"
        # The search for the next free name starts here: an LSTM has thousands of nodes.
        self._last[name] = number
        self._used.add(label)
        return label


def _free_dims(bottom: tuple[Shape, Shape], top: tuple[Shape, Shape]) -> list[int]:
    """Dimensions for a Reshape: 0 or -1 if they depend on the batch, else literals."""
    free = [index for index, (a, b) in enumerate(zip(*top, strict=True)) if a != b or a is None]
    dims = [dim or 0 for dim in top[0]]
    if not free:
        if any(dim == 0 for dim in top[0]):
            raise UnsupportedError("a shape with a dimension of 0 cannot be reshaped in ONNX")
        return dims
    if len(free) > 1:
        raise UnsupportedError(
            "several dimensions of the new shape depend on the batch; give a batch with --batch N"
        )
    index = free[0]
    # Two sizes that the data decide may differ.
    same = (
        index < len(bottom[0])
        and top[0][index] is not None
        and bottom[0][index] == top[0][index]
        and bottom[1][index] == top[1][index]
    )
    dims[index] = 0 if same else -1
    return dims
