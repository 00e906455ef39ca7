"""Layers that make one blob out of several, or several out of one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import reduce
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Self

from prototxt_gen._numpy import np
from prototxt_gen._words import plural
from prototxt_gen.document import Block, Symbol
from prototxt_gen.errors import ShapeError
from prototxt_gen.layers.base import BOTTOM, MANY, Arity, Axes, End, Lifted, Problem, Role, layer
from prototxt_gen.layers.base import Layer as Base
from prototxt_gen.layers.parts.axes import alike, all_but
from prototxt_gen.layers.parts.onnx_operands import computed, number
from prototxt_gen.layers.parts.shapes import Dim, Shape, axis_index, need_equal, same, show

if TYPE_CHECKING:
    from prototxt_gen.layers.base import Array, Builder, Normal, OnnxOp

SUM = Symbol("SUM")
#: The operators that are an operation of Eltwise.
_OPERATIONS = {"Mul": Symbol("PROD"), "Max": Symbol("MAX")}


@layer("Eltwise", param="eltwise_param")
class Eltwise(Base):
    """Sum, product or maximum of blobs of the same shape (eltwise_layer.cpp)."""

    operation: Symbol = SUM
    coeff: tuple[float, ...] = ()

    lifts = ("Add", "Sub", "Sum", "Mean", *_OPERATIONS)

    @property
    def backward(self) -> frozenset[End]:
        """A product needs its factors."""
        return BOTTOM if self.operation == "PROD" else frozenset()

    @property
    def commutes(self) -> bool:
        """Unless each bottom has a factor of its own."""
        return not self.coeff

    def arity(self) -> Arity:
        """Two bottoms or more."""
        return Arity((2, MANY), (1, 1))

    def problems(self) -> Iterator[Problem]:
        """coeff is for SUM; MAX ignores it, PROD refuses it."""
        if self.operation == "PROD" and self.coeff:
            yield Problem("eltwise-coeff", "coeff is given with PROD; expected SUM", "coeff")

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """The shape that all bottoms share."""
        if self.coeff and len(self.coeff) != len(bottoms):
            raise ShapeError(
                f"{plural(len(self.coeff), 'coeff value')} for {plural(len(bottoms), 'bottom')}; "
                "expected none, or one "
                "for each",
                rule="eltwise-coeff",
                field="coeff",
            )
        return (need_equal(bottoms),)

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """The sum, the product or the maximum."""
        if self.operation == "PROD":
            return (reduce(np.multiply, bottoms),)
        if self.operation == "MAX":
            return (reduce(np.maximum, bottoms),)
        coeff = self.coeff or (1.0,) * len(bottoms)
        return (reduce(np.add, (np.float32(c) * x for c, x in zip(coeff, bottoms, strict=True))),)

    def lower(self, b: Builder, bottoms: Sequence[str], blobs: Sequence[Array]) -> tuple[str, ...]:
        """Add, Sub or Sum; Mul; Max."""
        if self.operation == "MAX":
            return (b.op("Max", bottoms),)
        if self.operation == "PROD":
            return (reduce(lambda x, y: b.op("Mul", [x, y]), bottoms),)
        if self.coeff == (1.0, -1.0):
            return (b.op("Sub", bottoms),)
        coeff = self.coeff or (1.0,) * len(bottoms)
        terms = [
            x if c == 1 else b.op("Mul", [x, b.scalar(c)])
            for c, x in zip(coeff, bottoms, strict=True)
        ]
        return (b.op("Add" if len(terms) == 2 else "Sum", terms),)

    @classmethod
    def lift(cls, op: OnnxOp) -> Lifted | None:
        """Two computed inputs or more, all of the same shape; a square is a Power.

        "coeff" is an attribute where a pattern found factors.
        """
        bottoms = tuple(range(len(op.inputs)))
        alike = computed(op) == [*bottoms] and len({op.shape(index) for index in bottoms}) == 1
        square = op.op_type == "Mul" and op.inputs[1:] == op.inputs[:1]
        if len(bottoms) < 2 or not alike or square:
            return None
        coeff = op.attribute("coeff", ())
        if op.op_type == "Sub":
            coeff = coeff or (1.0, -1.0)
        if op.op_type == "Mean":
            coeff = (number(1 / len(bottoms)),) * len(bottoms)
        return Lifted(cls(_OPERATIONS.get(op.op_type, SUM), tuple(coeff)), bottoms=bottoms)


@layer("Concat", param="concat_param")
class Concat(Base):
    """Joins blobs along an axis (concat_layer.cpp)."""

    axis: int = 1
    conflict: bool = False  #: whether both axis and concat_dim are given

    spellings = frozenset({"concat_dim"})
    rearranges = True
    lifts = ("Concat",)

    @classmethod
    def read(cls, params: Block, layer: Block) -> Self:
        """``concat_dim`` is the old name of ``axis``."""
        return cls(*_read_axis(params, "concat_dim"))

    def write(self) -> Block:
        """The axis, under its present name."""
        return Block.of(axis=self.axis if self.axis != 1 else None)

    def arity(self) -> Arity:
        """One bottom or more."""
        return Arity((1, MANY), (1, 1))

    def problems(self) -> Iterator[Problem]:
        """The axis is given under one name."""
        if self.conflict:
            message = "has both axis and concat_dim; expected one of them"
            yield Problem("concat-axis", message, "concat_dim")

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """The bottoms' shape, with their sum along the axis; other axes must be equal."""
        axis = axis_index(self.axis, len(bottoms[0]))
        rest: Shape = (*bottoms[0][:axis], None, *bottoms[0][axis + 1 :])
        total = bottoms[0][axis]
        for index, bottom in enumerate(bottoms[1:], 1):
            if len(bottom) != len(rest) or not same(
                rest, (*bottom[:axis], None, *bottom[axis + 1 :])
            ):
                raise ShapeError(
                    f"bottom {index} is {show(bottom)} and bottom 0 is {show(bottoms[0])}; "
                    f"expected equal shapes except in axis {axis}",
                    bottom=index,
                )
            size = bottom[axis]
            total = None if total is None or size is None else total + size
        return ((*rest[:axis], total, *rest[axis + 1 :]),)

    def axes(self, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> Axes:
        """Every axis except the one that is concatenated."""
        return all_but(alike(bottoms, tops), axis_index(self.axis, len(bottoms[0])))

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """The bottoms, joined along the axis."""
        return (np.concatenate(bottoms, axis=self.axis),)

    def lower(self, b: Builder, bottoms: Sequence[str], blobs: Sequence[Array]) -> tuple[str, ...]:
        """Concat."""
        if len(bottoms) == 1:
            return (bottoms[0],)
        return (b.op("Concat", bottoms, axis=axis_index(self.axis, len(b.bottom_shapes[0]))),)

    @classmethod
    def lift(cls, op: OnnxOp) -> Lifted | None:
        """Concat of several blobs, none of which is empty."""
        bottoms = tuple(range(len(op.inputs)))
        axis = axis_index(op.attribute("axis"), len(op.shape()))
        full = all(op.shape(index)[axis] for index in bottoms)
        return Lifted(cls(axis), bottoms=bottoms) if full and len(bottoms) > 1 else None


@layer("Slice", param="slice_param")
class Slice(Base):
    """Cuts a blob into several along an axis (slice_layer.cpp)."""

    slice_point: tuple[int, ...] = ()
    axis: int = 1
    conflict: bool = False  #: whether both axis and slice_dim are given

    spellings = frozenset({"slice_dim"})
    rearranges = True
    lifts = ("Split",)

    @classmethod
    def read(cls, params: Block, layer: Block) -> Self:
        """``slice_dim`` is the old name of ``axis``."""
        axis, conflict = _read_axis(params, "slice_dim")
        return cls(params.get_list("slice_point", int), axis, conflict)

    def write(self) -> Block:
        """The axis, under its present name."""
        return Block.of(slice_point=self.slice_point, axis=self.axis if self.axis != 1 else None)

    def arity(self) -> Arity:
        """One top or more; one more than there are slice points."""
        tops = len(self.slice_point) + 1
        return Arity((1, 1), (tops, tops) if self.slice_point else (1, MANY))

    def problems(self) -> Iterator[Problem]:
        """The axis is given under one name, and slice points ascend."""
        if self.conflict:
            message = "has both axis and slice_dim; expected one of them"
            yield Problem("slice-axis", message, "slice_dim")
        for index, (before, point) in enumerate(pairwise((0, *self.slice_point))):
            if before >= point:
                shown = ", ".join(map(str, self.slice_point))
                message = f"slice_point is {shown}; expected ascending numbers of 1 or more"
                yield Problem("slice-point", message, "slice_point", which=index)
                break

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """The parts; equal ones without slice_point."""
        axis = axis_index(self.axis, len(bottoms[0]))
        size = bottoms[0][axis]
        if size is None:
            parts: list[Dim] = [None] * tops
        elif self.slice_point:
            if self.slice_point[-1] > size:
                raise ShapeError(
                    f"slice_point {self.slice_point[-1]} is past the end of axis {axis}, which "
                    f"has {size} in the bottom {show(bottoms[0])}",
                    rule="slice-point",
                    field="slice_point",
                )
            parts = [b - a for a, b in pairwise((0, *self.slice_point, size))]
        elif size % tops:
            raise ShapeError(
                f"axis {axis} has {size} in the bottom {show(bottoms[0])}, which is no multiple of "
                f"{plural(tops, 'top')}",
                rule="slice-equal",
                bottom=0,
            )
        else:
            parts = [size // tops] * tops
        return tuple((*bottoms[0][:axis], part, *bottoms[0][axis + 1 :]) for part in parts)

    def axes(self, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> Axes:
        """Every axis except the one that is cut."""
        return all_but(alike(bottoms, tops), axis_index(self.axis, len(bottoms[0])))

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """The parts."""
        (x,) = bottoms
        cuts = self.slice_point or tops
        return tuple(np.split(x, cuts, axis=self.axis))

    def lower(self, b: Builder, bottoms: Sequence[str], blobs: Sequence[Array]) -> tuple[str, ...]:
        """Split."""
        axis = axis_index(self.axis, len(b.bottom_shapes[0]))
        sizes = [shape[axis] for shape in b.top_shapes]
        if len(sizes) == 1:
            return (bottoms[0],)
        return tuple(b.split(bottoms[0], [size or 0 for size in sizes], axis))

    @classmethod
    def lift(cls, op: OnnxOp) -> Lifted | None:
        """Split into several parts, all of which have names."""
        tops = len(op.outputs)
        if tops == 1 or "" in op.outputs:
            return None
        axis = axis_index(op.attribute("axis", 0), len(op.shape()))
        sizes = [op.top_shape(index)[axis] for index in range(tops)]
        equal = len(set(sizes)) == 1
        return Lifted(cls(() if equal else tuple(accumulate(sizes[:-1])), axis))


@layer("Split")
class Split(Base):
    """The same blob under several names (split_layer.cpp)."""

    rearranges = True
    shares = True

    def arity(self) -> Arity:
        """One top or more."""
        return Arity((1, 1), (1, MANY))

    def in_test(self) -> None:
        """Nothing."""

    def canonical(self, bottoms: Sequence[Shape], blobs: Sequence[Array]) -> Normal:
        """Nothing."""
        return None

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """The bottom, once for each top."""
        return (bottoms[0],) * tops

    def lower(self, b: Builder, bottoms: Sequence[str], blobs: Sequence[Array]) -> tuple[str, ...]:
        """No node: the bottom itself."""
        return (bottoms[0],) * len(b.top_shapes)


@layer("Silence")
class Silence(Base):
    """Reads otherwise unread blobs, so that Caffe does not print them (silence_layer.cpp)."""

    role = Role.SINK

    def arity(self) -> Arity:
        """One bottom or more, and no top."""
        return Arity((1, MANY), (0, 0))

    def labels(self, bottoms: int) -> frozenset[int]:
        """Its bottoms may be left out."""
        return frozenset(range(bottoms))

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """No tops."""
        return ()

    def lower(self, b: Builder, bottoms: Sequence[str], blobs: Sequence[Array]) -> tuple[str, ...]:
        """No node."""
        return ()


def _read_axis(params: Block, old_name: str) -> tuple[int, bool]:
    """The axis by its present or its old name, and whether both are given."""
    both = params.has("axis") and params.has(old_name)
    name = old_name if params.has(old_name) and not both else "axis"
    return params.get(name, int, 1), both
