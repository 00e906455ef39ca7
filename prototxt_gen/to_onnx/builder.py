"""The builder through which a layer's ``lower`` writes nodes and initializers.

Operators changed their form between opsets; the named methods write the form of the
requested opset, so that layers need not know.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from itertools import groupby
from typing import Any, cast

import numpy as np
import onnx
from onnx import TensorProto, helper

from prototxt_gen._deferred import Deferred
from prototxt_gen.errors import UnsupportedError
from prototxt_gen.graph.graph import Ref
from prototxt_gen.graph.infer import Shapes
from prototxt_gen.layers.parts.shapes import Dim, Shape
from prototxt_gen.layers.parts.sizes import Size, any_free, is_free
from prototxt_gen.layers.parts.terms import Atom, Product
from prototxt_gen.to_onnx.free import Dims, free_dims

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
        self.dims = Dims(Shapes())  #: the free sizes of the model
        self.values: dict[Ref, str] = {}  #: the value of each blob that has one
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: dict[str, Any] = {}  #: arrays, some of them deferred
        self.layer = ""
        self.bottom_shapes: tuple[Shape, ...] = ()
        self.top_shapes: tuple[Shape, ...] = ()
        self._constants: dict[tuple[object, ...], str] = {}
        self._sizes: dict[object, str] = {}
        self._used: set[str] = set()
        self._last: dict[str, int] = {}

    def begin(
        self, layer: str, bottoms: tuple[Shape, ...] = (), tops: tuple[Shape, ...] = ()
    ) -> None:
        """Start a layer; a dimension that is free is a ``parts.sizes.Size``."""
        self.layer = layer
        self.bottom_shapes, self.top_shapes = bottoms, tops
        self.dims.ranges.layer = layer

    def op(self, name: str, inputs: Sequence[str], **attributes: Any) -> str:
        """Add a node with one output; return the output's name."""
        return self.ops(name, inputs, 1, **attributes)[0]

    def ops(self, name: str, inputs: Sequence[str], count: int, **attributes: Any) -> list[str]:
        """Add a node with several outputs; return their names."""
        for value in attributes.values() if self.dims.sources else ():
            _need_numbers(value)
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
        if array.dtype == object:
            _need_numbers(array.tolist())
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
        """A list of int64: a constant, or computed where a size is free."""
        if not any_free(values):
            return self.const(np.array(values, np.int64))
        parts = []
        for free, group in groupby(values, is_free):
            some = list(group)
            parts += [self._size(cast(Any, one)) for one in some] if free else [self.ints(*some)]
        return parts[0] if len(parts) == 1 else self.op("Concat", parts, axis=0)

    def _size(self, size: Size) -> str:
        """A free size, computed from those of the model's inputs: a list of one int64."""
        if size.terms not in self._sizes:
            sums = [self._product(product, factor) for product, factor in size.terms]
            self._sizes[size.terms] = reduce(lambda a, b: self.op("Add", [a, b]), sums)
        return self._sizes[size.terms]

    def _product(self, product: Product, factor: int) -> str:
        parts = [self._atom(atom) for atom in product]
        if factor != 1 or not parts:
            parts.append(self.ints(factor))
        return reduce(lambda a, b: self.op("Mul", [a, b]), parts)

    def _atom(self, atom: Atom) -> str:
        """A symbol, or a quotient; ONNX's division rounds as ours where nothing is negative."""
        if atom in self._sizes:
            return self._sizes[atom]
        if isinstance(atom, str):
            ref, axis = self.dims.sources[atom]
            if ref not in self._sizes:
                self._sizes[ref] = self.op("Shape", [self.values[ref]])
            shape = self._sizes[ref]
            made = self.op("Gather", [shape, self.ints(axis)], axis=0)
        else:
            of = Size(atom.of, self.dims.ranges)
            if not of > -1:
                raise UnsupportedError(f"{of!r} may be negative")
            made = self.op("Div", [self._size(of), self.ints(atom.by)])
        self._sizes[atom] = made
        return made

    def scalar(self, value: float) -> str:
        """A float without axes: a constant, or computed where it is a free size."""
        if is_free(value):
            return self.cast(self.squeeze(self._size(cast(Any, value)), [0]), "float")
        return self.const(np.array(value, np.float32))

    def cast(self, x: str, to: str) -> str:
        """Convert to another type: float, int64, bool or double."""
        return self.op("Cast", [x], to=_TYPES[to])

    def transpose(self, x: str, perm: Sequence[int]) -> str:
        """Put the axes into another order."""
        return self.op("Transpose", [x], perm=list(perm))

    def reshape(self, x: str, dims: Sequence[int]) -> str:
        """Give another shape; 0 keeps the axis at that position, one -1 is inferred."""
        free = [axis for axis, dim in enumerate(dims) if is_free(dim)]
        if free and -1 not in dims:
            dims = [*dims[: free[-1]], -1, *dims[free[-1] + 1 :]]
        return self.op("Reshape", [x, self.ints(*dims)])

    def reshape_to_top(self, x: str, index: int = 0, bottom: int = 0) -> str:
        """Give a bottom's values the shape of a top, for any free sizes.

        Raises UnsupportedError if two dimensions depend on the data.
        """
        dims = free_dims(self.bottom_shapes[bottom], self.top_shapes[index])
        return self.reshape(x, cast(Any, dims))

    def reshape_like(self, x: str, index: int) -> str:
        """Give a value the shape of a top; its elements are the top's, in the same order."""
        return self.reshape(x, cast(Any, free_dims((), self.top_shapes[index])))

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
        """ReduceSum, ReduceMean and the like, over some axes."""
        since = _AXES_ARE_INPUTS if kind == "ReduceSum" else _REDUCE_AXES_ARE_INPUTS
        keep = int(keepdims)
        if self.opset < since:
            return self.op(kind, [x], axes=list(axes), keepdims=keep)
        return self.op(kind, [x, self.ints(*axes)], keepdims=keep)

    def reduce_all(self, kind: str, x: str) -> str:
        """The same over all axes: a value without axes.

        Not all axes by number: OpenCV 5 leaves one of size 1 then.
        """
        return self.op(kind, [x], keepdims=0)

    def places(self, condition: str) -> str:
        """The indices at which a list of bools is true.

        With Gather what Compress does, which OpenCV and tract lack.
        """
        return self.reshape(self.op("NonZero", [condition]), [-1])

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

    def full(self, value: float, shape: Sequence[Dim]) -> str:
        """A blob of one value."""
        tensor = helper.make_tensor("value", TensorProto.FLOAT, [1], [value])
        return self.op("ConstantOfShape", [self.ints(*cast(Any, shape))], value=tensor)

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


def _need_numbers(values: object) -> None:
    """Raise UnsupportedError for a free size among the numbers of a constant."""
    if isinstance(values, (list, tuple)):
        for value in values:
            _need_numbers(value)
    elif isinstance(values, Size):
        values.__index__()
