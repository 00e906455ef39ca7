"""Scale and Bias: factors or offsets along some axes, learned or from a second bottom."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from prototxt_gen._numpy import np
from prototxt_gen.errors import ShapeError, UnsupportedError
from prototxt_gen.layers.base import FIXED, Affine, Arity, Axes, Lifted, Weight, layer
from prototxt_gen.layers.base import Layer as Base
from prototxt_gen.layers.parts.numeric import along
from prototxt_gen.layers.parts.onnx_operands import beside_constant, factors, need_fractions
from prototxt_gen.layers.parts.shapes import Shape, axis_index, need_rank, need_sizes, same, show

if TYPE_CHECKING:
    from prototxt_gen.layers.base import Array, Builder, OnnxOp


@layer("Scale", param="scale_param")
class Scale(Base):
    """Multiply by a weight, or by a second bottom, and add a bias (scale_layer.cpp).

    The factors have the shape of the ``num_axes`` axes of the bottom from ``axis`` on; -1
    stands for all of them, and 0 for a single factor.
    """

    bias_term: bool = False
    axis: int = 1
    num_axes: int = 1

    lifts = ("Mul", "Div", "Scale")

    def arity(self) -> Arity:
        """A second bottom replaces the weight."""
        return Arity((1, 2), (1, 1))

    def blob_shapes(self, bottoms: Sequence[Shape]) -> tuple[Shape, ...]:
        """The weight, unless a second bottom gives it, and the bias; both of the same shape."""
        factors = _factors(bottoms, self.axis, self.num_axes)
        weight = (factors,) if len(bottoms) == 1 else ()
        return (*weight, factors) if self.bias_term else weight

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """The shape of the first bottom."""
        _need_factors(bottoms, self.axis, self.num_axes)
        return (bottoms[0],)

    def axes(self, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> Axes:
        """The factors of a second bottom have the first bottom's axes from ``axis`` on."""
        return _axes(bottoms, self.axis, self.num_axes, len(bottoms) == 1 or self.bias_term)

    def weights(self, shapes: Sequence[Shape]) -> tuple[Weight, ...]:
        """The weight, where no second bottom gives it, and the bias."""
        both = (Weight("weight", "filler", 1.0), Weight("bias", "bias_filler"))
        return both[-len(shapes) :] if self.bias_term else both[: len(shapes)]

    def affine(self, blobs: Sequence[Array]) -> Affine | None:
        """For each channel."""
        if (self.axis, self.num_axes) != (1, 1) or len(blobs) != 1 + self.bias_term:
            return None
        factor = blobs[0].astype(np.float64).reshape(-1)
        shift = blobs[1].astype(np.float64).reshape(-1) if self.bias_term else 0 * factor
        return Affine(factor, shift)

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """The first bottom times the factors, plus the bias."""
        x = bottoms[0]
        factors, bias = self._split(bottoms, blobs)
        axis = _start(x.ndim, factors.ndim, self.axis)
        y = x * along(factors, axis, x.ndim)
        return (y if bias is None else y + along(bias, axis, x.ndim),)

    def lower(self, b: Builder, bottoms: Sequence[str], blobs: Sequence[Array]) -> tuple[str, ...]:
        """Mul, and Add for a bias."""
        factors = _broadcast(b, bottoms, blobs, self.axis, "weight")
        y = b.op("Mul", [bottoms[0], factors])
        if self.bias_term:
            rank = len(b.bottom_shapes[0])
            y = b.op("Add", [y, _constant(b, blobs[-1], rank, self.axis, "bias")])
        return (y,)

    @classmethod
    def lift(cls, op: OnnxOp) -> Lifted | None:
        """Times or by a constant.

        "Scale" is a group: x, the factors from "axis" on, which may be computed, and perhaps a
        bias, both as Caffe has them.
        """
        if op.op_type == "Scale":
            given = [op.constant(index) for index in range(1, len(op.inputs))]
            blobs = tuple(blob for blob in given if blob is not None)
            bias_term, axis = len(given) == 2, op.attribute("axis")
            if given[0] is None:
                return Lifted(cls(bias_term, axis), blobs, (0, 1))
            return Lifted(cls(bias_term, axis, blobs[0].ndim), blobs)
        need_fractions(op)
        found = beside_constant(op)
        if found is None or found[1].size == 1 or (op.op_type == "Div" and found[0] == 1):
            return None
        index, constant = found
        if op.op_type == "Div":
            if not constant.all():
                raise UnsupportedError("it divides by a constant that has zeros")
            constant = 1 / constant.astype(np.float32)
        axis, weight = factors(constant, op.shape(index))
        return Lifted(cls(axis=axis, num_axes=weight.ndim), (weight,), (index,))

    def _split(
        self, bottoms: Sequence[Array], blobs: Sequence[Array]
    ) -> tuple[Array, Array | None]:
        """The factors and the bias; with two bottoms the first blob is the bias."""
        factors = bottoms[1] if len(bottoms) == 2 else blobs[0]
        return factors, blobs[-1] if self.bias_term else None


