"""Scale and Bias: factors along some axes, learned or from a second bottom."""

from __future__ import annotations

from collections.abc import Sequence

from prototxt_gen.errors import ShapeError
from prototxt_gen.layers.base import Arity, layer
from prototxt_gen.layers.base import Layer as Base
from prototxt_gen.layers.shapes import Shape, axis_index, need_rank, need_sizes, same, show


@layer("Scale", param="scale_param")
class Scale(Base):
    """Multiply by a weight, or by a second bottom, and add a bias (scale_layer.cpp).

    The factors have the shape of the ``num_axes`` axes of the bottom from ``axis`` on; -1
    stands for all of them, and 0 for a single factor.
    """

    bias_term: bool = False
    axis: int = 1
    num_axes: int = 1

    def arity(self) -> Arity:
        """The second bottom takes the place of the weight."""
        return Arity((1, 2), (1, 1))

    def blob_shapes(self, bottoms: Sequence[Shape]) -> tuple[Shape, ...]:
        """The weight, unless a second bottom gives it, and the bias; of one shape."""
        factors = _factors(bottoms, self.axis, self.num_axes)
        weight = (factors,) if len(bottoms) == 1 else ()
        return (*weight, factors) if self.bias_term else weight

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """That of the first bottom."""
        _need_factors(bottoms, self.axis, self.num_axes)
        return (bottoms[0],)


@layer("Bias", param="bias_param")
class Bias(Base):
    """Add a weight, or a second bottom, along some axes (bias_layer.cpp); as in Scale."""

    axis: int = 1
    num_axes: int = 1

    def arity(self) -> Arity:
        """The second bottom takes the place of the weight."""
        return Arity((1, 2), (1, 1))

    def blob_shapes(self, bottoms: Sequence[Shape]) -> tuple[Shape, ...]:
        """The weight, unless a second bottom gives it."""
        return (_factors(bottoms, self.axis, self.num_axes),) if len(bottoms) == 1 else ()

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """That of the first bottom."""
        _need_factors(bottoms, self.axis, self.num_axes)
        return (bottoms[0],)


@layer("Axpy")
class Axpy(Base):
    """a * x + y, with one a for each channel of each image (SENet's forks).

    Bottoms: a of (N, C) or (N, C, 1, 1), x and y of one shape (N, C, H, W).
    """

    def arity(self) -> Arity:
        """The factor and both summands."""
        return Arity((3, 3), (1, 1))

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """That of x."""
        factor, x, y = bottoms
        need_rank(factor, 2, 4, "Axpy")
        need_rank(x, 2, 4, "Axpy")
        need_sizes(factor, (*x[:2], 1, 1)[: len(factor)], "bottom 0")
        need_sizes(y, x, "bottom 2")
        return (x,)


def _factors(bottoms: Sequence[Shape], axis: int, num_axes: int) -> Shape:
    """The shape of the factors."""
    if len(bottoms) == 2:
        return bottoms[1]
    axis = axis_index(axis, len(bottoms[0]))
    if num_axes < 0:
        return bottoms[0][axis:]
    if axis + num_axes > len(bottoms[0]):
        raise ShapeError(
            f"num_axes {num_axes} from axis {axis} on is more than the bottom, "
            f"{show(bottoms[0])}, has",
            rule="axis-out-of-range",
            field="num_axes",
        )
    return bottoms[0][axis : axis + num_axes]


def _need_factors(bottoms: Sequence[Shape], axis: int, num_axes: int) -> None:
    factors = _factors(bottoms, axis, num_axes)
    axis = axis_index(axis, len(bottoms[0])) if factors else 0
    if not same(bottoms[0][axis : axis + len(factors)], factors):
        raise ShapeError(
            f"bottom 1 is {show(factors)}, which is not what bottom 0, {show(bottoms[0])}, "
            f"has from axis {axis} on",
            field="axis",
        )