@layer("Bias", param="bias_param")
class Bias(Base):
    """Add a weight, or a second bottom, along some axes, as in Scale (bias_layer.cpp)."""

    axis: int = 1
    num_axes: int = 1

    lifts = ("Add", "Sub", "Bias")

    def arity(self) -> Arity:
        """A second bottom replaces the weight."""
        return Arity((1, 2), (1, 1))

    def blob_shapes(self, bottoms: Sequence[Shape]) -> tuple[Shape, ...]:
        """The weight, unless a second bottom gives it."""
        return (_factors(bottoms, self.axis, self.num_axes),) if len(bottoms) == 1 else ()

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """The shape of the first bottom."""
        _need_factors(bottoms, self.axis, self.num_axes)
        return (bottoms[0],)

    def axes(self, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> Axes:
        """As in Scale."""
        return _axes(bottoms, self.axis, self.num_axes, len(bottoms) == 1)

    def weights(self, shapes: Sequence[Shape]) -> tuple[Weight, ...]:
        """The bias."""
        return (Weight("bias", "filler"),)[: len(shapes)]

    def affine(self, blobs: Sequence[Array]) -> Affine | None:
        """For each channel."""
        if (self.axis, self.num_axes) != (1, 1) or len(blobs) != 1:
            return None
        shift = blobs[0].astype(np.float64).reshape(-1)
        return Affine(np.ones_like(shift), shift)

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """The first bottom plus the bias."""
        x = bottoms[0]
        bias = bottoms[1] if len(bottoms) == 2 else blobs[0]
        return (x + along(bias, _start(x.ndim, bias.ndim, self.axis), x.ndim),)

    def lower(self, b: Builder, bottoms: Sequence[str], blobs: Sequence[Array]) -> tuple[str, ...]:
        """Add."""
        return (b.op("Add", [bottoms[0], _broadcast(b, bottoms, blobs, self.axis, "bias")]),)

    @classmethod
    def lift(cls, op: OnnxOp) -> Lifted | None:
        """Plus or minus a constant; "Bias" is a group: x, and a shift computed from "axis" on."""
        if op.op_type == "Bias":
            return Lifted(cls(axis=op.attribute("axis")), bottoms=(0, 1))
        found = beside_constant(op)
        if found is None or found[1].size == 1 or (op.op_type == "Sub" and found[0] == 1):
            return None
        index, constant = found
        axis, bias = factors(-constant if op.op_type == "Sub" else constant, op.shape(index))
        return Lifted(cls(axis=axis, num_axes=bias.ndim), (bias,), (index,))


@layer("Axpy")
class Axpy(Base):
    """a * x + y, with one a for each channel of each image (SENet's forks).

    Bottoms: a of (N, C) or (N, C, 1, 1), x and y of the same shape (N, C, H, W).
    """

    lifts = ("Axpy",)

    def arity(self) -> Arity:
        """The factor, x and y."""
        return Arity((3, 3), (1, 1))

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """The shape of x."""
        factor, x, y = bottoms
        need_rank(factor, 2, 4, "Axpy")
        need_rank(x, 2, 4, "Axpy", 1)
        need_sizes(factor, (*x[:2], 1, 1)[: len(factor)], "bottom 0", 0)
        need_sizes(y, x, "bottom 2", 2)
        return (x,)

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """a * x + y."""
        factor, x, y = bottoms
        return (factor.reshape(factor.shape[:2] + (1,) * (x.ndim - 2)) * x + y,)

    def lower(self, b: Builder, bottoms: Sequence[str], blobs: Sequence[Array]) -> tuple[str, ...]:
        """Mul and Add."""
        factor, x, y = bottoms
        missing = range(len(b.bottom_shapes[0]), len(b.bottom_shapes[1]))
        if missing:
            factor = b.unsqueeze(factor, list(missing))
        return (b.op("Add", [b.op("Mul", [factor, x]), y]),)

    @classmethod
    def lift(cls, op: OnnxOp) -> Lifted | None:
        """The group that ``lower`` writes."""
        return Lifted(cls(), bottoms=(0, 1, 2))


def _axes(bottoms: Sequence[Shape], axis: int, num_axes: int, stored: bool) -> Axes:
    """The factors have the axes of the first bottom from ``axis`` on, which keep their size.

    Axis 0 is free where nothing is stored: a second bottom then has factors for each image.
    """
    labels = list(map(str, range(len(bottoms[0]))))
    factors = len(_factors(bottoms, axis, num_axes))
    start = _start(len(labels), factors, axis)
    for index in range(start, start + factors):
        if index or stored:
            labels[index] = f"{FIXED}:{index}"
    whole = tuple(labels)
    return Axes((whole, whole[start : start + factors])[: len(bottoms)], (whole,))


def _factors(bottoms: Sequence[Shape], axis: int, num_axes: int) -> Shape:
    """The shape of the factors."""
    if len(bottoms) == 2:
        return bottoms[1]
    if num_axes < -1:
        raise ShapeError(
            f"num_axes is {num_axes}; expected 0 or more, or -1 for all from axis on",
            rule="num-axes",
            field="num_axes",
        )
    axis = axis_index(axis, len(bottoms[0]))
    if num_axes < 0:
        return bottoms[0][axis:]
    if axis + num_axes > len(bottoms[0]):
        raise ShapeError(
            f"num_axes {num_axes} from axis {axis} on exceeds the axes of the bottom, "
            f"{show(bottoms[0])}",
            rule="axis-out-of-range",
            field="num_axes",
        )
    return bottoms[0][axis : axis + num_axes]


def _need_factors(bottoms: Sequence[Shape], axis: int, num_axes: int) -> None:
    factors = _factors(bottoms, axis, num_axes)
    axis = axis_index(axis, len(bottoms[0])) if factors else 0
    if not same(bottoms[0][axis : axis + len(factors)], factors):
        raise ShapeError(
            f"bottom 1 is {show(factors)}, which does not match bottom 0, {show(bottoms[0])}, "
            f"from axis {axis} on",
            bottom=1,
        )


def _start(rank: int, factors: int, axis: int) -> int:
    """The axis at which the factors begin; a single factor fits anywhere."""
    return axis_index(axis, rank) if factors else 0


def _constant(b: Builder, factors: Array, rank: int, axis: int, name: str) -> str:
    """Factors as an initializer, shaped to broadcast from an axis on."""
    behind = rank - _start(rank, factors.ndim, axis) - factors.ndim
    return b.const(factors.reshape(factors.shape + (1,) * behind), name)


def _broadcast(
    b: Builder, bottoms: Sequence[str], blobs: Sequence[Array], axis: int, name: str
) -> str:
    """Factors from a weight or a second bottom, shaped to broadcast from an axis on."""
    rank = len(b.bottom_shapes[0])
    if len(bottoms) == 1:
        return _constant(b, blobs[0], rank, axis, name)
    own = len(b.bottom_shapes[1])
    behind = rank - _start(rank, own, axis) - own
    return b.unsqueeze(bottoms[1], list(range(own, own + behind))) if behind and own else bottoms[1]
